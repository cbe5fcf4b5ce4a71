#include "config/lexer.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(Lexer, KindsTextsAndPlaces) {
  TokenList list = tokenize("SELECT `a``b`, \"c\"\"d\" -- x\n  FROM 'it''s' /* ; \n */ 1.5e3>=t.x");
  ASSERT_FALSE(list.error);
  struct Expected {
    TokenKind kind;
    const char* text;
    int line, column;
  };
  const Expected expected[] = {
      {TokenKind::word, "SELECT", 1, 1},  {TokenKind::quoted, "a`b", 1, 8}, {TokenKind::symbol, ",", 1, 14},
      {TokenKind::quoted, "c\"d", 1, 16}, {TokenKind::word, "FROM", 2, 3},  {TokenKind::string, "it's", 2, 8},
      {TokenKind::number, "1.5e3", 3, 5}, {TokenKind::symbol, ">", 3, 10},  {TokenKind::symbol, "=", 3, 11},
      {TokenKind::word, "t", 3, 12},      {TokenKind::symbol, ".", 3, 13},  {TokenKind::word, "x", 3, 14},
      {TokenKind::end, "", 3, 15},
  };
  ASSERT_EQ(list.tokens.size(), std::size(expected));
  for (size_t i = 0; i < std::size(expected); ++i) {
    EXPECT_EQ(list.tokens[i].kind, expected[i].kind) << i;
    EXPECT_EQ(list.tokens[i].text, expected[i].text) << i;
    EXPECT_EQ(list.tokens[i].line, expected[i].line) << i;
    EXPECT_EQ(list.tokens[i].column, expected[i].column) << i;
  }
  EXPECT_EQ(list.comments.size(), 2u);
}

TEST(Lexer, QuotedNamesAreNoKeywords) {
  TokenList list = tokenize("select `select`");
  EXPECT_TRUE(list.tokens[0].is_word("SELECT"));
  EXPECT_FALSE(list.tokens[1].is_word("SELECT"));
}

TEST(Lexer, UnclosedThingsAreNamedWhereTheyBegin) {
  struct Case {
    const char* text;
    int line, column;
    const char* fragment;
  };
  const Case cases[] = {{"a\n 'b", 2, 2, "string is never closed"},
                        {"`b", 1, 1, "quoted name is never closed"},
                        {"a /* b", 1, 3, "comment is never closed"},
                        {"a \x01", 1, 3, "control character"}};
  for (const Case& c : cases) {
    TokenList list = tokenize(c.text);
    ASSERT_TRUE(list.error) << c.text;
    EXPECT_EQ(list.error->line, c.line) << c.text;
    EXPECT_EQ(list.error->column, c.column) << c.text;
    EXPECT_NE(list.error->message.find(c.fragment), std::string::npos) << list.error->message;
    EXPECT_EQ(list.tokens.back().kind, TokenKind::end);
  }
}

TEST(Lexer, ByteOrderMarkIsSkippedAndUtf8IsAWord) {
  TokenList list = tokenize("\xEF\xBB\xBFgröße x");
  ASSERT_EQ(list.tokens.size(), 3u);
  EXPECT_EQ(list.tokens[0].text, "größe");
  EXPECT_EQ(list.tokens[0].column, 1);
}

TEST(Lexer, DescriptionsLeaveStringsOut) {
  TokenList list = tokenize("'secret' x ; `q` 7");
  EXPECT_EQ(describe(list.tokens[0]), "a string");
  EXPECT_EQ(describe(list.tokens[1]), "x");
  EXPECT_EQ(describe(list.tokens[2]), "';'");
  EXPECT_EQ(describe(list.tokens[3]), "`q`");
  EXPECT_EQ(describe(list.tokens[5]), "the end of the file");
}

}  // namespace
}  // namespace weir
