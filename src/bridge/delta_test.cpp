#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/io/file.h>
#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <arrow/type.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/objects.h"
#include "bridge/bridge.h"
#include "bridge/rows_for_test.h"

namespace {

// What this process made durable, by file name, and the name that a failing disk refuses.
std::vector<std::string> synced;
std::string sync_fails;

}  // namespace

// Stands before libc's.
extern "C" int fsync(int descriptor) {
  const std::filesystem::path link = "/proc/self/fd/" + std::to_string(descriptor);
  const std::string name = std::filesystem::read_symlink(link).filename();
  if (name == sync_fails) {
    errno = EIO;
    return -1;
  }
  synced.push_back(name);
  return static_cast<int>(syscall(SYS_fsync, descriptor));
}

namespace weir::bridge {
namespace {

namespace fs = std::filesystem;

std::shared_ptr<arrow::Schema> events_schema() {
  return arrow::schema(
      {arrow::field("id", arrow::int64(), false), arrow::field("text", arrow::utf8()),
       arrow::field("day", arrow::date32()), arrow::field("at", arrow::timestamp(arrow::TimeUnit::MICRO)),
       arrow::field("seen", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")),
       arrow::field("price", arrow::decimal128(12, 2)), arrow::field("tags", arrow::list(arrow::utf8()))});
}

std::string log_name(int64_t version) {
  char name[32];
  snprintf(name, sizeof name, "%020lld.json", static_cast<long long>(version));
  return name;
}

class DeltaTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "weir-delta-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    uri_ = (folder_ / "table").string();
    synced.clear();
  }
  void TearDown() override {
    sync_fails.clear();
    fs::remove_all(folder_);
  }

  std::unique_ptr<DeltaTable> create(const std::vector<std::string>& partition_by = {},
                                     std::shared_ptr<arrow::Schema> schema = events_schema()) {
    auto table = DeltaTable::create(uri_, {}, schema, partition_by, {});
    EXPECT_TRUE(table.ok()) << table.status().message();
    return *std::move(table);
  }
  std::unique_ptr<DeltaTable> open() {
    auto table = DeltaTable::open(uri_, {});
    EXPECT_TRUE(table.ok()) << table.status().message();
    return *std::move(table);
  }

  // Writes rows (without the partition columns) as a file of the table.
  AddFile file(const std::string& path, const std::shared_ptr<arrow::Schema>& schema,
               const std::vector<std::string>& lines) {
    auto batch = rows_of(schema, lines);
    batch = batch->RemoveColumn(batch->num_columns() - 1).ValueOrDie();
    fs::create_directories((fs::path(uri_) / path).parent_path());
    auto stream = arrow::io::FileOutputStream::Open((fs::path(uri_) / path).string()).ValueOrDie();
    auto table = arrow::Table::FromRecordBatches({batch}).ValueOrDie();
    EXPECT_TRUE(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), stream).ok());
    EXPECT_TRUE(stream->Close().ok());
    AddFile add;
    add.path = path;
    add.size = static_cast<int64_t>(fs::file_size(fs::path(uri_) / path));
    add.modified_ms = 1'700'000'000'000;
    add.stats_json = R"({"numRecords":)" + std::to_string(lines.size()) + "}";
    return add;
  }

  std::string log(int64_t version) {
    return *read_file((fs::path(uri_) / "_delta_log" / log_name(version)).string());
  }

  std::vector<std::string> select(const std::string& sql) {
    auto reader = query({{"", "events", uri_, {}}}, sql);
    EXPECT_TRUE(reader.ok()) << reader.status().message();
    std::vector<std::string> rows;
    if (!reader.ok()) return rows;
    std::shared_ptr<arrow::RecordBatch> batch;
    while ((*reader)->ReadNext(&batch).ok() && batch) {
      for (int64_t row = 0; row < batch->num_rows(); ++row)
        rows.push_back(text_of_row(*batch, row, batch->num_columns()));
    }
    return rows;
  }

  fs::path folder_;
  std::string uri_;
};

TEST_F(DeltaTest, OpenOfNothingIsNotFoundAndMakesNothing) {
  EXPECT_EQ(DeltaTable::open(uri_, {}).status().code(), Code::not_found);
  EXPECT_FALSE(fs::exists(uri_));
  fs::create_directories(uri_ + "/_delta_log");
  EXPECT_EQ(DeltaTable::open(uri_, {}).status().code(), Code::not_found);
}

