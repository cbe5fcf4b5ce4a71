#include "config/lexer.h"

#include <strings.h>

#include <algorithm>

namespace weir {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_word_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool is_word_part(char c) { return is_word_start(c) || is_digit(c) || c == '$'; }

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; }

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  TokenList run() {
    if (text_.substr(0, 3) == "\xEF\xBB\xBF") position_ = line_start_ = 3;
    while (!list_.error && skip_blanks() && position_ < text_.size()) read_token();
    Token end;
    end.begin = end.end = list_.error ? token_begin_ : text_.size();
    end.line = list_.error ? list_.error->line : line_;
    end.column = list_.error ? list_.error->column : column(text_.size());
    list_.tokens.push_back(end);
    return std::move(list_);
  }

 private:
  char at(size_t position) const { return position < text_.size() ? text_[position] : '\0'; }
  int column(size_t position) const { return static_cast<int>(position - line_start_) + 1; }

  void advance_to(size_t position) {
    for (; position_ < position; ++position_) {
      if (text_[position_] != '\n') continue;
      ++line_;
      line_start_ = position_ + 1;
    }
  }

  void fail(std::string message) {
    token_begin_ = position_;
    list_.error = LexError{line_, column(position_), std::move(message)};
  }

  bool skip_blanks() {
    while (position_ < text_.size()) {
      size_t begin = position_;
      if (is_space(text_[position_])) {
        advance_to(position_ + 1);
      } else if (text_.substr(position_, 2) == "--") {
        advance_to(std::min(text_.find('\n', position_), text_.size()));
        list_.comments.emplace_back(begin, position_);
      } else if (text_.substr(position_, 2) == "/*") {
        size_t close = text_.find("*/", position_ + 2);
        if (close == std::string_view::npos) {
          fail("this comment is never closed: '*/' is missing");
          return false;
        }
        advance_to(close + 2);
        list_.comments.emplace_back(begin, position_);
      } else {
        break;
      }
    }
    return true;
  }

  void push(TokenKind kind, size_t end, std::string text) {
    Token token;
    token.kind = kind;
    token.text = std::move(text);
    token.begin = position_;
    token.end = end;
    token.line = line_;
    token.column = column(position_);
    list_.tokens.push_back(std::move(token));
    advance_to(end);
  }

  void read_token() {
    char c = text_[position_];
    if (c == '\'') return read_quoted(c, TokenKind::string, "string");
    if (c == '`' || c == '"') return read_quoted(c, TokenKind::quoted, "quoted name");
    size_t end = position_ + 1;
    if (is_word_start(c)) {
      while (is_word_part(at(end))) ++end;
      return push(TokenKind::word, end, std::string(text_.substr(position_, end - position_)));
    }
    if (is_digit(c) || (c == '.' && is_digit(at(end)))) {
      end = number_end();
      return push(TokenKind::number, end, std::string(text_.substr(position_, end - position_)));
    }
    if (c == '\0' || (c > 0 && c < ' ')) return fail("a control character stands here, expected SQL text");
    push(TokenKind::symbol, end, std::string(1, c));
  }

  size_t number_end() const {
    size_t end = position_;
    while (is_digit(at(end))) ++end;
    if (at(end) == '.') ++end;
    while (is_digit(at(end))) ++end;
    if (at(end) == 'e' || at(end) == 'E') {
      size_t digits = end + 1 + (at(end + 1) == '+' || at(end + 1) == '-' ? 1 : 0);
      if (is_digit(at(digits))) {
        end = digits;
        while (is_digit(at(end))) ++end;
      }
    }
    return end;
  }

  void read_quoted(char quote, TokenKind kind, const char* what) {
    std::string value;
    for (size_t i = position_ + 1; i < text_.size(); ++i) {
      if (text_[i] != quote) {
        value += text_[i];
      } else if (at(i + 1) == quote) {
        value += quote;
        ++i;
      } else {
        return push(kind, i + 1, std::move(value));
      }
    }
    fail(std::string("this ") + what + " is never closed: a " + quote + " is missing");
  }

  std::string_view text_;
  size_t position_ = 0;
  size_t line_start_ = 0;
  size_t token_begin_ = 0;
  int line_ = 1;
  TokenList list_;
};

}  // namespace

bool equals_ignoring_case(std::string_view left, std::string_view right) {
  return left.size() == right.size() && strncasecmp(left.data(), right.data(), left.size()) == 0;
}

bool Token::is_word(std::string_view keyword) const {
  return kind == TokenKind::word && equals_ignoring_case(text, keyword);
}

TokenList tokenize(std::string_view text) { return Lexer(text).run(); }

std::string describe(const Token& token) {
  switch (token.kind) {
    case TokenKind::word: return token.text;
    case TokenKind::quoted: return "`" + token.text + "`";
    case TokenKind::string: return "a string";
    case TokenKind::number: return token.text;
    case TokenKind::symbol: return "'" + token.text + "'";
    case TokenKind::end: break;
  }
  return "the end of the file";
}

TokenCursor::TokenCursor(std::string file, const std::string& text, std::vector<Token> tokens,
                         Diagnostics& diagnostics)
    : file_(std::move(file)), text_(text), tokens_(std::move(tokens)), diagnostics_(diagnostics) {}

const Token& TokenCursor::peek(size_t ahead) const {
  return tokens_[std::min(position_ + ahead, tokens_.size() - 1)];
}

const Token& TokenCursor::next() {
  const Token& token = peek();
  if (token.kind != TokenKind::end) ++position_;
  return token;
}

bool TokenCursor::accept_word(std::string_view keyword) {
  if (!peek().is_word(keyword)) return false;
  next();
  return true;
}

bool TokenCursor::accept_symbol(char symbol) {
  if (!peek().is_symbol(symbol)) return false;
  next();
  return true;
}

bool TokenCursor::expect_word(std::string_view keyword) {
  if (accept_word(keyword)) return true;
  expected(keyword);
  return false;
}

bool TokenCursor::expect_symbol(char symbol, std::string_view context) {
  if (accept_symbol(symbol)) return true;
  std::string what = std::string("'") + symbol + "'";
  if (!context.empty()) what += " " + std::string(context);
  expected(what);
  return false;
}

std::optional<std::string> TokenCursor::expect_identifier(std::string_view what) {
  if (!peek().is_identifier() || peek().text.empty()) {
    expected(what);
    return std::nullopt;
  }
  return next().text;
}

std::string TokenCursor::source(size_t first, size_t last) const {
  if (first >= last) return "";
  return text_.substr(tokens_[first].begin, tokens_[last - 1].end - tokens_[first].begin);
}

void TokenCursor::error(const Token& token, std::string message) {
  diagnostics_.error(location(token), std::move(message));
}

void TokenCursor::expected(std::string_view what) {
  error(peek(), "found " + describe(peek()) + ", expected " + std::string(what));
}

}  // namespace weir
