#include "cli/payload_excerpt.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(PayloadExcerpt, PutsTheCaretUnderTheByte) {
  EXPECT_EQ(payload_excerpt(R"({"a":1,"b":x})", 11, 80), "  {\"a\":1,\"b\":x}\n             ^");
}

TEST(PayloadExcerpt, WithoutAPlaceThereIsNoCaret) { EXPECT_EQ(payload_excerpt("{}", -1, 80), "  {}"); }

TEST(PayloadExcerpt, CountsColumnsNotBytes) {
  EXPECT_EQ(payload_excerpt("\"é\",x", 5, 80), "  \"é\",x\n      ^");
}

TEST(PayloadExcerpt, EscapesWhatDoesNotPrint) {
  EXPECT_EQ(payload_excerpt(std::string_view("a\xff"
                                             "b",
                                             3),
                            1, 80),
            "  a\\xff"
            "b\n   ^");
  EXPECT_EQ(printable("\x01"), "\\x01");
}

TEST(PayloadExcerpt, AtTheEndAndBeyondStandsBehindTheLastByte) {
  EXPECT_EQ(payload_excerpt("{\"a\"", 4, 80), "  {\"a\"\n      ^");
  EXPECT_EQ(payload_excerpt("{\"a\"", 99, 80), "  {\"a\"\n      ^");
}

TEST(PayloadExcerpt, CutsLongLinesAroundThePlace) {
  std::string long_line(1000, 'x');
  long_line[500] = 'Y';
  std::string text = payload_excerpt(long_line, 500, 20);
  auto newline = text.find('\n');
  ASSERT_NE(newline, std::string::npos);
  EXPECT_NE(text.find("Y"), std::string::npos);
  EXPECT_LT(newline, 40u);
}

TEST(PayloadExcerpt, ShowsTheLineOfThePlace) {
  EXPECT_EQ(payload_excerpt("{\n  \"a\": x\n}", 9, 80), "    \"a\": x…\n         ^");
}

TEST(PayloadExcerpt, AnEmptyPayloadSaysSo) { EXPECT_EQ(payload_excerpt("", 0, 80), "  (empty)"); }

}  // namespace
}  // namespace weir
