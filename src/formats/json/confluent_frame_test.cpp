#include "formats/json/confluent_frame.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>

#include "formats/json/json_test_table.h"

namespace weir {
namespace {

class FakeSchemas final : public SchemaLookup {
 public:
  void add(int32_t id, int32_t version, const std::string& text, SchemaKind kind = SchemaKind::json) {
    RegisteredSchema schema;
    schema.id = id;
    schema.version = version;
    schema.subject = "orders-value";
    schema.schema.kind = kind;
    schema.schema.text = text;
    by_id_[id] = latest_ = std::make_shared<const RegisteredSchema>(schema);
  }
  Result<std::string> file(const std::string& path) override {
    if (path == "orders.json") return std::string(R"({"properties":{"id":{"type":"integer","minimum":1}}})");
    return Status(Code::not_found, "no file " + path);
  }
  Result<SchemaPointer> by_id(int32_t id) override {
    if (away) return Status::unavailable("the registry is away");
    if (by_id_.count(id) == 0) return Status(Code::not_found, "no such id");
    return by_id_[id];
  }
  Result<SchemaPointer> latest(const std::string&) override {
    if (away) return Status::unavailable("the registry is away");
    if (latest_ == nullptr) return Status(Code::not_found, "no such subject");
    return latest_;
  }
  Result<SchemaPointer> version(const std::string&, int32_t) override { return latest_; }
  bool away = false;

 private:
  std::map<int32_t, SchemaPointer> by_id_;
  SchemaPointer latest_;
};

std::string framed(int32_t id, const std::string& document) {
  std::string bytes(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(id >> shift);
  return bytes + document;
}

struct Table {
  explicit Table(const OptionTexts& given = {{"json.framing", "confluent"}}) {
    std::map<std::string, OptionValue> values;
    for (const auto& [name, text] : given) values[name].text = text;
    values["schema-registry.url"].text = "http://registry";
    options = Options(json_format().options, std::move(values));
    context.options = &options;
    context.schemas = schemas;
    context.subject = "orders-value";
  }
  Status describe() {
    context.columns_described = true;
    auto table = json_format().describe(context);
    if (!table.ok()) return table.status();
    context.columns = table->columns;
    checks = table->checks.size();
    context.described_checks = table->checks;
    context.described_by = table->schema_name + " version " + std::to_string(table->schema_version);
    return create();
  }
  Status create() {
    auto made = json_format().create(context);
    if (made.ok()) decoder = std::move(*made);
    return made.status();
  }
  Result<DecodedRows> decode(const std::vector<std::string>& payloads) {
    const EventBatch batch = batch_of(payloads);
    return decoder->decode(batch, 0, payloads.size());
  }

  std::shared_ptr<FakeSchemas> schemas = std::make_shared<FakeSchemas>();
  Options options;
  FormatContext context;
  std::unique_ptr<Decoder> decoder;
  size_t checks = 0;
};

constexpr const char* kFirst = R"({"properties":{"id":{"type":"integer"}},"required":["id"]})";

TEST(ConfluentJson, ColumnsOfTheSubject) {
  Table table;
  table.schemas->add(7, 1, kFirst);
  ASSERT_TRUE(table.describe().ok());
  const auto decoded = table.decode({framed(7, R"({"id":1})"), framed(7, R"({"id":"x"})"), R"({"id":1})",
                                     framed(8, "{}"), std::string(4, '\0'), framed(7, R"({"id":2})")});
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->event_of_row, (std::vector<uint32_t>{0, 5}));
  ASSERT_EQ(decoded->errors.size(), 4u);
  EXPECT_EQ(decoded->errors[0].code, ErrorCode::wrong_type);
  EXPECT_EQ(decoded->errors[0].byte, 11);
  const std::string versions =
      " (written with orders-value version 1 (id 7); the columns are those of orders-value version 1)";
  EXPECT_TRUE(decoded->errors[0].message.ends_with(versions)) << decoded->errors[0].message;
  EXPECT_EQ(decoded->errors[1].code, ErrorCode::malformed);
  EXPECT_EQ(decoded->errors[1].message,
            "no Confluent framing: expected a zero byte and a schema's id, found the byte 0x7b");
  EXPECT_EQ(decoded->errors[2].code, ErrorCode::unknown_schema);
  EXPECT_EQ(decoded->errors[2].message, "the registry has no schema with the id 8");
  EXPECT_EQ(decoded->errors[3].code, ErrorCode::malformed);
}

TEST(ConfluentJson, AnotherKindOfSchema) {
  Table table;
  table.schemas->add(9, 1, "\"int\"", SchemaKind::avro);
  table.schemas->add(7, 2, kFirst);
  ASSERT_TRUE(table.describe().ok());
  const auto decoded = table.decode({framed(9, R"({"id":1})")});
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->errors.at(0).code, ErrorCode::incompatible_schema);
  EXPECT_EQ(decoded->errors.at(0).message, "orders-value version 1 (id 9) is AVRO, expected JSON");
}

TEST(ConfluentJson, ARegistryThatIsAwayStopsOnlyWhatIsNew) {
  Table table;
  table.schemas->add(7, 1, kFirst);
  ASSERT_TRUE(table.describe().ok());
  ASSERT_TRUE(table.decode({framed(7, R"({"id":1})")}).ok());
  table.schemas->away = true;
  EXPECT_TRUE(table.decode({framed(7, R"({"id":1})")}).ok());
  const auto stopped = table.decode({framed(7, R"({"id":1})"), framed(8, R"({"id":1})")});
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.status().code(), Code::unavailable);
}

