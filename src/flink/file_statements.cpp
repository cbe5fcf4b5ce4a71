#include "flink/file_statements.h"

#include "config/lexer.h"

namespace weir {

FileStatements::FileStatements(const std::string& text) {
  const TokenList list = tokenize(text);
  const std::vector<Token>& tokens = list.tokens;
  size_t first = 0;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const Token& token = tokens[i];
    if (token.kind == TokenKind::string) {
      strings_[{token.line, token.column}] = text.substr(token.begin, token.end - token.begin);
    }
    const bool ends = token.is_symbol(';') || token.kind == TokenKind::end;
    if (!ends) continue;
    if (i > first) {
      const Token& begin = tokens[first];
      Statement statement;
      statement.begin = {begin.line, begin.column};
      statement.end = {token.line, token.column};
      statement.text = text.substr(begin.begin, tokens[i - 1].end - begin.begin) + ";";
      if (begin.is_word("SET") && i > first + 1) statement.setting = tokens[first + 1].text;
      statements_.push_back(std::move(statement));
    }
    first = i + 1;
  }
}

std::string FileStatements::at(const Location& location) const {
  const std::pair place{location.line, location.column};
  for (const Statement& statement : statements_) {
    if (statement.begin <= place && place <= statement.end) return statement.text;
  }
  return "";
}

std::vector<std::string> FileStatements::settings(const std::string& without) const {
  std::vector<std::string> result;
  for (const Statement& statement : statements_) {
    if (!statement.setting.empty() && statement.setting != without) result.push_back(statement.text);
  }
  return result;
}

std::string FileStatements::written(const Location& location) const {
  const auto found = strings_.find({location.line, location.column});
  return found == strings_.end() ? "" : found->second;
}

}  // namespace weir
