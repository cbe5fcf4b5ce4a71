#include "sinks/delta/delta_sink.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/json/from_string.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <arrow/util/decimal.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/environment.h"
#include "sinks/delta/delta_connector.h"
#include "sinks/delta/delta_schema.h"
#include "sinks/delta/delta_values.h"
#include "sinks/delta/file_statistics.h"
#include "sinks/delta/unlucky_table_test.h"

namespace weir {
namespace {

constexpr const char* kApp = "weir/p/s/0";

class DeltaSinkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("weir-sink-" + random_hex_id());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  DeltaSinkSettings settings(std::shared_ptr<arrow::Schema> schema) {
    DeltaSinkSettings settings;
    settings.pipeline = "p";
    settings.table = "t";
    settings.uri = folder_.string();
    settings.schema = std::move(schema);
    settings.clock = &clock_;
    settings.max_attempts = 5;
    return settings;
  }
  DeltaAccess access() {
    DeltaAccess access;
    access.open = [this](const std::string& uri) -> Result<std::unique_ptr<bridge::DeltaTable>> {
      WEIR_ASSIGN(auto table, bridge::DeltaTable::open(uri, {}));
      return std::unique_ptr<bridge::DeltaTable>(
          new UnluckyTable(std::move(table), fates_, [this] { rival_(); }));
    };
    access.create = [](const std::string& uri, const std::shared_ptr<arrow::Schema>& schema,
                       const std::vector<std::string>& partition_by,
                       const std::map<std::string, std::string>& properties) {
      return bridge::DeltaTable::create(uri, {}, schema, partition_by, properties);
    };
    access.objects = [](const std::string& uri) { return open_local_objects(uri); };
    return access;
  }
  std::unique_ptr<DeltaSink> sink(DeltaSinkSettings settings) {
    return std::make_unique<DeltaSink>(std::move(settings), access());
  }

  // {id: from..next-1, name: "even"|"odd"|null for multiples of 5} with positions.
  static std::shared_ptr<arrow::Schema> schema() {
    return arrow::schema({arrow::field("id", arrow::int64(), false), arrow::field("name", arrow::utf8())});
  }
  static std::shared_ptr<arrow::RecordBatch> rows(int64_t from, int64_t next) {
    arrow::Int64Builder ids, offsets;
    arrow::StringBuilder names, partitions;
    for (int64_t i = from; i < next; ++i) {
      EXPECT_TRUE(ids.Append(i).ok() && offsets.Append(i).ok() && partitions.Append("0").ok());
      EXPECT_TRUE((i % 5 == 0 ? names.AppendNull() : names.Append(i % 2 ? "odd/1" : "even")).ok());
    }
    arrow::ArrayVector columns = {*ids.Finish(), *names.Finish(), *partitions.Finish(), *offsets.Finish()};
    auto fields = schema()->fields();
    fields.push_back(arrow::field(kPartitionColumn, arrow::utf8()));
    fields.push_back(arrow::field(kOffsetColumn, arrow::int64()));
    return arrow::RecordBatch::Make(arrow::schema(fields), next - from, columns);
  }
  static CommitRequest request(int64_t from, int64_t next, bool authority = true) {
    CommitRequest request;
    request.ranges = {{kApp, from, next}};
    request.authority = authority;
    return request;
  }
  static Status write(DeltaSink& sink, int64_t from, int64_t next, bool authority = true) {
    WEIR_TRY(sink.append(rows(from, next)));
    WEIR_ASSIGN(auto sealed, sink.seal());
    return sink.commit(*sealed, request(from, next, authority));
  }
  // One line a row of what DataFusion reads back.
  std::vector<std::string> read(const std::string& sql) {
    auto reader = bridge::query({{"", "t", folder_.string(), {}}}, sql);
    EXPECT_TRUE(reader.ok()) << reader.status().message();
    std::vector<std::string> lines;
    if (!reader.ok()) return lines;
    auto table = (*reader)->ToTable();
    EXPECT_TRUE(table.ok()) << table.status().ToString();
    if (!table.ok()) return lines;
    for (int64_t row = 0; row < (*table)->num_rows(); ++row) {
      std::string line;
      for (const auto& column : (*table)->columns())
        line += (line.empty() ? "" : " ") + (*column->GetScalar(row))->ToString();
      lines.push_back(line);
    }
    return lines;
  }
  void expect_ids(int64_t count) {
    EXPECT_EQ(read("SELECT count(*) c, count(DISTINCT id) d, coalesce(max(id), -1) m FROM t"),
              std::vector<std::string>{std::to_string(count) + " " + std::to_string(count) + " " +
                                       std::to_string(count - 1)});
  }

