// SQL text as tokens, with the place of each: what the parser and the query rewriting read.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/source_text.h"

namespace weir {

enum class TokenKind { word, quoted, string, number, symbol, end };

struct Token {
  TokenKind kind = TokenKind::end;
  std::string text;           // without quotes and with doubled quotes undone; a symbol is one character
  size_t begin = 0, end = 0;  // bytes of the text
  int line = 1, column = 1;

  bool is_word(std::string_view keyword) const;  // unquoted, in any case
  bool is_symbol(char symbol) const { return kind == TokenKind::symbol && text[0] == symbol; }
  bool is_identifier() const { return kind == TokenKind::word || kind == TokenKind::quoted; }
};

struct LexError {
  int line = 1, column = 1;
  std::string message;
};

struct TokenList {
  std::vector<Token> tokens;                        // the last one is TokenKind::end
  std::vector<std::pair<size_t, size_t>> comments;  // [begin, end) in bytes
  std::optional<LexError> error;                    // the tokens stop before it
};

TokenList tokenize(std::string_view text);

// How messages name a token. The content of a string is left out: it may be a secret.
std::string describe(const Token& token);

bool equals_ignoring_case(std::string_view left, std::string_view right);

// A position in the tokens of one file. It never runs past the end token. Both references must outlive it.
class TokenCursor {
 public:
  TokenCursor(std::string file, const std::string& text, std::vector<Token> tokens, Diagnostics& diagnostics);

  const Token& peek(size_t ahead = 0) const;
  const Token& next();
  bool at_end() const { return peek().kind == TokenKind::end; }
  bool accept_word(std::string_view keyword);
  bool accept_symbol(char symbol);
  // True and past it when it is there, otherwise an error "found …, expected …".
  bool expect_word(std::string_view keyword);
  bool expect_symbol(char symbol, std::string_view context = "");
  std::optional<std::string> expect_identifier(std::string_view what);

  size_t position() const { return position_; }
  void seek(size_t position) { position_ = position; }
  const Token& at(size_t position) const { return tokens_[position]; }
  // The text of tokens [first, last) as written.
  std::string source(size_t first, size_t last) const;

  Location location(const Token& token) const { return {file_, token.line, token.column}; }
  void error(const Token& token, std::string message);
  // "found <the next token>, expected <what>"
  void expected(std::string_view what);
  Diagnostics& diagnostics() { return diagnostics_; }

 private:
  std::string file_;
  const std::string& text_;
  std::vector<Token> tokens_;
  Diagnostics& diagnostics_;
  size_t position_ = 0;
};

}  // namespace weir
