#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "base/environment.h"
#include "sinks/delta/changed_rows.h"
#include "sinks/delta/delta_connector.h"
#include "sinks/delta/delta_sink.h"
#include "sinks/delta/key_ranges.h"
#include "sinks/delta/unlucky_table_test.h"

namespace weir {
namespace {

constexpr const char* kApp = "weir/p/totals";

struct Row {
  int64_t id = 0;
  std::string region;
  std::string day;
  std::optional<int64_t> amount;
};
using Model = std::map<std::pair<int64_t, std::string>, Row>;

// A small generator, the same on every machine.
class Dice {
 public:
  explicit Dice(uint64_t seed) : state_(seed) {}
  int64_t below(int64_t bound) {
    state_ = state_ * 6364136223846793005 + 1442695040888963407;
    return static_cast<int64_t>((state_ >> 33) % static_cast<uint64_t>(bound));
  }

 private:
  uint64_t state_;
};

class DeltaChangelogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("weir-merge-" + random_hex_id());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static std::shared_ptr<arrow::Schema> schema() {
    return arrow::schema({arrow::field("id", arrow::int64()), arrow::field("region", arrow::utf8()),
                          arrow::field("day", arrow::utf8()), arrow::field("amount", arrow::int64())});
  }
  DeltaSinkSettings settings() {
    DeltaSinkSettings settings;
    settings.pipeline = "p";
    settings.table = "totals";
    settings.uri = folder_.string();
    settings.schema = schema();
    settings.changelog_key = {"id", "region"};
    settings.clock = &clock_;
    settings.max_attempts = 5;
    return settings;
  }
  std::unique_ptr<DeltaSink> sink(DeltaSinkSettings settings) {
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
    auto made = std::make_unique<DeltaSink>(std::move(settings), std::move(access));
    // The first time a table is made; the second it is opened through the unlucky handle.
    for (int i = 0; i < 2; ++i) {
      auto opened = made->open("weir/p/");
      EXPECT_TRUE(opened.ok()) << opened.status().message();
    }
    return made;
  }

  struct Change {
    Row row;
    int weight = 1;
  };
  // Offsets run on from batch to batch.
  std::shared_ptr<arrow::RecordBatch> batch(const std::vector<Change>& changes) {
    arrow::Int64Builder ids, amounts, offsets;
    arrow::StringBuilder regions, days, partitions;
    arrow::Int8Builder weights;
    for (const Change& change : changes) {
      EXPECT_TRUE(ids.Append(change.row.id).ok() && regions.Append(change.row.region).ok() &&
                  days.Append(change.row.day).ok() && partitions.Append("out:totals").ok() &&
                  offsets.Append(offset_++).ok() && weights.Append(static_cast<int8_t>(change.weight)).ok() &&
                  (change.row.amount ? amounts.Append(*change.row.amount) : amounts.AppendNull()).ok());
    }
    arrow::ArrayVector columns = {*ids.Finish(),     *regions.Finish(),    *days.Finish(),
                                  *amounts.Finish(), *partitions.Finish(), *offsets.Finish(),
                                  *weights.Finish()};
    auto fields = schema()->fields();
    fields.push_back(arrow::field(kPartitionColumn, arrow::utf8()));
    fields.push_back(arrow::field(kOffsetColumn, arrow::int64()));
    fields.push_back(arrow::field(kWeightColumn, arrow::int8(), false));
    return arrow::RecordBatch::Make(arrow::schema(fields), static_cast<int64_t>(changes.size()), columns);
  }

  // Random changes to `model` as a changelog tells them: -1 the row as it was, +1 as it is.
  std::vector<Change> changes(Dice& dice, Model& model, int count, int64_t keys) {
    std::vector<Change> out;
    for (int i = 0; i < count; ++i) {
      Row row{dice.below(keys), dice.below(2) ? "eu" : "us", "d" + std::to_string(dice.below(3)),
              dice.below(9) ? std::optional(dice.below(1'000'000)) : std::nullopt};
      const auto key = std::pair(row.id, row.region);
      const auto known = model.find(key);
      if (known != model.end()) out.push_back({known->second, -1});
      if (known != model.end() && dice.below(4) == 0) {
        model.erase(known);
        continue;
      }
      out.push_back({row, 1});
      model[key] = row;
    }
    return out;
  }

