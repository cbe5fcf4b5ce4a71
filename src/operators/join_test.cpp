#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <set>

#include "operators/operator_trial.h"

namespace weir {
namespace {

using Pair = std::pair<int64_t, int64_t>;
using Pairs = std::vector<Pair>;
constexpr int64_t kMs = 1000;

Pairs sorted(Pairs pairs) {
  std::sort(pairs.begin(), pairs.end());
  return pairs;
}

TrialRow row(int64_t id, std::optional<int64_t> key, int64_t time_ms, int64_t start_ms = 0,
             int64_t end_ms = 0) {
  std::optional<std::string> name;
  if (key) name = "k" + std::to_string(*key);
  return {key, name, time_ms, start_ms, end_ms, id};
}

// What the trial's condition says of a pair of ids: 1 true, 0 false, -1 NULL, -2 it fails.
int answer(int64_t left, int64_t right) {
  if ((left * 7 + right) % 53 == 0) return -2;
  if ((left + right) % 11 == 0) return -1;
  return (left * 3 + right) % 4 != 0;
}

// Gives the rows back in reverse, as a fragment may.
class Condition final : public bridge::Fragment {
 public:
  Result<std::shared_ptr<arrow::RecordBatch>> eval(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                   int64_t) const override {
    EXPECT_EQ(rows->schema()->field(rows->num_columns() - 1)->name(), "_weir_row");
    const auto& left = static_cast<const arrow::Int64Array&>(*rows->column(kId));
    const auto& right = static_cast<const arrow::Int64Array&>(*rows->column(kTrialColumns + kId));
    const auto& numbers = static_cast<const arrow::Int32Array&>(*rows->column(rows->num_columns() - 1));
    arrow::BooleanBuilder answers;
    arrow::Int32Builder back;
    for (int64_t i = rows->num_rows(); i-- > 0;) {
      int said = answer(left.Value(i), right.Value(i));
      if (said == -2) return Status::invalid("no answer");
      EXPECT_TRUE((said == -1 ? answers.AppendNull() : answers.Append(said == 1)).ok());
      EXPECT_TRUE(back.Append(numbers.Value(i)).ok());
    }
    auto schema =
        arrow::schema({arrow::field("c", arrow::boolean()), arrow::field("_weir_row", arrow::int32())});
    return arrow::RecordBatch::Make(schema, rows->num_rows(), {*answers.Finish(), *back.Finish()});
  }
};

void use_condition(Trial& trial) {
  trial.plan.fragments.push_back(std::make_unique<Condition>());
  trial.node().condition = 0;
}

Trial interval_trial(int64_t lower_ms, int64_t upper_ms, std::vector<int> keys = {kKey},
                     arrow::TimeUnit::type unit = arrow::TimeUnit::MILLI) {
  Trial trial(NodeKind::interval_join, 2, unit);
  trial.node().left_keys = trial.node().right_keys = std::move(keys);
  trial.node().lower_us = lower_ms * kMs;
  trial.node().upper_us = upper_ms * kMs;
  return trial;
}

TEST(IntervalJoin, JoinsWithinTheBoundsOnly) {
  // left - right in [-10, 5]
  Trial trial = interval_trial(-10, 5);
  auto join = trial.make();
  TrialOutput out;
  ASSERT_TRUE(join->process(0, trial_batch({row(1, 7, 100), row(2, 8, 100)}), out).ok());
  ASSERT_TRUE(
      join->process(1, trial_batch({row(10, 7, 94), row(11, 7, 95), row(12, 7, 110), row(13, 7, 111)}), out)
          .ok());
  EXPECT_EQ(out.pairs(), (Pairs{{1, 11}, {1, 12}}));
  // The other way round: the right rows are there already.
  ASSERT_TRUE(
      join->process(0, trial_batch({row(3, 7, 100), row(4, 7, 101), row(5, std::nullopt, 100)}), out).ok());
  EXPECT_EQ(sorted(out.pairs()), (Pairs{{1, 11}, {1, 12}, {3, 11}, {3, 12}, {4, 12}, {4, 13}}));
  EXPECT_EQ(out.batches[0]->schema()->num_fields(), 2 * kTrialColumns);
}

TEST(IntervalJoin, BothTimesSurviveSoTheWatermarkStaysBehind) {
  EXPECT_EQ(interval_trial(-10, 5).make()->output_watermark(100 * kMs), 90 * kMs);
  EXPECT_EQ(interval_trial(0, 30).make()->output_watermark(100 * kMs), 70 * kMs);
  EXPECT_EQ(interval_trial(5, 10).make()->output_watermark(100 * kMs), 90 * kMs);
  EXPECT_EQ(interval_trial(-10, 5).make()->output_watermark(kFinalWatermark), kFinalWatermark);
  EXPECT_EQ(interval_trial(-10, 5).make()->output_watermark(kNoWatermark), kNoWatermark);
}

TEST(IntervalJoin, MemoryFallsAsTheWatermarkRises) {
  Trial trial = interval_trial(-1000, 0);
  auto join = trial.make();
  TrialOutput out;
  int64_t most = 0, id = 0;
  for (int64_t second = 0; second < 200; ++second) {
    std::vector<TrialRow> rows;
    // One row of each batch is far ahead: it must not keep the others.
    for (int i = 0; i < 2000; ++i) rows.push_back(row(++id, i % 50, second * 1000 + i / 2));
    rows.push_back(row(++id, 1, second * 1000 + 50'000));
    ASSERT_TRUE(join->process(0, trial_batch(rows), out).ok());
    ASSERT_TRUE(join->advance(second * 1000 * kMs, out).ok());
    most = std::max(most, join->state_keys());
    if (second == 150) {
      EXPECT_GT(join->state_bytes(), 2000 * 40);
    }
  }
  EXPECT_LT(most, 2001 * 10);
  int64_t before = join->state_bytes();
  ASSERT_TRUE(join->advance(1'000'000 * kMs, out).ok());
  EXPECT_EQ(join->state_keys(), 0);
  EXPECT_LT(join->state_bytes(), before / 4);
}

TEST(IntervalJoin, RowsThatCannotFindAPartnerAreNotKept) {
  Trial trial = interval_trial(-10, 0);  // a left row waits for right rows that are up to 10 ms later
  auto join = trial.make();
  TrialOutput out;
  ASSERT_TRUE(join->advance(100 * kMs, out).ok());
  ASSERT_TRUE(join->process(1, trial_batch({row(10, 1, 101)}), out).ok());
  EXPECT_EQ(join->state_keys(), 1);
  ASSERT_TRUE(join->advance(101 * kMs, out).ok());
  EXPECT_EQ(join->state_keys(), 0);
  ASSERT_TRUE(join->process(0, trial_batch({row(1, 1, 102)}), out).ok());
  ASSERT_TRUE(join->advance(111 * kMs, out).ok());
  EXPECT_EQ(join->state_keys(), 1);
  ASSERT_TRUE(join->process(1, trial_batch({row(11, 1, 112)}), out).ok());
  EXPECT_EQ(out.pairs(), (Pairs{{1, 11}}));
  ASSERT_TRUE(join->advance(112 * kMs, out).ok());
  EXPECT_EQ(join->state_keys(), 0);
}

TEST(Join, KeepsForTheTimeToLive) {
  Trial trial(NodeKind::join, 2);
  trial.node().left_keys = trial.node().right_keys = {kKey};
  trial.context.state_ttl_us = 8'000'000;
  auto join = trial.make();
  TrialOutput out;
  trial.clock.set(1'000'000'000);
  EXPECT_FALSE(join->next_timer());
  ASSERT_TRUE(join->process(0, trial_batch({row(1, 7, 0)}), out).ok());
  ASSERT_TRUE(join->next_timer());
  EXPECT_EQ(*join->next_timer(), 1'008'000'000);
  trial.clock.set(1'007'900'000);
  ASSERT_TRUE(join->process(1, trial_batch({row(10, 7, 0)}), out).ok());
  EXPECT_EQ(out.pairs(), (Pairs{{1, 10}}));
  ASSERT_TRUE(join->on_time(1'008'000'000, out).ok());
  EXPECT_EQ(join->state_keys(), 1);
  trial.clock.set(1'008'000'000);
  ASSERT_TRUE(join->process(1, trial_batch({row(11, 7, 0)}), out).ok());
  EXPECT_EQ(out.pairs(), (Pairs{{1, 10}}));
  trial.clock.set(1'020'000'000);
  ASSERT_TRUE(join->process(0, trial_batch({row(2, 7, 0)}), out).ok());
  EXPECT_EQ(out.pairs(), (Pairs{{1, 10}}));
  EXPECT_EQ(join->state_keys(), 1);
}

TEST(Join, KeepsForEverWithoutOne) {
  Trial trial(NodeKind::join, 2);
  trial.node().left_keys = trial.node().right_keys = {kKey};
  auto join = trial.make();
  TrialOutput out;
  ASSERT_TRUE(join->process(0, trial_batch({row(1, 7, 0)}), out).ok());
  EXPECT_FALSE(join->next_timer());
  trial.clock.set(int64_t{1} << 60);
  ASSERT_TRUE(join->advance(kFinalWatermark, out).ok());
  ASSERT_TRUE(join->process(1, trial_batch({row(10, 7, 0), row(11, std::nullopt, 0)}), out).ok());
  EXPECT_EQ(out.pairs(), (Pairs{{1, 10}}));
}

TEST(Join, AConditionThatFailsNamesItsPair) {
  Trial trial(NodeKind::join, 2);
  trial.node().left_keys = trial.node().right_keys = {kKey};
  use_condition(trial);
  auto join = trial.make();
  TrialOutput out;
  std::vector<TrialRow> left, right;
  for (int64_t id = 0; id < 30; ++id) left.push_back(row(id, id % 3, 0));
  for (int64_t id = 100; id < 130; ++id) right.push_back(row(id, id % 3, 0));
  ASSERT_TRUE(join->process(0, trial_batch(left), out).ok());
  ASSERT_TRUE(join->process(1, trial_batch(right), out).ok());
  Pairs expected, failures, told;
  for (int64_t l = 0; l < 30; ++l) {
    for (int64_t r = 100; r < 130; ++r) {
      if (l % 3 != r % 3) continue;
      if (answer(l, r) == 1) expected.emplace_back(l, r);
      if (answer(l, r) == -2) failures.emplace_back(l, r);
    }
  }
  ASSERT_FALSE(failures.empty());
  EXPECT_EQ(sorted(out.pairs()), expected);
  for (const OperatorError& error : out.errors) {
    EXPECT_EQ(error.message, "no answer");
    EXPECT_EQ(error.row->num_columns(), 2 * kTrialColumns);
    told.emplace_back(
        static_cast<const arrow::Int64Array&>(*error.row->column(kId)).Value(0),
        static_cast<const arrow::Int64Array&>(*error.row->column(kTrialColumns + kId)).Value(0));
  }
  EXPECT_EQ(sorted(told), failures);
}

TEST(Join, RefusesWhatItCannotDo) {
  Trial trial(NodeKind::join, 2);
  trial.node().left_keys = {kKey};
  trial.node().right_keys = {kName};
  trial.context.node = &trial.node();
  trial.context.plan = &trial.plan;
  trial.context.clock = &trial.clock;
  auto made = create_operator(trial.context);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.status().message(), "trial: 'key' is int64, 'name' is string; CAST one of them");
  trial.node().right_keys = {kKey};
  trial.plan.graph[1].changelog = true;
  made = create_operator(trial.context);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.status().code(), Code::invalid);
  EXPECT_NE(made.status().message().find("scan 1"), std::string::npos);
}

TEST(WindowJoin, JoinsWhenTheWindowIsComplete) {
  Trial trial(NodeKind::window_join, 2);
  trial.node().left_keys = trial.node().right_keys = {kKey};
  auto join = trial.make();
  TrialOutput out;
  ASSERT_TRUE(
      join->process(0, trial_batch({row(1, 7, 0, 0, 10), row(2, 7, 0, 10, 20), row(3, 8, 0, 0, 10)}), out)
          .ok());
  ASSERT_TRUE(
      join->process(1, trial_batch({row(10, 7, 0, 0, 10), row(11, 7, 0, 10, 20), row(12, 9, 0, 0, 10)}), out)
          .ok());
  EXPECT_EQ(join->state_keys(), 6);
  ASSERT_TRUE(join->advance(9 * kMs - 1, out).ok());
  EXPECT_TRUE(out.batches.empty());
  ASSERT_TRUE(join->advance(9 * kMs, out).ok());  // end - tick
  EXPECT_EQ(out.pairs(), (Pairs{{1, 10}}));
  EXPECT_EQ(join->state_keys(), 2);
  ASSERT_TRUE(join->advance(kFinalWatermark, out).ok());
  EXPECT_EQ(out.pairs(), (Pairs{{1, 10}, {2, 11}}));
  EXPECT_EQ(join->state_keys(), 0);
  EXPECT_EQ(join->state_bytes(), 0);
}

TEST(WindowJoin, WindowsThatEndTogetherMustBeginTogether) {
  Trial trial(NodeKind::window_join, 2);
  trial.node().left_keys = trial.node().right_keys = {kKey};
  auto join = trial.make();
  TrialOutput out;
  ASSERT_TRUE(join->process(0, trial_batch({row(1, 7, 0, 0, 10), row(2, 7, 0, 5, 10)}), out).ok());
  ASSERT_TRUE(join->process(1, trial_batch({row(10, 7, 0, 5, 10), row(11, 7, 0, 6, 10)}), out).ok());
  ASSERT_TRUE(join->advance(10 * kMs, out).ok());
  EXPECT_EQ(out.pairs(), (Pairs{{2, 10}}));
}

TEST(WindowJoin, WithoutKeysEveryPairInBoundedBatches) {
  Trial trial(NodeKind::window_join, 2);
  trial.context.batch_rows = 64;
  auto join = trial.make();
  TrialOutput out;
  std::vector<TrialRow> left, right;
  Pairs expected;
  for (int64_t l = 0; l < 50; ++l) left.push_back(row(l, l, 0, 0, 10));
  for (int64_t r = 100; r < 121; ++r) right.push_back(row(r, std::nullopt, 0, 0, 10));
  for (int64_t l = 0; l < 50; ++l) {
    for (int64_t r = 100; r < 121; ++r) expected.emplace_back(l, r);
  }
  ASSERT_TRUE(join->process(0, trial_batch(left), out).ok());
  ASSERT_TRUE(join->process(1, trial_batch(right), out).ok());
  ASSERT_TRUE(join->advance(10 * kMs, out).ok());
  EXPECT_EQ(sorted(out.pairs()), expected);
  EXPECT_EQ(out.largest(), 64u);
}

TEST(WindowJoin, WindowsOfProcessingTimeFireByTheClock) {
  Trial trial(NodeKind::window_join, 2);
  trial.node().left_keys = trial.node().right_keys = {kKey};
  trial.node().window.processing_time = trial.node().right_window.processing_time = true;
  auto join = trial.make();
  TrialOutput out;
  for (size_t side = 0; side < 2; ++side) {
    auto rows = trial_batch({row(1, 7, 0, 0, 10), row(2, 7, 0, 10, 20), row(3, 7, 0, 20, 30)});
    ASSERT_TRUE(join->process(side, rows, out).ok());
  }
  ASSERT_TRUE(join->advance(kFinalWatermark, out).ok());
  EXPECT_TRUE(out.batches.empty());
  EXPECT_EQ(*join->next_timer(), 10 * kMs);
  ASSERT_TRUE(join->on_time(10 * kMs, out).ok());
  EXPECT_EQ(out.pairs(), (Pairs{{1, 1}}));
  EXPECT_EQ(*join->next_timer(), 20 * kMs);
  ASSERT_TRUE(join->finish(out).ok());
  EXPECT_EQ(out.pairs(), (Pairs{{1, 1}, {2, 2}, {3, 3}}));
}

// ---- random runs against nested loops

struct Shape {
  NodeKind kind;
  std::vector<int> keys;
  bool condition = false;
  arrow::TimeUnit::type unit = arrow::TimeUnit::MILLI;
};

bool keys_match(const std::vector<int>& keys, const TrialRow& left, const TrialRow& right) {
  for (int key : keys) {
    if (key == kKey && (!left.key || !right.key || *left.key != *right.key)) return false;
    if (key == kName && (!left.name || !right.name || *left.name != *right.name)) return false;
  }
  return true;
}

class RandomRun {
 public:
  RandomRun(Shape shape, uint32_t seed)
      : shape_(std::move(shape)), random_(seed), trial_(shape_.kind, 2, shape_.unit) {
    PlanNode& node = trial_.node();
    node.left_keys = node.right_keys = shape_.keys;
    if (shape_.condition) use_condition(trial_);
    int64_t lower = pick(40) - 25;
    node.lower_us = lower * kMs;
    node.upper_us = (lower + pick(40)) * kMs;
    trial_.context.batch_rows = 1 + pick(pick(2) == 0 ? 8 : 3000);
    key_values_ = 1 + pick(pick(2) == 0 ? 6 : 2000);
    bool large = seed % 8 == 0;  // enough for batches that are indexed
    most_rows_ = large ? 2500 : 60;
    steps_ = large ? 12 : 40;
    if (large) key_values_ = 2000;
  }

  void run() {
    std::unique_ptr<Operator> join = trial_.make();
    int64_t restore_at = pick(steps_);
    for (int64_t step = 0; step < steps_; ++step) {
      if (step == restore_at) join = restore(*join);
      size_t side = pick(4) == 0;
      auto rows = make_rows(side);
      take(*join, side, rows, out_);
      sides_[side].insert(sides_[side].end(), rows.begin(), rows.end());
      if (pick(3) != 0) continue;
      watermark_ms_ += pick(60);
      ASSERT_TRUE(join->advance(watermark_ms_ * kMs, out_).ok());
      check_watermark(*join);
    }
    ASSERT_TRUE(join->advance(kFinalWatermark, out_).ok());
    check();
    if (shape_.kind == NodeKind::join) return;
    EXPECT_EQ(join->state_keys(), 0);
  }

 private:
  int64_t pick(int64_t below) { return std::uniform_int_distribution<int64_t>(0, below - 1)(random_); }

  std::vector<TrialRow> make_rows(size_t side) {
    std::vector<TrialRow> rows;
    int64_t count = pick(most_rows_);
    if (shape_.keys.empty()) count = count % 30;  // pairs are many
    for (int64_t i = 0; i < count; ++i) {
      TrialRow made;
      if (pick(10) != 0) made.key = pick(key_values_) - 3;
      if (pick(10) != 0) made.name = std::string(pick(3), 'x') + std::to_string(pick(key_values_));
      made.time_ms = watermark_ms_ + 1 + pick(80);
      made.start_ms = (made.time_ms / 20 - pick(2)) * 20;
      made.end_ms = made.time_ms / 20 * 20 + 20;
      made.id = next_id_++;
      rows.push_back(made);
    }
    return rows;
  }

  void take(Operator& join, size_t side, const std::vector<TrialRow>& rows, TrialOutput& out) {
    auto batch = trial_batch(rows, shape_.unit);
    int64_t cut = rows.empty() ? 0 : pick(static_cast<int64_t>(rows.size()) + 1);
    ASSERT_TRUE(join.process(side, batch->Slice(0, cut), out).ok());
    ASSERT_TRUE(join.process(side, batch->Slice(cut), out).ok());
  }

  // What happens after the snapshot must not be in it.
  std::unique_ptr<Operator> restore(Operator& join) {
    auto snapshot = join.snapshot();
    EXPECT_TRUE(snapshot.ok());
    TrialOutput ignored;
    for (size_t side = 0; side < 2; ++side) take(join, side, make_rows(side), ignored);
    EXPECT_TRUE(join.advance((watermark_ms_ + 1000) * kMs, ignored).ok());
    return trial_.restored(**snapshot);
  }

  void check_watermark(const Operator& join) {
    int64_t told_ms = join.output_watermark(watermark_ms_ * kMs) / kMs;
    for (; checked_ < out_.batches.size(); ++checked_) {
      for (int column : {static_cast<int>(kTime), kTrialColumns + kTime}) {
        if (shape_.kind != NodeKind::interval_join || shape_.unit != arrow::TimeUnit::MILLI) continue;
        const auto& times =
            static_cast<const arrow::TimestampArray&>(*out_.batches[checked_]->column(column));
        for (int64_t i = 0; i < times.length(); ++i) ASSERT_GT(times.Value(i), told_before_ms_);
      }
    }
    told_before_ms_ = told_ms;
  }

  void check() {
    Pairs expected, failures, told;
    const PlanNode& node = trial_.node();
    for (const TrialRow& left : sides_[0]) {
      for (const TrialRow& right : sides_[1]) {
        if (!keys_match(shape_.keys, left, right)) continue;
        int64_t apart_us = (left.time_ms - right.time_ms) * kMs;
        if (shape_.kind == NodeKind::interval_join &&
            (apart_us < node.lower_us || apart_us > node.upper_us)) {
          continue;
        }
        if (shape_.kind == NodeKind::window_join &&
            (left.start_ms != right.start_ms || left.end_ms != right.end_ms)) {
          continue;
        }
        int said = shape_.condition ? answer(left.id, right.id) : 1;
        if (said == 1) expected.emplace_back(left.id, right.id);
        if (said == -2) failures.emplace_back(left.id, right.id);
      }
    }
    EXPECT_EQ(sorted(out_.pairs()), sorted(expected));
    EXPECT_LE(out_.largest(), trial_.context.batch_rows);
    for (const OperatorError& error : out_.errors) {
      told.emplace_back(
          static_cast<const arrow::Int64Array&>(*error.row->column(kId)).Value(0),
          static_cast<const arrow::Int64Array&>(*error.row->column(kTrialColumns + kId)).Value(0));
    }
    EXPECT_EQ(sorted(told), sorted(failures));
    total_ += expected.size();
  }

 public:
  static inline size_t total_ = 0;  // pairs that were expected: the runs are not empty ones

 private:
  Shape shape_;
  std::mt19937 random_;
  Trial trial_;
  TrialOutput out_;
  std::vector<TrialRow> sides_[2];
  int64_t watermark_ms_ = 0, next_id_ = 0, key_values_ = 1, most_rows_ = 1, steps_ = 1;
  size_t checked_ = 0;
  int64_t told_before_ms_ = INT64_MIN;
};

class RandomJoin : public ::testing::TestWithParam<NodeKind> {};

TEST_P(RandomJoin, GivesWhatNestedLoopsGive) {
  RandomRun::total_ = 0;
  std::vector<std::vector<int>> keys = {{kKey}, {kKey}, {kName}, {kKey, kName}, {kTime}, {}};
  for (uint32_t seed = 1; seed <= 24 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Shape shape{GetParam(), keys[seed % keys.size()], seed % 4 == 1};
    shape.unit = seed % 5 == 0   ? arrow::TimeUnit::NANO
                 : seed % 5 == 1 ? arrow::TimeUnit::MICRO
                                 : arrow::TimeUnit::MILLI;
    if (shape.keys == std::vector<int>{kTime}) shape.keys = {kName, kKey};
    RandomRun(std::move(shape), seed).run();
  }
  EXPECT_GT(RandomRun::total_, 10'000u);
}

INSTANTIATE_TEST_SUITE_P(Kinds, RandomJoin,
                         ::testing::Values(NodeKind::interval_join, NodeKind::window_join, NodeKind::join),
                         [](const auto& info) {
                           return info.param == NodeKind::interval_join ? "Interval"
                                  : info.param == NodeKind::window_join ? "Window"
                                                                        : "Regular";
                         });

}  // namespace
}  // namespace weir
