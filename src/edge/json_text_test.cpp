#include "edge/json_text.h"

#include <gtest/gtest.h>

#include <vector>

namespace weir {
namespace {

std::optional<JsonFault> check(std::string text, int depth = 8) {
  const size_t size = text.size();
  text.resize(size + kJsonPadding, '\0');
  auto fast = check_json({text.data(), size}, depth);
  auto slow = find_json_fault({text.data(), size}, depth);
  EXPECT_EQ(fast.has_value(), slow.has_value()) << text;
  return fast;
}

TEST(JsonText, TakesWhatIsJson) {
  for (const char* text :
       {"1", "-0", "-0.5e+10", "\"\"", "true", "null", " [ ] ", "{}", "{\"a\":[1,{\"b\":null}]}",
        "123456789012345678901234567890", "1e999", "\"\\u00e9\\ud83d\\ude00\"", "\"\xC3\xA9\"",
        "[[[[[[[[]]]]]]]]", "\n{\"a\" : \t1 }\r\n"}) {
    EXPECT_FALSE(check(text)) << text;
  }
}

TEST(JsonText, SaysWhereItIsNot) {
  struct Case {
    const char* text;
    size_t offset;
    const char* reason;
  };
  const std::vector<Case> cases{
      {"", 0, "no JSON value"},
      {"  ", 2, "no JSON value"},
      {"{\"a\":1,}", 7, "name in double quotes"},
      {"{\"a\" 1}", 5, "expected ':'"},
      {"{a:1}", 1, "name in double quotes"},
      {"[1 2]", 3, "',' or ']'"},
      {"[1,]", 3, "expected a JSON value"},
      {"{\"a\":1", 6, "cut off"},
      {"[1", 2, "cut off"},
      {"{\"a\":\"x", 5, "not closed"},
      {"01", 0, "needless 0"},
      {"1.", 2, "lacks a digit"},
      {"1e", 2, "lacks a digit"},
      {"-", 1, "lacks a digit"},
      {"+1", 0, "expected a JSON value"},
      {"NaN", 0, "expected a JSON value"},
      {"tru", 0, "expected a JSON value"},
      {"truex", 4, "follows"},
      {"{} {}", 3, "follows"},
      {"\"a\nb\"", 2, "control character"},
      {"\"\\x\"", 1, "escape"},
      {"\"\\u12g4\"", 1, "hex digits"},
      {"\"\xC3\x28\"", 1, "UTF-8"},
      {"\"\xED\xA0\x80\"", 1, "UTF-8"},
      {"\"\xF4\x90\x80\x80\"", 1, "UTF-8"},
      {"\xEF\xBB\xBF{}", 0, "byte order mark"},
      {"[[[[[[[[[]]]]]]]]]", 8, "more than 8 levels"},
      {"]", 0, "expected a JSON value"},
      {"{\"a\":}", 5, "expected a JSON value"},
  };
  for (const Case& each : cases) {
    auto fault = check(each.text);
    ASSERT_TRUE(fault) << each.text;
    EXPECT_EQ(fault->offset, each.offset) << each.text << ": " << fault->reason;
    EXPECT_NE(fault->reason.find(each.reason), std::string::npos) << each.text << ": " << fault->reason;
  }
}

TEST(JsonText, DepthIsExactWhateverTheParserCounts) {
  for (int depth : {1, 2, 5, 64}) {
    const auto nested = [](int levels) {
      return std::string(static_cast<size_t>(levels), '[') + std::string(static_cast<size_t>(levels), ']');
    };
    EXPECT_FALSE(check(nested(depth), depth)) << depth;
    EXPECT_TRUE(check(nested(depth + 1), depth)) << depth;
    EXPECT_FALSE(check("1", depth));
  }
}

TEST(JsonText, MembersAndElementsAreSlices) {
  std::vector<std::string> parts;
  EXPECT_TRUE(for_each_member(R"( {"a" : [1, {"x":"}"}] ,"b\"":"q\\" , "c":-1.5e3,"d":{} } )",
                              [&](std::string_view name, std::string_view value) {
                                parts.push_back(std::string(name) + "=" + std::string(value));
                                return true;
                              }));
  EXPECT_EQ(parts, (std::vector<std::string>{R"(a=[1, {"x":"}"}])", R"(b\"="q\\")", "c=-1.5e3", "d={}"}));
  parts.clear();
  EXPECT_TRUE(for_each_element(R"([1, "a]" ,[2,[3]], true])", [&](std::string_view value) {
    parts.emplace_back(value);
    return true;
  }));
  EXPECT_EQ(parts, (std::vector<std::string>{"1", "\"a]\"", "[2,[3]]", "true"}));
  EXPECT_FALSE(for_each_member("[]", [](auto, auto) { return true; }));
  EXPECT_FALSE(for_each_element("{}", [](auto) { return true; }));
}

TEST(JsonText, StringsThereAndBack) {
  EXPECT_EQ(json_unescaped(R"(a\n\"\\\/\u00e9\ud83d\ude00)"), "a\n\"\\/\xC3\xA9\xF0\x9F\x98\x80");
  EXPECT_EQ(json_unescaped(R"(\ud83dx)"), "\xEF\xBF\xBDx");
  EXPECT_EQ(json_quoted("a\"b\\c\n\x01\xC3\xA9"), "\"a\\\"b\\\\c\\u000a\\u0001\xC3\xA9\"");
  EXPECT_EQ(json_quoted("x\xFFy"), "\"x\xEF\xBF\xBDy\"");
  EXPECT_TRUE(is_utf8("\xF0\x9F\x98\x80"));
  EXPECT_FALSE(is_utf8("\xC0\xAF"));
}

}  // namespace
}  // namespace weir
