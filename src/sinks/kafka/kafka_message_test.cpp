#include "sinks/kafka/kafka_message.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <map>

#include "sinks/kafka/kafka_connector.h"
#include "sinks/message_columns.h"

namespace weir {
namespace {

using Written = std::map<std::string, std::string>;

std::shared_ptr<arrow::Schema> schema() {
  return arrow::schema({arrow::field("id", arrow::int64()), arrow::field("name", arrow::utf8()),
                        arrow::field("body", arrow::binary()),
                        arrow::field("tags", arrow::map(arrow::utf8(), arrow::binary())),
                        arrow::field("at", arrow::timestamp(arrow::TimeUnit::MICRO))});
}

Options options(const Written& written) {
  std::map<std::string, OptionValue> values;
  values["properties.bootstrap.servers"].text = "localhost:9092";
  for (const auto& [name, text] : written) values[name].text = text;
  Diagnostics diagnostics;
  Options result =
      validate_options("connector 'kafka'", kafka_sink_connector().options, values, {}, diagnostics);
  EXPECT_TRUE(diagnostics.status().ok()) << diagnostics.status().message();
  return result;
}

// (1, "ä", bytes, {a: 1, b: null}, 1.5 ms) and (2, null, null, null, null)
std::shared_ptr<arrow::RecordBatch> two_rows() {
  auto* pool = arrow::default_memory_pool();
  arrow::Int64Builder ids;
  arrow::StringBuilder names;
  arrow::BinaryBuilder bodies;
  auto keys = std::make_shared<arrow::StringBuilder>();
  auto items = std::make_shared<arrow::BinaryBuilder>();
  arrow::MapBuilder tags(pool, keys, items);
  arrow::TimestampBuilder times(arrow::timestamp(arrow::TimeUnit::MICRO), pool);
  EXPECT_TRUE(ids.AppendValues({1, 2}).ok());
  EXPECT_TRUE(names.Append("ä").ok() && names.AppendNull().ok());
  EXPECT_TRUE(bodies.Append(std::string("\x00\xff", 2)).ok() && bodies.AppendNull().ok());
  EXPECT_TRUE(tags.Append().ok() && keys->AppendValues({"a", "b"}).ok() && items->Append("1").ok() &&
              items->AppendNull().ok() && tags.AppendNull().ok());
  EXPECT_TRUE(times.Append(1500).ok() && times.AppendNull().ok());
  return arrow::RecordBatch::Make(
      schema(), 2, {*ids.Finish(), *names.Finish(), *bodies.Finish(), *tags.Finish(), *times.Finish()});
}

MessageParts parts(const Written& written, int64_t row) {
  auto columns = MessageColumns::create(*schema(), kafka_message_columns(options(written)));
  EXPECT_TRUE(columns.ok()) << columns.status().message();
  const auto rows = two_rows();
  columns->use(*rows);
  auto result = columns->parts(row);
  EXPECT_TRUE(result.ok()) << result.status().message();
  return **result;
}

std::string refused(const Written& written) {
  SinkContext context;
  context.schema = schema();
  context.options = options(written);
  const Status status = kafka_sink_connector().check(context);
  EXPECT_EQ(status.code(), Code::invalid);
  return status.message();
}

TEST(MessageColumns, ARowIsAJsonObjectWithoutKey) {
  const MessageParts message = parts({{"topic", "t"}}, 1);
  EXPECT_FALSE(message.key);
  EXPECT_EQ(message.value, R"({"id":2,"name":null,"body":null,"tags":null,"at":null})");
  EXPECT_EQ(message.target, "");
  EXPECT_EQ(message.timestamp_ms, 0);
}

TEST(MessageColumns, OneKeyColumnIsItsTextAndSeveralAreAnObject) {
  EXPECT_EQ(parts({{"topic", "t"}, {"key.fields", "name"}}, 0).key, "ä");
  EXPECT_EQ(parts({{"topic", "t"}, {"key.fields", "id"}}, 0).key, "1");
  EXPECT_EQ(parts({{"topic", "t"}, {"key.fields", "body"}}, 0).key, std::string("\x00\xff", 2));
  EXPECT_EQ(parts({{"topic", "t"}, {"key.fields", "name"}}, 1).key, std::nullopt);
  EXPECT_EQ(parts({{"topic", "t"}, {"key.fields", "name; id"}}, 1).key, R"({"name":null,"id":2})");
}

TEST(MessageColumns, HeadersTimeAndTopicComeFromColumns) {
  const Written written = {{"topic.from-column", "name"},
                           {"headers.column", "tags"},
                           {"timestamp.column", "at"},
                           {"key.fields", "id"},
                           {"value.fields-include", "EXCEPT_KEY"}};
  const MessageParts message = parts(written, 0);
  EXPECT_EQ(message.target, "ä");
  ASSERT_EQ(message.headers.size(), 2u);
  EXPECT_EQ(message.headers[0].second, "1");
  EXPECT_EQ(message.headers[1].second, std::nullopt);
  EXPECT_EQ(message.timestamp_ms, 1);
  EXPECT_EQ(message.value, "{\"name\":\"ä\",\"body\":\"AP8=\",\"at\":\"1970-01-01T00:00:00.001500\"}");
  auto columns = MessageColumns::create(*schema(), kafka_message_columns(options(written)));
  const auto rows = two_rows();
  columns->use(*rows);
  EXPECT_EQ(columns->parts(1).status().code(), Code::invalid) << "no topic";
}

TEST(MessageColumns, RawIsTheOneColumnThatIsLeft) {
  const auto two = arrow::schema({arrow::field("id", arrow::int64()), arrow::field("body", arrow::binary())});
  const Options raw = options({{"topic", "t"},
                               {"value.format", "raw"},
                               {"key.fields", "id"},
                               {"value.fields-include", "EXCEPT_KEY"}});
  auto columns = MessageColumns::create(*two, kafka_message_columns(raw));
  ASSERT_TRUE(columns.ok()) << columns.status().message();
  const auto all = two_rows();
  const auto rows = arrow::RecordBatch::Make(two, 2, {all->column(0), all->column(2)});
  columns->use(*rows);
  EXPECT_EQ((*columns->parts(0))->value, std::string("\x00\xff", 2));
  EXPECT_EQ((*columns->parts(1))->value, std::nullopt) << "null is a tombstone";
}

TEST(MessageColumns, WhatCannotBeMeantIsRefused) {
  EXPECT_NE(refused({}).find("exactly one of 'topic'"), std::string::npos);
  EXPECT_NE(refused({{"topic", "a;b"}}).find("one topic"), std::string::npos);
  EXPECT_NE(refused({{"topic", "t"}, {"key.fields", "nam"}}).find("'name'"), std::string::npos);
  EXPECT_NE(refused({{"topic.from-column", "id"}}).find("expected STRING"), std::string::npos);
  EXPECT_NE(refused({{"topic", "t"}, {"headers.column", "name"}}).find("MAP<STRING"), std::string::npos);
  EXPECT_NE(refused({{"topic", "t"}, {"timestamp.column", "id"}}).find("TIMESTAMP"), std::string::npos);
  EXPECT_NE(refused({{"topic", "t"}, {"value.format", "raw"}}).find("exactly one column"), std::string::npos);
}

TEST(KafkaSinkConnector, SaysThatItIsAtLeastOnce) {
  EXPECT_EQ(kafka_sink_connector().guarantee(Options()).rfind("at least once", 0), 0u);
}

}  // namespace
}  // namespace weir
