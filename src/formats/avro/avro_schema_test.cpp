#include "formats/avro/avro_schema.h"

#include <gtest/gtest.h>

#include "formats/avro/avro_compatibility.h"

namespace weir::avro {
namespace {

SchemaText text_of(std::string text) {
  SchemaText schema;
  schema.text = std::move(text);
  return schema;
}

std::string canonical(const std::string& text) {
  auto form = avro_canonical_form(text_of(text));
  return form.ok() ? *form : "error: " + form.status().message();
}

std::string problem(const std::string& text) {
  auto parsed = parse_schema(text_of(text));
  return parsed.ok() ? "" : parsed.status().message();
}

std::vector<std::string> incompatible(const std::string& reader, const std::string& writer) {
  auto found = avro_incompatibilities(text_of(reader), text_of(writer));
  EXPECT_TRUE(found.ok()) << found.status().message();
  return found.ok() ? *found : std::vector<std::string>{"error"};
}

std::string record(const std::string& fields) {
  return R"({"type":"record","name":"R","fields":[)" + fields + "]}";
}

TEST(AvroSchema, CanonicalFormKeepsWhatTheEncodingNeeds) {
  EXPECT_EQ(canonical(R"({"type":"int"})"), R"("int")");
  EXPECT_EQ(canonical("string"), R"("string")");
  EXPECT_EQ(
      canonical(R"({"fields":[{"type":{"type":"bytes"},"name":"b","default":"","doc":"x"},
      {"name":"e","type":{"symbols":["A","B"],"name":"E","type":"enum","doc":"d"}},
      {"name":"again","type":"E"},{"name":"f","type":{"type":"fixed","name":"other.F","size":16}}],
      "doc":"a","namespace":"x.y","name":"R","aliases":["Old"],"type":"record"})"),
      R"({"name":"x.y.R","type":"record","fields":[{"name":"b","type":"bytes"},)"
      R"({"name":"e","type":{"name":"x.y.E","type":"enum","symbols":["A","B"]}},{"name":"again","type":"x.y.E"},)"
      R"({"name":"f","type":{"name":"other.F","type":"fixed","size":16}}]})");
  EXPECT_EQ(canonical(R"(["null",{"type":"map","values":{"type":"array","items":"long"}}])"),
            R"(["null",{"type":"map","values":{"type":"array","items":"long"}}])");
}

TEST(AvroSchema, FingerprintsAreThoseOfTheSpecification) {
  // Of the Java implementation's schema-tests.txt.
  EXPECT_EQ(fingerprint("\"null\""), 7195948357588979594u);
  EXPECT_EQ(fingerprint("\"int\""), 8247732601305521295u);
  EXPECT_EQ(fingerprint("\"string\""), static_cast<uint64_t>(-8142146995180207161));
}

TEST(AvroSchema, NamesResolveInTheirNamespace) {
  const std::string schema = R"({"type":"record","name":"a.b.Outer","fields":[
      {"name":"in","type":{"type":"record","name":"Inner","fields":[{"name":"up","type":["null","Outer"]}]}},
      {"name":"same","type":"a.b.Inner"}]})";
  auto parsed = parse_schema(text_of(schema));
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  const Node& root = (*parsed)->root();
  EXPECT_EQ(root.fields[0].type, root.fields[1].type);
  EXPECT_EQ(root.fields[0].type->name, "a.b.Inner");
  EXPECT_EQ(root.fields[0].type->fields[0].type->children[1], &root) << "a cycle";
}

TEST(AvroSchema, ReferencesComeFromWhatIsNeeded) {
  SchemaText schema = text_of(record(R"({"name":"at","type":"geo.Point"})"));
  schema.needed.push_back({"geo.Unit", R"({"type":"enum","name":"geo.Unit","symbols":["M"]})"});
  schema.needed.push_back(
      {"geo.Point",
       R"({"type":"record","name":"Point","namespace":"geo","fields":[{"name":"u","type":"Unit"}]})"});
  auto parsed = parse_schema(schema);
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  EXPECT_EQ(
      *avro_canonical_form(schema),
      R"({"name":"R","type":"record","fields":[{"name":"at","type":{"name":"geo.Point","type":"record",)"
      R"("fields":[{"name":"u","type":{"name":"geo.Unit","type":"enum","symbols":["M"]}}]}}]})");
}

