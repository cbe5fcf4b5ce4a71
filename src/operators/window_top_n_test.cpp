#include <algorithm>
#include <map>
#include <random>
#include <tuple>

#include "operators/operator_trial.h"

namespace weir {
namespace {

constexpr int64_t kMs = 1000;

TrialRow row(int64_t id, std::optional<int64_t> key, std::optional<std::string> name, int64_t start_ms,
             int64_t end_ms) {
  return {key, std::move(name), 0, start_ms, end_ms, id};
}

Trial top_trial(std::vector<SortColumn> order, int64_t limit, bool with_rank = true) {
  Trial trial(NodeKind::window_top_n, 1);
  PlanNode& node = trial.node();
  node.order = std::move(order);
  node.limit = limit;
  node.with_rank = with_rank;
  auto fields = node.schema->fields();
  if (with_rank) fields.push_back(arrow::field("rank", arrow::int64(), false));
  node.schema = arrow::schema(fields);
  return trial;
}

// (id, rank) in the order in which they came.
std::vector<std::pair<int64_t, int64_t>> ranked(const TrialOutput& out) {
  std::vector<std::pair<int64_t, int64_t>> rows;
  for (size_t b = 0; b < out.batches.size(); ++b) {
    for (int64_t i = 0; i < out.batches[b]->num_rows(); ++i) {
      rows.emplace_back(out.value(b, kId, i), out.value(b, kTrialColumns, i));
    }
  }
  return rows;
}
using Ranked = std::vector<std::pair<int64_t, int64_t>>;

TEST(WindowTopN, KeepsTheFirstOfEachWindowInOrder) {
  Trial trial = top_trial({{kKey, true, false}}, 2);
  auto top = trial.make();
  TrialOutput out;
  ASSERT_TRUE(top->process(0,
                           trial_batch({row(1, 5, "a", 0, 10), row(2, 9, "a", 0, 10), row(3, 7, "a", 10, 20),
                                        row(4, 9, "a", 0, 10), row(5, std::nullopt, "a", 10, 20)}),
                           out)
                  .ok());
  EXPECT_EQ(top->state_keys(), 2);
  EXPECT_GT(top->state_bytes(), 0);
  ASSERT_TRUE(top->advance(9 * kMs - 1, out).ok());
  EXPECT_TRUE(out.batches.empty());
  ASSERT_TRUE(top->advance(9 * kMs, out).ok());
  EXPECT_EQ(ranked(out), (Ranked{{2, 1}, {4, 2}}));  // equal: the one that came first
  ASSERT_TRUE(top->process(0, trial_batch({row(6, 7, "a", 10, 20), row(7, 7, "a", 10, 20)}), out).ok());
  ASSERT_TRUE(top->advance(kFinalWatermark, out).ok());
  EXPECT_EQ(ranked(out), (Ranked{{2, 1}, {4, 2}, {3, 1}, {6, 2}}));
  EXPECT_EQ(top->state_keys(), 0);
  EXPECT_EQ(top->state_bytes(), 0);
}

TEST(WindowTopN, PartitionsAndNulls) {
  Trial trial = top_trial({{kName, false, true}, {kKey, true, true}}, 1, false);
  trial.node().keys = {kKey};
  auto top = trial.make();
  TrialOutput out;
  ASSERT_TRUE(top->process(0,
                           trial_batch({row(1, 1, "b", 0, 10), row(2, 1, "ab", 0, 10), row(3, 2, "x", 0, 10),
                                        row(4, 2, std::nullopt, 0, 10), row(5, std::nullopt, "z", 0, 10),
                                        row(6, std::nullopt, "", 0, 10)}),
                           out)
                  .ok());
  ASSERT_TRUE(top->advance(10 * kMs, out).ok());
  ASSERT_EQ(out.batches.size(), 1u);
  EXPECT_EQ(out.batches[0]->num_columns(), kTrialColumns);
  std::vector<int64_t> ids;
  for (int64_t i = 0; i < out.batches[0]->num_rows(); ++i) ids.push_back(out.value(0, kId, i));
  EXPECT_EQ(ids, (std::vector<int64_t>{2, 4, 6}));
}

TEST(WindowTopN, KeepsCandidatesOnly) {
  Trial trial = top_trial({{kKey, true, false}}, 10);
  auto top = trial.make();
  TrialOutput out;
  int64_t most = 0;
  for (int64_t batch = 0; batch < 200; ++batch) {
    std::vector<TrialRow> rows;
    for (int64_t i = 0; i < 4000; ++i) rows.push_back(row(batch * 4000 + i, batch * 4000 + i, "a", 0, 10));
    ASSERT_TRUE(top->process(0, trial_batch(rows), out).ok());
    most = std::max(most, top->state_bytes());
  }
  EXPECT_LT(most, 1'000'000);  // one batch is 200 KB, all of them 40 MB
  ASSERT_TRUE(top->advance(kFinalWatermark, out).ok());
  Ranked expected;
  for (int64_t rank = 1; rank <= 10; ++rank) expected.emplace_back(800'000 - rank, rank);
  EXPECT_EQ(ranked(out), expected);
}

TEST(WindowTopN, RefusesWhatHasNoOrder) {
  Trial trial = top_trial({{kKey, true, false}}, 1);
  trial.plan.graph[0].schema = arrow::schema({arrow::field("tags", arrow::list(arrow::utf8()))});
  trial.context.node = &trial.node();
  trial.context.plan = &trial.plan;
  auto made = create_operator(trial.context);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.status().code(), Code::invalid);
  EXPECT_NE(made.status().message().find("'tags'"), std::string::npos);
}

// ---- random runs against a sort

class TopRun {
 public:
  explicit TopRun(uint32_t seed) : random_(seed), trial_(top_trial({}, 1)) {
    PlanNode& node = trial_.node();
    bool descending = pick(2), nulls_first = pick(2);
    const std::vector<std::vector<int>> orders = {{kKey}, {kName}, {kKey, kName}, {kName, kKey}, {kId}};
    for (int column : orders[pick(5)]) node.order.push_back({column, descending, nulls_first});
    const std::vector<std::vector<int>> partitions = {{}, {kKey}, {kName}};
    node.keys = partitions[pick(3)];
    node.limit = 1 + pick(pick(2) == 0 ? 4 : 300);
    trial_.context.batch_rows = 1 + pick(50);
  }