  std::filesystem::path folder_;
  ManualClock clock_{1'700'000'000'000'000};
  std::vector<Fate> fates_;
  std::function<void()> rival_ = [] {};
};

TEST_F(DeltaSinkTest, CreatesCommitsAndRemembers) {
  auto first = sink(settings(schema()));
  auto stands = first->open("weir/p/");
  ASSERT_TRUE(stands.ok()) << stands.status().message();
  EXPECT_TRUE(stands->empty());
  Status written = write(*first, 0, 100);
  ASSERT_TRUE(written.ok()) << written.message();
  ASSERT_TRUE(write(*first, 100, 150).ok());
  auto second = sink(settings(schema()));
  EXPECT_EQ(*second->open("weir/p/"),
            (std::map<std::string, int64_t>{{kApp, 150}, {authority_app_id("p"), 1}, {plan_app_id("p"), 0}}));
  EXPECT_TRUE(second->open("weir/other/")->empty());
  ASSERT_TRUE(second->open("weir/p/").ok());
  ASSERT_TRUE(write(*second, 150, 151).ok());
  expect_ids(151);
  EXPECT_EQ(read("SELECT count(*) FROM t WHERE _weir_offset = id AND _weir_partition = '0'"),
            std::vector<std::string>{"151"});
}

TEST_F(DeltaSinkTest, PositionsMoveWithoutRows) {
  auto first = sink(settings(schema()));
  ASSERT_TRUE(first->open("weir/p/").ok());
  auto sealed = first->seal();
  ASSERT_TRUE(first->commit(**sealed, request(0, 10)).ok());
  EXPECT_EQ((*first->open("weir/p/"))[kApp], 10);
  expect_ids(0);
}

TEST_F(DeltaSinkTest, LostAnswersAndRequestsCommitOnce) {
  auto first = sink(settings(schema()));
  ASSERT_TRUE(first->open("weir/p/").ok());
  ASSERT_TRUE(first->open("weir/p/").ok());  // through the unlucky handle
  fates_ = {Fate::answer_lost};
  ASSERT_TRUE(write(*first, 0, 10).ok());
  fates_ = {Fate::request_lost, Fate::answer_lost};
  ASSERT_TRUE(write(*first, 10, 20).ok());
  EXPECT_TRUE(fates_.empty());
  expect_ids(20);
}

TEST_F(DeltaSinkTest, GivesUpAfterBoundedAttempts) {
  auto first = sink(settings(schema()));
  ASSERT_TRUE(first->open("weir/p/").ok());
  ASSERT_TRUE(first->open("weir/p/").ok());
  fates_.assign(50, Fate::request_lost);
  EXPECT_EQ(write(*first, 0, 10).code(), Code::unavailable);
  EXPECT_EQ(fates_.size(), 45u);
  fates_.clear();
  expect_ids(0);
}

TEST_F(DeltaSinkTest, RivalTakesThePositions) {
  auto rival = sink(settings(schema()));
  ASSERT_TRUE(rival->open("weir/p/").ok());
  auto first = sink(settings(schema()));
  ASSERT_TRUE(first->open("weir/p/").ok());
  rival_ = [&] { ASSERT_TRUE(write(*rival, 0, 7).ok()); };
  fates_ = {Fate::beaten};
  EXPECT_EQ(write(*first, 0, 10).code(), Code::lost_ownership);
  expect_ids(7);
  EXPECT_EQ((*first->open("weir/p/"))[kApp], 7);
  ASSERT_TRUE(write(*first, 7, 20).ok());
  expect_ids(20);
}

TEST_F(DeltaSinkTest, RivalOfAnotherPartitionOnlyDelays) {
  auto rival = sink(settings(schema()));
  ASSERT_TRUE(rival->open("weir/p/").ok());
  auto first = sink(settings(schema()));
  ASSERT_TRUE(first->open("weir/p/").ok());
  rival_ = [&] {
    CommitRequest other = request(0, 5);
    other.ranges[0].app_id = "weir/p/s/1";
    auto sealed = rival->seal();
    ASSERT_TRUE(rival->commit(**sealed, other).ok());
  };
  fates_ = {Fate::beaten};
  ASSERT_TRUE(write(*first, 0, 10).ok());
  expect_ids(10);
  EXPECT_EQ(first->open("weir/p/")->size(), 4u);  // two partitions, the plan, the authority
}

TEST_F(DeltaSinkTest, PartitionsSmallFilesAndFewOpenOnes) {
  auto few = settings(schema());
  few.partition_by = {"name"};
  few.max_open_files = 1;
  few.target_file_bytes = 1;
  few.buffer_bytes = 1;
  auto first = sink(few);
  ASSERT_TRUE(first->open("weir/p/").ok());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(write(*first, i * 40, (i + 1) * 40).ok());
  expect_ids(120);
  EXPECT_EQ(read("SELECT coalesce(name, '-') n, count(*) c FROM t GROUP BY 1 ORDER BY 1"),
            (std::vector<std::string>{"- 24", "even 48", "odd/1 48"}));
  EXPECT_EQ(read("SELECT count(*) FROM t WHERE name = 'odd/1' AND id < 10"), std::vector<std::string>{"4"});
  EXPECT_TRUE(std::filesystem::exists(folder_ / "name=odd%2F1"));
  auto other = settings(schema());
  other.partition_by = {"id"};
  EXPECT_EQ(sink(other)->open("weir/p/").status().code(), Code::invalid);
}

TEST_F(DeltaSinkTest, AddsColumnsOrRefuses) {
  auto old = settings(arrow::schema({arrow::field("id", arrow::int64(), false)}));
  ASSERT_TRUE(sink(old)->open("weir/p/").ok());
  auto strict = settings(schema());
  strict.add_columns = false;
  auto refused = sink(strict)->open("weir/p/").status();
  EXPECT_EQ(refused.code(), Code::invalid);
  EXPECT_NE(refused.message().find("'name' STRING is not in the table"), std::string::npos)
      << refused.message();
  auto first = sink(settings(schema()));
  ASSERT_TRUE(first->open("weir/p/").ok());
  Status written = write(*first, 0, 10);
  ASSERT_TRUE(written.ok()) << written.message();
  ASSERT_TRUE(write(*first, 10, 12).ok());
  EXPECT_EQ(read("SELECT count(*) c, count(name) n FROM t"), std::vector<std::string>{"12 9"});
  auto missing = settings(arrow::schema({arrow::field("name", arrow::utf8())}));
  EXPECT_NE(sink(missing)->open("weir/p/").status().message().find("NOT NULL in the table"),
            std::string::npos);
  auto text = settings(arrow::schema({arrow::field("id", arrow::utf8())}));
  EXPECT_NE(sink(text)->check_table().message().find("CAST(id AS BIGINT)"), std::string::npos);
}

TEST_F(DeltaSinkTest, ReplayCommitsATransactionOnce) {
  auto first = sink(settings(schema()));
  ASSERT_TRUE(first->open("weir/p/").ok());
  ASSERT_TRUE(first->append(rows(0, 10)).ok());
  auto sealed = first->seal();
  auto text = static_cast<DeltaSealedRows&>(**sealed).to_json();
  auto again = DeltaSealedRows::from_json(text);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ((*again)->to_json(), text);
  EXPECT_TRUE(*first->commit_transaction(**again, "weir/p/replay/s", 1, "[]"));
  EXPECT_FALSE(*first->commit_transaction(**again, "weir/p/replay/s", 1, "[]"));
  auto second = sink(settings(schema()));
  ASSERT_TRUE(second->open("weir/p/").ok());
  EXPECT_FALSE(*second->commit_transaction(**again, "weir/p/replay/s", 1, "[]"));
  expect_ids(10);
  for (const char* damaged : {"", "{}", "[]", R"({"version":2})", R"({"version":1,"rows":1})"}) {
    EXPECT_EQ(DeltaSealedRows::from_json(damaged).status().code(), Code::invalid) << damaged;
  }
}

TEST_F(DeltaSinkTest, EveryKindOfValueComesBack) {
  auto types = arrow::schema({
      arrow::field("ms", arrow::timestamp(arrow::TimeUnit::MILLI)),
      arrow::field("utc", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")),
      arrow::field("money", arrow::decimal128(12, 2)),
      arrow::field("day", arrow::date32()),
      arrow::field("real", arrow::float64()),
      arrow::field("flag", arrow::boolean()),
      arrow::field("inner", arrow::struct_({arrow::field("x", arrow::int32())})),
      arrow::field("list", arrow::list(arrow::field("item", arrow::utf8()))),
  });
  arrow::FieldVector fields = types->fields();
  fields.push_back(arrow::field(kPartitionColumn, arrow::utf8()));
  fields.push_back(arrow::field(kOffsetColumn, arrow::int64()));
  auto columns = std::vector<std::string>{
      "[1500, null]",  "[-1, 2]",      R"(["12.30", "-0.05"])",      "[0, 1]",
      "[1.5, NaN]",    "[true, null]", R"([{"x": 3}, {"x": null}])", R"([["a", null], null])",
      R"(["0", "0"])", "[0, 1]"};
  arrow::ArrayVector arrays;
  for (size_t i = 0; i < columns.size(); ++i) {
    auto array = arrow::json::ArrayFromJSONString(fields[i]->type(), columns[i]);
    ASSERT_TRUE(array.ok()) << array.status().ToString();
    arrays.push_back(*array);
  }
  auto first = sink(settings(types));
  auto opened = first->open("weir/p/");
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  ASSERT_TRUE(first->append(arrow::RecordBatch::Make(arrow::schema(fields), 2, arrays)).ok());
  auto sealed = first->seal();
  ASSERT_TRUE(sealed.ok()) << sealed.status().message();
  EXPECT_EQ(
      static_cast<DeltaSealedRows&>(**sealed).adds[0].stats_json,
      R"({"numRecords":2,"minValues":{"ms":"1970-01-01T00:00:01.500000","utc":"1969-12-31T23:59:59.999999Z",)"
      R"("money":-0.05,"day":"1970-01-01","inner":{"x":3},"_weir_partition":"0","_weir_offset":0},)"
      R"("maxValues":{"ms":"1970-01-01T00:00:01.500000","utc":"1970-01-01T00:00:00.000002Z","money":12.30,)"
      R"("day":"1970-01-02","inner":{"x":3},"_weir_partition":"0","_weir_offset":1},)"
      R"("nullCount":{"ms":1,"utc":0,"money":0,"day":0,"real":0,"flag":1,"inner":{"x":1},"list":1,)"
      R"("_weir_partition":0,"_weir_offset":0}})");
  ASSERT_TRUE(first->commit(**sealed, request(0, 2)).ok());
  EXPECT_EQ(
      read("SELECT count(*) FROM t WHERE money = 12.30 AND day = DATE '1970-01-01' AND inner['x'] = 3 AND "
           "ms = TIMESTAMP '1970-01-01 00:00:01.5' AND list[1] = 'a'"),
      std::vector<std::string>{"1"});
}

TEST_F(DeltaSinkTest, StatisticsOfAFile) {
  auto first = sink(settings(schema()));
  ASSERT_TRUE(first->open("weir/p/").ok());
  ASSERT_TRUE(first->append(rows(1, 11)).ok());
  auto sealed = first->seal();
  const auto& adds = static_cast<DeltaSealedRows&>(**sealed).adds;
  ASSERT_EQ(adds.size(), 1u);
  auto stats = nlohmann::json::parse(adds[0].stats_json);
  EXPECT_EQ(stats["numRecords"], 10);
  EXPECT_EQ(stats["minValues"]["id"], 1);
  EXPECT_EQ(stats["maxValues"]["id"], 10);
  EXPECT_EQ(stats["minValues"]["name"], "even");
  EXPECT_EQ(stats["maxValues"]["name"], "odd/1");
  EXPECT_EQ(stats["nullCount"]["name"], 2);
  EXPECT_EQ(adds[0].size, static_cast<int64_t>(std::filesystem::file_size(folder_ / adds[0].path)));
}

TEST(FileStatistics, TruncatedBoundsStayBounds) {
  EXPECT_EQ(truncated_minimum("short"), "short");
  EXPECT_EQ(truncated_maximum("short"), "short");
  std::string longer(40, 'a');
  EXPECT_EQ(truncated_minimum(longer), std::string(32, 'a'));
  EXPECT_EQ(truncated_maximum(longer), std::string(31, 'a') + "b");
  std::string top;
  for (int i = 0; i < 40; ++i) top += "\U0010FFFF";
  EXPECT_EQ(truncated_maximum(top), "");
  std::string wide(31, 'a');
  wide +=
      "\xED\x9F\xBF"
      "xyz";
  EXPECT_EQ(truncated_maximum(wide), std::string(31, 'a') + "\uE000");
}

TEST(DeltaValues, Texts) {
  EXPECT_EQ(*date_text(0), "1970-01-01");
  EXPECT_EQ(*date_text(-1), "1969-12-31");
  EXPECT_EQ(date_text(3'000'000), std::nullopt);
  EXPECT_EQ(*timestamp_text(-1, 'T', "Z"), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(decimal_json(arrow::Decimal128(-5), 2), "-0.05");
  EXPECT_EQ(decimal_json(arrow::Decimal128(12345), 2), "123.45");
  EXPECT_EQ(partition_folder("a b", "x/y"), "a%20b=x%2Fy");
  EXPECT_EQ(partition_folder("a", std::nullopt), "a=__HIVE_DEFAULT_PARTITION__");
}

TEST(DeltaSchema, RefusesWithACast) {
  auto refusal = [](std::shared_ptr<arrow::DataType> type) {
    return storable_schema("t", arrow::Schema({arrow::field("c", std::move(type))})).status().message();
  };
  EXPECT_NE(refusal(arrow::timestamp(arrow::TimeUnit::NANO)).find("CAST(… AS TIMESTAMP(6))"),
            std::string::npos);
  EXPECT_NE(refusal(arrow::time64(arrow::TimeUnit::MICRO)).find("TIME(6)"), std::string::npos);
  EXPECT_NE(refusal(arrow::uint64()).find("AS BIGINT"), std::string::npos);
  EXPECT_NE(refusal(arrow::null()).find("CAST(NULL AS STRING)"), std::string::npos);
  EXPECT_NE(refusal(arrow::list(arrow::struct_({arrow::field("x", arrow::uint8())}))).find("'c[].x'"),
            std::string::npos);
  auto stored = storable_schema(
      "t", arrow::Schema({arrow::field("c", arrow::timestamp(arrow::TimeUnit::MILLI, "UTC"))}));
  EXPECT_TRUE((*stored)->field(0)->type()->Equals(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")));
}

}  // namespace
}  // namespace weir
