#include "formats/json_text.h"

#include <gtest/gtest.h>

#include <vector>

namespace weir {
namespace {

// At the end of its memory, so that a reader beyond it is seen by a sanitizer, and again with text before and
// behind, so that every path through blocks of 32 bytes is taken.
std::optional<JsonFault> check(const std::string& text, int depth = 8) {
  const std::vector<char> exact(text.begin(), text.end());
  auto fault = find_json_fault({exact.data(), exact.size()}, depth);
  const std::string longer = std::string(40, ' ') + text + std::string(40, ' ');
  auto again = find_json_fault(longer, depth);
  EXPECT_EQ(fault.has_value(), again.has_value()) << text;
  return fault;
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

TEST(JsonText, EveryPlaceInALongString) {
  for (size_t length = 0; length < 100; ++length) {
    const std::string plain(length, 'x');
    EXPECT_FALSE(check("\"" + plain + "\""));
    EXPECT_FALSE(check("\"" + plain + "\\n\xC3\xA9" + plain + "\""));
    for (const char* bad : {"\x1F", "\n", "\x80", "\xFF", "\\q"}) {
      auto fault = check("\"" + plain + bad + plain + "\"");
      ASSERT_TRUE(fault) << length;
      EXPECT_EQ(fault->offset, length + 1);
    }
    EXPECT_TRUE(check("\"" + plain));
    EXPECT_TRUE(check("\"" + plain + "\\\""));
  }
}

TEST(JsonText, DepthIsExact) {
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
