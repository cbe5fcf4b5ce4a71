#include "formats/json/json_schema_columns.h"

#include <gtest/gtest.h>

namespace weir::json {
namespace {

Result<DescribedTable> describe(const std::string& text, bool ignore = false,
                                std::vector<SchemaText::Needed> needed = {}) {
  SchemaText schema;
  schema.kind = SchemaKind::json;
  schema.text = text;
  schema.needed = std::move(needed);
  return describe_json_schema(schema, "orders.json", ignore);
}

// "a BIGINT NOT NULL, b STRING | CHECK, CHECK", or what is wrong.
std::string shown(const Result<DescribedTable>& table) {
  if (!table.ok()) return table.status().message();
  std::string text;
  for (const ColumnSpec& column : table->columns) {
    text += (text.empty() ? "" : ", ") + column.name + " " + column.type.text +
            (column.nullable ? "" : " NOT NULL");
  }
  for (size_t i = 0; i < table->checks.size(); ++i) {
    text += (i == 0 ? " | " : ", ") + table->checks[i].expression;
  }
  return text;
}

std::string properties(const std::string& text, bool ignore = false) {
  return shown(describe(R"({"type":"object","properties":)" + text + "}", ignore));
}

TEST(JsonSchemaColumns, TypesAndFormats) {
  EXPECT_EQ(
      properties(R"({"i":{"type":"integer"},"n":{"type":"number"},"b":{"type":"boolean"},
    "s":{"type":"string"},"v":{"type":"string","maxLength":20},"d":{"type":"string","format":"date"},
    "t":{"type":"string","format":"date-time"},"u":{"type":"string","format":"uuid"},
    "y":{"type":"string","contentEncoding":"base64"},"m":{"type":"number","multipleOf":0.01}})"),
      "i BIGINT, n DOUBLE, b BOOLEAN, s STRING, v VARCHAR(20), d DATE, t TIMESTAMP(6), u STRING, y BYTES, "
      "m DECIMAL(38, 2)");
}

TEST(JsonSchemaColumns, RequiredAndNullable) {
  EXPECT_EQ(shown(describe(R"({"properties":{"a":{"type":"integer"},"b":{"type":["null","string"]},
      "c":{"oneOf":[{"type":"null"},{"type":"integer"}]},"d":{"anyOf":[{"type":"string"},{"type":"null"}]},
      "e":{"type":"string","nullable":true},"f":{"enum":["x",null]}},"required":["a","b","c","d","e","f"]})")),
            "a BIGINT NOT NULL, b STRING, c BIGINT, d STRING, e STRING, f STRING | `f` IN ('x')");
}

TEST(JsonSchemaColumns, Nested) {
  EXPECT_EQ(properties(R"({"o":{"type":"object","required":["x"],"properties":{"x":{"type":"integer"},
      "y":{"type":"array","items":{"type":["string","null"]}}}},
      "l":{"type":"array","items":{"type":"object","properties":{"k":{"type":"number"}}}},
      "m":{"type":"object","additionalProperties":{"type":"integer"}}})"),
            "o ROW<`x` BIGINT NOT NULL, `y` ARRAY<STRING>>, l ARRAY<ROW<`k` DOUBLE> NOT NULL>, "
            "m MAP<STRING, BIGINT NOT NULL>");
}

TEST(JsonSchemaColumns, Checks) {
  EXPECT_EQ(
      properties(R"({"a":{"type":"integer","minimum":1,"exclusiveMaximum":10,"multipleOf":3},
      "b":{"type":"string","minLength":2,"pattern":"^[a-z'-]+$"},"c":{"const":"it's"},"d":{"enum":[1,2]},
      "e":{"type":"number","minimum":0,"exclusiveMinimum":true},
      "f":{"type":"array","items":{"type":"string"},"minItems":1,"maxItems":3},
      "g":{"type":"object","properties":{"zip":{"type":"string","minLength":5}}},
      "we`ird":{"type":"boolean","enum":[true]}})"),
      "a BIGINT, b STRING, c STRING, d BIGINT, e DOUBLE, f ARRAY<STRING NOT NULL>, g ROW<`zip` STRING>, "
      "we`ird BOOLEAN | `a` >= 1, `a` < 10, `a` % 3 = 0, CHAR_LENGTH(`b`) >= 2, "
      "REGEXP_LIKE(`b`, '^[a-z''-]+$'), `c` IN ('it''s'), `d` IN (1, 2), `e` > 0, CARDINALITY(`f`) >= 1, "
      "CARDINALITY(`f`) <= 3, CHAR_LENGTH(`g`.`zip`) >= 5, `we``ird` IN (true)");
}

