// Every assigner with every aggregate against a map of windows to rows, over random streams with disorder,
// snapshots in between and restarts from them.
#include <cmath>
#include <map>
#include <random>
#include <set>

#include "operators/harness_test.h"
#include "operators/window_aggregate.h"

namespace weir {
namespace {

using namespace harness;
using Assigner = WindowSpec::Assigner;

struct Shape {
  const char* name;
  Assigner assigner;
  int64_t size_ms, slide_ms, gap_ms, offset_ms;
};

constexpr Shape kShapes[] = {
    {"tumble", Assigner::tumble, 100, 0, 0, 0},
    {"tumble offset", Assigner::tumble, 70, 0, 0, -33},
    {"hop", Assigner::hop, 100, 20, 0, 0},
    {"hop odd", Assigner::hop, 90, 40, 0, 7},
    {"hop gaps", Assigner::hop, 30, 50, 0, 0},
    {"hop whole", Assigner::hop, 50, 50, 0, 0},
    {"cumulate", Assigner::cumulate, 120, 30, 0, -5},
    {"session", Assigner::session, 0, 0, 25, 0},
    {"session long", Assigner::session, 0, 0, 90, 0},
    {"attached", Assigner::attached, 40, 0, 0, 0},
};

struct Event {
  std::vector<Row> rows;
  int64_t watermark_ms = 0;  // when there are no rows
};

std::vector<AggregateCall> calls(bool retractable) {
  auto i64 = arrow::int64();
  AggregateCall joined = call("string_agg", {kText}, arrow::large_utf8());
  joined.separator = ",";
  std::vector<AggregateCall> made{filtered(call("count", {}, i64)), call("count", {kNumber}, i64),
                                  call("sum", {kNumber}, i64), filtered(call("sum", {kNumber}, i64)),
                                  call("avg", {kDecimal}, arrow::decimal128(14, 6))};
  if (retractable) return made;
  for (AggregateCall& more : std::vector<AggregateCall>{
           call("avg", {kNumber}, arrow::float64()), call("min", {kNumber}, i64),
           call("max", {kText}, arrow::utf8()), call("min", {kDecimal}, arrow::decimal128(10, 2)),
           call("first_value", {kNumber}, i64), call("last_value", {kText}, arrow::utf8()),
           distinct(call("count", {kText}, i64)), distinct(call("sum", {kNumber}, i64)), joined,
           call("array_agg", {kNumber}, arrow::list(i64)), call("stddev_pop", {kNumber}, arrow::float64())}) {
    made.push_back(more);
  }
  return made;
}

std::string joined(std::vector<std::string> parts) {
  std::sort(parts.begin(), parts.end());
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ",") + part;
  return text;
}

std::string real(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.10g", std::abs(value) < 1e-7 ? 0 : value);
  return text;
}

std::string decimal(int64_t value, int scale) { return arrow::Decimal128(value).ToString(scale); }

// What calls() give for these rows, by their definitions.
std::string expected_aggregates(const std::vector<Row>& rows, bool retractable) {
  int64_t taken = 0, numbers = 0, sum = 0, taken_sum = 0, taken_numbers = 0, cents = 0, decimals = 0;
  std::vector<int64_t> all;
  std::set<int64_t> distinct_numbers;
  std::set<std::string> texts;
  std::vector<std::string> text_list, number_list;
  std::optional<int64_t> least_cents;
  for (const Row& row : rows) {
    bool passes = row.taken.value_or(false);
    taken += passes;
    if (row.number) {
      ++numbers;
      sum += *row.number;
      all.push_back(*row.number);
      distinct_numbers.insert(*row.number);
      if (passes) {
        ++taken_numbers;
        taken_sum += *row.number;
      }
    }
    number_list.push_back(row.number ? std::to_string(*row.number) : "null");
    if (row.text) texts.insert(*row.text);
    if (row.text) text_list.push_back(*row.text);
    if (row.cents) {
      ++decimals;
      cents += *row.cents;
      least_cents = std::min(least_cents.value_or(*row.cents), *row.cents);
    }
  }
  std::string text = std::to_string(taken) + "|" + std::to_string(numbers);
  auto add = [&text](bool some, const std::string& value) { text += "|" + (some ? value : "null"); };
  add(numbers > 0, std::to_string(sum));
  add(taken_numbers > 0, std::to_string(taken_sum));
  add(decimals > 0, decimals == 0 ? "" : decimal(cents * 10'000 / decimals, 6));
  if (retractable) return text;
  add(numbers > 0, real(static_cast<double>(sum) / static_cast<double>(numbers)));
  add(numbers > 0, numbers == 0 ? "" : std::to_string(*distinct_numbers.begin()));
  add(!texts.empty(), texts.empty() ? "" : *texts.rbegin());
  add(decimals > 0, decimal(least_cents.value_or(0), 2));
  add(rows.front().number.has_value(), std::to_string(rows.front().number.value_or(0)));
  add(rows.back().text.has_value(), rows.back().text.value_or(""));
  add(true, std::to_string(texts.size()));
  int64_t distinct_sum = 0;
  for (int64_t number : distinct_numbers) distinct_sum += number;
  add(numbers > 0, std::to_string(distinct_sum));
  add(!text_list.empty(), joined(text_list));
  add(true, joined(number_list));
  double squares = 0;
  double mean = static_cast<double>(sum) / static_cast<double>(numbers);
  for (int64_t number : all) {
    squares += (static_cast<double>(number) - mean) * (static_cast<double>(number) - mean);
  }
  add(numbers > 0, real(std::sqrt(squares / static_cast<double>(numbers))));
  return text;
}

class RandomRun {
 public:
  RandomRun(const Shape& shape, int key_column, int64_t lateness_ms, bool retractable, uint32_t seed)
      : shape_(shape),
        key_column_(key_column),
        lateness_ms_(lateness_ms),
        retractable_(retractable),
        random_(seed),
        one_(NodeKind::window_aggregate, key_column < 0 ? std::vector<int>{} : std::vector<int>{key_column},
             calls(retractable)) {
    WindowSpec& window = one_.node().window;
    window.assigner = shape.assigner;
    window.size_us = shape.size_ms * kMs;
    window.slide_us = shape.slide_ms * kMs;
    window.gap_us = shape.gap_ms * kMs;
    window.offset_us = shape.offset_ms * kMs;
    window.time_column = kTime;
    if (shape.assigner == Assigner::attached) {
      window.start_column = kStart;
      window.end_column = kEnd;
    }
    one_.node().window_columns = {WindowColumn::start, WindowColumn::end, WindowColumn::time};
    one_.lateness_us = lateness_ms * kMs;
    one_.batch_rows = 1 + random_() % 7;
  }

  void run() {
    make_events();
    auto window = make();
    for (size_t i = 0; i < events_.size(); ++i) {
      if (random_() % 5 == 0) window = restart(std::move(window), i);
      apply(*window, events_[i], out_);
      ASSERT_FALSE(testing::Test::HasFailure()) << shape_.name;
      collect();
      ASSERT_GE(window->state_bytes(), 0);
    }
    EXPECT_EQ(window->state_keys(), 0) << shape_.name;
    std::map<std::string, int> expected;
    for (const std::string& row : expected_) ++expected[row];
    for (auto row = net_.begin(); row != net_.end();)
      row = row->second == 0 ? net_.erase(row) : std::next(row);
    EXPECT_FALSE(expected.empty());
    EXPECT_EQ(net_, expected) << shape_.name << " key " << key_column_ << " lateness " << lateness_ms_;
  }

 private:
  uint32_t below(uint32_t bound) { return static_cast<uint32_t>(random_() % bound); }

  Row random_row(int64_t time_ms) {
    Row row;
    if (below(9) != 0) row.key = below(6);
    row.time_ms = time_ms;
    if (below(4) != 0) row.number = static_cast<int64_t>(below(20)) - 10;
    if (below(4) != 0) row.text = std::string(1 + below(3) * 9, static_cast<char>('a' + below(5)));
    if (below(3) != 0) row.taken = below(2) == 0;
    if (below(4) != 0) row.cents = static_cast<int64_t>(below(3000)) - 1500;
    row.name = "name " + std::to_string(below(5));
    WindowSpec grid;
    grid.size_us = 40 * kMs;
    row.start_ms = slice_of(grid, time_ms * kMs).start_us / kMs;
    row.end_ms = row.start_ms + 40;
    return row;
  }

  // Rows around a rising time, never late; each watermark is what the map of windows fires by, too.
  void make_events() {
    int64_t now = -300, watermark = -1'000'000;
    for (int step = 0; step < 60; ++step) {
      Event rows;
      now += below(8) == 0 ? 150 : below(30);
      uint32_t count = 1 + below(below(4) == 0 ? 40 : 6);
      for (uint32_t i = 0; i < count; ++i) {
        Row row = random_row(now - below(120) + 20);
        int64_t base = shape_.assigner == Assigner::attached ? row.end_ms : row.time_ms;
        int64_t end = last_window_end(one_.node().window, base * kMs) / kMs;
        if (end + lateness_ms_ - 1 <= watermark) continue;
        rows.rows.push_back(row);
        expect(row, watermark);
      }
      if (!rows.rows.empty()) events_.push_back(rows);
      if (below(3) == 0) {
        watermark = std::max(watermark, now - static_cast<int64_t>(below(60)));
        events_.push_back({{}, watermark});
        expect_fired(watermark);
      }
    }
    events_.push_back({{}, kFinalWatermark});
    expect_fired(kFinalWatermark);
    for (const auto& [window, rows] : windows_) {
      expected_.push_back(text_of(std::get<0>(window), std::get<1>(window), std::get<2>(window), rows));
    }
  }

  std::string key_of(const Row& row) const {
    if (key_column_ < 0) return "";
    if (key_column_ == kName) return row.name + "|";
    return (row.key ? std::to_string(*row.key) : "null") + "|";
  }
  std::string text_of(const std::string& key, int64_t start, int64_t end,
                      const std::vector<Row>& rows) const {
    return key + std::to_string(start) + "|" + std::to_string(end) + "|" + std::to_string(end - 1) + "|" +
           expected_aggregates(rows, retractable_);
  }

  void expect(const Row& row, int64_t watermark) {
    if (shape_.assigner == Assigner::session) return expect_session(row);
    auto belongs = [&](int64_t start, int64_t end) {
      if (row.time_ms < start || row.time_ms >= end || end + lateness_ms_ - 1 <= watermark) return;
      windows_[{key_of(row), start, end}].push_back(row);
    };
    if (shape_.assigner == Assigner::attached) return belongs(row.start_ms, row.end_ms);
    int64_t step = shape_.assigner == Assigner::hop ? shape_.slide_ms : shape_.size_ms;
    for (int64_t n = -100; n < 400; ++n) {
      int64_t start = n * step + shape_.offset_ms;
      if (shape_.assigner == Assigner::cumulate) {
        for (int64_t span = shape_.slide_ms; span <= shape_.size_ms; span += shape_.slide_ms) {
          belongs(start, start + span);
        }
      } else {
        belongs(start, start + shape_.size_ms);
      }
    }
  }

  struct NaiveSession {
    int64_t start, end;
    std::vector<std::pair<size_t, Row>> rows;  // with the number of arrival
  };
  void expect_session(const Row& row) {
    auto& open = sessions_[key_of(row)];
    NaiveSession made{row.time_ms, row.time_ms + shape_.gap_ms, {{++arrivals_, row}}};
    for (auto other = open.begin(); other != open.end();) {
      if (row.time_ms > other->end || row.time_ms + shape_.gap_ms < other->start) {
        ++other;
        continue;
      }
      made.start = std::min(made.start, other->start);
      made.end = std::max(made.end, other->end);
      made.rows.insert(made.rows.end(), other->rows.begin(), other->rows.end());
      other = open.erase(other);
    }
    open.push_back(made);
  }
  void expect_fired(int64_t watermark) {
    for (auto& [key, open] : sessions_) {
      for (auto each = open.begin(); each != open.end();) {
        if (each->end + lateness_ms_ - 1 > watermark) {
          ++each;
          continue;
        }
        std::sort(each->rows.begin(), each->rows.end(),
                  [](const auto& a, const auto& b) { return a.first < b.first; });
        std::vector<Row> rows;
        for (const auto& [arrival, row] : each->rows) rows.push_back(row);
        expected_.push_back(text_of(key, each->start, each->end, rows));
        each = open.erase(each);
      }
    }
  }

  std::unique_ptr<Operator> make() {
    auto made = make_window_aggregate(one_.context());
    EXPECT_TRUE(made.ok()) << made.status().message();
    return std::move(*made);
  }
  static void apply(Operator& window, const Event& event, Output& out) {
    Status done =
        event.rows.empty()
            ? window.advance(
                  event.watermark_ms == kFinalWatermark ? kFinalWatermark : event.watermark_ms * kMs, out)
            : window.process(0, batch_of(event.rows), out);
    EXPECT_TRUE(done.ok()) << done.message();
  }
  // Takes a snapshot, goes on with the old operator for a while, and then restores another from it.
  std::unique_ptr<Operator> restart(std::unique_ptr<Operator> window, size_t next) {
    auto snapshot = window->snapshot();
    EXPECT_TRUE(snapshot.ok());
    Output nowhere;
    size_t ahead = below(4);
    for (size_t i = next; i < std::min(events_.size(), next + ahead); ++i)
      apply(*window, events_[i], nowhere);
    bool gone = below(2) == 0;
    if (gone) window.reset();
    std::string bytes = write_down(**snapshot);
    auto restored = make();
    auto reader = StateReader::from_bytes(bytes, "test");
    EXPECT_TRUE(reader.ok());
    Status done = restored->restore(**reader);
    EXPECT_TRUE(done.ok()) << done.message();
    EXPECT_TRUE((*reader)->at_end());
    return restored;
  }

  void collect() {
    int64_t end = std::numeric_limits<int64_t>::min();
    int columns = one_.node().schema->num_fields();
    int at = (key_column_ < 0 ? 0 : 1) + 1;
    for (const auto& batch : out_.batches) {
      ASSERT_LE(batch->num_rows(), static_cast<int64_t>(one_.batch_rows));
      ASSERT_EQ(batch->num_columns(), columns + (lateness_ms_ > 0 ? 1 : 0));
      for (int64_t i = 0; i < batch->num_rows(); ++i) {
        int weight =
            lateness_ms_ > 0 ? static_cast<const arrow::Int8Array&>(*batch->column(columns)).Value(i) : 1;
        int& net = net_[row_text(*batch, i, columns, true)];
        net += weight;
        ASSERT_GE(net, 0);  // a row is taken back only after it was there
        ASSERT_LE(net, 1);
        int64_t this_end = static_cast<const arrow::TimestampArray&>(*batch->column(at)).Value(i);
        if (lateness_ms_ == 0) {
          ASSERT_GE(this_end, end);  // in order of ends
        }
        end = this_end;
      }
    }
    out_.batches.clear();
  }

  const Shape& shape_;
  int key_column_;
  int64_t lateness_ms_;
  bool retractable_;
  std::mt19937 random_;
  OneNode one_;
  std::vector<Event> events_;
  Output out_;
  std::map<std::string, int> net_;
  std::map<std::tuple<std::string, int64_t, int64_t>, std::vector<Row>> windows_;
  std::map<std::string, std::vector<NaiveSession>> sessions_;
  size_t arrivals_ = 0;
  std::vector<std::string> expected_;
};

class RandomWindows : public testing::TestWithParam<size_t> {};

TEST_P(RandomWindows, GiveWhatAMapOfRowsGives) {
  uint32_t seed = 1;
  for (int key : {-1, int(kKey), int(kName)}) {
    for (int64_t lateness : {0, 60}) {
      for (bool retractable : {true, false}) {
        for (int round = 0; round < 3; ++round) {
          SCOPED_TRACE("seed " + std::to_string(seed));
          RandomRun run(kShapes[GetParam()], key, lateness, retractable, seed++);
          run.run();
          if (HasFailure()) return;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, RandomWindows, testing::Range(size_t{0}, std::size(kShapes)));

}  // namespace
}  // namespace weir
