#include "formats/json_schema/json_schema_compatibility.h"

#include <gtest/gtest.h>

#include <utility>

namespace weir {
namespace {

SchemaText schema(const std::string& text, std::vector<SchemaText::Needed> needed = {}) {
  return {SchemaKind::json, text, std::move(needed)};
}

// "" when documents of `writer` fit `reader`, else the first problem's name and place.
std::string problem(const std::string& reader, const std::string& writer) {
  const auto problems = json_schema_incompatibilities(schema(reader), schema(writer));
  if (!problems.ok()) return "invalid: " + problems.status().message();
  if (problems->empty()) return "";
  return problems->front().substr(0, problems->front().find(": "));
}

std::string object(const std::string& inside, bool closed = false) {
  return R"({"type":"object","properties":{)" + inside + "}" +
         (closed ? R"(,"additionalProperties":false})" : "}");
}

TEST(JsonSchemaCompatibility, PropertiesOfAnOpenContentModel) {
  const std::string one = object(R"("a":{"type":"string"})");
  const std::string two = object(R"("a":{"type":"string"},"b":{"type":"string"})");
  EXPECT_EQ(problem(one, one), "");
  EXPECT_EQ(problem(two, one), "PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL at #/properties/b");
  EXPECT_EQ(problem(one, two), "");
  EXPECT_EQ(problem(object(R"("a":{"type":"string"},"b":{})"), one), "");
  EXPECT_EQ(problem(object(R"("a":{"type":"string"},"b":{"description":"x"})"), one), "");
}

TEST(JsonSchemaCompatibility, PropertiesOfAClosedContentModel) {
  const std::string one = object(R"("a":{"type":"string"})", true);
  const std::string two = object(R"("a":{"type":"string"},"b":{"type":"string"})", true);
  EXPECT_EQ(problem(two, one), "");
  EXPECT_EQ(problem(one, two), "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL at #/properties/b");
  EXPECT_EQ(problem(one, object(R"("a":{"type":"string"},"b":false)", true)), "");
  EXPECT_EQ(problem(object(R"("a":{"type":"string"})"), one), "");
  EXPECT_EQ(problem(one, object(R"("a":{"type":"string"})")), "SCHEMA_ADDED at #/additionalProperties");
}

TEST(JsonSchemaCompatibility, PropertiesOfAPartiallyOpenContentModel) {
  const std::string texts = R"({"type":"object","additionalProperties":{"type":"string"},"properties":{)";
  EXPECT_EQ(problem(texts + R"("a":{"type":"string"}}})", texts + "}}"), "");
  EXPECT_EQ(problem(texts + R"("a":{"type":"integer"}}})", texts + "}}"),
            "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL at #/properties/a");
  EXPECT_EQ(problem(texts + "}}", texts + R"("a":{"type":"string"}}})"), "");
  EXPECT_EQ(problem(texts + "}}", texts + R"("a":{"type":"integer"}}})"),
            "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL at #/properties/a");
  const std::string pattern =
      R"({"type":"object","additionalProperties":false,"patternProperties":{"^n":{"type":"number"}})";
  EXPECT_EQ(problem(pattern + "}", pattern + "}"), "");
  EXPECT_EQ(problem(pattern + R"(,"properties":{"n1":{"type":"integer"}}})", pattern + "}"),
            "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL at #/properties/n1");
  EXPECT_EQ(problem(R"({"patternProperties":{"^n":{"type":"number"}}})", "{}"),
            "TYPE_NARROWED at #/patternProperties/^n");
}

TEST(JsonSchemaCompatibility, Required) {
  const std::string open =
      R"({"type":"object","properties":{"a":{"type":"string"DEFAULT}},"required":[NAMES]})";
  const auto with = [&](const char* value, const char* names) {
    std::string text = open;
    text.replace(text.find("DEFAULT"), 7, value);
    text.replace(text.find("NAMES"), 5, names);
    return text;
  };
  EXPECT_EQ(problem(with("", R"("a")"), with("", "")), "REQUIRED_ATTRIBUTE_ADDED at #");
  EXPECT_EQ(problem(with(R"(,"default":"x")", R"("a")"), with("", "")), "");
  EXPECT_EQ(problem(with("", ""), with("", R"("a")")), "");
}

TEST(JsonSchemaCompatibility, WhatOneKeywordMayBecome) {
  const struct {
    const char *wide, *narrow, *name;
  } cases[] = {
      {R"({"type":"number"})", R"({"type":"integer"})", "TYPE_NARROWED"},
      {R"({"type":["string","null"]})", R"({"type":"string"})", "TYPE_NARROWED"},
      {"{}", R"({"type":"string"})", "TYPE_NARROWED"},
      {"true", R"({"type":"string"})", "TYPE_NARROWED"},
      {"true", "false", "SCHEMA_ADDED"},
      {R"({"type":"string"})", R"({"type":"string","maxLength":3})", "UPPER_BOUND_ADDED"},
      {R"({"maxLength":4})", R"({"maxLength":3})", "UPPER_BOUND_DECREASED"},
      {R"({"minLength":3})", R"({"minLength":4})", "LOWER_BOUND_INCREASED"},
      {R"({"type":"string"})", R"({"type":"string","pattern":"a"})", "PATTERN_ADDED"},
      {R"({"maximum":4})", R"({"maximum":3.5})", "MAXIMUM_DECREASED"},
      {R"({"maximum":4})", R"({"exclusiveMaximum":4})", "MAXIMUM_DECREASED"},
      {R"({"maximum":4})", R"({"maximum":4,"exclusiveMaximum":true})", "MAXIMUM_DECREASED"},
      {R"({"type":"integer"})", R"({"type":"integer","minimum":0})", "MINIMUM_INCREASED"},
      {R"({"minimum":-5})", R"({"exclusiveMinimum":-5})", "MINIMUM_INCREASED"},
      {R"({"multipleOf":2})", R"({"multipleOf":6})", "MULTIPLE_OF_CHANGED"},
      {R"({"enum":["a","b"]})", R"({"enum":["a"]})", "ENUM_ARRAY_NARROWED"},
      {R"({"type":"string"})", R"({"enum":["a"]})", "ENUM_ARRAY_CHANGED"},
      {R"({"enum":["a","b"]})", R"({"const":"a"})", "ENUM_ARRAY_NARROWED"},
      {R"({"type":"array"})", R"({"type":"array","uniqueItems":true})", "UNIQUE_ITEMS_ADDED"},
      {R"({"type":"array","maxItems":3})", R"({"type":"array","maxItems":2})", "UPPER_BOUND_DECREASED"},
      {R"({"type":"object"})", R"({"type":"object","minProperties":1})", "LOWER_BOUND_ADDED"},
      {R"({"type":"array","items":{"type":"number"}})", R"({"type":"array","items":{"type":"integer"}})",
       "TYPE_NARROWED"},
      {R"({"type":"array","items":[{"type":"number"}]})",
       R"({"type":"array","prefixItems":[{"type":"integer"}]})", "TYPE_NARROWED"},
      {R"({"type":"array","prefixItems":[{},{"type":"string"}],"items":false})",
       R"({"type":"array","prefixItems":[{}],"items":false})", "SCHEMA_ADDED"},
      {R"({"type":"array"})", R"({"type":"array","contains":{"type":"string"}})", "TYPE_NARROWED"},
      {R"({"dependentRequired":{"a":["b"]}})", R"({"dependentRequired":{"a":["b","c"]}})",
       "DEPENDENCY_ARRAY_EXTENDED"},
      {R"({"dependencies":{}})", R"({"dependencies":{"a":{"type":"string"}}})", "TYPE_NARROWED"},
      {R"({"type":"object"})", R"({"type":"object","propertyNames":{"maxLength":3}})", "UPPER_BOUND_ADDED"},
      {R"({"type":"object"})", R"({"type":"object","unevaluatedProperties":false})",
       "CONTENT_MODEL_NARROWED"},
      {R"({"not":{"type":"integer"}})", R"({"not":{"type":"number"}})", "NOT_TYPE_EXTENDED"},
      {R"({"type":"string"})", R"({"type":"string","not":{"const":"x"}})", "NOT_TYPE_EXTENDED"},
      {R"({"type":"string"})", R"({"type":"string","if":{},"then":false})", "CONDITION_CHANGED"},
      {R"({"anyOf":[{"type":"string"},{"type":"number"}]})", R"({"type":"string"})", "TYPE_CHANGED"},
      {R"({"oneOf":[{"type":"string"},{"type":"number"},{"type":"null"}]})",
       R"({"oneOf":[{"type":"integer"},{"type":"string"}]})", "SUM_TYPE_NARROWED"},
      {R"({"type":"string"})", R"({"allOf":[{"type":"string"},{"maxLength":9}]})", "UPPER_BOUND_ADDED"},
      {R"({"type":["string","number"]})",
       R"({"anyOf":[{"type":"string"},{"type":"number"}],"type":["string"]})", "TYPE_NARROWED"},
  };
  for (const auto& [wide, narrow, name] : cases) {
    EXPECT_EQ(problem(wide, narrow), "") << wide << " reads " << narrow;
    const std::string found = problem(narrow, wide);
    EXPECT_EQ(found.substr(0, found.find(' ')), name) << narrow << " reads " << wide;
    EXPECT_EQ(problem(wide, wide), "");
    EXPECT_EQ(problem(narrow, narrow), "") << narrow;
  }
}

TEST(JsonSchemaCompatibility, TypesThatHaveNothingInCommon) {
  EXPECT_EQ(problem(object(R"("a":{"type":"integer"})"), object(R"("a":{"type":"string"})")),
            "TYPE_CHANGED at #/properties/a");
  // Keywords of types that do not occur mean nothing.
  EXPECT_EQ(problem(R"({"type":"string","maximum":3})", R"({"type":"string"})"), "");
  EXPECT_EQ(problem(R"({"type":"string","title":"b","format":"date"})", R"({"type":"string","title":"a"})"),
            "");
}

TEST(JsonSchemaCompatibility, References) {
  const std::string local =
      R"({"$defs":{"x":{"type":"TYPE"}},"type":"object","properties":{"a":{"$ref":"#/$defs/x"}}})";
  const auto with = [&](const char* type) {
    std::string text = local;
    return text.replace(text.find("TYPE"), 4, type);
  };
  EXPECT_EQ(problem(with("number"), with("integer")), "");
  EXPECT_EQ(problem(with("integer"), with("number")), "TYPE_NARROWED at #/properties/a");

  const std::string tree =
      R"({"type":"object","properties":{"next":{"$ref":"#"},"v":{"type":"TYPE"}},"additionalProperties":false})";
  std::string narrow = tree, wide = tree;
  narrow.replace(narrow.find("TYPE"), 4, "integer");
  wide.replace(wide.find("TYPE"), 4, "number");
  EXPECT_EQ(problem(wide, narrow), "");
  EXPECT_EQ(problem(narrow, wide), "TYPE_NARROWED at #/properties/next/properties/v");

  const auto other = [](const char* type) {
    return schema(
        R"({"$ref":"other.json#/$defs/x"})",
        {{"other.json", std::string(R"({"$defs":{"x":{"$anchor":"n","type":")") + type + R"("}}})"}});
  };
  EXPECT_TRUE(json_schema_incompatibilities(other("number"), other("integer"))->empty());
  EXPECT_EQ(json_schema_incompatibilities(other("integer"), other("number"))->size(), 1u);
  EXPECT_TRUE(check_json_schema(schema(R"({"$ref":"#n","$defs":{"x":{"$anchor":"n"}}})")).ok());
  EXPECT_TRUE(check_json_schema(schema(R"({"$ref":"http://x/y","$defs":{"x":{"$id":"http://x/y"}}})")).ok());
}

TEST(JsonSchemaCompatibility, WhatIsNoSchemaIsInvalid) {
  for (const char* text : {"",
                           "{",
                           "7",
                           "[]",
                           "null",
                           R"("string")",
                           R"({"type":"text"})",
                           R"({"type":7})",
                           R"({"type":[]})",
                           R"({"properties":[]})",
                           R"({"properties":{"a":7}})",
                           R"({"required":"a"})",
                           R"({"required":[7]})",
                           R"({"enum":7})",
                           R"({"minLength":-1})",
                           R"({"maximum":"x"})",
                           R"({"multipleOf":0})",
                           R"({"pattern":7})",
                           R"({"allOf":{}})",
                           R"({"allOf":[7]})",
                           R"({"items":7})",
                           R"({"not":7})",
                           R"({"$ref":7})",
                           R"({"dependentRequired":{"a":7}})",
                           R"({"dependentRequired":{"a":{}}})",
                           R"({"$ref":"#/nowhere"})",
                           R"({"$ref":"#anchor"})",
                           R"({"$ref":"http://example.org/schema.json"})",
                           R"({"$ref":"file:x"})",
                           R"({"$ref":"#"})",
                           R"({"$ref":"#/a","a":{"$ref":"#/b"},"b":{"$ref":"#/a"}})",
                           R"({"$ref":"#/a","a":{"properties":5}})",
                           R"({"$ref":"#/a","a":{"$ref":"#/b"},"b":{"required":5}})",
                           R"({"$ref":"#/a/0","a":[7]})",
                           R"({"$ref":"#/a/x","a":[7]})"}) {
    EXPECT_EQ(check_json_schema(schema(text)).code(), Code::invalid) << text;
    EXPECT_FALSE(json_schema_incompatibilities(schema(text), schema("{}")).ok()) << text;
  }
  EXPECT_EQ(check_json_schema(schema(std::string(1000, '['))).code(), Code::invalid);
}

TEST(JsonSchemaCompatibility, IntricateSchemasEnd) {
  EXPECT_EQ(problem(R"({"allOf":[{"$ref":"#"},{"$ref":"#"}],"type":"string"})", R"({"type":"string"})"), "");
  std::string chain = R"({"$ref":"#/d/0","d":[)";
  for (int i = 1; i < 60; ++i) chain += R"({"allOf":[{"$ref":"#/d/)" + std::to_string(i) + R"("}]},)";
  EXPECT_EQ(problem(chain + R"({"type":"string"}]})", R"({"type":"string"})"), "");
  // Alternatives of alternatives of alternatives.
  std::string deep = R"({"type":"string","maxLength":9})";
  for (int i = 0; i < 12; ++i) deep = R"({"anyOf":[)" + deep + "," + deep + "]}";
  const std::string words = problem(deep, R"({"anyOf":[)" + deep + R"(,{"type":"null"}]})");
  EXPECT_NE(words, "");
}

}  // namespace
}  // namespace weir