  std::string persisted(DeltaSink& sink, const std::vector<Change>& changes) {
    for (size_t at = 0; at < changes.size(); at += 50) {
      const auto end = std::min(at + 50, changes.size());
      const Status appended = sink.append(batch(
          {changes.begin() + static_cast<ptrdiff_t>(at), changes.begin() + static_cast<ptrdiff_t>(end)}));
      EXPECT_TRUE(appended.ok()) << appended.message();
    }
    auto sealed = sink.seal();
    EXPECT_TRUE(sealed.ok()) << sealed.status().message();
    auto handle = sink.persist(**sealed);
    EXPECT_TRUE(handle.ok());
    return *handle;
  }
  bool commit(DeltaSink& sink, const std::string& handle, int64_t epoch) {
    auto done = sink.commit_persisted(handle, kApp, epoch, "{}");
    EXPECT_TRUE(done.ok()) << done.status().message();
    return done.ok() && *done;
  }

  void expect_table(const Model& model) {
    auto reader = bridge::query({{"", "t", folder_.string(), {}}},
                                "SELECT id, region, day, amount FROM t ORDER BY id, region");
    ASSERT_TRUE(reader.ok()) << reader.status().message();
    auto table = (*reader)->ToTable();
    ASSERT_TRUE(table.ok()) << table.status().ToString();
    std::vector<std::string> found, expected;
    for (int64_t row = 0; row < (*table)->num_rows(); ++row) {
      std::string line;
      for (const auto& column : (*table)->columns()) line += (*column->GetScalar(row))->ToString() + " ";
      found.push_back(line);
    }
    for (const auto& [_, row] : model) {
      expected.push_back(std::to_string(row.id) + " " + row.region + " " + row.day + " " +
                         (row.amount ? std::to_string(*row.amount) : "null") + " ");
    }
    EXPECT_EQ(found, expected);
  }
  nlohmann::json last_commit_info() {
    std::filesystem::path newest;
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / "_delta_log")) {
      if (entry.path().extension() == ".json" && entry.path() > newest) newest = entry.path();
    }
    auto text = read_file(newest.string());
    EXPECT_TRUE(text.ok());
    size_t at = 0;
    while (at < text->size()) {
      const size_t end = std::min(text->find('\n', at), text->size());
      auto action = nlohmann::json::parse(text->substr(at, end - at), nullptr, false);
      if (action.is_object() && action.contains("commitInfo")) return action["commitInfo"];
      at = end + 1;
    }
    return {};
  }
  size_t staged_keys() {
    size_t count = 0;
    if (!std::filesystem::exists(folder_ / "_weir_changes")) return 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / "_weir_changes"))
      count += entry.is_regular_file() ? 1 : 0;
    return count;
  }

  std::filesystem::path folder_;
  ManualClock clock_{1'700'000'000'000'000};
  std::vector<Fate> fates_;
  std::function<void()> rival_ = [] {};
  int64_t offset_ = 0;
};

TEST_F(DeltaChangelogTest, ManyEpochsAreTheModel) {
  for (const bool partitioned : {false, true}) {
    std::filesystem::remove_all(folder_);
    auto with = settings();
    if (partitioned) with.partition_by = {"day"};
    auto lake = sink(with);
    Dice dice(7);
    Model model;
    for (int64_t epoch = 1; epoch <= 6; ++epoch) {
      const auto handle = persisted(*lake, changes(dice, model, 300, 200));
      EXPECT_TRUE(commit(*lake, handle, epoch));
      expect_table(model);
    }
    EXPECT_EQ(staged_keys(), 0u);
    const auto info = last_commit_info();
    EXPECT_EQ(info["operation"], "MERGE");
    EXPECT_GT(info["weir"]["merge"]["rows_removed"].get<int64_t>(), 0);
    EXPECT_EQ(info["weir"]["transaction"]["version"], 6);
  }
}