TEST(JsonSchemaColumns, ReferencesAndAllOf) {
  EXPECT_EQ(
      shown(describe(
          R"({"$defs":{"id":{"type":"integer","minimum":1},"base":{"type":"object",
      "properties":{"id":{"$ref":"#/$defs/id"}},"required":["id"]}},
      "allOf":[{"$ref":"#/$defs/base"},{"properties":{"name":{"type":"string"}}}],
      "properties":{"at":{"$ref":"common.json#/definitions/time"}}})",
          false, {{"common.json", R"({"definitions":{"time":{"type":"string","format":"date-time"}}})"}})),
      "at TIMESTAMP(6), id BIGINT NOT NULL, name STRING | `id` >= 1");
}

TEST(JsonSchemaColumns, WhatNoColumnTakesIsRefused) {
  const auto told = [](const std::string& text) { return properties("{\"a\":" + text + "}"); };
  EXPECT_EQ(told("{}"),
            "orders.json: #/properties/a: a value of any type has no column: declare the columns");
  EXPECT_EQ(told(R"({"type":["string","integer"]})"),
            "orders.json: #/properties/a: several types have no column: declare the columns");
  EXPECT_EQ(
      told(R"({"type":"array"})"),
      "orders.json: #/properties/a: an array without one schema for its items has no column: declare the "
      "columns");
  EXPECT_EQ(told(R"({"type":"object"})"),
            "orders.json: #/properties/a: an object without properties has no column: declare the columns");
  EXPECT_EQ(told(R"({"oneOf":[{"type":"string"},{"type":"integer"}]})"),
            "orders.json: #/properties/a: oneOf of several types has no column: declare the columns");
  EXPECT_EQ(told(R"({"$ref":"#/nowhere"})"),
            "orders.json: #/properties/a: $ref '#/nowhere' points to nothing");
  EXPECT_EQ(told(R"({"$ref":"other.json"})"),
            "orders.json: #/properties/a: $ref 'other.json' names no schema that is at hand");
  EXPECT_EQ(shown(describe("[]")), "orders.json: #: expected a schema, found []");
  EXPECT_EQ(shown(describe(R"({"type":"object"})")),
            "orders.json: #: the schema has no properties: a table needs an object with at least one");
  EXPECT_NE(shown(describe("{")).find("orders.json"), std::string::npos);
}

TEST(JsonSchemaColumns, SchemasThatContainThemselves) {
  const std::string words = "the schema contains itself: a column cannot";
  EXPECT_NE(shown(describe(R"({"properties":{"next":{"$ref":"#"}}})")).find(words), std::string::npos);
  EXPECT_NE(shown(describe(R"({"$ref":"#"})")).find(words), std::string::npos);
  EXPECT_NE(
      shown(describe(R"({"$defs":{"n":{"properties":{"l":{"$ref":"#/$defs/n"},"r":{"$ref":"#/$defs/n"}}}},
      "properties":{"root":{"$ref":"#/$defs/n"}}})"))
          .find(words),
      std::string::npos);
  EXPECT_NE(shown(describe(R"({"$defs":{"n":{"type":"array","items":{"$ref":"#/$defs/n"}}},
      "properties":{"root":{"$ref":"#/$defs/n"}}})"))
                .find(words),
            std::string::npos);
}

TEST(JsonSchemaColumns, ABombOfReferences) {
  std::string defs = R"("d0":{"type":"integer"})";
  for (int i = 1; i < 40; ++i) {
    const std::string ref = R"({"$ref":"#/$defs/d)" + std::to_string(i - 1) + "\"}";
    defs += ",\"d" + std::to_string(i) + R"(":{"type":"object","properties":{"a":)" + ref + ",\"b\":" + ref +
            "}}";
  }
  const std::string told =
      shown(describe("{\"$defs\":{" + defs + R"(},"properties":{"x":{"$ref":"#/$defs/d39"}}})"));
  EXPECT_NE(told.find("the schema unfolds into too much"), std::string::npos) << told;
}

TEST(JsonSchemaColumns, WhatCannotBeCheckedIsRefusedOrLeftOut) {
  const std::string refused =
      " cannot be checked: declare the columns, or set 'json.schema-unsupported' = 'ignore' to leave such "
      "words "
      "out";
  EXPECT_EQ(properties(R"x({"a":{"type":"string","pattern":"^(?!x)"}})x"),
            "orders.json: #/properties/a: 'pattern'" + refused);
  EXPECT_EQ(properties(R"({"a":{"type":"array","items":{"type":"integer","minimum":1}}})"),
            "orders.json: #/properties/a/items: 'minimum' inside an array or map" + refused);
  EXPECT_EQ(properties(R"({"a":{"type":"integer","not":{"const":1}}})"),
            "orders.json: #/properties/a: 'not'" + refused);
  EXPECT_EQ(properties(R"({"a":{"type":"string","format":"date","enum":["2026-01-01"]}})"),
            "orders.json: #/properties/a: 'enum'" + refused);
  EXPECT_EQ(properties(R"({"a":{"type":"integer","not":{"const":1},"minimum":2}})", true),
            "a BIGINT | `a` >= 2");
  EXPECT_EQ(properties(R"({"a":{"type":"string","x-owner":"me","title":"A"}})"), "a STRING");
}

}  // namespace
}  // namespace weir::json
