#include "formats/avro/avro_test_table.h"

namespace weir::avro {
namespace {

const std::string kOne = record_schema(R"({"name":"a","type":"long"})");
const std::string kTwo =
    record_schema(R"({"name":"a","type":"long"},{"name":"b","type":["null","string"],"default":null})");

std::string framed(int32_t id, const std::string& datum) {
  return std::string(1, '\0') + raw_bytes(__builtin_bswap32(static_cast<uint32_t>(id))) + datum;
}

const OptionTexts kConfluent = {{"avro.framing", "confluent"}, {"schema-registry.url", "http://registry"}};

Status decode_status(Table& table, const std::string& payload) {
  const EventBatch batch = batch_of({payload});
  return table.decoder->decode(batch, 0, 1).status();
}

TEST(AvroConfluent, TheSchemaComesById) {
  Table table(kConfluent);
  table.lookup->add("s-value", 7, kOne);
  table.lookup->add("s-value", 8, kTwo);
  table.lookup->add("s-value", 9, record_schema(R"({"name":"a","type":"string"})"));
  ASSERT_TRUE(table.create({{"a", "BIGINT NOT NULL"}, {"b", "STRING"}}).ok());
  const DecodedRows decoded =
      table.decode({framed(7, zigzag(1)), framed(8, zigzag(2) + zigzag(1) + text_bytes("x")),
                    framed(9, text_bytes("y")), framed(10, ""), "\1abcdef", "\0", framed(7, zigzag(3))});
  EXPECT_EQ(decoded.event_of_row, (std::vector<uint32_t>{0, 1, 6}));
  EXPECT_EQ(Table::text_of_row(decoded, 1), "2|x");
  ASSERT_EQ(decoded.errors.size(), 4u);
  EXPECT_EQ(decoded.errors[0].code, ErrorCode::incompatible_schema);
  EXPECT_EQ(decoded.errors[0].message,
            "s-value version 3 (id 9) does not fit the table's columns: /a: string does not fit BIGINT");
  EXPECT_EQ(decoded.errors[1].code, ErrorCode::unknown_schema);
  EXPECT_EQ(decoded.errors[2].message,
            "no Confluent framing: expected a zero byte and a schema's id, found the byte 0x01");
  EXPECT_EQ(decoded.errors[3].message,
            "no Confluent framing: expected a zero byte and a schema's id, found 0 bytes");
}

TEST(AvroConfluent, ARegistryThatIsAwayStopsOnlyWhatIsNew) {
  Table table(kConfluent, avro_format());
  table.lookup->add("s-value", 7, kOne);
  ASSERT_TRUE(table.create({{"a", "BIGINT"}}).ok());
  table.lookup->away = true;
  EXPECT_EQ(decode_status(table, framed(7, zigzag(1))).code(), Code::unavailable);
  table.lookup->away = false;
  EXPECT_EQ(table.row(framed(7, zigzag(1))), "1");
  table.lookup->away = true;
  EXPECT_EQ(table.row(framed(7, zigzag(2))), "2");
  EXPECT_EQ(decode_status(table, framed(8, zigzag(1))).code(), Code::unavailable);
}

TEST(AvroConfluent, NoIdIsTakenForAnother) {
  Table table(kConfluent);
  table.lookup->add("s-value", 7, kOne);
  ASSERT_TRUE(table.describe().ok());
  ASSERT_EQ(table.row(framed(7, zigzag(1))), "1");
  for (int batch = 0; batch < 2; ++batch) {
    const DecodedRows decoded =
        table.decode({framed(-1, zigzag(1)), framed(7, zigzag(3)), framed(10, ""), framed(-1, zigzag(1))});
    EXPECT_EQ(decoded.event_of_row, (std::vector<uint32_t>{1}));
    ASSERT_EQ(decoded.errors.size(), 3u);
    EXPECT_EQ(decoded.errors[2].code, ErrorCode::unknown_schema);
    EXPECT_EQ(decoded.errors[2].message.find("id 10"), std::string::npos) << decoded.errors[2].message;
  }
}

TEST(AvroConfluent, DescribedColumnsFollowANewVersionOnce) {
  Table table(kConfluent);
  table.lookup->add("s-value", 7, kOne);
  ASSERT_TRUE(table.describe().ok());
  EXPECT_EQ(table.table.schema_name, "s-value");
  EXPECT_EQ(table.table.schema_version, 1);
  EXPECT_EQ(table.row(framed(7, zigzag(1))), "1");
  table.lookup->add("s-value", 8, kTwo);
  EXPECT_EQ(table.row(framed(7, zigzag(1))), "1") << "an event of the old version changes nothing";
  const Status changed = decode_status(table, framed(8, zigzag(2) + zigzag(1) + text_bytes("x")));
  EXPECT_EQ(changed.code(), Code::schema_changed);
  EXPECT_EQ(changed.message(),
            "s-value version 2 (id 8) adds b STRING; the columns are those of s-value version 1 (id 7)");
  ASSERT_TRUE(table.describe().ok());
  EXPECT_EQ(table.row(framed(8, zigzag(2) + zigzag(1) + text_bytes("x"))), "2|x");
  EXPECT_EQ(table.row(framed(7, zigzag(3))), "3|null");
}

TEST(AvroConfluent, AChangeIsLookedForAgainWithTheNextBatch) {
  Table table(kConfluent);
  table.lookup->add("s-value", 7, kOne);
  table.lookup->add("other", 8, kTwo);
  ASSERT_TRUE(table.describe().ok());
  EXPECT_EQ(table.row(framed(8, zigzag(2) + zigzag(0))), "2");
  table.lookup->add("s-value", 8, kTwo);
  EXPECT_EQ(decode_status(table, framed(8, zigzag(2) + zigzag(0))).code(), Code::schema_changed);
}

TEST(AvroConfluent, AVersionOfAnotherTypeIsIncompatibleAndNoReasonToPlanAnew) {
  Table table(kConfluent);
  table.lookup->add("s-value", 7, kOne);
  ASSERT_TRUE(table.describe().ok());
  table.lookup->add("s-value", 8, record_schema(R"({"name":"a","type":"string"},{"name":"n","type":"int"})"));
  EXPECT_EQ(table.row(framed(8, text_bytes("x") + zigzag(1))),
            "incompatible_schema  -1: s-value version 2 (id 8) does not fit s-value version 1 (id 7): /a: "
            "string is "
            "not the reader's long");
}

TEST(AvroConfluent, AWriterOfAnotherSubjectWithMoreFieldsDoesNotLoop) {
  Table table(kConfluent);
  table.lookup->add("s-value", 7, kOne);
  table.lookup->add("other", 8, kTwo);
  ASSERT_TRUE(table.describe().ok());
  EXPECT_EQ(table.row(framed(8, zigzag(2) + zigzag(1) + text_bytes("x"))), "2");
}

TEST(AvroConfluent, AFieldThatWasDroppedTakesTheReadersDefault) {
  Table table(kConfluent);
  table.lookup->add("s-value", 7,
                    record_schema(R"({"name":"a","type":"long"},{"name":"d","type":"int","default":-1})"));
  ASSERT_TRUE(table.describe().ok());
  table.lookup->add("s-value", 8, kOne);
  EXPECT_EQ(table.row(framed(8, zigzag(2))), "2|-1");
}

TEST(AvroConfluent, FlinksNameIsTheSame) {
  Table table(OptionTexts{{"schema-registry.url", "http://registry"}}, avro_confluent_format());
  table.lookup->add("s-value", 7, kOne);
  ASSERT_TRUE(table.describe().ok());
  EXPECT_EQ(table.row(framed(7, zigzag(1))), "1");
}

TEST(AvroConfluent, WhatIsMissingIsToldBeforeAnyEvent) {
  Table no_url(OptionTexts{{"avro.framing", "confluent"}});
  EXPECT_EQ(no_url.create({{"a", "INT"}}).message(), "Confluent's framing needs schema-registry.url");
  Table no_schema(OptionTexts{});
  EXPECT_EQ(no_schema.create({{"a", "INT"}}).message(),
            "format 'avro' needs avro.schema or avro.schema-file, the writer's schema");
  Table table(kConfluent);
  EXPECT_EQ(table.describe().code(), Code::not_found);
}

TEST(AvroDescribe, EveryTypeHasAColumnOrWords) {
  const auto described = [](const std::string& type) {
    Table table(OptionTexts{{"avro.schema", record_schema(R"({"name":"c","type":)" + type + "}")}});
    const Status made = table.describe();
    return made.ok() ? table.described_columns() : made.message();
  };
  EXPECT_EQ(described(R"(["null",{"type":"record","name":"I","fields":[{"name":"order","type":"int"},
      {"name":"m","type":{"type":"map","values":["null","bytes"]}}]}])"),
            "c ROW<`order` INT NOT NULL, `m` MAP<STRING, BYTES> NOT NULL>");
  EXPECT_EQ(described(R"({"type":"long","logicalType":"timestamp-micros"})"), "c TIMESTAMP_LTZ(6) NOT NULL");
  EXPECT_EQ(described(R"({"type":"bytes","logicalType":"decimal","precision":12,"scale":2})"),
            "c DECIMAL(12, 2) NOT NULL");
  EXPECT_EQ(described(R"(["int","null","long"])"), "c BIGINT");
  EXPECT_EQ(described(R"(["int","string"])"),
            "avro.schema: /c: a union of several types, [int, string] makes no column. "
            "Write a column list with what you need");
  EXPECT_NE(described(R"({"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]}]})")
                .find("/c/next: the record L, which holds itself, makes no column"),
            std::string::npos);
  EXPECT_NE(described(R"({"type":"fixed","name":"D","size":12,"logicalType":"duration"})").find("duration"),
            std::string::npos);
}

}  // namespace
}  // namespace weir::avro
