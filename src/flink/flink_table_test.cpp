#include "flink/flink_table.h"

#include <arrow/type.h>
#include <gtest/gtest.h>

#include "clients/kafka_properties.h"
#include "flink/differences.h"
#include "flink/file_statements.h"
#include "flink/flink_query.h"

namespace weir {
namespace {

Options kafka_options(std::map<std::string, std::string> given) {
  std::map<std::string, OptionValue> values;
  for (auto& [name, value] : given) values[name] = {value, {"p.sql", 3, 1}, {"p.sql", 3, 1}};
  return Options(kafka_connection_options(), std::move(values));
}

std::string value_of(const FlinkOptions& options, const std::string& name) {
  for (const FlinkOption& option : options) {
    if (option.name == name) return option.value;
  }
  return "absent";
}

TEST(FlinkKafkaPropertiesTest, UsersBecomeAJaasLine) {
  Diagnostics diagnostics;
  const FlinkOptions options =
      flink_kafka_properties(kafka_options({{"properties.bootstrap.servers", "k:9092"},
                                            {"properties.security.protocol", "sasl_ssl"},
                                            {"properties.sasl.mechanism", "SCRAM-SHA-512"},
                                            {"properties.sasl.username", "weir"},
                                            {"properties.sasl.password", "a\"b\\c"},
                                            {"properties.ssl.ca.location", "/ca.pem"}}),
                             diagnostics);
  EXPECT_TRUE(diagnostics.entries().empty());
  EXPECT_EQ(value_of(options, "properties.sasl.jaas.config"),
            "org.apache.flink.kafka.shaded.org.apache.kafka.common.security.scram.ScramLoginModule required "
            "username=\"weir\" password=\"a\\\"b\\\\c\";");
  EXPECT_EQ(value_of(options, "properties.security.protocol"), "SASL_SSL");
  EXPECT_EQ(value_of(options, "properties.ssl.truststore.type"), "PEM");
  EXPECT_EQ(value_of(options, "properties.ssl.truststore.location"), "/ca.pem");
  EXPECT_EQ(value_of(options, "properties.sasl.password"), "absent");
  for (const FlinkOption& option : options) {
    EXPECT_EQ(option.secret, option.name == "properties.sasl.jaas.config") << option.name;
  }
}

TEST(FlinkKafkaPropertiesTest, WhatIsLibrdkafkasAloneIsNamed) {
  Diagnostics diagnostics;
  const FlinkOptions options = flink_kafka_properties(
      kafka_options({{"properties.bootstrap.servers", "k:9092"}, {"properties.queued.min.messages", "7"}}),
      diagnostics);
  EXPECT_EQ(options.size(), 1u);
  ASSERT_EQ(diagnostics.entries().size(), 1u);
  EXPECT_TRUE(diagnostics.entries()[0].warning);
  EXPECT_EQ(diagnostics.entries()[0].location.line, 3);
}

TEST(FlinkSinkTest, IsExactlyOnceAndMasksSecrets) {
  const auto schema = arrow::schema({arrow::field("a`b", arrow::int64()), arrow::field("t", arrow::utf8())});
  const FlinkOptions cluster = {{"properties.bootstrap.servers", "k:9092"},
                                {"properties.group.id", "g"},
                                {"properties.sasl.jaas.config", "it's secret", true}};
  const FlinkStatement statement =
      flink_sink({"t", "weir.p.t", "weir.p.t", false}, *schema, cluster, {}, {"p.sql", 9, 2});
  EXPECT_EQ(statement.text,
            "CREATE TEMPORARY TABLE `t` (\n  `a``b` BIGINT,\n  `t` STRING) WITH (\n"
            "  'connector' = 'kafka',\n  'topic' = 'weir.p.t',\n"
            "  'properties.bootstrap.servers' = 'k:9092',\n"
            "  'properties.sasl.jaas.config' = 'it''s secret',\n"
            "  'properties.transaction.timeout.ms' = '900000',\n"
            "  'sink.delivery-guarantee' = 'exactly-once',\n"
            "  'sink.transactional-id-prefix' = 'weir.p.t',\n"
            "  'format' = 'json',\n  'json.timestamp-format.standard' = 'ISO-8601',\n"
            "  'json.encode.decimal-as-plain-number' = 'true'\n)");
  EXPECT_EQ(statement.shown.find("secret"), std::string::npos) << statement.shown;
  EXPECT_NE(statement.shown.find("'properties.sasl.jaas.config' = '***'"), std::string::npos);
}

TEST(FlinkStatementTest, PlacesOfFlinkArePlacesOfTheFile) {
  FlinkStatement statement;
  statement.location = {"p.sql", 1, 1};
  statement.parts = {{3, {"p.sql", 10, 5}}, {5, {}}};
  EXPECT_EQ(statement.place(3, 4).text(), "p.sql:10:8");
  EXPECT_EQ(statement.place(4, 4).text(), "p.sql:11:4");
  EXPECT_EQ(statement.place(5, 1).text(), "p.sql:1:1");
  EXPECT_EQ(statement.place(2, 1).text(), "p.sql:1:1");
  EXPECT_EQ(statement.place(0, 0).text(), "p.sql:1:1");
}

TEST(FlinkQueryTest, KeepsPlaces) {
  EXPECT_EQ(flink_query("SELECT STRING_AGG(a, ',') FROM t WHERE a != 'STRING_AGG('"),
            "SELECT LISTAGG   (a, ',') FROM t WHERE a <> 'STRING_AGG('");
}

TEST(FileStatementsTest, GivesStatementsAsTheyAreWritten) {
  const FileStatements file(
      "SET 'pipeline.name' = 'p';\nSET 'state.path' = 's';\n-- one; two\n"
      "CREATE TABLE t (a INT)\n  WITH ('p' = '${env:X}') ;\n");
  EXPECT_EQ(file.at({"p.sql", 4, 14}), "CREATE TABLE t (a INT)\n  WITH ('p' = '${env:X}');");
  EXPECT_EQ(file.settings("pipeline.name"), std::vector<std::string>{"SET 'state.path' = 's';"});
  EXPECT_EQ(file.written({"p.sql", 5, 15}), "'${env:X}'");
  EXPECT_EQ(file.at({"p.sql", 9, 1}), "");
}

TEST(PortableSqlTest, NoFunctionIsInTwoLists) {
  for (const PortableFunction& same : portable_functions()) {
    for (const DifferingFunction& other : differing_functions()) EXPECT_STRNE(same.name, other.name);
  }
  const auto& words = flink_reserved_words();
  EXPECT_TRUE(std::binary_search(words.begin(), words.end(), "VALUE"));
  EXPECT_FALSE(std::binary_search(words.begin(), words.end(), "CUSTOMER"));
}

}  // namespace
}  // namespace weir
