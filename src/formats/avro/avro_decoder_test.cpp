#include "formats/avro/avro_decoder.h"

#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include "formats/avro/avro_test_table.h"

namespace weir::avro {
namespace {

// One column `c` of a type, read from one field of a schema's type.
std::string one(const std::string& avro_type, const std::string& column, const std::string& bytes) {
  Table table(OptionTexts{{"avro.schema", record_schema(R"({"name":"c","type":)" + avro_type + "}")}});
  const Status made = table.create({{"c", column}});
  return made.ok() ? table.row(bytes) : "refused: " + made.message();
}

std::string logical(const std::string& base, const std::string& name) {
  return R"({"type":")" + base + R"(","logicalType":")" + name + "\"}";
}

TEST(AvroDecoder, Scalars) {
  EXPECT_EQ(one(R"("boolean")", "BOOLEAN", "\x01"), "true");
  EXPECT_EQ(one(R"("int")", "INT", zigzag(-5)), "-5");
  EXPECT_EQ(one(R"("int")", "TINYINT", zigzag(127)), "127");
  EXPECT_EQ(one(R"("long")", "BIGINT", zigzag(INT64_MIN)), "-9223372036854775808");
  EXPECT_EQ(one(R"("long")", "BIGINT", zigzag(INT64_MAX)), "9223372036854775807");
  EXPECT_EQ(one(R"("float")", "FLOAT", raw_bytes(1.5f)), "1.5");
  EXPECT_EQ(one(R"("double")", "DOUBLE", raw_bytes(-2.25)), "-2.25");
  EXPECT_EQ(one(R"("string")", "STRING", text_bytes("grün")), "grün");
  EXPECT_EQ(one(R"("bytes")", "BYTES", text_bytes("a\xff")), "a\xff");
  EXPECT_EQ(one(R"({"type":"fixed","name":"F","size":2})", "BYTES", "ab"), "ab");
  EXPECT_EQ(one(R"({"type":"enum","name":"E","symbols":["A","B"]})", "STRING", zigzag(1)), "B");
}

TEST(AvroDecoder, EveryLengthOfAnIntegerIsRead) {
  Table table(OptionTexts{{"avro.schema", record_schema(R"({"name":"c","type":"long"})")}});
  ASSERT_TRUE(table.create({{"c", "BIGINT"}}).ok());
  for (int bits = 0; bits < 63; ++bits) {
    for (const int64_t value : {int64_t{1} << bits, -(int64_t{1} << bits), (int64_t{1} << bits) - 1}) {
      EXPECT_EQ(table.row(zigzag(value)), std::to_string(value));
    }
  }
  EXPECT_EQ(table.row(std::string(9, '\xff') + "\x02"), "malformed /c 0: an integer of more than 64 bits");
  EXPECT_EQ(table.row(std::string(20, '\xff')), "malformed /c 0: an integer of more than 64 bits");
  EXPECT_EQ(table.row("\xff"), "malformed /c 0: the event ends within an integer");
}

TEST(AvroDecoder, Promotions) {
  EXPECT_EQ(one(R"("int")", "BIGINT", zigzag(7)), "7");
  EXPECT_EQ(one(R"("int")", "DOUBLE", zigzag(7)), "7");
  EXPECT_EQ(one(R"("long")", "FLOAT", zigzag(7)), "7");
  EXPECT_EQ(one(R"("float")", "DOUBLE", raw_bytes(0.5f)), "0.5");
  EXPECT_EQ(one(R"("bytes")", "STRING", text_bytes("x")), "x");
  EXPECT_EQ(one(R"("string")", "BYTES", text_bytes("x")), "x");
  EXPECT_EQ(one(R"("long")", "INT", zigzag(7)),
            "refused: avro.schema does not fit the table's columns: /c: long does not fit INT");
  EXPECT_NE(one(R"("double")", "FLOAT", raw_bytes(0.5)).find("refused"), std::string::npos);
  EXPECT_NE(one(R"("string")", "BIGINT", "").find("string does not fit BIGINT"), std::string::npos);
}

TEST(AvroDecoder, LogicalTypes) {
  EXPECT_EQ(one(logical("int", "date"), "DATE", zigzag(1)), "1970-01-02");
  EXPECT_EQ(one(logical("int", "time-millis"), "TIME(3)", zigzag(1500)), "00:00:01.500");
  EXPECT_EQ(one(logical("long", "time-micros"), "TIME(6)", zigzag(1)), "00:00:00.000001");
  EXPECT_EQ(one(logical("long", "time-micros"), "TIME(3)", zigzag(1)),
            "bad_timestamp /c 0: digits of a second that TIME(3) does not hold");
  EXPECT_EQ(one(logical("int", "time-millis"), "TIME(3)", zigzag(86'400'000)),
            "bad_timestamp /c 0: a time of day before 00:00 or after 23:59:59");
  EXPECT_EQ(one(logical("long", "timestamp-millis"), "TIMESTAMP(3)", zigzag(1001)),
            "1970-01-01 00:00:01.001");
  EXPECT_EQ(one(logical("long", "timestamp-millis"), "TIMESTAMP_LTZ(6)", zigzag(-1)),
            "1969-12-31 23:59:59.999000Z");
  EXPECT_EQ(one(logical("long", "timestamp-micros"), "TIMESTAMP(3)", zigzag(5000)),
            "1970-01-01 00:00:00.005");
  EXPECT_EQ(one(logical("long", "timestamp-micros"), "TIMESTAMP(3)", zigzag(5001)),
            "bad_timestamp /c 0: digits of a second that TIMESTAMP(3) does not hold");
  EXPECT_EQ(one(logical("long", "local-timestamp-nanos"), "TIMESTAMP(9)", zigzag(1)),
            "1970-01-01 00:00:00.000000001");
  EXPECT_NE(one(logical("long", "timestamp-millis"), "TIMESTAMP(9)", zigzag(INT64_MAX)).find("out_of_range"),
            std::string::npos);
  EXPECT_EQ(one(logical("string", "uuid"), "STRING", text_bytes("a-b")), "a-b");
  EXPECT_EQ(one(R"({"type":"fixed","name":"U","size":16,"logicalType":"uuid"})", "STRING",
                "\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef"),
            "01234567-89ab-cdef-0123-456789abcdef");
  EXPECT_NE(one(R"({"type":"fixed","name":"D","size":12,"logicalType":"duration"})", "STRING", "")
                .find("no type for Avro's duration"),
            std::string::npos);
  EXPECT_EQ(one(R"("long")", "TIMESTAMP(3)", ""),
            "refused: avro.schema does not fit the table's columns: /c: long does not fit TIMESTAMP(3)");
}

TEST(AvroDecoder, Decimals) {
  const std::string decimal = R"({"type":"bytes","logicalType":"decimal","precision":10,"scale":2})";
  EXPECT_EQ(one(decimal, "DECIMAL(10, 2)", text_bytes("\x30\x39")), "123.45");
  EXPECT_EQ(one(decimal, "DECIMAL(10, 2)", text_bytes("\xff")), "-0.01");
  EXPECT_EQ(one(decimal, "DECIMAL(12, 4)", text_bytes("\x30\x39")), "123.4500");
  EXPECT_EQ(one(decimal, "DECIMAL(10, 1)", text_bytes(std::string("\x00\x0a", 2))), "0.1");
  EXPECT_EQ(one(decimal, "DECIMAL(10, 1)", text_bytes("\x0b")),
            "out_of_range /c 1: a decimal with more digits behind the point than DECIMAL(10, 1) has");
  EXPECT_EQ(one(decimal, "DECIMAL(3, 2)", text_bytes("\x30\x39")),
            "out_of_range /c 1: a decimal with more digits than DECIMAL(3, 2) has");
  EXPECT_EQ(one(decimal, "DECIMAL(10, 2)", text_bytes(std::string(30, '\0') + "\x01")), "0.01")
      << "more bytes than a number needs";
  EXPECT_NE(one(decimal, "DECIMAL(10, 2)", text_bytes("\x01" + std::string(16, '\0'))).find("out_of_range"),
            std::string::npos);
  EXPECT_EQ(one(decimal, "DECIMAL(10, 2)", text_bytes("")), "malformed /c 1: a decimal of no bytes");
  EXPECT_EQ(one(R"({"type":"fixed","name":"F","size":4,"logicalType":"decimal","precision":9,"scale":3})",
                "DECIMAL(9, 3)", std::string("\xff\xff\xff\x85", 4)),
            "-0.123");
}

TEST(AvroDecoder, NullableUnionsInEitherOrder) {
  EXPECT_EQ(one(R"(["null","long"])", "BIGINT", zigzag(0)), "null");
  EXPECT_EQ(one(R"(["null","long"])", "BIGINT", zigzag(1) + zigzag(9)), "9");
  EXPECT_EQ(one(R"(["long","null"])", "BIGINT", zigzag(1)), "null");
  EXPECT_EQ(one(R"(["long","null"])", "BIGINT", zigzag(0) + zigzag(9)), "9");
  EXPECT_EQ(one(R"(["long","null"])", "BIGINT", zigzag(2)), "malformed /c 0: branch 2 of a union of 2");
  EXPECT_EQ(one(R"(["null","long"])", "BIGINT NOT NULL", zigzag(0)),
            "missing_required /c 0: null, and the column is NOT NULL");
  EXPECT_EQ(one(R"("null")", "BIGINT", ""), "null");
  EXPECT_EQ(one(R"(["null","long"])", "BIGINT", ""),
            "malformed /c 0: the event ends within the index of a union");
}

TEST(AvroDecoder, WiderUnionsTakeTheBranchesThatFit) {
  const std::string wide = R"(["null","int","string","long"])";
  EXPECT_EQ(one(wide, "BIGINT", zigzag(0)), "null");
  EXPECT_EQ(one(wide, "BIGINT", zigzag(1) + zigzag(5)), "5");
  EXPECT_EQ(one(wide, "BIGINT", zigzag(3) + zigzag(1'000'000'000'000)), "1000000000000");
  EXPECT_EQ(one(wide, "BIGINT", zigzag(2) + text_bytes("x")),
            "wrong_type /c 1: found string, expected BIGINT");
  EXPECT_EQ(one(wide, "BIGINT", zigzag(4)), "malformed /c 0: branch 4 of a union of 4");
  EXPECT_NE(one(R"(["int","string"])", "BOOLEAN", "").find("refused"), std::string::npos);
  const std::string records =
      R"([{"type":"record","name":"A","fields":[]},{"type":"record","name":"B","fields":[]}])";
  EXPECT_NE(one(records, "ROW<a INT>", "").find("a union of several records"), std::string::npos);
}

TEST(AvroDecoder, NestedTypes) {
  const std::string item = R"({"type":"record","name":"I","fields":[{"name":"s","type":"string"},
      {"name":"n","type":["null","int"]}]})";
  EXPECT_EQ(one(R"({"type":"array","items":"int"})", "ARRAY<INT>",
                zigzag(2) + zigzag(1) + zigzag(2) + zigzag(-1) + zigzag(1) + zigzag(3) + zigzag(0)),
            "list<item: int32>[1, 2, 3]");
  EXPECT_EQ(one(R"({"type":"array","items":)" + item + "}", "ARRAY<ROW<n INT, s STRING>>",
                zigzag(1) + text_bytes("x") + zigzag(1) + zigzag(4) + zigzag(0)),
            "list<item: struct<n: int32, s: string>>[{n:int32 = 4, s:string = x}]");
  EXPECT_EQ(one(R"({"type":"map","values":"long"})", "MAP<STRING, BIGINT>",
                zigzag(1) + text_bytes("k") + zigzag(4) + zigzag(0)),
            "map<string, int64>[{key:string = k, value:int64 = 4}]");
  EXPECT_EQ(one(R"({"type":"map","values":"long"})", "MAP<STRING, BIGINT>",
                zigzag(2) + text_bytes("k") + zigzag(4) + text_bytes("k") + zigzag(5) + zigzag(0)),
            "duplicate_key /c/k 0: a key of a map is given twice");
  EXPECT_EQ(one(R"({"type":"array","items":["null","int"]})", "ARRAY<INT NOT NULL>",
                zigzag(2) + zigzag(1) + zigzag(3) + zigzag(0) + zigzag(0)),
            "missing_required /c/1 3: null, and the column is NOT NULL");
}