TEST(ConfluentJson, ANewVersionPlansAnew) {
  Table table;
  table.schemas->add(7, 1, kFirst);
  ASSERT_TRUE(table.describe().ok());
  table.schemas->add(
      8, 2, R"({"properties":{"id":{"type":"integer"},"note":{"type":"string"}},"required":["id"]})");
  const auto changed = table.decode({framed(8, R"({"id":1,"note":"n"})")});
  ASSERT_FALSE(changed.ok());
  EXPECT_EQ(changed.status().code(), Code::schema_changed);
  EXPECT_EQ(changed.status().message(),
            "an event came with orders-value version 2 (id 8); orders-value version 2 "
            "(id 8) adds note STRING");
  ASSERT_TRUE(table.describe().ok());
  ASSERT_TRUE(table.decode({framed(8, R"({"id":1,"note":"n"})"), framed(7, R"({"id":1})")}).ok());
  // other CHECKs only
  table.schemas->add(
      9, 3,
      R"({"properties":{"id":{"type":"integer","minimum":5},"note":{"type":"string"}},"required":["id"]})");
  EXPECT_EQ(table.decode({framed(9, "{}")}).status().code(), Code::schema_changed);
  ASSERT_TRUE(table.describe().ok());
  EXPECT_EQ(table.checks, 1u);
  EXPECT_TRUE(table.decode({framed(9, R"({"id":9})")}).ok());
}

TEST(ConfluentJson, ChecksAreComparedWithThoseThatWerePlanned) {
  Table table;
  table.schemas->add(7, 1, kFirst);
  ASSERT_TRUE(table.describe().ok());
  // It comes between planning and the decoder.
  table.schemas->add(8, 2, R"({"properties":{"id":{"type":"integer","minimum":5}},"required":["id"]})");
  ASSERT_TRUE(table.create().ok());
  EXPECT_EQ(table.decode({framed(8, R"({"id":9})")}).status().code(), Code::schema_changed);
}

TEST(ConfluentJson, AnEventOfAnIncompatibleVersionNamesBothVersions) {
  Table table;
  table.schemas->add(7, 1, kFirst);
  ASSERT_TRUE(table.describe().ok());
  table.schemas->add(8, 2, R"({"properties":{"id":{"type":"string"}},"required":["id"]})");
  const auto decoded = table.decode({framed(8, R"({"id":"x"})"), framed(7, R"({"id":1})")});
  ASSERT_TRUE(decoded.ok());
  ASSERT_EQ(decoded->errors.size(), 1u);
  EXPECT_EQ(decoded->errors[0].code, ErrorCode::wrong_type);
  EXPECT_TRUE(decoded->errors[0].message.ends_with(
      " (written with orders-value version 2 (id 8); the columns are those of orders-value version 1)"))
      << decoded->errors[0].message;
}

TEST(ConfluentJson, NoIdIsTakenForAnother) {
  Table table;
  table.schemas->add(7, 1, kFirst);
  ASSERT_TRUE(table.describe().ok());
  const auto decoded =
      table.decode({framed(-1, R"({"id":1})"), framed(7, R"({"id":1})"), framed(-1, R"({"id":1})")});
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->event_of_row, (std::vector<uint32_t>{1}));
  ASSERT_EQ(decoded->errors.size(), 2u);
  EXPECT_EQ(decoded->errors[0].code, ErrorCode::unknown_schema);
}

TEST(ConfluentJson, DeclaredColumnsStay) {
  Table table;
  table.schemas->add(7, 1, kFirst);
  ASSERT_TRUE(table.describe().ok());
  table.context.columns_described = false;
  ASSERT_TRUE(table.create().ok());
  table.schemas->add(8, 2, R"({"properties":{"id":{"type":"integer"},"note":{"type":"string"}}})");
  EXPECT_TRUE(table.decode({framed(8, R"({"id":1,"note":"n"})")}).ok());
}

TEST(JsonSchemaFile, MakesTheTable) {
  Table table(OptionTexts{{"json.schema-file", "orders.json"}});
  ASSERT_TRUE(table.describe().ok());
  EXPECT_EQ(table.context.columns.size(), 1u);
  EXPECT_EQ(table.checks, 1u);
  table.context.columns_described = false;
  EXPECT_FALSE(table.create().ok());
  EXPECT_FALSE(Table(OptionTexts{{"json.schema-file", "none.json"}}).describe().ok());
  EXPECT_FALSE(Table(OptionTexts{}).describe().ok());
}

}  // namespace
}  // namespace weir