TEST(AvroSchema, WhatIsWrongIsToldWithItsPlace) {
  EXPECT_EQ(problem("{"), "not JSON");
  EXPECT_EQ(problem("7"), "found 7, expected a type");
  EXPECT_EQ(problem(record(R"({"name":"a","type":"int"},{"name":"b","type":"tint"})")),
            "/fields/1/type: unknown type \"tint\"");
  EXPECT_EQ(problem(record(R"({"name":"a","type":"int"},{"name":"a","type":"int"})")),
            "/fields/1/name: the field 'a' stands twice");
  EXPECT_EQ(problem(R"(["int",["null"]])"), "/1: a union directly inside a union");
  EXPECT_EQ(problem(R"(["int","int"])"), "/1: a union holds int twice");
  EXPECT_EQ(problem(record(R"({"name":"a-b","type":"int"})")), "/fields/0/name: \"a-b\" is no name");
  EXPECT_EQ(problem(R"({"type":"enum","name":"E","symbols":["A","A"]})"),
            "/symbols/1: the symbol 'A' stands twice");
  EXPECT_NE(problem(R"({"type":"fixed","name":"F"})"), "");
  EXPECT_NE(problem(R"({"type":"array"})"), "");
  EXPECT_NE(problem(R"({"type":"record","name":"int","fields":[]})"), "");
}

TEST(AvroSchema, DepthIsBounded) {
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += R"({"type":"array","items":)";
  deep += "\"int\"" + std::string(100, '}');
  EXPECT_NE(problem(deep).find("64 deep"), std::string::npos);
  EXPECT_NE(problem(std::string(5'000'000, '[')).find("64 deep"), std::string::npos);
}

TEST(AvroSchema, ADefaultIsEncodedOrItsProblemKept) {
  auto parsed = parse_schema(text_of(record(
      R"({"name":"a","type":"long","default":-2},{"name":"b","type":["null","string"],"default":"x"},
         {"name":"c","type":{"type":"array","items":"bytes"},"default":["\u00ff"]},
         {"name":"d","type":"int","default":"7"})")));
  ASSERT_TRUE(parsed.ok());
  const auto& fields = (*parsed)->root().fields;
  EXPECT_EQ(fields[0].default_bytes, "\x03");
  EXPECT_EQ(fields[1].default_bytes, "\x02\x02x");
  EXPECT_EQ(fields[2].default_bytes, std::string("\x02\x02\xff\0", 4));
  EXPECT_EQ(fields[3].default_problem, "\"7\" is no int");
  EXPECT_EQ(canonical(record(R"({"name":"d","type":"int","default":"7"})")),
            "error: /fields/0/default: \"7\" is no int");
}

TEST(AvroSchema, LogicalTypesThatDoNotFitAreIgnored) {
  const auto logical = [](const std::string& text) {
    auto parsed = parse_schema(text_of(text));
    EXPECT_TRUE(parsed.ok());
    return (*parsed)->root().logical;
  };
  EXPECT_EQ(logical(R"({"type":"bytes","logicalType":"decimal","precision":10,"scale":2})"),
            Logical::decimal);
  EXPECT_EQ(logical(R"({"type":"bytes","logicalType":"decimal","precision":2,"scale":3})"), Logical::none);
  EXPECT_EQ(logical(R"({"type":"fixed","name":"F","size":2,"logicalType":"decimal","precision":9})"),
            Logical::none);
  EXPECT_EQ(logical(R"({"type":"int","logicalType":"timestamp-millis"})"), Logical::none);
  EXPECT_EQ(logical(R"({"type":"long","logicalType":"timestamp-millis"})"), Logical::timestamp_millis);
}

TEST(AvroCompatibility, FieldsComeAndGoWithDefaults) {
  const std::string one = record(R"({"name":"a","type":"int"})");
  const std::string two = record(R"({"name":"a","type":"int"},{"name":"b","type":"string"})");
  const std::string with_default =
      record(R"({"name":"a","type":"int"},{"name":"b","type":"string","default":""})");
  EXPECT_TRUE(incompatible(one, two).empty()) << "a field that the reader does not have is skipped";
  EXPECT_EQ(
      incompatible(two, one),
      std::vector<std::string>{"/fields/1: the field 'b' is not in the writer's schema and has no default"});
  EXPECT_TRUE(incompatible(with_default, one).empty());
  const std::string renamed = record(R"({"name":"z","aliases":["a"],"type":"int"})");
  EXPECT_TRUE(incompatible(renamed, one).empty());
  EXPECT_FALSE(incompatible(one, renamed).empty()) << "the writer's aliases do not count";
}

TEST(AvroCompatibility, TypesPromoteOneWay) {
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"int", "long"}, {"int", "double"}, {"long", "float"}, {"float", "double"}}) {
    EXPECT_TRUE(incompatible('"' + to + '"', '"' + from + '"').empty()) << from << " -> " << to;
    EXPECT_EQ(incompatible('"' + from + '"', '"' + to + '"').size(), 1u) << to << " -> " << from;
  }
  EXPECT_TRUE(incompatible("\"bytes\"", "\"string\"").empty());
  EXPECT_TRUE(incompatible("\"string\"", "\"bytes\"").empty());
  EXPECT_EQ(incompatible("\"int\"", "\"string\"")[0], "the writer's string is no int");
}

