#include "operators/window_aggregate.h"

#include "operators/harness_test.h"

namespace weir {
namespace {

using namespace harness;
using Assigner = WindowSpec::Assigner;
using Texts = std::vector<std::string>;

Row at(int64_t time_ms, int64_t key, int64_t number = 1) {
  Row row;
  row.key = key;
  row.time_ms = time_ms;
  row.number = number;
  return row;
}

OneNode summed(Assigner assigner, int64_t size_ms, int64_t slide_ms = 0) {
  OneNode one(NodeKind::window_aggregate, {kKey}, {call("sum", {kNumber}, arrow::int64())});
  WindowSpec& window = one.node().window;
  window.assigner = assigner;
  window.size_us = size_ms * kMs;
  window.slide_us = slide_ms * kMs;
  window.gap_us = size_ms * kMs;
  window.time_column = kTime;
  one.node().window_columns = {WindowColumn::end};
  return one;
}

std::unique_ptr<Operator> make(OneNode& one) {
  auto made = make_window_aggregate(one.context());
  EXPECT_TRUE(made.ok()) << made.status().message();
  return std::move(*made);
}

TEST(WindowAggregate, FiresWhenTheWatermarkIsATickFromTheEnd) {
  OneNode one = summed(Assigner::tumble, 10);
  auto window = make(one);
  Output out;
  ASSERT_TRUE(window->process(0, batch_of({at(3, 1), at(12, 1), at(4, 1, 5), at(-1, 2)}), out).ok());
  ASSERT_TRUE(window->advance(9 * kMs - 1, out).ok());
  EXPECT_EQ(out.take(), (Texts{"2|0|1"}));
  ASSERT_TRUE(window->advance(9 * kMs, out).ok());
  EXPECT_EQ(out.take(), (Texts{"1|10|6"}));
  ASSERT_TRUE(window->advance(kFinalWatermark, out).ok());
  EXPECT_EQ(out.take(), (Texts{"1|20|1"}));
  EXPECT_EQ(window->state_keys(), 0);
}

// A cascaded window of milliseconds fires at its end - 1 ms; it must have got the rows of this one.
TEST(WindowAggregate, WatermarkBehindAWindowOfMicroseconds) {
  OneNode one = summed(Assigner::tumble, 10);
  one.node().window.tick_us = 1;
  auto window = make(one);
  EXPECT_EQ(window->output_watermark(10 * kMs - 1), 9 * kMs);
  EXPECT_EQ(window->output_watermark(kFinalWatermark), kFinalWatermark);
  one.node().window.tick_us = 1000;
  EXPECT_EQ(make(one)->output_watermark(77), 77);
}

TEST(WindowAggregate, ProcessingTime) {
  for (Assigner assigner : {Assigner::tumble, Assigner::hop, Assigner::session}) {
    OneNode one = summed(assigner, 10, 5);
    one.node().window.processing_time = true;
    one.node().window.time_column = -1;
    one.clock.set(42 * kMs);
    auto window = make(one);
    Output out;
    EXPECT_FALSE(window->next_timer().has_value());
    ASSERT_TRUE(window->process(0, batch_of({at(0, 1), at(999, 1)}), out).ok());
    ASSERT_TRUE(window->advance(kFinalWatermark - 1, out).ok());
    EXPECT_TRUE(out.take().empty());
    int64_t first = assigner == Assigner::tumble ? 50 : assigner == Assigner::hop ? 45 : 52;
    ASSERT_TRUE(window->next_timer().has_value());
    EXPECT_EQ(*window->next_timer(), first * kMs);
    one.clock.set(first * kMs);
    ASSERT_TRUE(window->on_time(first * kMs, out).ok());
    EXPECT_EQ(out.take(), (Texts{"1|" + std::to_string(first) + "|2"}));
    one.clock.set(first * kMs - 8000);  // a clock that goes back does not lose rows
    ASSERT_TRUE(window->process(0, batch_of({at(0, 3)}), out).ok());
    ASSERT_TRUE(window->finish(out).ok());
    EXPECT_FALSE(out.take().empty());
    EXPECT_EQ(window->state_keys(), 0);
  }
}

TEST(WindowAggregate, CorrectionsOncePerBatchAndOnlyOfWhatChanges) {
  OneNode one = summed(Assigner::tumble, 10);
  one.lateness_us = 20 * kMs;
  one.node().aggregates = {call("max", {kNumber}, arrow::int64())};
  auto window = make(one);
  Output out;
  ASSERT_TRUE(window->process(0, batch_of({at(3, 1, 5), at(4, 2, 5)}), out).ok());
  ASSERT_TRUE(window->advance(15 * kMs, out).ok());
  EXPECT_EQ(out.take(), (Texts{"1|10|5|1", "2|10|5|1"}));
  ASSERT_TRUE(window->process(0, batch_of({at(3, 1, 6), at(4, 1, 9), at(4, 2, 1), at(5, 3, 1)}), out).ok());
  EXPECT_EQ(out.take(), (Texts{"1|10|5|-1", "1|10|9|1", "3|10|1|1"}));
  ASSERT_TRUE(window->advance(29 * kMs, out).ok());
  EXPECT_TRUE(out.take().empty());
  EXPECT_EQ(window->state_keys(), 0);
}

TEST(WindowAggregate, ALateRowJoinsSessionsThatHaveFired) {
  OneNode one = summed(Assigner::session, 10);
  one.lateness_us = 100 * kMs;
  auto window = make(one);
  Output out;
  ASSERT_TRUE(window->process(0, batch_of({at(0, 1), at(15, 1, 2)}), out).ok());
  ASSERT_TRUE(window->advance(50 * kMs, out).ok());
  EXPECT_EQ(out.take(), (Texts{"1|10|1|1", "1|25|2|1"}));
  ASSERT_TRUE(window->process(0, batch_of({at(8, 1, 4)}), out).ok());
  EXPECT_EQ(out.take(), (Texts{"1|10|1|-1", "1|25|2|-1", "1|25|7|1"}));
}

TEST(WindowAggregate, StateOfAnotherWindowIsRefused) {
  OneNode one = summed(Assigner::tumble, 10);
  auto window = make(one);
  auto snapshot = window->snapshot();
  ASSERT_TRUE(snapshot.ok());
  std::string bytes = write_down(**snapshot);
  one.node().window.size_us *= 2;
  auto reader = StateReader::from_bytes(bytes, "test");
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ(make(one)->restore(**reader).code(), Code::invalid);
}

// More keys than are compacted at once, so that sessions move between entries while timers wait.
TEST(WindowAggregate, ManySessions) {
  OneNode one = summed(Assigner::session, 10);
  auto window = make(one);
  Output out;
  size_t results = 0;
  for (int64_t step = 0; step < 20; ++step) {
    std::vector<Row> rows;
    for (int64_t key = 0; key < 2000; ++key) rows.push_back(at(step * 5 + (key % 3), step * 700 + key));
    ASSERT_TRUE(window->process(0, batch_of(rows), out).ok());
    ASSERT_TRUE(window->advance(step * 5 * kMs, out).ok());
    results += out.take().size();
  }
  EXPECT_LT(window->state_keys(), 8000);
  ASSERT_TRUE(window->advance(kFinalWatermark, out).ok());
  results += out.take().size();
  EXPECT_EQ(results, 19U * 700 + 2000);  // each key once: its steps are less than a gap apart
  EXPECT_EQ(window->state_keys(), 0);
}

}  // namespace
}  // namespace weir