TEST_F(DeltaChangelogTest, PartitionIsPartOfTheKey) {
  auto with = settings();
  with.partition_by = {"region"};
  auto lake = sink(with);
  Dice dice(11);
  Model model;
  for (int64_t epoch = 1; epoch <= 4; ++epoch) {
    const auto handle = persisted(*lake, changes(dice, model, 100, 40));
    EXPECT_TRUE(commit(*lake, handle, epoch));
    expect_table(model);
  }
  // An empty text is NULL as a partition's value, and is found again all the same.
  for (int64_t epoch = 5; epoch <= 6; ++epoch) {
    const Row row{1, "", "d0", epoch};
    EXPECT_TRUE(commit(*lake, persisted(*lake, {{row, 1}}), epoch));
  }
  auto reader = bridge::query({{"", "t", folder_.string(), {}}},
                              "SELECT count(*) FROM t WHERE region IS NULL OR region = ''");
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ((*(*reader)->ToTable())->column(0)->GetScalar(0).ValueOrDie()->ToString(), "1");
}

TEST_F(DeltaChangelogTest, SameHandleTwice) {
  auto lake = sink(settings());
  Dice dice(3);
  Model model;
  const auto first = persisted(*lake, changes(dice, model, 50, 30));
  EXPECT_TRUE(commit(*lake, first, 1));
  const auto second = persisted(*lake, changes(dice, model, 50, 30));
  EXPECT_TRUE(commit(*lake, second, 2));
  EXPECT_FALSE(commit(*lake, second, 2));
  EXPECT_FALSE(commit(*lake, first, 1));
  expect_table(model);
}

TEST_F(DeltaChangelogTest, CrashBetweenPersistAndCommit) {
  Dice dice(5);
  Model model;
  std::string handle;
  {
    auto lake = sink(settings());
    EXPECT_TRUE(commit(*lake, persisted(*lake, changes(dice, model, 80, 50)), 1));
    handle = persisted(*lake, changes(dice, model, 80, 50));
    persisted(*lake, {{{1, "eu", "d0", 1}, 1}});  // of an epoch whose manifest was never written
  }
  auto lake = sink(settings());
  EXPECT_TRUE(commit(*lake, handle, 2));
  EXPECT_FALSE(commit(*lake, handle, 2));
  expect_table(model);
}

TEST_F(DeltaChangelogTest, LostAnswersAndRivalWriters) {
  auto lake = sink(settings());
  auto other = sink(settings());
  Dice dice(9);
  Model model;
  fates_ = {Fate::answer_lost};
  commit(*lake, persisted(*lake, changes(dice, model, 60, 40)), 1);
  expect_table(model);
  fates_ = {Fate::request_lost, Fate::answer_lost};
  commit(*lake, persisted(*lake, changes(dice, model, 60, 40)), 2);
  expect_table(model);
  // Another process finishes the same epoch first: recovery after a crash that was none.
  auto handle = persisted(*lake, changes(dice, model, 60, 40));
  rival_ = [&] { EXPECT_TRUE(commit(*other, handle, 3)); };
  fates_ = {Fate::beaten};
  EXPECT_FALSE(commit(*lake, handle, 3));
  expect_table(model);
  // A rival of another pipeline adds a file in between.
  const Row foreign{1000, "eu", "d0", 1};
  handle = persisted(*lake, changes(dice, model, 60, 40));
  const auto rivals = persisted(*other, {{foreign, 1}});
  rival_ = [&] {
    auto done = other->commit_persisted(rivals, "weir/other/totals", 1, "{}");
    EXPECT_TRUE(done.ok() && *done);
  };
  fates_ = {Fate::beaten};
  EXPECT_TRUE(commit(*lake, handle, 4));
  model[{1000, "eu"}] = foreign;
  expect_table(model);
}

