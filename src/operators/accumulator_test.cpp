// The expected values are the answers of the Python package datafusion 55 over the same rows.
#include "operators/accumulator.h"

#include <cmath>
#include <limits>

#include "operators/harness_test.h"

namespace weir {
namespace {

using namespace harness;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::vector<Row> rows() {
  Row a, b, c, d;
  a.number = 3, a.text = "b", a.real = 1.5, a.cents = 110, a.taken = true, a.time_ms = 1000;
  b.real = kNaN, b.cents = 225, b.time_ms = 7;
  c.number = -1, c.text = "a", c.taken = false, c.time_ms = -5;
  d.number = 3, d.text = "b", d.real = -0.0, d.cents = 110, d.taken = true, d.time_ms = 1000;
  return {a, b, c, d};
}

// One group over the batch; in two halves that are merged when `split`.
std::string answer(const AggregateCall& call, const std::vector<Row>& rows, bool split) {
  auto set = AggregateSet::create({call}, *row_schema(), 0);
  EXPECT_TRUE(set.ok()) << set.status().message();
  if (!set.ok()) return "";
  size_t words = set->state_width() / 8;
  std::vector<uint64_t> first(words), second(words);
  ValueStore first_values, second_values;
  auto* state = reinterpret_cast<uint8_t*>(first.data());
  auto* other = reinterpret_cast<uint8_t*>(second.data());
  size_t cut = split ? rows.size() / 2 : rows.size();
  std::vector<uint8_t*> states(rows.size(), state);
  std::fill(states.begin() + static_cast<long>(cut), states.end(), other);
  auto batch = batch_of(rows);
  std::vector<uint32_t> head, tail;
  for (uint32_t i = 0; i < rows.size(); ++i) (i < cut ? head : tail).push_back(i);
  EXPECT_TRUE(set->update({batch.get(), head.data(), head.size(), states.data(), 1}, first_values).ok());
  EXPECT_TRUE(
      set->update({batch.get(), tail.data(), tail.size(), states.data() + cut, 1}, second_values).ok());
  const uint8_t* from = other;
  EXPECT_TRUE(set->merge(&from, second_values, &state, first_values, 1).ok());
  std::vector<std::shared_ptr<arrow::Array>> columns;
  const uint8_t* result = state;
  EXPECT_TRUE(set->emit(&result, first_values, 1, columns).ok());
  EXPECT_TRUE(columns[0]->type()->Equals(*call.type));
  EXPECT_TRUE(columns[0]->ValidateFull().ok());
  set->release(state, first_values);
  return value_text(*columns[0], 0, false);
}

void expect_answer(const AggregateCall& call, const std::string& expected,
                   const std::vector<Row>& over = rows()) {
  EXPECT_EQ(answer(call, over, false), expected) << call.function << (call.distinct ? " distinct" : "");
  EXPECT_EQ(answer(call, over, true), expected) << call.function << " of two parts";
}

const auto i64 = arrow::int64();
const auto f64 = arrow::float64();

AggregateCall string_agg(const std::string& separator) {
  AggregateCall made = call("string_agg", {kText}, arrow::large_utf8());
  made.separator = separator;
  return made;
}

TEST(Accumulator, CountsSumsAndAverages) {
  expect_answer(call("count", {}, i64), "4");
  expect_answer(call("count", {kNumber}, i64), "3");
  expect_answer(call("count", {kNumber, kText}, i64), "3");
  expect_answer(filtered(call("count", {}, i64)), "2");
  expect_answer(call("sum", {kNumber}, i64), "5");
  expect_answer(filtered(call("sum", {kNumber}, i64)), "6");
  expect_answer(call("sum", {kReal}, f64), "nan");
  expect_answer(call("sum", {kDecimal}, arrow::decimal128(20, 2)), "4.45");
  expect_answer(call("avg", {kNumber}, f64), "1.666666667");
  expect_answer(call("avg", {kReal}, f64), "nan");
  expect_answer(call("avg", {kDecimal}, arrow::decimal128(14, 6)), "1.483333");
}

TEST(Accumulator, LeastAndGreatest) {
  expect_answer(call("min", {kReal}, f64), "-0");
  expect_answer(call("max", {kReal}, f64), "nan");
  expect_answer(call("min", {kText}, arrow::utf8()), "a");
  expect_answer(call("max", {kText}, arrow::utf8()), "b");
  expect_answer(call("min", {kTaken}, arrow::boolean()), "false");
  expect_answer(call("max", {kTaken}, arrow::boolean()), "true");
  expect_answer(call("min", {kTime}, arrow::timestamp(arrow::TimeUnit::MILLI)), "-5");
  expect_answer(call("max", {kDecimal}, arrow::decimal128(10, 2)), "2.25");
  expect_answer(distinct(call("min", {kNumber}, i64)), "-1");
}

TEST(Accumulator, ListsAndTexts) {
  expect_answer(call("first_value", {kNumber}, i64), "3");
  expect_answer(call("last_value", {kNumber}, i64), "3");
  expect_answer(call("first_value", {kText}, arrow::utf8()), "b");
  expect_answer(string_agg(","), "b,a,b");
  expect_answer(string_agg(""), "bab");
  expect_answer(call("array_agg", {kNumber}, arrow::list(i64)), "3,null,-1,3");
  expect_answer(call("array_agg", {kText}, arrow::list(arrow::utf8())), "b,null,a,b");
  expect_answer(call("array_agg", {kTaken}, arrow::list(arrow::boolean())), "true,null,false,true");
  expect_answer(filtered(call("array_agg", {kNumber}, arrow::list(i64))), "3,3");
}

TEST(Accumulator, SpreadOfNumbers) {
  expect_answer(call("stddev_samp", {kNumber}, f64), "2.309401077");
  expect_answer(call("stddev_pop", {kNumber}, f64), "1.885618083");
  expect_answer(call("var_samp", {kReal}, f64), "nan");
  expect_answer(call("stddev_samp", {kNumber}, f64), "null", {rows()[0]});
  expect_answer(call("var_pop", {kNumber}, f64), "0", {rows()[0]});
}

TEST(Accumulator, Distinct) {
  expect_answer(distinct(call("count", {kText}, i64)), "2");
  expect_answer(distinct(call("count", {kNumber}, i64)), "2");
  expect_answer(distinct(call("count", {kReal}, i64)), "3");
  expect_answer(distinct(call("count", {kTaken}, i64)), "2");
  expect_answer(distinct(call("sum", {kNumber}, i64)), "2");
  expect_answer(distinct(call("sum", {kDecimal}, arrow::decimal128(20, 2))), "3.35");
  expect_answer(distinct(call("avg", {kNumber}, f64)), "1");
  expect_answer(distinct(call("avg", {kDecimal}, arrow::decimal128(14, 6))), "1.675000");
  expect_answer(distinct(call("stddev_samp", {kNumber}, f64)), "2.828427125");
  expect_answer(distinct(string_agg(",")), "b,a");
  Row zero, negative_zero;
  zero.real = 0.0, negative_zero.real = -0.0;
  Row nan = rows()[1], one = rows()[0];
  expect_answer(distinct(call("count", {kReal}, i64)), "3", {zero, negative_zero, nan, nan, one});
}

TEST(Accumulator, OfNoRows) {
  for (const char* function : {"sum", "min", "max", "first_value", "last_value"}) {
    expect_answer(call(function, {kNumber}, i64), "null", {});
  }
  for (const char* function : {"avg", "stddev_samp", "stddev_pop", "var_samp", "var_pop"}) {
    expect_answer(call(function, {kNumber}, f64), "null", {});
  }
  expect_answer(call("count", {}, i64), "0", {});
  expect_answer(distinct(call("count", {kNumber}, i64)), "0", {});
  expect_answer(distinct(call("sum", {kNumber}, i64)), "null", {});
  expect_answer(string_agg(","), "null", {});
  expect_answer(call("array_agg", {kNumber}, arrow::list(i64)), "null", {});
}

TEST(Accumulator, IntegersWrapAndDecimalsThatDoNotFitAreNull) {
  Row big;
  big.number = std::numeric_limits<int64_t>::max();
  big.cents = 9'999'999'999;
  std::vector<Row> five(5, big);
  expect_answer(call("sum", {kNumber}, i64), "9223372036854775803", five);
  expect_answer(call("sum", {kDecimal}, arrow::decimal128(10, 2)), "null", five);
  expect_answer(call("avg", {kDecimal}, arrow::decimal128(10, 6)), "null", five);
}

TEST(Accumulator, LargeSetsAndSnapshots) {
  auto set = AggregateSet::create({distinct(call("count", {kNumber}, i64))}, *row_schema(), 0);
  ASSERT_TRUE(set.ok());
  uint64_t slot = 0;
  auto* state = reinterpret_cast<uint8_t*>(&slot);
  ValueStore values;
  auto add = [&](int64_t from, int64_t to, ValueStore& into) {
    std::vector<Row> many(static_cast<size_t>(to - from));
    for (Row& row : many) row.number = from++ % 700;
    std::vector<uint8_t*> states(many.size(), state);
    auto batch = batch_of(many);
    EXPECT_TRUE(set->update({batch.get(), nullptr, many.size(), states.data(), 1}, into).ok());
  };
  add(0, 500, values);
  auto snapshot = values.snapshot();
  add(300, 1400, values);
  EXPECT_EQ(values.count(slot), 700U);
  int64_t full = values.bytes();
  uint64_t kept = slot;
  std::string bytes = write_down(*snapshot);
  set->release(state, values);
  EXPECT_EQ(slot, 0U);
  EXPECT_LT(values.bytes(), full);

  ValueStore restored;
  auto reader = StateReader::from_bytes(bytes, "test");
  ASSERT_TRUE(reader.ok());
  ASSERT_TRUE(restored.restore(**reader).ok());
  slot = kept;
  EXPECT_EQ(restored.count(slot), 500U);
  add(0, 700, restored);
  EXPECT_EQ(restored.count(slot), 700U);
}

TEST(Accumulator, WhatIsNotKnownIsRefusedByName) {
  auto set = AggregateSet::create({call("median", {kNumber}, i64)}, *row_schema(), 0);
  ASSERT_FALSE(set.ok());
  EXPECT_NE(set.status().message().find("median(int64)"), std::string::npos) << set.status().message();
}

}  // namespace
}  // namespace weir
