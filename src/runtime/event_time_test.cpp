#include "runtime/event_time.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(Watermarks, TheMergedOneIsTheLeastAndNeverFalls) {
  WatermarkTracker tracker;
  tracker.add("a", kNoWatermark);
  tracker.add("b", kNoWatermark);
  tracker.observe("a", 100);
  EXPECT_EQ(tracker.merged_us(), kNoWatermark);  // b has not told its time yet
  tracker.observe("b", 40);
  EXPECT_EQ(tracker.merged_us(), 40);
  tracker.observe("b", 30);
  EXPECT_EQ(tracker.merged_us(), 40);
  tracker.observe("b", 250);
  EXPECT_EQ(tracker.merged_us(), 100);
  tracker.add("c", kNoWatermark);  // a new partition holds it, and does not set it back
  tracker.observe("a", 300);
  EXPECT_EQ(tracker.merged_us(), 100);
}

TEST(Watermarks, AnIdlePartitionHoldsNothingBackUntilItGivesEvents) {
  WatermarkTracker tracker;
  tracker.observe("a", 100);
  tracker.observe("b", 10);
  tracker.set_idle("b", true);
  tracker.observe("a", 200);
  EXPECT_EQ(tracker.merged_us(), 200);
  tracker.observe("b", 150);  // behind: its rows are late now
  tracker.observe("a", 500);
  EXPECT_EQ(tracker.merged_us(), 200);
}

TEST(Watermarks, WhenAllAreIdleTheHighestCounts) {
  WatermarkTracker tracker;
  tracker.observe("a", 100);
  tracker.observe("b", 70);
  tracker.set_idle("a", true);
  tracker.set_idle("b", true);
  EXPECT_EQ(tracker.merged_us(), 100);
}

TEST(Watermarks, APartitionThatHasEndedDoesNotCount) {
  WatermarkTracker tracker;
  tracker.observe("a", 100);
  tracker.observe("b", 10);
  tracker.end("b");
  EXPECT_EQ(tracker.merged_us(), 100);
}

TEST(Watermarks, ARestoredOneIsTheFloor) {
  WatermarkTracker tracker(90);
  tracker.add("a", 80);
  EXPECT_EQ(tracker.merged_us(), 90);
  EXPECT_EQ(tracker.watermarks(), (std::map<std::string, int64_t>{{"a", 80}}));
}

std::shared_ptr<arrow::RecordBatch> times(const std::vector<int64_t>& values) {
  arrow::TimestampBuilder builder(arrow::timestamp(arrow::TimeUnit::MILLI), arrow::default_memory_pool());
  EXPECT_TRUE(builder.AppendValues(values).ok());
  auto array = *builder.Finish();
  return arrow::RecordBatch::Make(arrow::schema({arrow::field("ts", array->type())}), array->length(),
                                  arrow::ArrayVector{array});
}

TEST(Lateness, ARowIsLateOnceItsLastWindowIsComplete) {
  PlanNode scan;
  scan.timed = scan.late_by_window = true;
  scan.time_column = 0;
  scan.window.assigner = WindowSpec::Assigner::hop;
  scan.window.size_us = 10'000'000;
  scan.window.slide_us = 2'000'000;
  const auto rows = times({3'500, 11'000});
  // 3.5 s lies in windows up to [2 s, 12 s), complete at 11.999 s.
  EXPECT_EQ(late_from_us(scan, *rows, 0, 0), 11'999'000);
  EXPECT_EQ(late_from_us(scan, *rows, 0, 5'000'000), 16'999'000);
  EXPECT_EQ(first_late_from_us(scan, *rows), 11'999'000);
  scan.late_by_window = false;
  scan.late_hold_us = 1'000'000;
  EXPECT_EQ(late_from_us(scan, *rows, 1, 0), 12'000'000);
  scan.timed = false;
  EXPECT_EQ(late_from_us(scan, *rows, 1, 0), kFinalWatermark);
  EXPECT_EQ(first_late_from_us(scan, *rows), kFinalWatermark);
}

TEST(Lateness, RowsOfMarkedEventsAreDroppedWithAllTheyFannedOutTo) {
  FeedRows feed;
  feed.rows = times({1, 2, 3, 4});
  feed.events = {0, 1, 1, 2};
  ASSERT_TRUE(drop_events({0, 1, 0}, feed).ok());
  EXPECT_EQ(feed.events, (std::vector<uint32_t>{0, 2}));
  EXPECT_EQ(feed.rows->num_rows(), 2);
  EXPECT_EQ(time_us(*feed.rows->column(0), 1), 4000);
}

TEST(Times, NegativeNanosecondsAreRoundedDown) {
  arrow::TimestampBuilder builder(arrow::timestamp(arrow::TimeUnit::NANO), arrow::default_memory_pool());
  ASSERT_TRUE(builder.AppendValues(std::vector<int64_t>{-1, 1999}).ok());
  auto array = *builder.Finish();
  EXPECT_EQ(time_us(*array, 0), -1);
  EXPECT_EQ(time_range(*array).most_us, 1);
}

}  // namespace
}  // namespace weir