TEST_F(DeltaChangelogTest, RivalRewroteTheSameFile) {
  auto lake = sink(settings());
  auto other = sink(settings());
  EXPECT_TRUE(commit(*lake, persisted(*lake, {{{1, "a", "d", 1}, 1}, {{2, "a", "d", 1}, 1}}), 1));
  const auto mine = persisted(*lake, {{{1, "a", "d", 2}, 1}});
  const auto rivals = persisted(*other, {{{2, "a", "d", 2}, 1}});
  rival_ = [&] { EXPECT_TRUE(other->commit_persisted(rivals, "weir/other/totals", 1, "{}").ok()); };
  fates_ = {Fate::beaten};
  EXPECT_TRUE(commit(*lake, mine, 2));
  expect_table({{{1, "a"}, {1, "a", "d", 2}}, {{2, "a"}, {2, "a", "d", 2}}});
}

TEST_F(DeltaChangelogTest, PositionsOfASourceComeWithTheMerge) {
  auto lake = sink(settings());
  Dice dice(13);
  Model model;
  int64_t from = 0;
  for (int cut = 0; cut < 3; ++cut) {
    ASSERT_TRUE(lake->append(batch(changes(dice, model, 40, 25))).ok());
    auto sealed = lake->seal();
    ASSERT_TRUE(sealed.ok());
    CommitRequest request;
    request.ranges = {{"weir/p/s/0", from, offset_}};
    request.authority = true;
    if (cut == 1) fates_ = {Fate::answer_lost};
    ASSERT_TRUE(lake->commit(**sealed, request).ok());
    from = offset_;
    expect_table(model);
  }
  EXPECT_EQ((*lake->open("weir/p/"))["weir/p/s/0"], offset_);
}

TEST_F(DeltaChangelogTest, ReplayOfASourceIsRefused) {
  auto lake = sink(settings());
  const auto handle = persisted(*lake, {{{1, "a", "d", 1}, 1}});
  auto done = lake->commit_persisted(handle, "weir/p/s/_replay", 1, "{}");
  EXPECT_EQ(done.status().code(), Code::invalid);
  expect_table({});
}

TEST_F(DeltaChangelogTest, AnEpochWithoutChangesIsRemembered) {
  auto lake = sink(settings());
  const auto handle = persisted(*lake, {});
  EXPECT_TRUE(commit(*lake, handle, 1));
  EXPECT_FALSE(commit(*lake, handle, 1));
  // What comes and goes within an epoch leaves nothing.
  EXPECT_TRUE(commit(*lake, persisted(*lake, {{{1, "a", "d", 1}, 1}, {{1, "a", "d", 1}, -1}}), 2));
  expect_table({});
}

TEST_F(DeltaChangelogTest, OnlyFilesThatMayHoldAKeyAreRead) {
  auto lake = sink(settings());
  std::vector<Change> low, high;
  for (int64_t id = 0; id < 100; ++id) {
    low.push_back({{id, "a", "d", id}, 1});
    high.push_back({{1000 + id, "a", "d", id}, 1});
  }
  EXPECT_TRUE(commit(*lake, persisted(*lake, low), 1));
  EXPECT_TRUE(commit(*lake, persisted(*lake, high), 2));
  EXPECT_EQ(last_commit_info()["weir"]["merge"]["files_read"], 0);
  EXPECT_TRUE(commit(*lake, persisted(*lake, {{{5, "a", "d", 1}, -1}}), 3));
  const auto merge = last_commit_info()["weir"]["merge"];
  EXPECT_EQ(merge["files_read"], 1);
  EXPECT_EQ(merge["files_removed"], 1);
  EXPECT_EQ(merge["rows_removed"], 1);
  EXPECT_EQ(merge["rows_copied"], 99);
  EXPECT_EQ(merge["deletes"], 1);
}

