#include "formats/protobuf/protobuf_decoder.h"

#include <google/protobuf/descriptor.pb.h>

#include "formats/protobuf/protobuf_test_table.h"

namespace weir {
namespace {

std::string proto3(const std::string& body) { return "syntax = \"proto3\"; package p; " + body; }
std::string proto2(const std::string& body) { return "syntax = \"proto2\"; package p; " + body; }

// Why such a table cannot be.
std::string refusal(const std::string& proto, const ColumnTexts& columns, OptionTexts options = {}) {
  auto schemas = std::make_shared<MemorySchemas>();
  schemas->files["t.proto"] = proto;
  options.emplace("protobuf.schema-file", "t.proto");
  auto made = make_protobuf_decoder(column_specs(columns), options, schemas);
  return made.ok() ? "fine" : made.status().message();
}

using namespace std::string_literals;

TEST(ProtobufDecoder, EveryScalarIntoItsColumn) {
  ProtobufTable table(
      proto3("message M { int32 a = 1; int64 b = 2; uint32 c = 3; uint64 d = 4; sint32 e = 5; sint64 f = 6; "
             "fixed32 g = 7; fixed64 h = 8; sfixed32 i = 9; sfixed64 j = 10; float k = 11; double l = 12; "
             "bool m = 13; string n = 14; bytes o = 15; E q = 16; E r = 5000; } enum E { ZERO = 0; ONE = 1; "
             "MINUS = -1; }"),
      {{"a", "INT"},
       {"b", "BIGINT"},
       {"c", "BIGINT"},
       {"d", "DECIMAL(20,0)"},
       {"e", "INT"},
       {"f", "BIGINT"},
       {"g", "BIGINT"},
       {"h", "DECIMAL(22,2)"},
       {"i", "INT"},
       {"j", "BIGINT"},
       {"k", "FLOAT"},
       {"l", "DOUBLE"},
       {"m", "BOOLEAN"},
       {"n", "STRING"},
       {"o", "BYTES"},
       {"q", "STRING"},
       {"r", "INT"}});
  EXPECT_EQ(
      table.text_row("a: -1 b: -9223372036854775808 c: 4294967295 d: 18446744073709551615 e: -2147483648 "
                     "f: -9223372036854775808 g: 4294967295 h: 18446744073709551615 i: -2147483648 "
                     "j: 9223372036854775807 k: 1.5 l: -2.25 m: true n: \"h\\303\\251\" o: \"\\377\\000\" "
                     "q: MINUS r: MINUS"),
      "-1|-9223372036854775808|4294967295|18446744073709551615|-2147483648|-9223372036854775808|4294967295|"
      "18446744073709551615.00|-2147483648|9223372036854775807|1.5|-2.25|true|h\xC3\xA9|FF00|MINUS|-1");
  EXPECT_EQ(table.row(""), "0|0|0|0|0|0|0|0.00|0|0|0|0|false|||ZERO|0");
  // A number without a name.
  EXPECT_EQ(table.row("\x80\x01\x2a"s).substr(35), "42|0");
}

TEST(ProtobufDecoder, NumbersAreCheckedAgainstTheColumn) {
  ProtobufTable table(
      proto3("message M { int64 a = 1; uint64 b = 2; sint32 c = 3; int32 d = 4; repeated int32 e = 5; }"),
      {{"a", "TINYINT"}, {"b", "BIGINT"}, {"c", "SMALLINT"}, {"d", "DECIMAL(4,1)"}, {"e", "ARRAY<TINYINT>"}});
  EXPECT_EQ(table.text_row("a: 127 b: 9223372036854775807 c: -32768 d: 999"),
            "127|9223372036854775807|-32768|999.0|[]");
  EXPECT_EQ(table.text_row("a: 128"), "out_of_range /a");
  EXPECT_EQ(table.text_row("a: -129"), "out_of_range /a");
  EXPECT_EQ(table.text_row("b: 9223372036854775808"), "out_of_range /b");
  EXPECT_EQ(table.text_row("c: 32768"), "out_of_range /c");
  EXPECT_EQ(table.text_row("d: 1000"), "out_of_range /d");
  EXPECT_EQ(table.text_row("e: 1 e: 2 e: 300"), "out_of_range /e/2");
  EXPECT_EQ(table.error(table.bytes("a: 1 b: 2 c: 40000")).byte, 5);
  ProtobufTable doubles(proto3("message M { int32 a = 1; uint32 b = 2; float c = 3; }"),
                        {{"a", "DOUBLE"}, {"b", "DOUBLE"}, {"c", "DOUBLE"}});
  EXPECT_EQ(doubles.text_row("a: -7 b: 4294967295 c: 0.5"), "-7|4294967295|0.5");
}

TEST(ProtobufDecoder, ColumnsThatDoNotFitAreRefused) {
  const std::string proto = proto3(
      "import \"google/protobuf/any.proto\"; message M { string name = 1; int64 n = 2; repeated int32 l = 3; "
      "google.protobuf.Any any = 4; double d = 5; map<string, int32> m = 6; bool b = 7; N sub = 8; message N "
      "{ int32 x = 1; } }");
  EXPECT_EQ(refusal(proto, {{"nmae", "STRING"}}),
            "column 'nmae': the message p.M has no such field. Did you mean 'name'?");
  EXPECT_EQ(refusal(proto, {{"name", "INT"}}),
            "column 'name' is INT, but the field 'name' of p.M is string: expected STRING");
  EXPECT_NE(refusal(proto, {{"sub", "ROW<y INT>"}}).find("column 'sub.y'"), std::string::npos);
  for (const auto& [name, type] : ColumnTexts{{"n", "STRING"},
                                              {"n", "DOUBLE"},
                                              {"l", "INT"},
                                              {"any", "STRING"},
                                              {"d", "FLOAT"},
                                              {"m", "MAP<INT, INT>"},
                                              {"b", "INT"},
                                              {"n", "TIMESTAMP(3)"},
                                              {"name", "BYTES"}}) {
    EXPECT_NE(refusal(proto, {{name, type}}).find(" is "), std::string::npos) << name << " " << type;
  }
  EXPECT_EQ(refusal(proto, {{"any", "ROW<type_url STRING, `value` BYTES>"}}), "fine");
  EXPECT_NE(
      refusal(proto2("message M { optional group G = 1 { optional int32 x = 1; } }"), {{"g", "ROW<x INT>"}})
          .find("group"),
      std::string::npos);
  EXPECT_NE(refusal(proto2("message M { optional int32 x = 1 [default = 300]; }"), {{"x", "TINYINT"}})
                .find("default"),
            std::string::npos);
  EXPECT_NE(refusal(proto, {{"n", "INT"}}, {{"protobuf.message", "p.Mm"}}).find("no message 'p.Mm'"),
            std::string::npos);
  EXPECT_NE(refusal("message {", {{"n", "INT"}}).find("t.proto:1:"), std::string::npos);
  EXPECT_NE(refusal("import \"no.proto\"; message M {}", {{"n", "INT"}}).find("no.proto"), std::string::npos);
  auto none = make_protobuf_decoder(column_specs({{"n", "INT"}}), {}, std::make_shared<MemorySchemas>());
  EXPECT_NE(none.status().message().find("protobuf.schema-file"), std::string::npos);
}

TEST(ProtobufDecoder, PresenceAndDefaults) {
  ProtobufTable table(proto3("message M { int32 a = 1; optional int32 b = 2; N c = 3; repeated int32 d = 4; "
                             "map<string, int32> e = 5; string f = 6; } message N { int32 x = 1; }"),
                      {{"a", "INT"},
                       {"b", "INT"},
                       {"c", "ROW<x INT>"},
                       {"d", "ARRAY<INT>"},
                       {"e", "MAP<STRING, INT>"},
                       {"f", "STRING NOT NULL"}});
  EXPECT_EQ(table.row(""), "0|null|null|[]|{}|");
  EXPECT_EQ(table.text_row("b: 0 c {}"), "0|0|(0)|[]|{}|");
  ProtobufTable strict(proto3("message M { optional int32 a = 1; }"), {{"a", "INT NOT NULL"}});
  EXPECT_EQ(strict.row(""), "missing_required /a");
  EXPECT_EQ(strict.text_row("a: 0"), "0");
  ProtobufTable old(
      proto2("message M { required int32 a = 1; optional int32 b = 2 [default = -5]; optional string c = 3 "
             "[default = \"hi\"]; optional E d = 4 [default = Y]; optional E e = 5; optional N n = 6; } "
             "enum E { X = 0; Y = 1; } message N { required int32 x = 1; }"),
      {{"a", "BIGINT"}, {"b", "DECIMAL(5,2)"}, {"c", "STRING"}, {"d", "STRING"}, {"e", "STRING"}});
  EXPECT_EQ(old.text_row("a: 1"), "1|-5.00|hi|Y|null");
  EXPECT_EQ(old.text_row("b: 1"), "missing_required /a");
  EXPECT_EQ(old.text_row("a: 1 n {}"), "1|-5.00|hi|Y|null");
  ProtobufTable nested(
      proto2("message M { optional N n = 1; required int32 other = 2; } message N { required int32 x = 1; }"),
      {{"n", "ROW<x INT>"}});
  EXPECT_EQ(nested.text_row("n {} other: 1"), "missing_required /n/x");
  EXPECT_EQ(nested.text_row("n { x: 1 }"), "missing_required /other");
  EXPECT_EQ(nested.text_row("other: 1"), "null");
}

TEST(ProtobufDecoder, PackedAndUnpackedAndMixed) {
  ProtobufTable table(
      proto3("message M { repeated int32 a = 1; repeated double b = 2; repeated string c = 3; }"),
      {{"a", "ARRAY<BIGINT>"}, {"b", "ARRAY<DOUBLE>"}, {"c", "ARRAY<STRING>"}});
  EXPECT_EQ(table.row("\x0a\x02\x01\x02\x08\x03\x1a\x01x\x0a\x01\x04\x1a\x01y"s), "[1, 2, 3, 4]|[]|[x, y]");
  EXPECT_EQ(table.text_row("b: 1 b: 2"), "[]|[1, 2]|[]");
  EXPECT_EQ(table.row("\x12\x07"
                      "1234567"s),
            "malformed /b/0");
  EXPECT_EQ(table.row("\x0d"
                      "1234"s),
            "wrong_type /a");
}

TEST(ProtobufDecoder, TheLastOneWinsAndMessagesMerge) {
  ProtobufTable table(
      proto3("message M { int32 a = 1; string s = 2; N n = 3; } "
             "message N { int32 x = 1; string y = 2; repeated int32 z = 3; N n = 4; }"),
      {{"a", "INT"}, {"s", "STRING"}, {"n", "ROW<x INT, y STRING, z ARRAY<INT>, n ROW<y STRING>>"}});
  const std::string first = table.bytes("a: 1 s: \"long text\" n { x: 1 y: \"first\" z: 1 n { y: \"in\" } }");
  const std::string second = table.bytes("a: 2 s: \"b\" n { y: \"second\" z: 2 n {} }");
  EXPECT_EQ(table.row(first + second), "2|b|(1, second, [1, 2], (in))");
  const DecodedRows rows = table.decode({first + second, first, second});
  EXPECT_EQ((*rows.rows->column(1)->GetScalar(1))->ToString(), "long text");
}

TEST(ProtobufDecoder, Oneofs) {
  ProtobufTable table(proto3("message M { oneof o { int32 a = 1; string b = 2; N n = 3; bool c = 4; } } "
                             "message N { int32 x = 1; repeated int32 y = 2; }"),
                      {{"a", "INT"}, {"b", "STRING"}, {"n", "ROW<x INT, y ARRAY<INT>>"}});
  EXPECT_EQ(table.text_row("a: 0"), "0|null|null");
  const std::string a = table.bytes("a: 5"), b = table.bytes("b: \"x\""), n = table.bytes("n { x: 1 y: 1 }");
  EXPECT_EQ(table.row(a + b), "null|x|null");
  EXPECT_EQ(table.row(n + a), "5|null|null");
  EXPECT_EQ(table.row(n + table.bytes("n { y: 2 }")), "null|null|(1, [1, 2])");
  EXPECT_EQ(table.row(n + a + table.bytes("n { y: 2 }")), "null|null|(0, [2])");
  // One that the table does not have.
  EXPECT_EQ(table.row(b + table.bytes("c: true")), "null|null|null");
}

TEST(ProtobufDecoder, Maps) {
  ProtobufTable table(
      proto3("message M { map<string, int32> a = 1; map<int64, N> b = 2; map<bool, E> c = 3; } "
             "message N { int32 x = 1; map<string, string> m = 2; } enum E { X = 0; Y = 1; }"),
      {{"a", "MAP<STRING, BIGINT>"},
       {"b", "MAP<BIGINT, ROW<x INT, m MAP<STRING, STRING>>>"},
       {"c", "MAP<BOOLEAN, STRING>"}});
  const auto entry = [&](const std::string& text) { return table.bytes(text); };
  const auto first = [](const std::string& row) { return row.substr(0, row.find('|')); };
  EXPECT_EQ(first(table.row(entry("a { key: \"x\" value: 1 }") + entry("a { key: \"y\" value: 2 }"))),
            "{x: 1, y: 2}");
  // Key or value missing: their defaults. A key again: the last value.
  EXPECT_EQ(first(table.row("\x0a\x00"s)), "{: 0}");
  EXPECT_EQ(first(table.row(entry("a { key: \"x\" value: 1 }") + entry("a { key: \"y\" value: 2 }") +
                            entry("a { key: \"x\" value: 3 }"))),
            "{y: 2, x: 3}");
  std::string many;
  for (int i = 0; i < 100; ++i)
    many += entry("a { key: \"k" + std::to_string(i % 50) + "\" value: " + std::to_string(i) + " }");
  const DecodedRows rows = table.decode({many, "", many});
  EXPECT_EQ(static_cast<const arrow::MapArray&>(*rows.rows->column(0)).value_length(0), 50);
  EXPECT_TRUE(rows.rows->Slice(0, 1)->Equals(*rows.rows->Slice(2, 1)));
  const std::string nested = table.row(entry("b { key: 7 value { x: 1 m { key: \"q\" value: \"r\" } } }") +
                                       "\x12\x02\x08\x08"s + entry("c { key: true value: Y }"));
  EXPECT_NE(nested.find("7: (1, {q: r})"), std::string::npos) << nested;
  EXPECT_NE(nested.find("8: (0, {})"), std::string::npos) << nested;
  EXPECT_NE(nested.find("{true: Y}"), std::string::npos) << nested;
  EXPECT_EQ(table.row("\x0a\x03\x0a\x01\xff"s), "invalid_utf8 /a/0/key");
}

TEST(ProtobufDecoder, WellKnownTypes) {
  const std::string imports =
      "import \"google/protobuf/timestamp.proto\"; import \"google/protobuf/duration.proto\"; "
      "import \"google/protobuf/wrappers.proto\"; import \"google/protobuf/struct.proto\"; ";
  ProtobufTable table(
      proto3(imports +
             "message M { google.protobuf.Timestamp t = 1; google.protobuf.Duration d = 2; "
             "google.protobuf.Int64Value w = 3; google.protobuf.StringValue x = 4; "
             "google.protobuf.Struct s = 5; google.protobuf.Value v = 6; google.protobuf.ListValue l = 7; "
             "repeated google.protobuf.Timestamp ts = 8; }"),
      {{"t", "TIMESTAMP_LTZ(6)"},
       {"d", "BIGINT"},
       {"w", "BIGINT"},
       {"x", "STRING"},
       {"s", "STRING"},
       {"v", "STRING"},
       {"l", "STRING"},
       {"ts", "ARRAY<TIMESTAMP(3)>"}});
  EXPECT_EQ(
      table.text_row(
          "t { seconds: 1 nanos: 5000 } d { seconds: -1 nanos: -500000000 } w { value: 7 } x {} "
          "s { fields { key: \"a\\\"\" value { list_value { values { number_value: 1.5 } values { "
          "null_value: 0 } "
          "values { bool_value: true } values { string_value: \"\\n\" } values {} } } } fields { key: \"b\" "
          "value { struct_value {} } } } v { number_value: 3 } l {} ts { seconds: 1 } ts { nanos: 1000000 }"),
      "1970-01-01 00:00:01.000005Z|-1500000|7||{\"a\\\"\":[1.5,null,true,\"\\u000a\",null],\"b\":{}}|3|[]|"
      "[1970-01-01 00:00:01.000, 1970-01-01 00:00:00.001]");
  EXPECT_EQ(table.row(""), "null|null|null|null|null|null|null|[]");
  EXPECT_EQ(table.text_row("w {}").substr(0, 12), "null|null|0|");
  EXPECT_EQ(table.text_row("t { nanos: 5 }"), "bad_timestamp /t");
  EXPECT_EQ(table.text_row("t { seconds: 253402300800 }"), "bad_timestamp /t");
  EXPECT_EQ(table.text_row("t { nanos: -1 }"), "bad_timestamp /t");
  EXPECT_EQ(table.text_row("d { nanos: 1 }"), "out_of_range /d");
  EXPECT_EQ(table.text_row("v { number_value: nan }"), "out_of_range /v");
  EXPECT_EQ(table.row("\x32\x03\x1a\x01\xff"s), "invalid_utf8 /v");
  const std::string merged =
      table.bytes("t { seconds: 1 } s { fields { key: \"a\" value { bool_value: true } } }") +
      table.bytes("t { nanos: 1000 } s { fields { key: \"b\" } fields { key: \"a\" } }");
  EXPECT_EQ(table.row(merged).substr(0, 65),
            "1970-01-01 00:00:01.000001Z|null|null|null|{\"a\":null,\"b\":null}|nu");
  ProtobufTable exact(
      proto3(imports + "message M { google.protobuf.Timestamp t = 1; google.protobuf.Duration d = 2; }"),
      {{"t", "TIMESTAMP(9)"}, {"d", "ROW<seconds BIGINT, nanos INT>"}});
  EXPECT_EQ(exact.text_row("t { nanos: 5 } d { seconds: 2 }").substr(0, 29), "1970-01-01 00:00:00.000000005");
  EXPECT_EQ(exact.text_row("t { seconds: 253402300799 }"), "bad_timestamp /t");
  ProtobufTable cut(
      proto3(imports + "message M { google.protobuf.Timestamp t = 1; google.protobuf.Duration d = 2; }"),
      {{"t", "TIMESTAMP(3)"}, {"d", "BIGINT"}}, {{"protobuf.excess-nanos", "truncate"}});
  EXPECT_EQ(cut.text_row("t { seconds: 1 nanos: 999999999 } d { nanos: 1999 }"), "1970-01-01 00:00:01.999|1");
}

TEST(ProtobufDecoder, UnknownFieldsAndGroups) {
  const std::string proto = proto3("message M { int32 a = 1; string not_in_the_table = 2; }");
  const std::string unknown =
      "\x08\x05\x12\x01x\x18\x01\x21"
      "12345678\x2a\x02xx\x35"
      "1234\x3b\x08\x01\x3c\x80\x7d\x01"s;
  ProtobufTable table(proto, {{"a", "INT"}});
  EXPECT_EQ(table.row(unknown), "5");
  ProtobufTable strict(proto, {{"a", "INT"}}, {{"protobuf.unknown-fields", "reject"}});
  EXPECT_EQ(strict.row("\x08\x05\x12\x01x"s), "5");
  const ErrorRecord error = strict.error("\x08\x05\x18\x01"s);
  EXPECT_EQ(error.code, ErrorCode::unknown_field);
  EXPECT_EQ(error.byte, 2);
  std::string groups(100, '\x3b');
  EXPECT_EQ(table.error(groups + std::string(100, '\x3c')).code, ErrorCode::too_deep);
}

TEST(ProtobufDecoder, BrokenBytes) {
  ProtobufTable table(
      proto3("message M { int32 a = 1; string b = 2; fixed64 c = 3; N n = 4; repeated N l = 5; } "
             "message N { string x = 1; N n = 2; }"),
      {{"a", "INT"},
       {"b", "VARCHAR(3)"},
       {"c", "BIGINT"},
       {"n", "ROW<x STRING, n ROW<x STRING>>"},
       {"l", "ARRAY<ROW<x STRING>>"}});
  const auto code = [&](const std::string& bytes) {
    const ErrorRecord error = table.error(bytes);
    return std::string(error_code_name(error.code)) + " " + error.field + " " + std::to_string(error.byte);
  };
  EXPECT_EQ(code("\x08"s), "malformed /a 1");
  EXPECT_EQ(code("\x08\xff"s), "malformed /a 1");
  EXPECT_EQ(code("\x08" + std::string(10, '\xff') + "\x01"), "malformed /a 1");
  EXPECT_EQ(code("\x08" + std::string(9, '\xff') + "\x02"), "malformed /a 1");
  EXPECT_EQ(code("\x12\x05"
                 "abc"s),
            "malformed /b 1");
  EXPECT_EQ(code("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s), "malformed /b 1");
  EXPECT_EQ(code("\x12\x04"
                 "abcd"s),
            "out_of_range /b 1");
  EXPECT_EQ(code("\x12\x02"
                 "a\xff"s),
            "invalid_utf8 /b 3");
  EXPECT_EQ(code("\x19"
                 "1234567"s),
            "malformed /c 1");
  EXPECT_EQ(code("\x18\x01"s), "wrong_type /c 1");
  EXPECT_EQ(code("\x22\x05\x0a\x01x\x0a\x09"s), "malformed /n/x 6");
  EXPECT_EQ(code("\x2a\x02\x0a\x00\x2a\x03\x0a\x01\xff"s), "invalid_utf8 /l/1/x 8");
  EXPECT_EQ(code("\x00\x01"s), "malformed  0");
  EXPECT_EQ(code("\x3c"s), "malformed  0");
  EXPECT_EQ(code("\x3e"s), "malformed  0");
  EXPECT_EQ(code("\x0e\x01"s), "malformed /a 1");
  EXPECT_EQ(code("\x3b\x44"s), "malformed  0");
  EXPECT_EQ(code("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s), "malformed  0");
  // VARCHAR counts characters; the biggest good varint.
  EXPECT_EQ(table.row("\x12\x06\xc3\xa9\xc3\xa9\xc3\xa9\x08"s + std::string(9, '\xff') + "\x01").substr(0, 3),
            "-1|");
  ProtobufTable shallow(proto3("message M { N n = 1; } message N { N n = 1; int32 x = 2; }"),
                        {{"n", "ROW<n ROW<x INT>>"}},
                        {{"protobuf.max-depth", "2"}, {"protobuf.max-size", "10"}});
  EXPECT_EQ(shallow.row("\x0a\x02\x0a\x00"s), "too_deep /n/n");
  EXPECT_EQ(shallow.row(std::string(11, '\x08')), "too_large ");
}

TEST(ProtobufDecoder, ABadEventLeavesItsNeighboursAlone) {
  ProtobufTable table(
      proto3("message M { string s = 1; repeated N l = 2; map<string, N> m = 3; } message N { string x = 1; "
             "repeated string y = 2; }"),
      {{"s", "STRING"}, {"l", "ARRAY<ROW<x STRING, y ARRAY<STRING>>>"}, {"m", "MAP<STRING, ROW<x STRING>>"}});
  const std::string good =
      table.bytes("s: \"text\" l { x: \"a\" y: \"b\" y: \"c\" } l {} m { key: \"k\" value { x: \"v\" } }");
  for (size_t cut = 1; cut < good.size(); ++cut) {
    const DecodedRows decoded = table.decode({good, good.substr(0, cut), good});
    ASSERT_EQ(decoded.event_of_row.back(), 2u);
    const int64_t last = decoded.rows->num_rows() - 1;
    EXPECT_TRUE(decoded.rows->Slice(0, 1)->Equals(*decoded.rows->Slice(last, 1))) << cut;
  }
}

TEST(ProtobufDecoder, DescriptorSetsImportsAndFolders) {
  auto schemas = std::make_shared<MemorySchemas>();
  schemas->files["in/t.proto"] =
      "syntax = \"proto3\"; import \"b.proto\"; import \"c.proto\"; message M { B b = 1; C c = 2; }";
  schemas->files["in/b.proto"] = "syntax = \"proto3\"; message B { int32 x = 1; }";
  schemas->files["more/c.proto"] = "syntax = \"proto3\"; message C { int32 y = 1; }";
  auto made = make_protobuf_decoder(
      column_specs({{"b", "ROW<x INT>"}, {"c", "ROW<y INT>"}}),
      {{"protobuf.schema-file", "in/t.proto"}, {"protobuf.include", "other, more"}}, schemas);
  EXPECT_TRUE(made.ok()) << made.status().message();
  made = make_protobuf_decoder(
      column_specs({{"y", "INT"}}),
      {{"protobuf.schema-file", "in/t.proto"}, {"protobuf.include", "more/"}, {"protobuf.message", "C"}},
      schemas);
  EXPECT_TRUE(made.ok()) << made.status().message();
  google::protobuf::FileDescriptorSet set;
  google::protobuf::FileDescriptorProto& file = *set.add_file();
  file.set_name("x.proto");
  auto& field = *file.add_message_type()->add_field();
  file.mutable_message_type(0)->set_name("D");
  field.set_name("z");
  field.set_number(1);
  field.set_label(google::protobuf::FieldDescriptorProto::LABEL_OPTIONAL);
  field.set_type(google::protobuf::FieldDescriptorProto::TYPE_INT32);
  schemas->files["set.desc"] = set.SerializeAsString();
  made = make_protobuf_decoder(column_specs({{"z", "INT"}}), {{"protobuf.schema-file", "set.desc"}}, schemas);
  EXPECT_TRUE(made.ok()) << made.status().message();
}

}  // namespace
}  // namespace weir
