#include <arrow/array.h>
#include <arrow/io/file.h>
#include <arrow/json/from_string.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/table.h>
#include <arrow/type.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/environment.h"
#include "bridge/bridge.h"
#include "config/data_type.h"
#include "formats/formats.h"
#include "lookup/clickhouse/answer_cache.h"
#include "lookup/clickhouse/lookup_query.h"
#include "lookup/full_table.h"
#include "lookup/lookups.h"
#include "operators/lookup_table.h"

namespace weir {
namespace {

namespace fs = std::filesystem;

std::shared_ptr<arrow::RecordBatch> rows_of(const std::shared_ptr<arrow::Schema>& schema,
                                            const std::string& json) {
  auto rows = arrow::json::ArrayFromJSONString(arrow::struct_(schema->fields()), json);
  EXPECT_TRUE(rows.ok()) << rows.status().ToString();
  return *arrow::RecordBatch::FromStructArray(*rows);
}

std::vector<std::string> text_of(const Result<LookupMatches>& matches) {
  std::vector<std::string> lines;
  EXPECT_TRUE(matches.ok()) << matches.status().message();
  if (!matches.ok()) return lines;
  for (size_t i = 0; i < matches->left.size(); ++i) {
    std::string line = std::to_string(matches->left[i]) + ":";
    for (const auto& column : matches->rows->columns())
      line += " " + column->GetScalar(matches->right[i]).ValueOrDie()->ToString();
    lines.push_back(line);
  }
  return lines;
}

std::shared_ptr<arrow::Schema> id_schema() { return arrow::schema({arrow::field("id", arrow::int64())}); }

// ---- held as a whole

class Shelf final : public FullTableSource {
 public:
  Result<std::string> stamp() override {
    ++looks;
    if (failures > 0) {
      --failures;
      return Status::unavailable("the shelf is locked");
    }
    return stamp_text;
  }
  Result<std::shared_ptr<arrow::RecordBatch>> load() override {
    ++loads;
    return rows;
  }
  std::string stamp_text = "1";
  std::shared_ptr<arrow::RecordBatch> rows;
  int looks = 0, loads = 0, failures = 0;
};

class FullTableTest : public ::testing::Test {
 protected:
  void SetUp() override {
    schema_ = arrow::schema({arrow::field("id", arrow::int64()), arrow::field("kind", arrow::utf8()),
                             arrow::field("note", arrow::utf8())});
    auto shelf = std::make_unique<Shelf>();
    shelf_ = shelf.get();
    shelf_->rows = rows_of(schema_, R"([[1,"a","x"],[2,"a","y"],[null,"a","z"],[2,"b","w"],[1,null,"v"]])");
    FullTableSettings settings;
    settings.table = "shelf";
    settings.schema = schema_;
    settings.reload_interval = std::chrono::seconds(10);
    settings.max_retries = 2;
    settings.clock = &clock_;
    settings.log = [this](const std::string& words) { said_.push_back(words); };
    table_ = std::make_unique<FullTable>(std::move(settings), std::move(shelf));
  }
  ManualClock clock_{1'700'000'000'000'000};
  std::shared_ptr<arrow::Schema> schema_;
  Shelf* shelf_ = nullptr;
  std::unique_ptr<FullTable> table_;
  std::vector<std::string> said_;
};

TEST_F(FullTableTest, FindsAllRowsOfAKeyAndNothingForNull) {
  EXPECT_EQ(text_of(table_->lookup(*rows_of(id_schema(), "[[2],[null],[9],[1]]"), {"id"})),
            (std::vector<std::string>{"0: 2 a y", "0: 2 b w", "3: 1 a x", "3: 1 null v"}));
  const auto both = arrow::schema({arrow::field("k", arrow::utf8()), arrow::field("i", arrow::int64())});
  EXPECT_EQ(text_of(table_->lookup(*rows_of(both, R"([["b",2],["a",1],["b",1],[null,1]])"), {"kind", "id"})),
            (std::vector<std::string>{"0: 2 b w", "1: 1 a x"}));
  EXPECT_EQ(shelf_->loads, 1);
}

TEST_F(FullTableTest, AChangeIsSeenAfterTheInterval) {
  const auto keys = rows_of(id_schema(), "[[1]]");
  EXPECT_EQ(text_of(table_->lookup(*keys, {"id"})).size(), 2u);
  shelf_->rows = rows_of(schema_, R"([[1,"c","new"]])");
  shelf_->stamp_text = "2";
  EXPECT_EQ(text_of(table_->lookup(*keys, {"id"})).size(), 2u);
  clock_.set(clock_.now_us() + 10'000'000);
  EXPECT_EQ(text_of(table_->lookup(*keys, {"id"})), std::vector<std::string>{"0: 1 c new"});
  ASSERT_EQ(said_.size(), 1u);
  EXPECT_NE(said_[0].find("shelf"), std::string::npos);
  clock_.set(clock_.now_us() + 10'000'000);
  EXPECT_EQ(text_of(table_->lookup(*keys, {"id"})).size(), 1u);
  EXPECT_EQ(shelf_->loads, 2);  // the stamp was the same
  EXPECT_EQ(shelf_->looks, 3);
}

TEST_F(FullTableTest, UnavailableAfterItsRetries) {
  shelf_->failures = 2;
  EXPECT_TRUE(table_->lookup(*rows_of(id_schema(), "[[1]]"), {"id"}).ok());
  clock_.set(clock_.now_us() + 10'000'000);
  shelf_->failures = 3;
  const auto failed = table_->lookup(*rows_of(id_schema(), "[[1]]"), {"id"});
  EXPECT_EQ(failed.status().code(), Code::unavailable);
  EXPECT_EQ(failed.status().message(), "the shelf is locked");
  EXPECT_TRUE(table_->lookup(*rows_of(id_schema(), "[[1]]"), {"id"}).ok());
}

TEST_F(FullTableTest, SeveralThreadsMayAsk) {
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      const auto keys = rows_of(id_schema(), "[[2],[1]]");
      for (int round = 0; round < 200; ++round) {
        auto found = table_->lookup(*keys, {"id"});
        if (!found.ok() || found->left.size() != 4) ++wrong;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

// ---- connectors

class LookupConnectorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("weir-lookup-" + random_hex_id());
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  // columns: "id BIGINT"-like pairs of name and type.
  Result<std::shared_ptr<LookupTable>> open(const std::string& connector,
                                            const std::vector<std::pair<std::string, std::string>>& columns,
                                            const std::map<std::string, std::string>& options,
                                            const std::string& format = "") {
    const auto& all = all_lookups();
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.name == connector; });
    EXPECT_NE(found, all.end());
    LookupContext context;
    context.table = "dim";
    context.clock = &clock_;
    arrow::FieldVector fields;
    for (const auto& [name, type] : columns) {
      ColumnSpec column;
      column.name = name;
      auto parsed = parse_type_text(type);
      EXPECT_TRUE(parsed.ok()) << type;
      column.type = parsed->type;
      fields.push_back(arrow::field(name, column.type.arrow));
      context.columns.push_back(std::move(column));
    }
    context.schema = arrow::schema(std::move(fields));
    std::vector<OptionSpec> specs = found->options;
    for (const FormatInfo& info : all_formats()) {
      if (info.name != format) continue;
      context.format = &info;
      specs.insert(specs.end(), info.options.begin(), info.options.end());
    }
    context.format_name = format;
    std::map<std::string, OptionValue> values;
    for (const auto& [name, value] : options) values[name].text = value;
    context.options = Options(std::move(specs), std::move(values));
    WEIR_TRY(found->check(context));
    return found->create(std::move(context));
  }
  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return (folder_ / name).string();
  }
  void pass_interval() { clock_.set(clock_.now_us() + 60'000'000); }

