#include "flink/flink_query.h"

#include "config/lexer.h"

namespace weir {

std::string flink_query(const std::string& query) {
  std::string text = query;
  const TokenList list = tokenize(query);
  for (size_t i = 0; i + 1 < list.tokens.size(); ++i) {
    const Token& token = list.tokens[i];
    const Token& next = list.tokens[i + 1];
    if (token.is_symbol('!') && next.is_symbol('=')) text.replace(token.begin, 2, "<>");
    if (!token.is_word("STRING_AGG") || !next.is_symbol('(')) continue;
    text.replace(token.begin, token.end - token.begin, "LISTAGG   ");
  }
  return text;
}

}  // namespace weir