TEST_F(DeltaTest, CreateThenOpen) {
  auto created = create({"day"});
  EXPECT_EQ(created->version(), 0);
  auto opened = open();
  EXPECT_EQ(opened->version(), 0);
  EXPECT_EQ(opened->partition_columns(), (std::vector<std::string>{"day"}));
  auto schema = opened->schema();
  ASSERT_TRUE(schema.ok());
  ASSERT_EQ((*schema)->num_fields(), events_schema()->num_fields());
  for (int i = 0; i < (*schema)->num_fields(); ++i) {
    EXPECT_EQ((*schema)->field(i)->name(), events_schema()->field(i)->name());
    EXPECT_EQ((*schema)->field(i)->nullable(), events_schema()->field(i)->nullable());
  }
  EXPECT_EQ((*schema)->field(1)->type()->id(), arrow::Type::STRING);
  EXPECT_EQ((*schema)->field(3)->type()->ToString(), "timestamp[us]");
  EXPECT_EQ((*schema)->field(4)->type()->ToString(), "timestamp[us, tz=UTC]");
  EXPECT_EQ((*schema)->field(5)->type()->ToString(), "decimal128(12, 2)");
  EXPECT_NE(log(0).find("timestampNtz"), std::string::npos);
}

TEST_F(DeltaTest, CreateTwiceIsAlreadyExists) {
  create();
  EXPECT_EQ(DeltaTable::create(uri_, {}, events_schema(), {}, {}).status().code(), Code::already_exists);
}

TEST_F(DeltaTest, CreateRefusesWhatDeltaLacks) {
  for (const auto& type :
       {arrow::time64(arrow::TimeUnit::MICRO), arrow::timestamp(arrow::TimeUnit::NANO), arrow::uint32()}) {
    auto table = DeltaTable::create(uri_, {}, arrow::schema({arrow::field("x", type)}), {}, {});
    EXPECT_EQ(table.status().code(), Code::invalid) << type->ToString();
    EXPECT_NE(table.status().message().find("'x'"), std::string::npos) << table.status().message();
  }
  EXPECT_EQ(DeltaTable::create(uri_, {}, events_schema(), {"nothere"}, {}).status().code(), Code::invalid);
}

TEST_F(DeltaTest, CreateKeepsProperties) {
  auto table = DeltaTable::create(uri_, {}, events_schema(), {},
                                  {{"delta.checkpoint.writeStatsAsJson", "true"}, {"weir.x", "y"}});
  ASSERT_TRUE(table.ok()) << table.status().message();
  EXPECT_NE(log(0).find("\"delta.checkpoint.writeStatsAsJson\":\"true\""), std::string::npos);
  EXPECT_NE(log(0).find("\"weir.x\":\"y\""), std::string::npos);
}

TEST_F(DeltaTest, CommitAddsFilesTransactionsAndInfo) {
  auto table = create();
  DeltaCommit commit;
  commit.adds = {
      file("part-1.parquet", events_schema(),
           {R"({"id":1,"text":"a","day":null,"at":null,"seen":null,"price":"1.50","tags":["t"]})"})};
  commit.transactions = {{"weir/p/s/0", 17}, {"weir/p/s/1", 4}, {"other", 1}};
  commit.info_json = R"({"weir":{"ranges":[1,2]}})";
  auto version = table->commit(commit);
  ASSERT_TRUE(version.ok()) << version.status().message();
  EXPECT_EQ(*version, 1);
  EXPECT_EQ(table->version(), 1);
  EXPECT_NE(log(1).find(R"("weir":{"ranges":[1,2]})"), std::string::npos) << log(1);
  EXPECT_NE(log(1).find(R"({"txn":{"appId":"weir/p/s/0","version":17}})"), std::string::npos) << log(1);
  for (auto* reader : {table.get(), open().release()}) {
    EXPECT_EQ(**reader->transaction_version("weir/p/s/0"), 17);
    EXPECT_FALSE(reader->transaction_version("weir/p/s")->has_value());
    EXPECT_EQ(*reader->transactions("weir/p/"),
              (std::map<std::string, int64_t>{{"weir/p/s/0", 17}, {"weir/p/s/1", 4}}));
    EXPECT_EQ(reader->transactions("")->size(), 3u);
    if (reader != table.get()) delete reader;
  }
  EXPECT_EQ(select("SELECT id, text, price, tags[1] AS t FROM events"),
            (std::vector<std::string>{"[1, \"a\", 1.50, \"t\"]"}));
}

