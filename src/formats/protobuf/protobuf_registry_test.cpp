// Confluent's framing, schemas that change, and columns that a schema describes.
#include <algorithm>

#include "formats/protobuf/protobuf_compatibility.h"
#include "formats/protobuf/protobuf_test_table.h"

namespace weir {
namespace {

using namespace std::string_literals;

const OptionTexts kConfluent = {{"protobuf.framing", "confluent"}, {"schema-registry.url", "http://r"}};

std::string framed(int id, const std::string& indexes, const std::string& message) {
  std::string bytes(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(id >> shift);
  return bytes + indexes + message;
}

std::string proto3(const std::string& body) { return "syntax = \"proto3\"; package p; " + body; }

struct Registry {
  std::shared_ptr<MemorySchemas> schemas = std::make_shared<MemorySchemas>();
  std::unique_ptr<Decoder> decoder;

  void open(const ColumnTexts& columns, const OptionTexts& options = kConfluent, bool described = false) {
    auto made = make_protobuf_decoder(column_specs(columns), options, schemas, described);
    ASSERT_TRUE(made.ok()) << made.status().message();
    decoder = std::move(*made);
  }
  // As the planner does with a table without columns.
  std::string open_described(const OptionTexts& options = kConfluent) {
    auto validated = protobuf_test_options(options);
    EXPECT_TRUE(validated.ok());
    FormatContext context{{}, &*validated, schemas, "t-value", true};
    auto table = protobuf_format().describe(context);
    if (!table.ok()) return table.status().message();
    std::string text;
    for (const ColumnSpec& column : table->columns) {
      text += (text.empty() ? "" : ", ") + column.name + " " + column.type.text +
              (column.nullable ? "" : " NOT NULL");
    }
    context.columns = table->columns;
    auto made = protobuf_format().create(context);
    EXPECT_TRUE(made.ok()) << made.status().message();
    if (made.ok()) decoder = std::move(*made);
    return text;
  }
  Result<DecodedRows> try_decode(const std::vector<std::string>& payloads) {
    const EventBatch batch = protobuf_batch(payloads);
    auto decoded = decoder->decode(batch, 0, payloads.size());
    if (decoded.ok()) check_decoded(*decoded, payloads.size());
    return decoded;
  }
  std::string row(const std::string& payload) {
    auto decoded = try_decode({payload});
    if (!decoded.ok())
      return std::string(code_name(decoded.status().code())) + ": " + decoded.status().message();
    if (decoded->errors.empty()) return row_text(*decoded->rows, 0);
    const ErrorRecord& error = decoded->errors[0];
    return std::string(error_code_name(error.code)) + " " + error.field + " " + std::to_string(error.byte);
  }
  std::string message(const std::string& payload) {
    auto decoded = try_decode({payload});
    return decoded.ok() && !decoded->errors.empty() ? decoded->errors[0].message : "";
  }
};

TEST(ProtobufRegistry, MessageIndexes) {
  Registry r;
  r.schemas->add(7, "t-value",
                 proto3("message A { int32 a = 1; message In { int32 b = 1; } } message B { int32 c = 1; }"));
  r.open({{"a", "INT"}});
  EXPECT_EQ(r.row(framed(7, "\0"s, "\x08\x05")), "5");
  EXPECT_EQ(r.row(framed(7, "\x02\0"s, "\x08\x05")), "5");
  EXPECT_EQ(r.row(framed(7, "\0"s, "")), "0");
  EXPECT_NE(r.message(framed(7, "\x02\x02"s, "\x08\x05"))
                .find("as a p.B, and the table reads p.A of t-value version 1 (id 7)"),
            std::string::npos);
  OptionTexts nested = kConfluent;
  nested["protobuf.message"] = "p.A.In";
  r.open({{"b", "INT"}}, nested);
  EXPECT_EQ(r.row(framed(7, "\x04\0\0"s, "\x08\x06")), "6");
  EXPECT_EQ(r.row(framed(7, "\0"s, "\x08\x06")), "incompatible_schema  -1");
  EXPECT_EQ(r.row(framed(7, "\x04\0\x02"s, "\x08\x06")), "incompatible_schema  -1");
}

TEST(ProtobufRegistry, BrokenHeaders) {
  Registry r;
  r.schemas->add(7, "t-value", proto3("message A { int32 a = 1; }"));
  r.open({{"a", "INT"}});
  EXPECT_EQ(r.row(""), "malformed  0");
  EXPECT_EQ(r.row("\x01\0\0\0\x07\0\x08\x05"s), "malformed  0");
  EXPECT_EQ(r.row("\0\0\0\0"s), "malformed  0");
  EXPECT_EQ(r.row(framed(7, "", "")), "malformed  5");
  EXPECT_EQ(r.row(framed(7, "\x80"s, "")), "malformed  5");
  EXPECT_EQ(r.row(framed(7, "\x01"s, "")), "malformed  5");
  EXPECT_EQ(r.row(framed(7, "\xff\xff\xff\xff\x0f"s, "")), "malformed  5");
  EXPECT_EQ(r.row(framed(7, "\x04\0"s, "")), "malformed  7");
  EXPECT_EQ(r.row(framed(7, "\x02\x01"s, "")), "malformed  6");
  EXPECT_EQ(r.row(framed(8, "\0"s, "\x08\x05")), "unknown_schema  1");
  EXPECT_EQ(r.row(framed(7, "\0"s, "\x08\x85")), "malformed /a 7");
}

TEST(ProtobufRegistry, TextsBase64AndImports) {
  Registry r;
  const SchemaText n = {
      SchemaKind::protobuf, "syntax = \"proto3\"; package n; message N { int32 x = 1; }", {}};
  const std::string text =
      "syntax = \"proto3\"; import \"d/n.proto\"; import \"google/protobuf/timestamp.proto\"; "
      "message A { n.N n = 1; google.protobuf.Timestamp at = 2; }";
  const SchemaText a = {SchemaKind::protobuf, text, {{"d/n.proto", n.text}}};
  r.schemas->add(7, "t-value", *serialized_protobuf_schema(a),
                 {{"d/n.proto", *serialized_protobuf_schema(n)}});
  EXPECT_EQ(r.open_described(), "n ROW<`x` INT>, at TIMESTAMP_LTZ(6)");
  EXPECT_EQ(r.row(framed(7, "\0"s, "\x0a\x02\x08\x05\x12\x02\x08\x01")), "(5)|1970-01-01 00:00:01.000000Z");
  r.schemas->add(8, "t-value", "not a schema");
  r.schemas->registered.push_back(std::make_shared<RegisteredSchema>(
      RegisteredSchema{9, "other", 1, {SchemaKind::avro, "\"string\"", {}}}));
  EXPECT_NE(r.message(framed(8, "\0"s, "")).find("t-value version 2 (id 8)"), std::string::npos);
  EXPECT_NE(r.message(framed(9, "\0"s, "")).find("is AVRO, expected PROTOBUF"), std::string::npos);
}

TEST(ProtobufRegistry, AnOlderWriterAndARenamedField) {
  Registry r;
  r.schemas->add(1, "t-value", proto3("message A { int32 a = 1; string gone = 3; }"));
  r.schemas->add(
      2, "t-value",
      proto3("message A { int64 b = 1; optional string c = 2; int32 d = 4; E e = 5; repeated int32 f = 6; } "
             "enum E { X = 0; }"));
  r.open({{"b", "BIGINT"},
          {"c", "STRING"},
          {"d", "INT NOT NULL"},
          {"e", "STRING NOT NULL"},
          {"f", "ARRAY<INT>"}});
  EXPECT_EQ(r.row(framed(1, "\0"s, "\x08\x05")), "5|null|0|X|null");
  EXPECT_EQ(r.row(framed(2, "\0"s, "\x08\x06\x12\x01x")), "6|x|0|X|[]");
  // Compatible as bytes are not: incompatible for the table.
  r.schemas->add(3, "t-value", proto3("message A { string b = 1; }"));
  EXPECT_EQ(r.row(framed(3, "\0"s, "\x0a\x01x")), "incompatible_schema  -1");
  EXPECT_NE(r.message(framed(3, "\0"s, ""))
                .find("written with t-value version 3 (id 3), which does not fit the table of "
                      "t-value version 2 (id 2): column 'b' is BIGINT"),
            std::string::npos);
}

TEST(ProtobufRegistry, AwayAndBack) {
  Registry r;
  r.schemas->add(1, "t-value", proto3("message A { int32 a = 1; }"));
  r.schemas->away = true;
  r.open({{"a", "INT"}});
  EXPECT_EQ(r.row(framed(1, "\0"s, "\x08\x05")), "unavailable: the registry is away");
  r.schemas->away = false;
  EXPECT_EQ(r.row(framed(1, "\0"s, "\x08\x05")), "5");
  r.schemas->add(2, "t-value", proto3("message A { int32 a = 1; int32 b = 2; }"));
  r.schemas->away = true;
  EXPECT_EQ(r.row(framed(1, "\0"s, "\x08\x06")), "6");
  auto both = r.try_decode({framed(1, "\0"s, "\x08\x06"), framed(2, "\0"s, "\x08\x07")});
  EXPECT_EQ(both.status().code(), Code::unavailable);
  r.schemas->away = false;
  both = r.try_decode(
      {framed(1, "\0"s, "\x08\x06"), framed(2, "\0"s, "\x08\x07"), framed(1, "\0"s, "\x08\x08")});
  ASSERT_TRUE(both.ok());
  EXPECT_EQ(row_text(*both->rows, 0) + row_text(*both->rows, 1) + row_text(*both->rows, 2), "678");
}

TEST(ProtobufRegistry, ANewFieldAsksForANewPlan) {
  Registry r;
  r.schemas->add(1, "t-value", proto3("message A { int32 a = 1; N n = 3; } message N { int32 x = 1; }"));
  EXPECT_EQ(r.open_described(), "a INT, n ROW<`x` INT>");
  EXPECT_EQ(r.row(framed(1, "\0"s, "\x08\x05")), "5|null");
  r.schemas->add(
      2, "t-value",
      proto3("message A { int32 a = 1; string b = 2; N n = 3; } message N { int32 x = 1; int32 y = 2; }"));
  const std::string second = framed(2, "\0"s, "\x08\x05\x12\x01x\x1a\x02\x10\x07"s);
  EXPECT_EQ(r.row(second),
            "schema changed: the columns are those of t-value version 1 (id 1), and events come with "
            "t-value version 2 (id 2); t-value version 2 (id 2) has more");
  EXPECT_EQ(r.row(framed(1, "\0"s, "\x08\x05")).substr(0, 14), "schema changed");
  EXPECT_EQ(r.open_described(), "a INT, b STRING, n ROW<`x` INT, `y` INT>");
  EXPECT_EQ(r.row(second), "5|x|(0, 7)");
  EXPECT_EQ(r.row(framed(1, "\0"s, "\x08\x05")), "5|null|null");
  // A later version without a field: nothing would be won. One that does not fit: an error, no new plan.
  r.schemas->add(3, "t-value", proto3("message A { int32 a = 1; }"));
  EXPECT_EQ(r.row(framed(3, "\0"s, "\x08\x06")), "6|null|null");
  r.schemas->add(4, "t-value", proto3("message A { string a = 1; int32 z = 9; }"));
  EXPECT_EQ(r.row(framed(4, "\0"s, "\x0a\x01x")), "incompatible_schema  -1");
  EXPECT_EQ(r.row(second), "5|x|(0, 7)");
}

TEST(ProtobufRegistry, ALatestVersionThatWasAnOldAnswer) {
  Registry r;
  r.schemas->add(1, "t-value", proto3("message A { int32 a = 1; }"));
  r.open_described();
  r.schemas->add(2, "elsewhere", proto3("message A { int32 a = 1; int32 b = 2; }"));
  EXPECT_EQ(r.row(framed(2, "\0"s, "\x08\x05")), "5");
  EXPECT_EQ(r.row(framed(2, "\0"s, "\x08\x05")), "5");
  r.schemas->add(3, "t-value", proto3("message A { int32 a = 1; int32 b = 2; }"));
  EXPECT_EQ(r.row(framed(2, "\0"s, "\x08\x05")).substr(0, 14), "schema changed");
  r.open_described();
  EXPECT_EQ(r.row(framed(2, "\0"s, "\x08\x05")), "5|0");
}

TEST(ProtobufRegistry, DeclaredColumnsNeverAskForANewPlan) {
  Registry r;
  r.schemas->add(1, "t-value", proto3("message A { int32 a = 1; }"));
  r.open({{"a", "INT"}});
  r.schemas->add(2, "t-value", proto3("message A { int32 a = 1; string b = 2; }"));
  EXPECT_EQ(r.row(framed(2, "\0"s, "\x08\x05\x12\x01x")), "5");
}

TEST(ProtobufRegistry, AFileWithConfluentFramingAndWithoutARegistry) {
  Registry r;
  r.schemas->files["t.proto"] = proto3("message A { int32 a = 1; } message B { int32 b = 1; }");
  r.open(
      {{"b", "INT"}},
      {{"protobuf.framing", "confluent"}, {"protobuf.schema-file", "t.proto"}, {"protobuf.message", "p.B"}});
  EXPECT_EQ(r.row(framed(99, "\x02\x02"s, "\x08\x05")), "5");
  EXPECT_EQ(r.row(framed(99, "\0"s, "\x08\x05")), "incompatible_schema  -1");
  auto made =
      make_protobuf_decoder(column_specs({{"a", "INT"}}), {{"protobuf.framing", "confluent"}}, r.schemas);
  EXPECT_EQ(made.status().code(), Code::invalid);
}

TEST(ProtobufRegistry, FramingNoneTakesTheLatestVersion) {
  Registry r;
  r.schemas->add(1, "t-value", proto3("message A { int32 a = 1; }"));
  r.open({{"a", "INT"}}, {{"schema-registry.url", "http://r"}});
  EXPECT_EQ(r.row("\x08\x05"), "5");
}

TEST(ProtobufDescribe, EveryType) {
  Registry r;
  r.schemas->files["t.proto"] =
      "syntax = \"proto2\"; import \"google/protobuf/any.proto\"; import \"google/protobuf/wrappers.proto\"; "
      "import \"google/protobuf/struct.proto\"; import \"google/protobuf/duration.proto\"; "
      "message M { required int32 a = 1; optional uint32 b = 2; optional fixed64 c = 3; repeated E e = 5; "
      "map<string, M> self = 6; map<int32, N> m = 7; optional google.protobuf.Any any = 8; "
      "optional google.protobuf.StringValue w = 9; repeated google.protobuf.Value v = 10; optional Empty "
      "empty = 11; "
      "optional google.protobuf.Duration d = 12; optional group G = 13 { optional int32 x = 1; } optional "
      "bytes y = 14; "
      "optional float f = 15; } "
      "enum E { X = 0; } message N { optional N again = 1; optional bool `order` = 2; } message Empty {}";
  const OptionTexts file = {{"protobuf.schema-file", "t.proto"}};
  EXPECT_NE(r.open_described(file).find("t.proto:1:"), std::string::npos);
  std::string& text = r.schemas->files["t.proto"];
  text.erase(std::remove(text.begin(), text.end(), '`'), text.end());
  EXPECT_EQ(
      r.open_described(file),
      "a INT NOT NULL, b BIGINT, c DECIMAL(20, 0), e ARRAY<STRING>, m MAP<INT, ROW<`order` BOOLEAN>>, "
      "any ROW<`type_url` STRING, `value` BYTES>, w STRING, v ARRAY<STRING>, d BIGINT, y BYTES, f FLOAT");
  text = "syntax = \"proto3\"; message M { M m = 1; }";
  EXPECT_NE(r.open_described(file).find("no field to read"), std::string::npos);
  text = "syntax = \"proto3\"; message M0 { int32 x = 1; }";
  for (int i = 1; i < 40; ++i) {
    const std::string last = "M" + std::to_string(i - 1);
    text += "message M" + std::to_string(i) + " { " + last + " a = 1; " + last + " b = 2; }";
  }
  EXPECT_NE(
      r.open_described({{"protobuf.schema-file", "t.proto"}, {"protobuf.message", "M39"}}).find("10,000"),
      std::string::npos);
}

}  // namespace
}  // namespace weir
