#include "sinks/clickhouse/target_table.h"

#include <arrow/type.h>
#include <gtest/gtest.h>

#include "sinks/clickhouse/fake_server_test.h"
#include "sinks/clickhouse/target_tables.h"

namespace weir {
namespace {

std::shared_ptr<arrow::Schema> schema() {
  return arrow::schema({arrow::field("id", arrow::int64(), false), arrow::field("name", arrow::utf8()),
                        arrow::field("tags", arrow::list(arrow::utf8()), false),
                        arrow::field("at", arrow::timestamp(arrow::TimeUnit::MILLI), false)});
}

TEST(TargetTable, CreatesFromTheRows) {
  auto text = create_statement({"d b", "t"}, *schema(), {});
  ASSERT_TRUE(text.ok()) << text.status().message();
  EXPECT_TRUE(
      text->starts_with("CREATE TABLE IF NOT EXISTS `d b`.`t` (`id` Int64, `name` Nullable(String), "))
      << *text;
  EXPECT_NE(text->find("_weir_partition LowCardinality(String), _weir_offset Int64, _weir_seq UInt64"),
            std::string::npos);
  EXPECT_NE(text->find("ENGINE = MergeTree ORDER BY (`id`, `at`) SETTINGS "
                       "non_replicated_deduplication_window = 10000"),
            std::string::npos)
      << *text;
}

TEST(TargetTable, OptionsShapeTheTable) {
  TableDefaults defaults;
  defaults.engine = "ReplacingMergeTree(id)";
  defaults.order_by = "name, id";
  defaults.partition_by = "toYYYYMM(at)";
  defaults.ttl = "at + INTERVAL 1 DAY";
  defaults.settings = {{"index_granularity", "4096"}, {"non_replicated_deduplication_window", "7"}};
  defaults.column_types = {{"id", "UInt64"}};
  defaults.low_cardinality = {"name"};
  defaults.positions = false;
  auto text = create_statement({"d", "t"}, *schema(), defaults);
  ASSERT_TRUE(text.ok()) << text.status().message();
  EXPECT_NE(
      text->find("(`id` UInt64, `name` LowCardinality(Nullable(String)), `tags` Array(Nullable(String)), "),
      std::string::npos)
      << *text;
  EXPECT_EQ(text->find("_weir_"), std::string::npos);
  EXPECT_NE(
      text->find("ENGINE = ReplacingMergeTree(id) PARTITION BY toYYYYMM(at) ORDER BY (name, id) TTL at + "
                 "INTERVAL 1 DAY SETTINGS allow_nullable_key = 1, index_granularity = 4096, "
                 "non_replicated_deduplication_window = 7"),
      std::string::npos)
      << *text;
}

TEST(TargetTable, WrongOptionsAreNamed) {
  TableDefaults defaults;
  defaults.column_types = {{"nme", "String"}};
  auto text = create_statement({"d", "t"}, *schema(), defaults);
  EXPECT_EQ(text.status().code(), Code::invalid);
  EXPECT_NE(text.status().message().find("'name'"), std::string::npos) << text.status().message();
  defaults.column_types = {{"tags", "Int8"}};
  EXPECT_FALSE(create_statement({"d", "t"}, *schema(), defaults).ok());
  defaults.column_types.clear();
  defaults.settings = {{"x = 1; DROP", "1"}};
  EXPECT_FALSE(create_statement({"d", "t"}, *schema(), defaults).ok());
}

TEST(TargetTable, EvolutionAddsWhatIsMissingAndNothingBeforeTheRestFits) {
  TargetTable table;
  table.name = {"d", "t"};
  for (const char* name : {"id", "tags"})
    table.columns.push_back({name, *ClickHouseType::parse(name[0] == 'i' ? "Int64" : "Array(String)")});
  auto text = evolve_statement(table, *schema(), {}, true);
  ASSERT_TRUE(text.ok()) << text.status().message();
  EXPECT_TRUE(
      text->starts_with("ALTER TABLE `d`.`t` ADD COLUMN IF NOT EXISTS `name` Nullable(String), "
                        "ADD COLUMN IF NOT EXISTS `at` Nullable(DateTime64(3"))
      << *text;
  auto refused = evolve_statement(table, *schema(), {}, false);
  EXPECT_EQ(refused.status().code(), Code::invalid);
  EXPECT_NE(refused.status().message().find("name"), std::string::npos);
  table.columns[1].type = *ClickHouseType::parse("Int8");
  EXPECT_FALSE(evolve_statement(table, *schema(), {}, true).ok());
  table.columns.pop_back();
  table.unwritable["tags"] = "is ALIAS: the server computes it";
  auto computed = evolve_statement(table, *schema(), {}, true);
  EXPECT_NE(computed.status().message().find("is ALIAS"), std::string::npos);
}

TEST(TargetTable, SettingsAreReadWhole) {
  const std::string query =
      "CREATE TABLE d.t (`replicated_deduplication_window` Int8) ENGINE = MergeTree ORDER BY a SETTINGS "
      "non_replicated_deduplication_window = 100, replicated_deduplication_window_seconds = 5, x = '7'";
  EXPECT_EQ(setting_in(query, "non_replicated_deduplication_window"), 100);
  EXPECT_EQ(setting_in(query, "replicated_deduplication_window"), std::nullopt);
  EXPECT_EQ(setting_in(query, "x"), 7);
  EXPECT_EQ(setting_in("CREATE TABLE t", "x"), std::nullopt);
}

TEST(TargetTable, ViewsNameTheirTarget) {
  auto text = [](const std::string& query) {
    auto target = view_target(query, "own");
    return target ? target->text() : std::string();
  };
  EXPECT_EQ(text("CREATE MATERIALIZED VIEW d.mv TO d.t2 (`a` Int64) AS SELECT 1"), "d.t2");
  EXPECT_EQ(text("CREATE MATERIALIZED VIEW d.`m v` UUID 'x-y' TO `d.d`.`t` AS SELECT 1"), "d.d.t");
  EXPECT_EQ(text("CREATE MATERIALIZED VIEW mv TO t AS SELECT 1"), "own.t");
  EXPECT_EQ(text("CREATE MATERIALIZED VIEW d.mv (`a` Int64) ENGINE = MergeTree AS SELECT 1"), "");
  EXPECT_EQ(text("CREATE MATERIALIZED VIEW d.mv TO INNER UUID 'x' (`a` Int64) AS SELECT 1"), "");
}

TEST(TargetTable, ServersOfOneTable) {
  const std::string zero = "00000000-0000-0000-0000-000000000000";
  EXPECT_TRUE(same_table({"s", "t", ""}, {"s", "u", ""}));
  EXPECT_TRUE(same_table({"s", "t", ""}, {"r", "t", ""}));
  EXPECT_TRUE(same_table({"s", "t", "/p"}, {"r", "u", "/p"}));
  EXPECT_FALSE(same_table({"s", "t", ""}, {"r", "u", ""}));
  EXPECT_FALSE(same_table({zero, zero, ""}, {zero, zero, ""})) << "zeros say nothing";
  TableIdentity identity{"s", "", "/p"};
  auto back = TableIdentity::parse(identity.to_string());
  EXPECT_EQ(back.server, "s");
  EXPECT_EQ(back.table, "");
  EXPECT_EQ(back.replica_path, "/p");
}

TEST(TargetTable, NamesFromAColumn) {
  auto pattern = parse_table_pattern("events_{name}_x", *schema());
  ASSERT_TRUE(pattern.ok());
  EXPECT_EQ(pattern->prefix, "events_");
  EXPECT_EQ(pattern->column, "name");
  EXPECT_EQ(pattern->suffix, "_x");
  for (const char* wrong : {"{nam}", "{id}", "{name", "name}", "{name}{name}", "{a{name}}"})
    EXPECT_EQ(parse_table_pattern(wrong, *schema()).status().code(), Code::invalid) << wrong;
}

TEST(TargetTable, DeduplicationIsDemanded) {
  FakeServer server;
  server.table_exists = true;
  auto check = [&]() {
    ClickHouseConnection connection({{"http://a"}, "", ""}, std::make_unique<FakeHttp>(server));
    EXPECT_TRUE(connection.greet().ok());
    auto table = describe_table(connection, {"default", "out"});
    EXPECT_TRUE(table.ok());
    return check_deduplication(connection, *table);
  };
  EXPECT_TRUE(check().ok()) << check().message();
  server.window = "0";
  EXPECT_EQ(check().code(), Code::invalid);
  EXPECT_NE(check().message().find("ALTER TABLE `default`.`out` MODIFY SETTING"), std::string::npos);
  server.window = "10";
  server.knows_tokens = false;
  EXPECT_NE(check().message().find("at-least-once"), std::string::npos);
}

TEST(ServerUrls, AreCheckedAndShowNoSecret) {
  auto urls = parse_server_urls(" http://a:8123/, https://b:8443 ");
  ASSERT_TRUE(urls.ok());
  EXPECT_EQ(*urls, (std::vector<std::string>{"http://a:8123", "https://b:8443"}));
  EXPECT_FALSE(parse_server_urls("").ok());
  EXPECT_FALSE(parse_server_urls("tcp://a:9000").ok());
  auto secret = parse_server_urls("http://me:hunter2@a:8123");
  EXPECT_EQ(secret.status().message().find("hunter2"), std::string::npos);
  auto parameter = parse_server_urls("http://a:8123/?password=hunter2");
  EXPECT_EQ(parameter.status().message().find("hunter2"), std::string::npos);
}

}  // namespace
}  // namespace weir