TEST_F(DeltaTest, ALaterTransactionReplacesTheEarlier) {
  auto table = create();
  auto other = open();
  for (int64_t i = 1; i <= 3; ++i) {
    DeltaCommit commit;
    commit.transactions = {{"a", i * 10}};
    ASSERT_TRUE(table->commit(commit).ok());
    EXPECT_EQ(**table->transaction_version("a"), i * 10);
    ASSERT_TRUE(other->refresh().ok());
    EXPECT_EQ(other->version(), i);
    EXPECT_EQ(**other->transaction_version("a"), i * 10);
  }
}

TEST_F(DeltaTest, TheSecondOfTwoWritersHasAConflict) {
  auto first = create();
  auto second = open();
  DeltaCommit commit;
  commit.transactions = {{"a", 1}};
  ASSERT_TRUE(first->commit(commit).ok());
  auto lost = second->commit(commit);
  EXPECT_EQ(lost.status().code(), Code::conflict) << lost.status().message();
  EXPECT_EQ(second->version(), 0);
  ASSERT_TRUE(second->refresh().ok());
  auto won = second->commit(commit);
  ASSERT_TRUE(won.ok()) << won.status().message();
  EXPECT_EQ(*won, 2);
}

TEST_F(DeltaTest, PartitionValuesMayBeNull) {
  auto table = create({"day"});
  auto stored = events_schema()->RemoveField(2).ValueOrDie();
  DeltaCommit commit;
  commit.adds = {file("day=2024-01-02/a b.parquet", stored,
                      {R"({"id":1,"text":"x","at":null,"seen":null,"price":null,"tags":null})"}),
                 file("day=__HIVE_DEFAULT_PARTITION__/b.parquet", stored,
                      {R"({"id":2,"text":null,"at":null,"seen":null,"price":null,"tags":null})"})};
  commit.adds[0].partition_values = {{"day", "2024-01-02"}};
  commit.adds[1].partition_values = {{"day", std::nullopt}};
  ASSERT_TRUE(table->commit(commit).ok());
  EXPECT_EQ(select("SELECT id, day FROM events ORDER BY id"),
            (std::vector<std::string>{"[1, 2024-01-02]", "[2, null]"}));
  EXPECT_EQ(select("SELECT COUNT(*) AS n FROM events WHERE day = DATE '2024-01-02'"),
            (std::vector<std::string>{"[1]"}));
}

TEST_F(DeltaTest, SchemaGrowsByNullableColumns) {
  auto table = create({}, arrow::schema({arrow::field("id", arrow::int64())}));
  auto old_schema = arrow::schema({arrow::field("id", arrow::int64())});
  DeltaCommit commit;
  commit.adds = {file("1.parquet", old_schema, {R"({"id":1})"})};
  ASSERT_TRUE(table->commit(commit).ok());
  auto grown = arrow::schema({arrow::field("id", arrow::int64()), arrow::field("note", arrow::utf8()),
                              arrow::field("at", arrow::timestamp(arrow::TimeUnit::MICRO))});
  commit.adds = {file("2.parquet", grown, {R"({"id":2,"note":"n","at":null})"})};
  commit.new_schema = grown;
  auto version = table->commit(commit);
  ASSERT_TRUE(version.ok()) << version.status().message();
  EXPECT_EQ((*table->schema())->num_fields(), 3);
  EXPECT_NE(log(2).find("timestampNtz"), std::string::npos);
  EXPECT_EQ(select("SELECT id, note FROM events ORDER BY id"),
            (std::vector<std::string>{"[1, null]", "[2, \"n\"]"}));
}

TEST_F(DeltaTest, SchemaChangesOtherThanAddingAreRefused) {
  auto table = create({}, arrow::schema({arrow::field("id", arrow::int64())}));
  DeltaCommit commit;
  commit.new_schema = arrow::schema({arrow::field("id", arrow::utf8())});
  EXPECT_EQ(table->commit(commit).status().code(), Code::invalid);
  commit.new_schema =
      arrow::schema({arrow::field("id", arrow::int64()), arrow::field("x", arrow::int64(), false)});
  EXPECT_EQ(table->commit(commit).status().code(), Code::invalid);
  EXPECT_EQ(table->version(), 0);
}