  void run() {
    auto top = trial_.make();
    int64_t restore_at = pick(30), watermark_ms = 0;
    for (int64_t step = 0; step < 30; ++step) {
      if (step == restore_at) {
        auto snapshot = top->snapshot();
        ASSERT_TRUE(snapshot.ok());
        TrialOutput ignored;
        ASSERT_TRUE(top->process(0, trial_batch(make_rows(watermark_ms)), ignored).ok());
        ASSERT_TRUE(top->advance((watermark_ms + 60) * kMs, ignored).ok());
        top = trial_.restored(**snapshot);
      }
      auto rows = make_rows(watermark_ms);
      ASSERT_TRUE(top->process(0, trial_batch(rows), out_).ok());
      all_.insert(all_.end(), rows.begin(), rows.end());
      if (pick(3) != 0) continue;
      watermark_ms += pick(40);
      ASSERT_TRUE(top->advance(watermark_ms * kMs, out_).ok());
    }
    ASSERT_TRUE(top->advance(kFinalWatermark, out_).ok());
    EXPECT_EQ(top->state_keys(), 0);
    EXPECT_LE(out_.largest(), trial_.context.batch_rows);
    check();
  }

 private:
  int64_t pick(int64_t below) { return std::uniform_int_distribution<int64_t>(0, below - 1)(random_); }

  std::vector<TrialRow> make_rows(int64_t watermark_ms) {
    std::vector<TrialRow> rows;
    int64_t count = pick(400);
    for (int64_t i = 0; i < count; ++i) {
      TrialRow made;
      if (pick(8) != 0) made.key = pick(40) - 20;
      if (pick(8) != 0)
        made.name = std::string(pick(3), 'x') + std::string(pick(2), '\0') + std::string(pick(3), 'a');
      made.end_ms = (watermark_ms / 20 + 1 + pick(3)) * 20;
      if (made.end_ms - 1 <= watermark_ms) made.end_ms += 20;
      made.start_ms = made.end_ms - 20 - 20 * pick(2);
      made.id = next_id_++;
      rows.push_back(made);
    }
    return rows;
  }

  // -1, 0, 1
  static int compare(const SortColumn& by, const TrialRow& a, const TrialRow& b) {
    auto compared = [&](const auto& left, const auto& right) {
      if (!left || !right) {
        if (!left && !right) return 0;
        return (!left) == by.nulls_first ? -1 : 1;
      }
      int order = *left < *right ? -1 : *right < *left ? 1 : 0;
      return by.descending ? -order : order;
    };
    if (by.column == kKey) return compared(a.key, b.key);
    if (by.column == kName) return compared(a.name, b.name);
    return compared(std::optional(a.id), std::optional(b.id));
  }

  void check() {
    const PlanNode& node = trial_.node();
    using Group = std::tuple<int64_t, int64_t, std::optional<int64_t>, std::optional<std::string>>;
    std::map<Group, std::vector<TrialRow>> groups;
    for (const TrialRow& made : all_) {
      Group group{made.end_ms, made.start_ms, std::nullopt, std::nullopt};
      if (node.keys == std::vector<int>{kKey}) std::get<2>(group) = made.key;
      if (node.keys == std::vector<int>{kName}) std::get<3>(group) = made.name;
      groups[group].push_back(made);
    }
    Ranked expected;
    for (auto& [group, rows] : groups) {
      std::stable_sort(rows.begin(), rows.end(), [&](const TrialRow& a, const TrialRow& b) {
        for (const SortColumn& by : node.order) {
          if (int order = compare(by, a, b); order != 0) return order < 0;
        }
        return false;
      });
      for (size_t i = 0; i < rows.size() && i < static_cast<size_t>(node.limit); ++i) {
        expected.emplace_back(rows[i].id, static_cast<int64_t>(i) + 1);
      }
    }
    Ranked got = ranked(out_);
    for (size_t i = 1; i < got.size(); ++i)
      EXPECT_TRUE(got[i].second == 1 || got[i].second == got[i - 1].second + 1);
    std::sort(expected.begin(), expected.end());
    std::sort(got.begin(), got.end());
    EXPECT_EQ(got, expected);
    EXPECT_FALSE(expected.empty());
  }

  std::mt19937 random_;
  Trial trial_;
  TrialOutput out_;
  std::vector<TrialRow> all_;
  int64_t next_id_ = 0;
};

TEST(WindowTopN, GivesWhatSortingGives) {
  for (uint32_t seed = 1; seed <= 24 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    TopRun(seed).run();
  }
}

}  // namespace
}  // namespace weir