  fs::path folder_;
  ManualClock clock_{1'700'000'000'000'000};
};

TEST_F(LookupConnectorTest, LinesOfJson) {
  const auto path = write("dim.ndjson", "{\"id\":1,\"name\":\"ada\"}\n\n{\"id\":2,\"name\":\"bob\"}\r\n");
  auto table = open("file", {{"id", "BIGINT"}, {"name", "STRING"}}, {{"path", path}}, "json");
  ASSERT_TRUE(table.ok()) << table.status().message();
  const auto keys = rows_of(id_schema(), "[[2],[3]]");
  EXPECT_EQ(text_of((*table)->lookup(*keys, {"id"})), std::vector<std::string>{"0: 2 bob"});
  write("dim.ndjson", "{\"id\":3,\"name\":\"cy\"}\n{\"id\":2,\"name\":\"bea\"}");
  pass_interval();
  EXPECT_EQ(text_of((*table)->lookup(*keys, {"id"})), (std::vector<std::string>{"0: 2 bea", "1: 3 cy"}));
  write("dim.ndjson", "{\"id\":3,\"name\":\"cy\"}\n\n{\"id\":\"x\"}\n");
  pass_interval();
  const auto failed = (*table)->lookup(*keys, {"id"});
  EXPECT_EQ(failed.status().code(), Code::invalid);
  EXPECT_NE(failed.status().message().find("line 3"), std::string::npos) << failed.status().message();
  fs::remove(folder_ / "dim.ndjson");
  EXPECT_EQ((*table)->lookup(*keys, {"id"}).status().code(), Code::not_found);
}

TEST_F(LookupConnectorTest, Csv) {
  const auto path = write("dim.csv", "id,price\n1,2.50\n2,\n");
  auto table = open("file", {{"id", "BIGINT"}, {"price", "DECIMAL(10, 2)"}},
                    {{"path", path}, {"csv.header", "names"}}, "csv");
  ASSERT_TRUE(table.ok()) << table.status().message();
  EXPECT_EQ(text_of((*table)->lookup(*rows_of(id_schema(), "[[1],[2]]"), {"id"})),
            (std::vector<std::string>{"0: 1 2.50", "1: 2 null"}));
}

TEST_F(LookupConnectorTest, Parquet) {
  const auto schema = arrow::schema({arrow::field("more", arrow::utf8()), arrow::field("id", arrow::int32()),
                                     arrow::field("at", arrow::timestamp(arrow::TimeUnit::MICRO))});
  const auto path = (folder_ / "dim.parquet").string();
  auto rows = rows_of(schema, R"([["x",1,1700000000000000],["y",2,null]])");
  auto file = *arrow::io::FileOutputStream::Open(path);
  ASSERT_TRUE(parquet::arrow::WriteTable(**arrow::Table::FromRecordBatches({rows}),
                                         arrow::default_memory_pool(), file)
                  .ok());
  ASSERT_TRUE(file->Close().ok());
  auto table = open("file", {{"id", "BIGINT"}, {"at", "TIMESTAMP(3)"}}, {{"path", path}}, "parquet");
  ASSERT_TRUE(table.ok()) << table.status().message();
  EXPECT_EQ(text_of((*table)->lookup(*rows_of(id_schema(), "[[1],[2]]"), {"id"})),
            (std::vector<std::string>{"0: 1 2023-11-14 22:13:20.000", "1: 2 null"}));
  auto other = open("file", {{"nope", "BIGINT"}}, {{"path", path}}, "parquet");
  ASSERT_TRUE(other.ok());
  const auto failed = (*other)->lookup(*rows_of(id_schema(), "[[1]]"), {"nope"});
  EXPECT_EQ(failed.status().code(), Code::invalid);
  EXPECT_NE(failed.status().message().find("'nope'"), std::string::npos);
}

TEST_F(LookupConnectorTest, DeltaTableAndItsNextVersion) {
  const auto schema =
      arrow::schema({arrow::field("id", arrow::int64()), arrow::field("name", arrow::utf8())});
  const std::string uri = (folder_ / "lake").string();
  auto missing = open("delta", {{"id", "BIGINT"}, {"name", "STRING"}}, {{"path", uri}});
  ASSERT_TRUE(missing.ok());
  const auto keys = rows_of(id_schema(), "[[1],[2]]");
  EXPECT_EQ((*missing)->lookup(*keys, {"id"}).status().code(), Code::not_found);
  auto lake = bridge::DeltaTable::create(uri, {}, schema, {}, {});
  ASSERT_TRUE(lake.ok());
  auto add = [&](const std::string& name, const std::string& json) {
    auto rows = rows_of(schema, json);
    auto file = *arrow::io::FileOutputStream::Open((folder_ / "lake" / name).string());
    ASSERT_TRUE(parquet::arrow::WriteTable(**arrow::Table::FromRecordBatches({rows}),
                                           arrow::default_memory_pool(), file)
                    .ok());
    ASSERT_TRUE(file->Close().ok());
    bridge::DeltaCommit commit;
    commit.adds.push_back({name, static_cast<int64_t>(fs::file_size(folder_ / "lake" / name)), 0, {}, ""});
    ASSERT_TRUE((*lake)->commit(commit).ok());
  };
  add("a.parquet", R"([[1,"ada"]])");
  auto table = open("delta", {{"name", "STRING"}, {"id", "BIGINT"}}, {{"path", uri}});
  ASSERT_TRUE(table.ok()) << table.status().message();
  EXPECT_EQ(text_of((*table)->lookup(*keys, {"id"})), std::vector<std::string>{"0: ada 1"});
  add("b.parquet", R"([[2,"bob"]])");
  EXPECT_EQ(text_of((*table)->lookup(*keys, {"id"})).size(), 1u);
  pass_interval();
  EXPECT_EQ(text_of((*table)->lookup(*keys, {"id"})), (std::vector<std::string>{"0: ada 1", "1: bob 2"}));
}

TEST_F(LookupConnectorTest, ClickHouseThatDoesNotAnswer) {
  for (const char* cache : {"NONE", "PARTIAL", "FULL"}) {
    auto table = open("clickhouse", {{"id", "BIGINT"}},
                      {{"url", "http://127.0.0.1:1"}, {"lookup.cache", cache}, {"lookup.max-retries", "1"}});
    ASSERT_TRUE(table.ok()) << table.status().message();
    EXPECT_EQ((*table)->lookup(*rows_of(id_schema(), "[[1]]"), {"id"}).status().code(), Code::unavailable);
  }
}

TEST_F(LookupConnectorTest, OptionsThatDoNotGoTogether) {
  const std::vector<std::pair<std::string, std::string>> id = {{"id", "BIGINT"}};
  EXPECT_EQ(
      open("clickhouse", id, {{"url", "http://h:1"}, {"lookup.partial-cache.max-rows", "5"}}).status().code(),
      Code::invalid);
  EXPECT_EQ(open("clickhouse", {{"a", "ARRAY<INT>"}}, {{"url", "http://h:1"}}).status().code(),
            Code::invalid);
  EXPECT_EQ(open("file", id, {{"path", "s3://b/x"}}, "json").status().code(), Code::invalid);
  EXPECT_EQ(open("file", id, {{"path", "x"}, {"lookup.max-retries", "-1"}}, "json").status().code(),
            Code::invalid);
}

// ---- statements

TEST(LookupQuery, KeysAreLiteralsThatCannotEscape) {
  const auto schema = arrow::schema({arrow::field("id", arrow::int64()), arrow::field("a`b", arrow::utf8())});
  auto query = LookupQuery::create("d", "t", schema);
  ASSERT_TRUE(query.ok());
  const auto keys = rows_of(arrow::schema({schema->field(1), schema->field(0)}),
                            R"([["x') OR 1=1 --", 1],["\\'", -2],["c", 3]])");
  size_t taken = 0;
  auto statement = query->for_keys(*keys, {0, 1, 2}, 0, 2, 10'000, taken);
  ASSERT_TRUE(statement.ok());
  EXPECT_EQ(taken, 2u);
  const std::string expected =
      "FROM `d`.`t` WHERE (`a\\`b`, `id`) IN (('x\\') OR 1=1 --', 1), ('\\\\\\'', -2))";
  EXPECT_NE(statement->find(expected), std::string::npos) << *statement;
  // A statement is bounded, but always asks for something.
  ASSERT_TRUE(query->for_keys(*keys, {0, 1, 2}, 1, 100, 1, taken).ok());
  EXPECT_EQ(taken, 1u);
}

TEST(AnswerCache, ForgetsTheLongestUnusedAndTheOld) {
  const auto batch = rows_of(id_schema(), "[[1],[1],[2],[3]]");
  AnswerCache cache(4, 100);
  cache.put("one", {batch, 0, 2}, 0);
  cache.put("two", {batch, 2, 1}, 10);
  cache.put("none", {}, 10);
  EXPECT_EQ(cache.rows(), 4);
  EXPECT_TRUE(cache.find("one", 50));
  cache.put("three", {batch, 3, 1}, 60);  // pushes out "two"
  EXPECT_FALSE(cache.find("two", 60));
  ASSERT_TRUE(cache.find("none", 60));
  EXPECT_EQ(cache.find("none", 60)->count, 0);
  EXPECT_FALSE(cache.find("one", 100));  // too old
  EXPECT_TRUE(cache.find("three", 159));
  cache.put("three", {}, 159);
  EXPECT_EQ(cache.find("three", 200)->count, 0);
  EXPECT_EQ(cache.rows(), 2);
}

}  // namespace
}  // namespace weir
