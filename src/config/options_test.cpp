#include "config/options.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

OptionSpec make_spec(std::string name, OptionType type, std::string default_value = "") {
  OptionSpec spec;
  spec.name = std::move(name);
  spec.type = type;
  spec.default_value = std::move(default_value);
  return spec;
}

std::vector<OptionSpec> example_specs() {
  OptionSpec path = make_spec("path", OptionType::string);
  path.required = true;
  path.help = "folder or URL";
  OptionSpec mode = make_spec("mode", OptionType::choice, "earliest");
  mode.choices = {"earliest", "latest"};
  OptionSpec token = make_spec("limit-token", OptionType::integer);
  token.secret = true;
  return {path,
          mode,
          token,
          make_spec("rows", OptionType::integer, "8192"),
          make_spec("share", OptionType::number, "0.5"),
          make_spec("follow", OptionType::boolean, "true"),
          make_spec("wait", OptionType::duration, "10 s"),
          make_spec("file-size", OptionType::size, "64 mb"),
          make_spec("properties.*", OptionType::string)};
}

OptionValue value(const std::string& text, int line) {
  return {text, {"f.sql", line, 9}, {"f.sql", line, 2}};
}

std::vector<std::string> problems(const std::map<std::string, OptionValue>& values) {
  Diagnostics diagnostics;
  validate_options("connector 'x'", example_specs(), values, {"f.sql", 1, 14}, diagnostics);
  std::vector<std::string> lines;
  for (const Diagnostic& entry : diagnostics.entries())
    lines.push_back(entry.location.text() + ": " + entry.message);
  return lines;
}

TEST(Options, GettersGiveWhatWasWritten) {
  Diagnostics diagnostics;
  Options options = validate_options("x", example_specs(),
                                     {{"path", value("/a", 1)},
                                      {"mode", value("latest", 2)},
                                      {"rows", value("-5", 3)},
                                      {"share", value("1e-3", 4)},
                                      {"follow", value("FALSE", 5)},
                                      {"wait", value("200 ms", 6)},
                                      {"file-size", value("1 kb", 7)},
                                      {"properties.group.id", value("g", 8)},
                                      {"properties.x", value("y", 9)}},
                                     {}, diagnostics);
  ASSERT_FALSE(diagnostics.has_errors()) << diagnostics.status().message();
  EXPECT_EQ(options.string("path"), "/a");
  EXPECT_EQ(options.string("mode"), "latest");
  EXPECT_EQ(options.integer("rows"), -5);
  EXPECT_DOUBLE_EQ(options.number("share"), 0.001);
  EXPECT_FALSE(options.boolean("follow"));
  EXPECT_EQ(options.duration("wait"), std::chrono::milliseconds(200));
  EXPECT_EQ(options.size("file-size"), 1024);
  EXPECT_EQ(options.string("properties.x"), "y");
  EXPECT_EQ(options.with_prefix("properties."),
            (std::map<std::string, std::string>{{"group.id", "g"}, {"x", "y"}}));
  EXPECT_EQ(options.location("rows").text(), "f.sql:3:9");
}

TEST(Options, AbsentOnesGiveTheirDefault) {
  Options options(example_specs(), {});
  EXPECT_FALSE(options.has("rows"));
  EXPECT_EQ(options.integer("rows"), 8192);
  EXPECT_DOUBLE_EQ(options.number("share"), 0.5);
  EXPECT_TRUE(options.boolean("follow"));
  EXPECT_EQ(options.duration("wait"), std::chrono::seconds(10));
  EXPECT_EQ(options.size("file-size"), 64 << 20);
  EXPECT_EQ(options.string("mode"), "earliest");
  EXPECT_EQ(options.string("path"), "");
  EXPECT_EQ(options.integer("limit-token"), 0);
  EXPECT_EQ(options.location("rows").line, 0);
  EXPECT_TRUE(options.with_prefix("properties.").empty());
}

TEST(OptionsDeath, UndeclaredNamesAndTypesAreBugs) {
  Options options(example_specs(), {});
  EXPECT_DEATH(options.string("nonsense"), "not declared");
  EXPECT_DEATH(options.integer("path"), "another type");
}

TEST(Options, EveryProblemIsNamedAtItsPlace) {
  EXPECT_EQ(problems({{"path", value("p", 1)}, {"rosw", value("1", 3)}}),
            std::vector<std::string>{"f.sql:3:2: connector 'x' has no option 'rosw'. Did you mean 'rows'?"});
  EXPECT_EQ(
      problems({{"path", value("p", 1)}, {"propertes.group", value("1", 3)}}),
      std::vector<std::string>{
          "f.sql:3:2: connector 'x' has no option 'propertes.group'. Did you mean 'properties.group'?"});
  EXPECT_EQ(problems({}),
            std::vector<std::string>{"f.sql:1:14: connector 'x' needs the option 'path' (folder or URL)"});
  EXPECT_EQ(problems({{"path", value("", 4)}}),
            std::vector<std::string>{"f.sql:4:9: connector 'x': option 'path' must not be empty"});
  std::vector<std::string> unknown = problems({{"path", value("p", 1)}, {"zzzzzz", value("1", 3)}});
  ASSERT_EQ(unknown.size(), 1u);
  EXPECT_NE(unknown[0].find("It takes 'path', 'mode'"), std::string::npos) << unknown[0];
}

TEST(Options, WrongTypesShowFoundAndExpected) {
  struct Case {
    const char* name;
    const char* text;
    const char* fragment;
  };
  const Case cases[] = {
      {"rows", "many", "option 'rows': found 'many', expected a whole number"},
      {"rows", "99999999999999999999", "expected a whole number"},
      {"rows", "1-2", "expected a whole number"},
      {"share", "nan", "found 'nan', expected a number"},
      {"share", "1.2.3", "expected a number"},
      {"follow", "yes", "found 'yes', expected 'true' or 'false'"},
      {"wait", "10 lightyears", "expected a duration"},
      {"file-size", "big", "expected a size"},
      {"mode", "lates", "found 'lates', expected one of 'earliest', 'latest'. Did you mean 'latest'?"},
      {"properties.", "x", "has no option 'properties.'"},
  };
  for (const Case& c : cases) {
    std::vector<std::string> found = problems({{"path", value("p", 1)}, {c.name, value(c.text, 3)}});
    ASSERT_EQ(found.size(), 1u) << c.name << " " << c.text;
    EXPECT_NE(found[0].find(c.fragment), std::string::npos) << found[0];
  }
}

TEST(Options, SecretsStayOut) {
  std::vector<std::string> found = problems({{"path", value("p", 1)}, {"limit-token", value("hunter2", 3)}});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].find("hunter2"), std::string::npos) << found[0];
  EXPECT_NE(found[0].find("f.sql:3:9: connector 'x': option 'limit-token'"), std::string::npos) << found[0];
}

TEST(Options, S3SecretsAreMarked) {
  std::map<std::string, bool> secret;
  for (const OptionSpec& spec : s3_option_specs()) secret[spec.name] = spec.secret;
  EXPECT_EQ(secret, (std::map<std::string, bool>{{"s3.endpoint", false},
                                                 {"s3.access-key", true},
                                                 {"s3.secret-key", true},
                                                 {"s3.region", false},
                                                 {"s3.path-style", false}}));
}

}  // namespace
}  // namespace weir
