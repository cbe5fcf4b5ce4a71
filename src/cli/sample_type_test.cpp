#include "cli/sample_type.h"

#include <gtest/gtest.h>

#include "cli/sample_csv.h"
#include "cli/sample_pipeline.h"

namespace weir {
namespace {

SampledType seen(const std::vector<std::string>& values) {
  SampledType type;
  for (const std::string& text : values) {
    std::string why;
    const auto value = parse_sampled_json(text, why);
    EXPECT_TRUE(value.has_value()) << text << ": " << why;
    if (value) type.add(*value);
  }
  return type;
}
std::string sql(const std::vector<std::string>& values) { return seen(values).choose().sql; }
std::string remark(const std::vector<std::string>& values) { return seen(values).choose().remark; }

TEST(SampledType, NumbersAsTheyAreWritten) {
  EXPECT_EQ(sql({"1", "-7", "9223372036854775807", "-9223372036854775808"}), "BIGINT");
  EXPECT_EQ(sql({"1", "9223372036854775808"}), "DECIMAL(38, 0)");
  EXPECT_EQ(sql({"1", "12.5", "3.25"}), "DECIMAL(12, 2)");
  EXPECT_EQ(sql({"1234567890.25"}), "DECIMAL(18, 2)");
  EXPECT_EQ(sql({"0.1234"}), "DECIMAL(12, 4)");
  EXPECT_EQ(sql({"0.12345"}), "DOUBLE");
  EXPECT_EQ(sql({"1.5", "1e3"}), "DOUBLE");
  EXPECT_EQ(sql({"1" + std::string(40, '0')}), "DOUBLE");
  EXPECT_EQ(sql({"1" + std::string(40, '0') + ".5"}), "DOUBLE");
}

TEST(SampledType, DatesAndTimesAreThoseThatTheDecoderTakes) {
  EXPECT_EQ(sql({"\"2026-11-21\"", "\"0001-01-01\""}), "DATE");
  EXPECT_EQ(sql({"\"2026-02-30\""}), "STRING");
  EXPECT_EQ(sql({"\"2026-11-21T10:00:00Z\"", "\"2026-11-21 10:00:00.123\""}), "TIMESTAMP(3)");
  EXPECT_EQ(sql({"\"2026-11-21T10:00:00.123456+02:00\""}), "TIMESTAMP(6)");
  EXPECT_EQ(sql({"\"2026-11-21T10:00:00.120000000Z\""}), "TIMESTAMP(3)");
  EXPECT_EQ(sql({"\"2026-11-21T10:00:00.123456789Z\""}), "STRING");
  EXPECT_NE(remark({"\"2026-11-21T10:00:00.123456789Z\""}), "");
  EXPECT_EQ(sql({"\"2026-11-21T10:00:00Z\"", "\"2026-11-21\""}), "STRING");
  EXPECT_EQ(sql({"\"2026-11-21T10:00:00Z\"", "\"n/a\""}), "STRING");
  EXPECT_EQ(sql({"\"\""}), "STRING");
}

TEST(SampledType, WhatIsMixedIsTextAndSaysSo) {
  EXPECT_EQ(sql({"1", "\"a\""}), "STRING");
  EXPECT_EQ(remark({"1", "\"a\"", "\"b\""}), "mixed: 2 strings, 1 numbers");
  EXPECT_TRUE(seen({"1", "\"a\""}).choose().numbers_as_strings);
  EXPECT_FALSE(seen({"true", "\"a\""}).choose().numbers_as_strings);
  EXPECT_EQ(sql({"null"}), "STRING");
  EXPECT_EQ(remark({"null"}), "only null was seen");
  EXPECT_EQ(sql({"true", "null", "false"}), "BOOLEAN");
}

TEST(SampledType, ObjectsAreRowsUnlessTheirKeysVaryWidely) {
  EXPECT_EQ(sql({R"({"a": 1, "b": "x"})", R"({"b": null, "a": 2})"}), "ROW<a BIGINT NOT NULL, b STRING>");
  EXPECT_EQ(sql({R"({"a": {"b": [1.5]}})"}), "ROW<a ROW<b ARRAY<DECIMAL(12, 1)> NOT NULL> NOT NULL>");
  EXPECT_EQ(sql({"{}"}), "MAP<STRING, STRING>");
  std::vector<std::string> various;
  std::vector<std::string> wide;
  for (int i = 0; i < 20; ++i) {
    various.push_back("{\"k" + std::to_string(i) + "\": " + std::to_string(i) + "}");
    std::string fields;
    for (int k = 0; k < 20; ++k) fields += (k == 0 ? "" : ",") + ("\"k" + std::to_string(k) + "\":1");
    wide.push_back("{" + fields + "}");
  }
  EXPECT_EQ(sql(various), "MAP<STRING, BIGINT>");
  EXPECT_EQ(sql(wide).rfind("ROW<k0 BIGINT NOT NULL, ", 0), 0u);
  EXPECT_EQ(sql({R"({"a b": 1, "c": 2})"}), "ROW<c BIGINT NOT NULL>");
  EXPECT_EQ(sql({"[]"}), "ARRAY<STRING>");
  EXPECT_EQ(sql({"[1]", "[2.5, null]"}), "ARRAY<DECIMAL(12, 1)>");
  EXPECT_EQ(sql({R"([{"a": 1}, {"b": 2}])"}), "ARRAY<ROW<a BIGINT, b BIGINT>>");
}

TEST(SampledValue, WhatTheDecoderRefusesIsNoValue) {
  std::string why;
  EXPECT_FALSE(parse_sampled_json("{\"a\":1,\"a\":2}", why));
  EXPECT_NE(why.find("twice"), std::string::npos);
  EXPECT_TRUE(parse_sampled_json(R"({"a":{"x":1},"b":{"x":1}})", why));
  EXPECT_FALSE(parse_sampled_json(std::string(100'000, '['), why));
  EXPECT_FALSE(parse_sampled_json("{\"a\":1} x", why));
  EXPECT_FALSE(parse_sampled_json("", why));
  EXPECT_FALSE(parse_sampled_json("\"\xFF\"", why));
  EXPECT_TRUE(parse_sampled_json(std::string(64, '[') + std::string(64, ']'), why));
}

TEST(SampledPipeline, NamesAreQuotedWhereTheyMustBe) {
  EXPECT_EQ(quoted_name("order_id"), "order_id");
  EXPECT_EQ(quoted_name("OrderId"), "OrderId");
  EXPECT_EQ(quoted_name("select"), "`select`");
  EXPECT_EQ(quoted_name("Order"), "`Order`");
  EXPECT_EQ(quoted_name("a b"), "`a b`");
  EXPECT_EQ(quoted_name("1a"), "`1a`");
  EXPECT_EQ(quoted_name("a`b"), "`a``b`");
  EXPECT_EQ(quoted_name("größe"), "`größe`");
  EXPECT_EQ(table_name("ORDERS.eu-1"), "orders_eu_1");
  EXPECT_EQ(table_name("_x_"), "x");
  EXPECT_EQ(table_name("2026"), "t_2026");
  EXPECT_EQ(table_name("äöü"), "events");
}

TEST(SampledPipeline, FieldsThatDifferInCaseOnlyOrHaveNoNameAreLeftOut) {
  std::vector<std::string> left_out;
  bool numbers = false;
  const auto columns =
      columns_of(seen({R"({"Id": 1, "id": 2, "": 3, "a b": 4, "a_b": 5})"}), left_out, numbers);
  ASSERT_EQ(columns.size(), 2u);
  EXPECT_EQ(columns[0].name, "Id");
  EXPECT_EQ(columns[1].name, "a b");
  EXPECT_EQ(left_out, (std::vector<std::string>{"id", "", "a_b"}));
}

TEST(SampledPipeline, SecretsOfAnAddressGoToTheEnvironment) {
  const auto split = [](const std::string& url) {
    return split_url_secrets(url, "NATS", "username", "password", "token");
  };
  EXPECT_EQ(split("nats://a:4222,nats://b:4222").url, "nats://a:4222,nats://b:4222");
  const UrlSecrets user = split("nats://ada:s3cret@a:4222,nats://ada:s3cret@b:4222");
  EXPECT_EQ(user.url, "nats://a:4222,nats://b:4222");
  ASSERT_EQ(user.options.size(), 2u);
  EXPECT_EQ(user.options[1].name, "password");
  EXPECT_EQ(user.options[1].text, "${env:NATS_PASSWORD}");
  EXPECT_EQ(user.options[1].value, "s3cret");
  const UrlSecrets token = split("nats://t0ken@a");
  EXPECT_EQ(token.url, "nats://a");
  ASSERT_EQ(token.options.size(), 1u);
  EXPECT_EQ(token.options[0].name, "token");
}

TEST(SampledPipeline, DataInCommentsAndOptionsEndsNothing) {
  InitPipeline pipeline;
  pipeline.name = "p";
  pipeline.sink = "s";
  pipeline.header = {"first\nDROP TABLE x;"};
  pipeline.columns = {{"a", "STRING", "seen\r\n);"}};
  pipeline.source = {plain_option("connector", "file"), plain_option("path", "it's ${env:HOME}")};
  pipeline.sink_options = {plain_option("connector", "print")};
  const std::string text = pipeline_text(pipeline, false);
  EXPECT_NE(text.find("-- first?DROP TABLE x;\n"), std::string::npos) << text;
  EXPECT_NE(text.find("-- seen?"
                      "?);\n"),
            std::string::npos);
  EXPECT_NE(text.find("'it''s $${env:HOME}'"), std::string::npos);
  EXPECT_EQ(text, pipeline_text(pipeline, true));
}

CsvSample csv(const std::vector<std::string>& records, bool may_have_header) {
  CsvSample sample;
  int64_t offset = 0;
  for (const std::string& record : records) sample.add(record, offset++);
  const Status status = sample.finish(may_have_header);
  EXPECT_TRUE(status.ok()) << status.message();
  return sample;
}

TEST(SampledCsv, HeaderDelimiterAndTypes) {
  const CsvSample sample =
      csv({"id;zip;when;paid", "1;01234;2026-11-21;true", "2;99999;2026-11-22;", "x"}, true);
  EXPECT_EQ(sample.delimiter(), ';');
  EXPECT_TRUE(sample.has_header());
  ASSERT_EQ(sample.columns().size(), 4u);
  EXPECT_EQ(sample.columns()[0].sql, "BIGINT NOT NULL");
  EXPECT_EQ(sample.columns()[1].sql, "STRING NOT NULL") << "a leading zero is no number's";
  EXPECT_EQ(sample.columns()[2].sql, "DATE NOT NULL");
  EXPECT_EQ(sample.columns()[3].sql, "BOOLEAN");
}

TEST(SampledCsv, WithoutAHeaderColumnsAreNumbered) {
  for (const bool may : {true, false}) {
    const CsvSample sample = csv({"1,a", "2,b"}, may);
    EXPECT_FALSE(sample.has_header());
    EXPECT_EQ(sample.columns()[1].name, "column_2");
  }
  EXPECT_FALSE(csv({"id,name", "1,b"}, false).has_header());
}

TEST(SampledCsv, AnEmptyFieldInQuotesIsNotNull) {
  const CsvSample sample = csv({"id,note", "1,\"\"", "2,x"}, true);
  EXPECT_EQ(sample.columns()[1].sql, "STRING NOT NULL");
}

}  // namespace
}  // namespace weir
