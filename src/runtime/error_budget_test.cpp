#include "runtime/error_budget.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace weir {
namespace {

constexpr int64_t kSecond = 1'000'000;

ErrorBudgetPlan half(int64_t min_events = 100) {
  ErrorBudgetPlan plan;
  plan.by = ErrorBudgetPlan::By::key;
  plan.share = 0.5;
  plan.window_us = 60 * kSecond;
  plan.pause_us = 60 * kSecond;
  plan.min_events = min_events;
  return plan;
}

// One batch of one producer; true when it was paused before it.
bool feed(ErrorBudget& budget, std::string_view producer, uint32_t events, uint32_t errors, int64_t now_us) {
  std::vector<ProducerRun> runs(1);
  runs[0].producer = producer;
  runs[0].end = events;
  budget.admit(runs, now_us);
  if (runs[0].paused) return true;
  runs[0].errors = errors;
  budget.observe(runs, now_us);
  return false;
}

bool paused(ErrorBudget& budget, std::string_view producer, int64_t now_us) {
  return feed(budget, producer, 0, 0, now_us);
}

TEST(ErrorBudget, PausesBeyondTheShareAndLeavesTheOthersAlone) {
  ErrorBudget budget(half());
  EXPECT_FALSE(feed(budget, "acme", 200, 100, 0));  // half is within the budget
  EXPECT_FALSE(paused(budget, "acme", 1));
  EXPECT_FALSE(feed(budget, "acme", 10, 10, 2));
  EXPECT_TRUE(paused(budget, "acme", 3));
  EXPECT_FALSE(feed(budget, "other", 200, 1, 3));
  EXPECT_FALSE(paused(budget, "other", 4));
  auto notices = budget.take_notices(4);
  ASSERT_EQ(notices.size(), 1u);
  EXPECT_EQ(notices[0].producer, "acme");
  EXPECT_TRUE(notices[0].paused);
  EXPECT_EQ(notices[0].events, 210);
  EXPECT_EQ(notices[0].errors, 110);
  EXPECT_EQ(budget.pauses(), 1);
  EXPECT_TRUE(budget.take_notices(5).empty());
}

TEST(ErrorBudget, SaysNothingAboutFewEvents) {
  ErrorBudget budget(half(100));
  feed(budget, "p", 99, 99, 0);
  EXPECT_FALSE(paused(budget, "p", 1));
  feed(budget, "p", 1, 1, 2);
  EXPECT_TRUE(paused(budget, "p", 3));
}

TEST(ErrorBudget, ForgetsWhatLiesBeforeTheWindow) {
  ErrorBudget budget(half(100));
  feed(budget, "p", 99, 99, 0);
  feed(budget, "p", 99, 99, 61 * kSecond);
  EXPECT_FALSE(paused(budget, "p", 61 * kSecond));
  feed(budget, "p", 1, 1, 100 * kSecond);  // the second batch still counts
  EXPECT_TRUE(paused(budget, "p", 100 * kSecond));
}

TEST(ErrorBudget, TheWindowSlides) {
  ErrorBudget budget(half(100));
  for (int64_t second = 0; second < 600; second += 5)
    feed(budget, "p", 8, 8, second * kSecond);  // 96 a minute
  EXPECT_FALSE(paused(budget, "p", 600 * kSecond));
}

TEST(ErrorBudget, IsTriedAgainOnProbation) {
  ErrorBudget budget(half(100));
  feed(budget, "p", 100, 100, 0);
  EXPECT_TRUE(paused(budget, "p", 59 * kSecond));
  EXPECT_FALSE(paused(budget, "p", 60 * kSecond));
  // Ten events are enough now; nine are not.
  feed(budget, "p", 9, 9, 61 * kSecond);
  EXPECT_FALSE(paused(budget, "p", 62 * kSecond));
  feed(budget, "p", 1, 1, 62 * kSecond);
  EXPECT_TRUE(paused(budget, "p", 63 * kSecond));
  EXPECT_EQ(budget.pauses(), 2);
  // Well for a whole window: the full number of events again.
  EXPECT_FALSE(feed(budget, "p", 50, 0, 122 * kSecond));
  feed(budget, "p", 60, 60, 250 * kSecond);
  EXPECT_FALSE(paused(budget, "p", 251 * kSecond));
}

TEST(ErrorBudget, RateIsABoundOfItsOwn) {
  ErrorBudgetPlan plan = half();
  plan.share.reset();
  plan.rate = 10;
  plan.window_us = 30 * kSecond;  // five in half a minute
  ErrorBudget budget(plan);
  feed(budget, "p", 1'000'000, 5, 0);
  EXPECT_FALSE(paused(budget, "p", 1));
  feed(budget, "p", 1'000'000, 1, 2);
  EXPECT_TRUE(paused(budget, "p", 3));
}

TEST(ErrorBudget, ZeroAllowsNoBadEventAtAll) {
  ErrorBudgetPlan plan = half(1);
  plan.share = 0;
  ErrorBudget budget(plan);
  feed(budget, "p", 1000, 0, 0);
  EXPECT_FALSE(paused(budget, "p", 1));
  feed(budget, "p", 1000, 1, 2);
  EXPECT_TRUE(paused(budget, "p", 3));
}

TEST(ErrorBudget, ManyRunsOfOneBatchAreJudgedTogether) {
  ErrorBudget budget(half(2));
  std::vector<ProducerRun> runs(4);
  for (uint32_t i = 0; i < 4; ++i) {
    runs[i].producer = "p";
    runs[i].begin = i;
    runs[i].end = i + 1;
  }
  budget.admit(runs, 0);
  runs[0].errors = runs[1].errors = 1;  // 2 of 4: half, although the first two alone are all bad
  budget.observe(runs, 0);
  EXPECT_FALSE(paused(budget, "p", 1));
}

TEST(ErrorBudget, ForgetsTheLeastRecentlySeen) {
  ErrorBudgetPlan plan = half(1);
  plan.max_producers = 2;
  ErrorBudget budget(plan);
  feed(budget, "a", 10, 10, 0);
  feed(budget, "b", 10, 0, 0);
  EXPECT_TRUE(paused(budget, "a", 1));  // seen: now b is the oldest
  feed(budget, "c", 10, 0, 2);
  EXPECT_TRUE(paused(budget, "a", 3));
  feed(budget, "c", 1, 0, 4);
  feed(budget, "d", 1, 0, 5);  // a goes, its pause with it
  size_t count = 9;
  EXPECT_TRUE(budget.paused(10, count).empty());
  EXPECT_EQ(count, 0u);
  EXPECT_FALSE(paused(budget, "a", 6));
}

TEST(ErrorBudget, ARunOfAForgottenProducerIsNotCountedForItsHeir) {
  ErrorBudgetPlan plan = half(1);
  plan.max_producers = 1;
  ErrorBudget budget(plan);
  std::vector<ProducerRun> runs(2);
  runs[0].producer = "a";
  runs[0].end = 5;
  runs[1].producer = "b";  // takes a's place
  runs[1].begin = 5;
  runs[1].end = 10;
  budget.admit(runs, 0);
  runs[0].errors = 5;
  budget.observe(runs, 0);
  EXPECT_FALSE(paused(budget, "b", 1));
}

TEST(ErrorBudget, RestartForgetsCountsAndKeepsPauses) {
  ErrorBudget budget(half(100));
  feed(budget, "bad", 100, 100, 0);
  feed(budget, "near", 99, 99, 0);
  budget.restart();
  EXPECT_TRUE(paused(budget, "bad", 1));
  feed(budget, "near", 99, 99, 1);
  EXPECT_FALSE(paused(budget, "near", 2));
}

TEST(ErrorBudget, APauseEndsInTheStatusAlsoWhenNothingComes) {
  ErrorBudget budget(half(1));
  for (const char* name : {"a", "b", "c"}) feed(budget, name, 10, 10, 0);
  size_t count = 0;
  EXPECT_EQ(budget.paused(2, count).size(), 2u);
  EXPECT_EQ(count, 3u);
  EXPECT_EQ(budget.take_notices(1).size(), 3u);
  auto over = budget.take_notices(60 * kSecond);
  ASSERT_EQ(over.size(), 3u);
  EXPECT_FALSE(over[0].paused);
  EXPECT_TRUE(budget.paused(2, count).empty());
}

TEST(ErrorBudget, AWholeSource) {
  ErrorBudgetPlan plan = half(10);
  plan.by = ErrorBudgetPlan::By::source;
  ErrorBudget budget(plan);
  EXPECT_FALSE(budget.source_paused(0));
  feed(budget, "", 10, 10, 0);
  EXPECT_TRUE(budget.source_paused(1));
  EXPECT_FALSE(budget.source_paused(60 * kSecond));
}

TEST(ErrorBudget, LongNamesAreToldApartByTheirBeginning) {
  ErrorBudget budget(half(1));
  feed(budget, std::string(1000, 'x'), 10, 10, 0);
  EXPECT_TRUE(paused(budget, std::string(300, 'x'), 1));
  EXPECT_FALSE(paused(budget, std::string(200, 'x'), 1));
}

TEST(ErrorBudget, SeveralThreads) {
  ErrorBudgetPlan plan = half(1);
  plan.max_producers = 8;
  ErrorBudget budget(plan);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) {
        feed(budget, "p" + std::to_string((i * 7 + t) % 16), 3, i % 4, i * 1000);
        budget.take_notices(i * 1000);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  size_t count = 0;
  budget.paused(10, count);
  EXPECT_LE(count, 8u);
  EXPECT_GT(budget.pauses(), 0);
}

}  // namespace
}  // namespace weir