TEST_F(DeltaTest, CheckpointsKeepTransactions) {
  auto table = create();
  for (int64_t i = 1; i <= 101; ++i) {
    DeltaCommit commit;
    commit.transactions = {{i == 7 ? "early" : "often", i}};
    ASSERT_TRUE(table->commit(commit).ok());
  }
  EXPECT_TRUE(fs::exists(fs::path(uri_) / "_delta_log" / "00000000000000000100.checkpoint.parquet"));
  EXPECT_TRUE(fs::exists(fs::path(uri_) / "_delta_log" / "00000000000000000000.json"));
  auto opened = open();
  EXPECT_EQ(*opened->transactions(""), (std::map<std::string, int64_t>{{"early", 7}, {"often", 101}}));
}

TEST_F(DeltaTest, CheckpointsAreDurable) {
  auto table = create();
  for (int64_t i = 1; i <= 100; ++i) {
    synced.clear();
    ASSERT_TRUE(table->commit({}).ok());
  }
  EXPECT_EQ(synced,
            (std::vector<std::string>{log_name(100), "_delta_log", "00000000000000000100.checkpoint.parquet",
                                      "_last_checkpoint", "_delta_log"}));
}

TEST_F(DeltaTest, ACheckpointThatMayNotBeDurableIsNone) {
  auto table = create();
  sync_fails = "00000000000000000100.checkpoint.parquet";
  for (int64_t i = 1; i <= 101; ++i) ASSERT_TRUE(table->commit({}).ok());
  EXPECT_FALSE(fs::exists(fs::path(uri_) / "_delta_log" / sync_fails));
  EXPECT_FALSE(fs::exists(fs::path(uri_) / "_delta_log" / "_last_checkpoint"));
  EXPECT_EQ(open()->version(), 101);
}

TEST_F(DeltaTest, AnUnreadableCheckpointIsPassedOver) {
  auto table = create();
  for (int64_t i = 1; i <= 201; ++i) {
    DeltaCommit commit;
    commit.transactions = {{i == 7 ? "early" : "often", i}};
    ASSERT_TRUE(table->commit(commit).ok());
  }
  // Opened before: the log's reader gives up on a _last_checkpoint whose file is empty.
  auto newest_gone = open(), both_gone = open(), nothing_left = open();
  const auto log = fs::path(uri_) / "_delta_log";
  const std::map<std::string, int64_t> expected = {{"early", 7}, {"often", 201}};
  // As a crash leaves it: a name without bytes.
  fs::resize_file(log / "00000000000000000200.checkpoint.parquet", 0);
  fs::remove(log / log_name(7));
  EXPECT_EQ(*newest_gone->transactions(""), expected);
  fs::resize_file(log / "00000000000000000100.checkpoint.parquet", 0);
  // Without the commits that the checkpoint held there is no answer, rather than a wrong one.
  const Status lost = nothing_left->transactions("").status();
  EXPECT_EQ(lost.code(), Code::invalid);
  EXPECT_NE(lost.message().find("200.checkpoint.parquet"), std::string::npos) << lost.message();
  std::ofstream(log / log_name(7)) << R"({"txn":{"appId":"early","version":7}})"
                                   << "\n";
  EXPECT_EQ(*both_gone->transactions(""), expected);
}

TEST_F(DeltaTest, CommitsOfAnUnknownOutcomeAreBelievedOnceDurable) {
  auto table = create();
  DeltaCommit commit;
  commit.transactions = {{"a", 1}};
  sync_fails = log_name(1);
  EXPECT_EQ(table->commit(commit).status().code(), Code::unavailable);
  EXPECT_EQ(table->refresh().code(), Code::unavailable);
  EXPECT_EQ(table->refresh().code(), Code::unavailable);
  EXPECT_EQ(DeltaTable::open(uri_, {}).status().code(), Code::unavailable);
  sync_fails.clear();
  synced.clear();
  ASSERT_TRUE(table->refresh().ok());
  EXPECT_EQ(synced, (std::vector<std::string>{log_name(1), "_delta_log"}));
  EXPECT_EQ(**table->transaction_version("a"), 1);
  ASSERT_TRUE(table->refresh().ok());
  EXPECT_EQ(synced.size(), 2u) << "once a version";
}

