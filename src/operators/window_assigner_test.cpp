#include "operators/window_assigner.h"

#include <arrow/array/builder_time.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <limits>
#include <set>

namespace weir {
namespace {

using Assigner = WindowSpec::Assigner;
constexpr int64_t kSecond = 1'000'000;

WindowSpec window(Assigner assigner, int64_t size, int64_t slide = 0, int64_t offset = 0) {
  WindowSpec spec;
  spec.assigner = assigner;
  spec.size_us = size * kSecond;
  spec.slide_us = slide * kSecond;
  spec.offset_us = offset * kSecond;
  spec.time_column = 0;
  return spec;
}

TEST(WindowAssigner, TumbleSlicesAreWindows) {
  WindowSpec spec = window(Assigner::tumble, 10);
  EXPECT_EQ(slice_of(spec, 0), (TimeSpan{0, 10 * kSecond}));
  EXPECT_EQ(slice_of(spec, 10 * kSecond - 1), (TimeSpan{0, 10 * kSecond}));
  EXPECT_EQ(slice_of(spec, -1), (TimeSpan{-10 * kSecond, 0}));
  EXPECT_EQ(last_window_end(spec, 10 * kSecond), 20 * kSecond);
  spec.offset_us = 3 * kSecond;
  EXPECT_EQ(slice_of(spec, 0), (TimeSpan{-7 * kSecond, 3 * kSecond}));
  spec.offset_us = -13 * kSecond;
  EXPECT_EQ(slice_of(spec, 0), (TimeSpan{-3 * kSecond, 7 * kSecond}));
}

// Against the definition: every window of the grid that contains the time.
TEST(WindowAssigner, WindowsOfASliceAreThoseThatContainItsTimes) {
  struct Case {
    Assigner assigner;
    int64_t size, slide, offset;
  };
  for (Case c :
       {Case{Assigner::hop, 10, 2, 0}, Case{Assigner::hop, 10, 4, 1}, Case{Assigner::hop, 3, 5, -2},
        Case{Assigner::hop, 5, 5, 0}, Case{Assigner::hop, 7, 3, 11}, Case{Assigner::cumulate, 12, 3, 0},
        Case{Assigner::cumulate, 12, 4, -5}, Case{Assigner::tumble, 6, 0, 2}}) {
    WindowSpec spec = window(c.assigner, c.size, c.slide, c.offset);
    for (int64_t t = -40; t < 40; ++t) {
      std::vector<TimeSpan> expected;
      for (int64_t n = -60; n < 60; ++n) {
        int64_t step = c.assigner == Assigner::hop ? c.slide : c.size;
        int64_t start = n * step + c.offset;
        int64_t first = c.assigner == Assigner::cumulate ? c.slide : c.size;
        for (int64_t span = first; span <= c.size; span += std::max<int64_t>(c.slide, 1)) {
          if (start <= t && t < start + span) expected.push_back({start * kSecond, (start + span) * kSecond});
          if (c.assigner != Assigner::cumulate) break;
        }
      }
      TimeSpan slice = slice_of(spec, t * kSecond + 17);
      EXPECT_LE(slice.start_us, t * kSecond + 17);
      EXPECT_GT(slice.end_us, t * kSecond + 17);
      std::vector<TimeSpan> found = windows_of_slice(spec, slice.start_us);
      EXPECT_EQ(found.size(), expected.size()) << t << " size " << c.size << " slide " << c.slide;
      for (size_t i = 0; i < std::min(found.size(), expected.size()); ++i) EXPECT_EQ(found[i], expected[i]);
      if (!expected.empty()) {
        EXPECT_EQ(last_window_end(spec, t * kSecond), expected.back().end_us);
      }
    }
  }
}

TEST(WindowAssigner, LastEndOfTheOthers) {
  WindowSpec spec;
  spec.assigner = Assigner::session;
  spec.gap_us = 5;
  EXPECT_EQ(last_window_end(spec, 10), 15);
  EXPECT_EQ(last_window_end(spec, std::numeric_limits<int64_t>::max() - 1),
            std::numeric_limits<int64_t>::max());
  spec.assigner = Assigner::attached;
  EXPECT_EQ(last_window_end(spec, 10), 10);
  spec.processing_time = true;
  EXPECT_EQ(last_window_end(spec, 10), std::numeric_limits<int64_t>::max());
}

TEST(WindowAssigner, WindowsThatMakeNoSenseAreRefused) {
  EXPECT_FALSE(check_window(window(Assigner::tumble, 0)).ok());
  EXPECT_FALSE(check_window(window(Assigner::hop, 10, 0)).ok());
  EXPECT_FALSE(check_window(window(Assigner::cumulate, 10, 3)).ok());
  EXPECT_TRUE(check_window(window(Assigner::cumulate, 12, 3)).ok());
  EXPECT_TRUE(check_window(window(Assigner::hop, 10, 3)).ok());
  EXPECT_TRUE(check_window(window(Assigner::hop, 10'000, 1)).ok());
  EXPECT_FALSE(check_window(window(Assigner::hop, 10'001, 1)).ok());
  EXPECT_FALSE(check_window(window(Assigner::cumulate, 10'001, 1)).ok());
}

TEST(WindowAssigner, UnitsOfTimestamps) {
  auto seconds = arrow::timestamp(arrow::TimeUnit::SECOND);
  auto nanos = arrow::timestamp(arrow::TimeUnit::NANO);
  auto millis = arrow::timestamp(arrow::TimeUnit::MILLI);
  EXPECT_EQ(to_us(*seconds, -2), -2'000'000);
  EXPECT_EQ(to_us(*nanos, -1), -1);
  EXPECT_EQ(to_us(*nanos, 1999), 1);
  EXPECT_EQ(from_us(*millis, -1), -1);
  EXPECT_EQ(from_us(*millis, 1999), 1);
  EXPECT_EQ(from_us(*nanos, 5), 5000);

  arrow::TimestampBuilder builder(millis, arrow::default_memory_pool());
  ASSERT_TRUE(builder.AppendValues({1, -3}).ok());
  auto array = *builder.Finish();
  std::vector<int64_t> scratch;
  auto times = column_us(*array->Slice(1), scratch);
  ASSERT_TRUE(times.ok());
  EXPECT_EQ((*times)[0], -3000);
}

}  // namespace
}  // namespace weir