TEST(AvroDecoder, ABadEventLeavesItsNeighboursAlone) {
  Table table(OptionTexts{{"avro.schema", record_schema(R"({"name":"s","type":"string"},
      {"name":"l","type":{"type":"array","items":"string"}},{"name":"n","type":"int"})")}});
  ASSERT_TRUE(table.create({{"s", "STRING"}, {"l", "ARRAY<STRING>"}, {"n", "SMALLINT"}}).ok());
  const auto event = [](const std::string& s, const std::string& l, int64_t n) {
    return text_bytes(s) + zigzag(1) + text_bytes(l) + zigzag(0) + zigzag(n);
  };
  const DecodedRows decoded =
      table.decode({event("a", "b", 1), event("long text", "lost", 70000), event("x", "\xc3\x28", 2),
                    event("c", "d", 2), event("e", "f", 3) + "!"});
  ASSERT_EQ(decoded.errors.size(), 3u);
  EXPECT_EQ(decoded.errors[0].code, ErrorCode::out_of_range);
  EXPECT_EQ(decoded.errors[0].field, "/n");
  EXPECT_EQ(decoded.errors[1].code, ErrorCode::invalid_utf8);
  EXPECT_EQ(decoded.errors[1].field, "/l/0");
  EXPECT_EQ(decoded.errors[1].byte, 4);
  EXPECT_EQ(decoded.errors[2].code, ErrorCode::malformed);
  EXPECT_EQ(decoded.errors[2].message, "1 bytes behind the record");
  EXPECT_EQ(decoded.event_of_row, (std::vector<uint32_t>{0, 3}));
  EXPECT_EQ(Table::text_of_row(decoded, 1), "c|list<item: string>[d]|2");
}

TEST(AvroDecoder, WhatTheTableLacksIsSkippedAlsoWhenItIsRecursive) {
  const std::string tree =
      R"({"type":"record","name":"T","fields":[{"name":"kids","type":{"type":"array","items":"T"}}]})";
  Table table(
      OptionTexts{{"avro.schema", record_schema(R"({"name":"a","type":"string"},{"name":"b","type":"float"},
      {"name":"t","type":)" + tree + R"(},{"name":"m","type":{"type":"map","values":["null","T"]}},
      {"name":"c","type":"int"})")}});
  ASSERT_TRUE(table.create({{"c", "INT"}, {"new", "STRING"}}).ok());
  const std::string leaf = zigzag(0);
  const std::string two = zigzag(2) + leaf + leaf + zigzag(0);
  EXPECT_EQ(table.row(text_bytes("x") + raw_bytes(1.f) + two + zigzag(-1) + zigzag(50) + "abc"),
            "malformed /m 10: a block of 50 bytes, and 3 are left");
  EXPECT_EQ(table.row(text_bytes("x") + raw_bytes(1.f) + two + zigzag(-1) + zigzag(4) + text_bytes("k") +
                      zigzag(1) + leaf + zigzag(0) + zigzag(7)),
            "7|null");
  std::string deep;
  for (int i = 0; i < 5000; ++i) deep += zigzag(1);
  EXPECT_EQ(table.row(text_bytes("x") + raw_bytes(1.f) + deep).substr(0, 11), "too_deep /t");
}

TEST(AvroDecoder, LengthBombsAreRefusedBeforeAnythingIsAllocated) {
  EXPECT_EQ(one(R"("string")", "STRING", zigzag(INT64_MAX)),
            "malformed /c 0: a length of 9223372036854775807 bytes, and 0 are left");
  EXPECT_EQ(one(R"("bytes")", "BYTES", zigzag(-1)), "malformed /c 0: a length of -1 bytes, and 0 are left");
  const std::string longs = R"({"type":"array","items":"long"})";
  EXPECT_EQ(one(longs, "ARRAY<BIGINT>", zigzag(INT64_MAX)),
            "malformed /c 0: a block of 9223372036854775807 items, and 0 bytes are left");
  EXPECT_NE(one(longs, "ARRAY<BIGINT>", zigzag(INT64_MIN) + zigzag(1) + "abc").find("malformed"),
            std::string::npos);
  EXPECT_NE(one(longs, "ARRAY<BIGINT>", zigzag(-1) + zigzag(-1) + "abc").find("malformed"),
            std::string::npos);
  const std::string nulls = R"({"type":"array","items":"null"})";
  EXPECT_EQ(one(nulls, "ARRAY<BIGINT>", zigzag(1'000'000'000) + zigzag(0)),
            "too_large /c 0: more than avro.max-items = 1000000 items in an event");
  Table table(OptionTexts{{"avro.schema", record_schema("")}, {"avro.max-size", "3 b"}});
  ASSERT_TRUE(table.create({{"c", "INT"}}).ok());
  EXPECT_EQ(table.row("abcd").substr(0, 9), "too_large");
}

TEST(AvroDecoder, AReaderBringsAliasesDefaultsAndSymbols) {
  Table table(OptionTexts{{"avro.schema", record_schema(R"({"name":"old","type":"int"},
      {"name":"e","type":{"type":"enum","name":"E","symbols":["A","NEW"]}})")},
                          {"avro.reader-schema-file", "r.avsc"}});
  table.lookup->files["r.avsc"] = record_schema(R"({"name":"new","aliases":["old"],"type":"long"},
      {"name":"e","type":{"type":"enum","name":"E","symbols":["A","OTHER"],"default":"OTHER"}},
      {"name":"d","type":{"type":"array","items":"string"},"default":["x"]},
      {"name":"n","type":["null","int"],"default":null})");
  ASSERT_TRUE(table.describe().ok());
  EXPECT_EQ(table.described_columns(),
            "new BIGINT NOT NULL, e STRING NOT NULL, d ARRAY<STRING NOT NULL> NOT NULL, n INT");
  EXPECT_EQ(table.row(zigzag(4) + zigzag(1)), "4|OTHER|list<item: string not null>[x]|null");
}

TEST(AvroDecoder, AColumnThatTheWriterLacks) {
  Table table(OptionTexts{{"avro.schema", record_schema(R"({"name":"a","type":"int"})")}});
  ASSERT_TRUE(table.create({{"a", "INT"}, {"b", "INT"}}).ok());
  EXPECT_EQ(table.row(zigzag(1)), "1|null");
  ASSERT_TRUE(table.create({{"a", "INT"}, {"b", "INT NOT NULL"}}).ok());
  EXPECT_EQ(table.row(zigzag(1)).substr(0, 19), "missing_required /b");
}

TEST(AvroDecoder, CharactersAreCountedNotBytes) {
  EXPECT_EQ(one(R"("string")", "VARCHAR(2)", text_bytes("äö")), "äö");
  EXPECT_NE(one(R"("string")", "VARCHAR(2)", text_bytes("äöü")).find("3 characters do not fit"),
            std::string::npos);
  EXPECT_EQ(one(R"("string")", "STRING", text_bytes("ab\xe2\x82")), "invalid_utf8 /c 3: not UTF-8");
}

TEST(AvroSingleObject, TheFingerprintNamesTheSchema) {
  const std::string one_field = record_schema(R"({"name":"a","type":"int"})");
  const std::string two_fields =
      record_schema(R"({"name":"a","type":"int"},{"name":"b","type":"string","default":"-"})");
  Table table(OptionTexts{{"avro.framing", "single-object"}, {"avro.schema-file", "1.avsc, 2.avsc"}});
  table.lookup->files = {{"1.avsc", one_field}, {"2.avsc", two_fields}};
  ASSERT_TRUE(table.describe().ok());
  const auto framed = [](const std::string& schema, const std::string& datum) {
    SchemaText text;
    text.text = schema;
    return "\xc3\x01" + raw_bytes(fingerprint(canonical_form((*parse_schema(text))->root()))) + datum;
  };
  EXPECT_EQ(table.row(framed(one_field, zigzag(1))), "1|-");
  EXPECT_EQ(table.row(framed(two_fields, zigzag(1) + text_bytes("b"))), "1|b");
  EXPECT_EQ(table.row(framed("\"int\"", zigzag(1))),
            "unknown_schema  2: no schema with the fingerprint 7275d51a3f395c8f in avro.schema-file");
  EXPECT_EQ(table.row("\xc3"), "malformed  0: no single-object encoding: it does not begin with C3 01");
}

std::string container(const std::string& schema, const std::string& codec,
                      const std::vector<std::pair<int, std::string>>& blocks) {
  std::string file = "Obj\x01" + zigzag(2) + text_bytes("avro.schema") + text_bytes(schema) +
                     text_bytes("avro.codec") + text_bytes(codec) + zigzag(0) + std::string(16, 's');
  for (const auto& [count, bytes] : blocks) file += zigzag(count) + text_bytes(bytes) + std::string(16, 's');
  return file;
}

std::string deflated(const std::string& bytes) {
  std::string out(bytes.size() + 1000, '\0');
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST(AvroContainer, GivesSeveralRowsAnEvent) {
  const std::string schema = record_schema(R"({"name":"a","type":"int"})");
  Table table(OptionTexts{{"avro.framing", "container"}});
  ASSERT_TRUE(table.create({{"a", "INT"}}).ok());
  const std::string good = container(schema, "null", {{2, zigzag(1) + zigzag(2)}, {1, zigzag(3)}});
  std::string bad_sync = good;
  bad_sync.back() = 'x';
  const std::string bad_row = container(schema, "null", {{2, zigzag(7) + "\xff"}});
  const std::string packed = container(schema, "deflate", {{1, deflated(zigzag(4))}});
  const DecodedRows decoded = table.decode({good, bad_sync, bad_row, packed, container(schema, "null", {})});
  EXPECT_EQ(decoded.event_of_row, (std::vector<uint32_t>{0, 0, 0, 3}));
  EXPECT_EQ(Table::text_of_row(decoded, 3), "4");
  ASSERT_EQ(decoded.errors.size(), 2u);
  EXPECT_EQ(decoded.errors[0].message, "the sync marker behind a block is not that of the header");
  EXPECT_EQ(decoded.errors[0].byte, static_cast<int64_t>(good.size()) - 16);
  EXPECT_EQ(decoded.errors[1].message, "datum 1 of the container: the event ends within an integer");
  EXPECT_EQ(decoded.errors[1].field, "/a");
}

TEST(AvroContainer, EveryCodec) {
  const std::string schema = record_schema(R"({"name":"a","type":"string"})");
  Table table(OptionTexts{{"avro.framing", "container"}});
  ASSERT_TRUE(table.create({{"a", "STRING"}}).ok());
  const std::string datums = text_bytes(std::string(100'000, 'x')) + text_bytes("y");
  std::string snappy_block;
  snappy::Compress(datums.data(), datums.size(), &snappy_block);
  const uint32_t sum = static_cast<uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(datums.data()), static_cast<uInt>(datums.size())));
  std::string zstandard_block(ZSTD_compressBound(datums.size()), '\0');
  zstandard_block.resize(
      ZSTD_compress(zstandard_block.data(), zstandard_block.size(), datums.data(), datums.size(), 3));
  for (const auto& [codec, block] : std::vector<std::pair<std::string, std::string>>{
           {"null", datums},
           {"deflate", deflated(datums)},
           {"snappy", snappy_block + raw_bytes(__builtin_bswap32(sum))},
           {"zstandard", zstandard_block}}) {
    SCOPED_TRACE(codec);
    const DecodedRows decoded = table.decode({container(schema, codec, {{2, block}, {2, block}})});
    ASSERT_TRUE(decoded.errors.empty()) << decoded.errors[0].message;
    ASSERT_EQ(decoded.rows->num_rows(), 4);
    EXPECT_EQ(Table::text_of_row(decoded, 2).size(), 100'000u);
    EXPECT_EQ(Table::text_of_row(decoded, 3), "y");
  }
  EXPECT_EQ(table.row(container(schema, "snappy", {{2, snappy_block + "0000"}})).substr(0, 9), "malformed");
  zstandard_block.pop_back();
  EXPECT_EQ(table.row(container(schema, "zstandard", {{2, zstandard_block}})).substr(0, 9), "malformed");
}

TEST(AvroContainer, Bounds) {
  const std::string schema = record_schema(R"({"name":"a","type":"string"})");
  Table table(OptionTexts{{"avro.framing", "container"}, {"avro.max-inflated-size", "1 mb"}});
  ASSERT_TRUE(table.create({{"a", "STRING"}}).ok());
  const std::string large = text_bytes(std::string(600 << 10, 'x'));
  const auto codes = [&table](const std::string& payload) { return table.row(payload).substr(0, 60); };
  EXPECT_EQ(table.row(container(schema, "deflate", {{1, deflated(large)}})).size(), size_t{600} << 10);
  const std::string bomb =
      table.row(container(schema, "deflate", {{1, deflated(large)}, {1, deflated(large)}}));
  EXPECT_EQ(bomb.substr(0, 9), "too_large");
  EXPECT_NE(bomb.find("inflates to more than avro.max-inflated-size = 1048576"), std::string::npos) << bomb;
  EXPECT_EQ(codes(container(schema, "bzip2", {})),
            "malformed  0: the codec 'bzip2', expected null, deflate, sna");
  EXPECT_EQ(codes(container("{", "null", {})),
            "malformed  0: the container's schema is no Avro schema: not ");
  EXPECT_EQ(codes(container(schema, "deflate", {{1, "nonsense"}})).substr(0, 9), "malformed");
  EXPECT_EQ(codes(container(schema, "snappy", {{1, "nonsense"}})).substr(0, 9), "malformed");
  EXPECT_EQ(codes(container(schema, "zstandard", {{1, "nonsense"}})).substr(0, 9), "malformed");
  EXPECT_EQ(codes(container(record_schema(""), "null", {{1'000'000'000, ""}})).substr(0, 9), "too_large");
  EXPECT_EQ(codes("Obj"), "malformed  0: no Avro container: it does not begin with 'Obj");
  EXPECT_EQ(codes(container(R"("int")", "null", {{1, "\x02"}})),
            "incompatible_schema  0: the container's schema does not fit ");
}

}  // namespace
}  // namespace weir::avro