TEST(AvroCompatibility, UnionsEnumsAndFixed) {
  EXPECT_TRUE(incompatible(R"(["null","long"])", "\"int\"").empty());
  EXPECT_TRUE(incompatible(R"(["null","long","string"])", R"(["int","null"])").empty());
  EXPECT_EQ(incompatible(R"(["null","long"])", R"(["null","string"])"),
            std::vector<std::string>{"the writer's string is no branch of [null, long]"});
  EXPECT_EQ(incompatible("\"long\"", R"(["null","long"])").size(), 1u);
  const std::string ab = R"({"type":"enum","name":"E","symbols":["A","B"]})";
  const std::string abc = R"({"type":"enum","name":"x.E","symbols":["A","B","C"]})";
  EXPECT_TRUE(incompatible(abc, ab).empty()) << "names match without their namespace";
  EXPECT_EQ(incompatible(ab, abc), std::vector<std::string>{"/symbols: the writer's C and no default"});
  EXPECT_TRUE(incompatible(R"({"type":"enum","name":"E","symbols":["A","B"],"default":"A"})", abc).empty());
  EXPECT_EQ(incompatible(R"({"type":"enum","name":"Other","symbols":["A","B"]})", ab).size(), 1u);
  EXPECT_TRUE(
      incompatible(R"({"type":"enum","name":"Other","aliases":["E"],"symbols":["A","B"]})", ab).empty());
  EXPECT_EQ(
      incompatible(R"({"type":"fixed","name":"F","size":4})", R"({"type":"fixed","name":"F","size":8})")[0],
      "/size: the writer's 8 bytes are not 4");
}

TEST(AvroCompatibility, DecimalsKeepTheirScale) {
  const auto decimal = [](int precision, int scale) {
    return R"({"type":"bytes","logicalType":"decimal","precision":)" + std::to_string(precision) +
           ",\"scale\":" + std::to_string(scale) + "}";
  };
  EXPECT_TRUE(incompatible(decimal(12, 2), decimal(10, 2)).empty());
  EXPECT_EQ(incompatible(decimal(10, 2), decimal(12, 2)).size(), 1u);
  EXPECT_EQ(incompatible(decimal(10, 3), decimal(10, 2)).size(), 1u);
}

TEST(AvroCompatibility, RecursiveSchemasEnd) {
  const auto list = [](const std::string& value) {
    return R"({"type":"record","name":"L","fields":[{"name":"v","type":")" + value +
           R"("},{"name":"next","type":["null","L"]}]})";
  };
  EXPECT_TRUE(incompatible(list("long"), list("int")).empty());
  EXPECT_EQ(incompatible(list("int"), list("long")),
            std::vector<std::string>{"/fields/0/type: the writer's long is no int"});
}

}  // namespace
}  // namespace weir::avro