TEST_F(DeltaChangelogTest, ColumnsAddedLaterStayNullInCopiedRows) {
  {
    auto lake = sink(settings());
    EXPECT_TRUE(commit(*lake, persisted(*lake, {{{1, "a", "d", 1}, 1}, {{2, "a", "d", 2}, 1}}), 1));
  }
  auto wider = settings();
  wider.schema = *schema()->AddField(4, arrow::field("note", arrow::utf8()));
  sink(wider);  // the column is there now
  auto lake = sink(settings());
  EXPECT_TRUE(commit(*lake, persisted(*lake, {{{1, "a", "d", 10}, 1}}), 2));
  expect_table({{{1, "a"}, {1, "a", "d", 10}}, {{2, "a"}, {2, "a", "d", 2}}});
}

TEST_F(DeltaChangelogTest, NullKeyIsRefusedWithWords) {
  auto lake = sink(settings());
  auto rows = batch({{{1, "a", "d", 1}, 1}});
  auto nulls = arrow::MakeArrayOfNull(arrow::utf8(), 1).ValueOrDie();
  rows = rows->SetColumn(1, arrow::field("region", arrow::utf8()), nulls).ValueOrDie();
  const Status status = lake->append(rows);
  EXPECT_EQ(status.code(), Code::invalid);
  EXPECT_NE(status.message().find("region IS NOT NULL"), std::string::npos) << status.message();
}

TEST_F(DeltaChangelogTest, TablesThatCannotBeRewrittenAreRefused) {
  auto table = bridge::DeltaTable::create(folder_.string(), {}, schema(), {},
                                          {{"delta.enableChangeDataFeed", "true"}});
  ASSERT_TRUE(table.ok()) << table.status().message();
  DeltaAccess access;
  access.open = [](const std::string& uri) { return bridge::DeltaTable::open(uri, {}); };
  access.objects = [](const std::string& uri) { return open_local_objects(uri); };
  auto with = settings();
  with.positions = false;
  const Status status = DeltaSink(with, access).check_table();
  EXPECT_EQ(status.code(), Code::invalid);
  EXPECT_NE(status.message().find("change data feed"), std::string::npos) << status.message();
  with.changelog_key.clear();
  EXPECT_TRUE(DeltaSink(with, access).check_table().ok());
}

TEST_F(DeltaChangelogTest, TheLastChangeOfAKeyCounts) {
  auto columns = KeyColumns::create("t", *schema(), {"id"});
  ASSERT_TRUE(columns.ok());
  auto changed = ChangedRows::create(*columns);
  ASSERT_TRUE(changed.ok());
  auto add = [&](const std::vector<Change>& changes, const std::vector<int64_t>& offsets) {
    auto rows = batch(changes);
    arrow::Int64Builder builder;
    EXPECT_TRUE(builder.AppendValues(offsets).ok());
    auto at = builder.Finish().ValueOrDie();
    auto visible = rows->RemoveColumn(6).ValueOrDie()->RemoveColumn(5).ValueOrDie();
    EXPECT_TRUE((*changed)->append(visible->RemoveColumn(4).ValueOrDie(), *at, rows->column(6).get()).ok());
  };
  // 1: the retraction of a branch comes after the insertion of the other, at one offset.
  add({{{1, "a", "d", 10}, 1}, {{2, "a", "d", 20}, 1}, {{3, "a", "d", 30}, 1}}, {7, 5, 5});
  add({{{1, "a", "d", 1}, -1}, {{2, "a", "d", 2}, 1}, {{3, "a", "d", 30}, -1}}, {7, 4, 9});
  auto net = (*changed)->take();
  ASSERT_TRUE(net.ok());
  EXPECT_EQ(net->deletes, 1);
  EXPECT_EQ(net->keys->num_rows(), 3);
  ASSERT_EQ(net->upserts.size(), 1u);
  ASSERT_EQ(net->upserts[0]->num_rows(), 2);
  EXPECT_EQ(net->upserts[0]->GetColumnByName("amount")->GetScalar(0).ValueOrDie()->ToString(), "10");
  EXPECT_EQ(net->upserts[0]->GetColumnByName("amount")->GetScalar(1).ValueOrDie()->ToString(), "20");
  EXPECT_TRUE((*changed)->empty());
}