TEST_F(DeltaTest, VersionsOfOthersAreMadeDurableToo) {
  auto table = create();
  auto other = open();
  ASSERT_TRUE(other->commit({}).ok());
  ASSERT_TRUE(other->commit({}).ok());
  synced.clear();
  ASSERT_TRUE(table->refresh().ok());
  EXPECT_EQ(synced, (std::vector<std::string>{log_name(1), log_name(2), "_delta_log"}));
  synced.clear();
  open();
  EXPECT_EQ(synced, (std::vector<std::string>{log_name(2), "_delta_log"}));
}

TEST_F(DeltaTest, QueriesReachErrorTablesAndRefuseWrites) {
  create();
  auto reader = query({{"errors", "orders", uri_, {}}}, "SELECT COUNT(*) AS n FROM errors.orders");
  ASSERT_TRUE(reader.ok()) << reader.status().message();
  std::shared_ptr<arrow::RecordBatch> batch;
  ASSERT_TRUE((*reader)->ReadNext(&batch).ok());
  EXPECT_EQ(text_of_row(*batch, 0, 1), "[0]");
  EXPECT_EQ(query({}, "CREATE TABLE x (a INT)").status().code(), Code::invalid);
  EXPECT_EQ(query({}, "COPY (SELECT 1) TO 'x.parquet'").status().code(), Code::invalid);
  auto bad = query({{"", "events", uri_, {}}}, "SELECT idd FROM events");
  EXPECT_EQ(bad.status().message(), "line 1, column 8: there is no column 'idd'. Did you mean 'id'?");
  EXPECT_EQ(query({{"", "x", uri_ + "-absent", {}}}, "SELECT * FROM x").status().code(), Code::not_found);
}

TEST_F(DeltaTest, QueryTypesArePlain) {
  auto table = create();
  DeltaCommit commit;
  commit.adds = {file("1.parquet", events_schema(),
                      {R"({"id":1,"text":"a","day":null,"at":null,"seen":null,"price":null,"tags":["t"]})"})};
  ASSERT_TRUE(table->commit(commit).ok());
  auto reader = query({{"", "events", uri_, {}}}, "SELECT text, UPPER(text) AS u, tags FROM events");
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ((*reader)->schema()->field(0)->type()->id(), arrow::Type::STRING);
  EXPECT_EQ((*reader)->schema()->field(1)->type()->id(), arrow::Type::STRING);
  std::shared_ptr<arrow::RecordBatch> batch;
  ASSERT_TRUE((*reader)->ReadNext(&batch).ok());
  EXPECT_TRUE(batch->ValidateFull().ok());
  EXPECT_EQ(text_of_row(*batch, 0, 2), "[\"a\", \"A\"]");
}

TEST(StorageOptions, GivenValuesWin) {
  auto options =
      storage_options({{"endpoint", "http://localhost:9000"}, {"access-key", "k"}, {"secret-key", "s"}});
  EXPECT_EQ(options["aws_endpoint"], "http://localhost:9000");
  EXPECT_EQ(options["aws_access_key_id"], "k");
  EXPECT_EQ(options["aws_virtual_hosted_style_request"], "false");
  EXPECT_FALSE(options["aws_region"].empty());
  EXPECT_EQ(storage_options(
                {{"endpoint", "http://x"}, {"path-style", "false"}})["aws_virtual_hosted_style_request"],
            "true");
}

TEST(S3Objects, RefusesOtherUris) {
  EXPECT_EQ(open_s3_objects("file:///x", {}).status().code(), Code::invalid);
  EXPECT_EQ(open_s3_objects("not a uri", {}).status().code(), Code::invalid);
  EXPECT_EQ(open_s3_objects("s3://", {}).status().code(), Code::invalid);
}

TEST(S3Objects, ADeadServerIsUnavailableWithoutSecrets) {
  auto store = open_s3_objects("s3://bucket/x", storage_options({{"endpoint", "http://127.0.0.1:1"},
                                                                 {"access-key", "KEYNAME"},
                                                                 {"secret-key", "SECRET"}}));
  ASSERT_TRUE(store.ok()) << store.status().message();
  const Status status = (*store)->put("a", "b");
  EXPECT_EQ(status.code(), Code::unavailable) << status.message();
  EXPECT_EQ(status.message().find("SECRET"), std::string::npos) << status.message();
  EXPECT_EQ(status.message().find("KEYNAME"), std::string::npos) << status.message();
}

}  // namespace
}  // namespace weir::bridge