TEST_F(DeltaChangelogTest, OvertakenRowsAreLetGo) {
  auto columns = KeyColumns::create("t", *schema(), {"id"});
  auto changed = ChangedRows::create(*columns);
  const std::string wide(1 << 20, 'x');
  for (int64_t i = 0; i < 200; ++i) {
    auto rows = batch({{{i % 3, wide, "d", i}, 1}});
    auto offsets = rows->column(5);
    auto visible = rows->RemoveColumn(6).ValueOrDie()->RemoveColumn(5).ValueOrDie();
    ASSERT_TRUE((*changed)->append(visible->RemoveColumn(4).ValueOrDie(), *offsets, nullptr).ok());
    ASSERT_LT((*changed)->bytes(), 48 << 20);
  }
  auto net = (*changed)->take();
  ASSERT_TRUE(net.ok());
  std::map<std::string, std::string> found;
  for (const auto& rows : net->upserts) {
    for (int64_t i = 0; i < rows->num_rows(); ++i) {
      found[rows->column(0)->GetScalar(i).ValueOrDie()->ToString()] =
          rows->GetColumnByName("amount")->GetScalar(i).ValueOrDie()->ToString();
    }
  }
  EXPECT_EQ(found, (std::map<std::string, std::string>{{"0", "198"}, {"1", "199"}, {"2", "197"}}));
}

std::shared_ptr<arrow::Array> timestamps(const std::vector<int64_t>& values) {
  arrow::TimestampBuilder builder(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"),
                                  arrow::default_memory_pool());
  EXPECT_TRUE(builder.AppendValues(values).ok());
  return *builder.Finish();
}

TEST(KeyRanges, StatisticsTellWhichFilesCannotHoldAKey) {
  arrow::StringBuilder texts;
  ASSERT_TRUE(texts.AppendValues({"b", "x"}).ok());
  auto names = *texts.Finish();
  auto keys = arrow::RecordBatch::Make(
      arrow::schema({arrow::field("at", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")),
                     arrow::field("name", arrow::utf8())}),
      2, {timestamps({1'700'000'000'500'000, 1'700'000'100'000'000}), names});
  const KeyRanges ranges(*keys);
  auto file = [](const std::string& low_at, const std::string& high_at, const std::string& low,
                 const std::string& high) {
    bridge::AddFile file;
    file.stats_json = nlohmann::json({{"numRecords", 1},
                                      {"minValues", {{"at", low_at}, {"name", low}}},
                                      {"maxValues", {{"at", high_at}, {"name", high}}}})
                          .dump();
    return file;
  };
  // 1'700'000'000 is 2023-11-14T22:13:20Z. Bounds of another precision still hold what lies in their second.
  EXPECT_TRUE(ranges.may_hold(file("2023-11-14T22:13:20.9Z", "2023-11-14T22:13:20Z", "a", "c")));
  EXPECT_TRUE(ranges.may_hold(file("2023-11-14 22:13:20", "2023-11-14 22:13:21", "a", "c")));
  EXPECT_FALSE(ranges.may_hold(file("2023-11-14T22:13:21Z", "2023-11-14T22:14:59Z", "a", "z")));
  EXPECT_FALSE(ranges.may_hold(file("2023-11-14T22:13:20Z", "2023-11-14T22:13:21Z", "c", "w")));
  EXPECT_TRUE(ranges.may_hold(file("2023-11-14T22:13:21+02:00", "2023-11-14T22:14:59+02:00", "a", "z")));
  EXPECT_TRUE(ranges.may_hold(bridge::AddFile()));
  bridge::AddFile partitioned;
  partitioned.partition_values = {{"name", "b"}};
  EXPECT_TRUE(ranges.may_hold(partitioned));
  partitioned.partition_values = {{"name", "c"}};
  EXPECT_FALSE(ranges.may_hold(partitioned));
  partitioned.partition_values = {{"name", std::nullopt}};
  EXPECT_FALSE(ranges.may_hold(partitioned));
}

}  // namespace
}  // namespace weir
