#include "state/row_store.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>

namespace weir {
namespace {

std::shared_ptr<arrow::Schema> schema() {
  return arrow::schema({arrow::field("key", arrow::int64()), arrow::field("text", arrow::utf8()),
                        arrow::field("ts", arrow::timestamp(arrow::TimeUnit::MICRO)),
                        arrow::field("tags", arrow::list(arrow::int32())),
                        arrow::field("on", arrow::boolean()),
                        arrow::field("price", arrow::decimal128(12, 2))});
}

// Row i: key `first + i`, at time `first + i`; every seventh text and tag list is NULL.
std::shared_ptr<arrow::RecordBatch> batch(int64_t first, int64_t count, bool null_keys = false) {
  arrow::Int64Builder keys;
  arrow::StringBuilder texts;
  arrow::TimestampBuilder times(arrow::timestamp(arrow::TimeUnit::MICRO), arrow::default_memory_pool());
  auto numbers = std::make_shared<arrow::Int32Builder>();
  arrow::ListBuilder tags(arrow::default_memory_pool(), numbers);
  arrow::BooleanBuilder flags;
  arrow::Decimal128Builder prices(arrow::decimal128(12, 2));
  for (int64_t i = first; i < first + count; ++i) {
    bool null = i % 7 == 0;
    EXPECT_TRUE((null && null_keys ? keys.AppendNull() : keys.Append(i)).ok());
    EXPECT_TRUE((null ? texts.AppendNull() : texts.Append("text " + std::to_string(i))).ok());
    EXPECT_TRUE(times.Append(i).ok());
    EXPECT_TRUE((null ? tags.AppendNull() : tags.Append()).ok());
    if (!null) EXPECT_TRUE(numbers->Append(static_cast<int32_t>(i)).ok());
    EXPECT_TRUE(flags.Append(i % 3 == 0).ok());
    EXPECT_TRUE(prices.Append(arrow::Decimal128(i)).ok());
  }
  return arrow::RecordBatch::Make(
      schema(), count,
      {*keys.Finish(), *texts.Finish(), *times.Finish(), *tags.Finish(), *flags.Finish(), *prices.Finish()});
}

RowStore store(int time_column = -1, int64_t roll_us = 0) {
  auto made = RowStore::create(schema(), {0}, time_column, roll_us);
  EXPECT_TRUE(made.ok());
  return *std::move(made);
}

void add(RowStore& rows, const std::shared_ptr<arrow::RecordBatch>& added, int64_t now_us = 0) {
  auto keyed = rows.keys().prepare(added);
  ASSERT_TRUE(keyed.ok());
  ASSERT_TRUE(rows.add(*std::move(keyed), now_us).ok());
}

// How many rows of `rows` have a key of `asking`.
size_t matches(RowStore& rows, const std::shared_ptr<arrow::RecordBatch>& asking) {
  size_t count = 0;
  RowPairs pairs(100);
  pairs.on_full([&]() -> Status {
    for (size_t i = 0; i < pairs.size(); ++i) {
      auto keys = rows.chunks().gather(pairs.stored() + i, 1);
      EXPECT_TRUE(keys.ok());
      EXPECT_EQ(static_cast<const arrow::Int64Array&>(*(*keys)->column(0)).Value(0),
                static_cast<const arrow::Int64Array&>(*asking->column(0)).Value(pairs.probe()[i]));
    }
    count += pairs.size();
    return {};
  });
  RowStore other = store();
  auto keyed = other.keys().prepare(asking);
  EXPECT_TRUE(keyed.ok());
  EXPECT_TRUE(rows.match(*keyed, other.keys(), nullptr, pairs).ok());
  EXPECT_TRUE(pairs.flush().ok());
  return count;
}

TEST(RowChunks, GathersEveryTypeFromSeveralBatches) {
  RowChunks chunks(schema());
  auto all = batch(0, 300);
  for (int64_t from : {0, 100, 200}) ASSERT_TRUE(chunks.add(all->Slice(from, 100)).ok());
  std::vector<RowRef> refs;
  std::vector<int64_t> expected;
  for (int64_t i = 0; i < 500; ++i) {
    int64_t row = i * 37 % 300;
    expected.push_back(row);
    refs.push_back(row_ref(static_cast<uint32_t>(row / 100), static_cast<uint32_t>(row % 100)));
  }
  auto gathered = chunks.gather(refs.data(), refs.size());
  ASSERT_TRUE(gathered.ok());
  ASSERT_TRUE((*gathered)->ValidateFull().ok()) << (*gathered)->ValidateFull();
  for (size_t i = 0; i < refs.size(); ++i) {
    auto found = (*gathered)->Slice(static_cast<int64_t>(i), 1);
    ASSERT_TRUE(found->Equals(*all->Slice(expected[i], 1))) << found->ToString();
  }
  // Neighbours come without a copy.
  auto slice = chunks.gather(std::vector<RowRef>{row_ref(1, 5), row_ref(1, 6)}.data(), 2);
  ASSERT_TRUE(slice.ok());
  EXPECT_TRUE((*slice)->Equals(*all->Slice(105, 2)));
}

TEST(RowChunks, ASmallSliceDoesNotHoldTheLargeBatch) {
  RowChunks chunks(schema());
  auto large = batch(0, 8000);
  auto whole = chunks.add(large), slice = chunks.add(large->Slice(4000, 10));
  ASSERT_TRUE(whole.ok() && slice.ok());
  EXPECT_EQ(chunks.rows(*whole), large);  // as it came
  EXPECT_LT(held_bytes(*chunks.rows(*slice)), 4096);
  EXPECT_TRUE(chunks.rows(*slice)->Equals(*large->Slice(4000, 10)));
  EXPECT_GT(chunks.bytes(*whole), 8000 * 24);
}

TEST(RowStore, FindsTheSameBeforeAndAfterIndexing) {
  RowStore rows = store();
  for (int64_t from = 0; from < 40'000; from += 4000) add(rows, batch(from, 4000));
  for (int64_t i = 0; i < 10; ++i) add(rows, batch(40'000 + i * 10, 10));
  int64_t before = rows.bytes();
  for (int round = 0; round < 100; ++round) {
    EXPECT_EQ(matches(rows, batch(round * 400, 50)), 50u);
    EXPECT_EQ(matches(rows, batch(40'095, 10)), 5u);
  }
  EXPECT_GT(rows.bytes(), before + 40'000 * 4);  // it has been asked often enough
  add(rows, batch(0, 2000));
  EXPECT_EQ(matches(rows, batch(1990, 20)), 30u);
}

TEST(RowStore, IsNotIndexedForOneQuestion) {
  RowStore rows = store();
  for (int64_t from = 0; from < 40'000; from += 4000) add(rows, batch(from, 4000));
  int64_t before = rows.bytes();
  EXPECT_EQ(matches(rows, batch(12'345, 1)), 1u);
  EXPECT_EQ(rows.bytes(), before);
}

TEST(RowStore, SmallBatchesAreMerged) {
  RowStore rows = store();
  for (int64_t i = 0; i < 5000; ++i) add(rows, batch(i, 1));
  EXPECT_EQ(rows.rows(), 5000);
  EXPECT_LT(rows.batches().size(), 16u);
  EXPECT_LT(rows.bytes(), 5000 * 150);
  EXPECT_EQ(matches(rows, batch(0, 6000)), 5000u);
}

TEST(RowStore, LeavesOutNullKeysAndForgetsByTime) {
  RowStore rows = store(2, 1000);
  add(rows, batch(0, 700, true));
  EXPECT_EQ(rows.rows(), 600);
  for (int64_t now = 1000; now <= 20'000; now += 1000) {
    auto ahead = batch(now + 100'000, 1);  // holds nothing back but itself
    add(rows, batch(now, 1000), now);
    add(rows, ahead, now);
    ASSERT_TRUE(rows.expire(now - 2000).ok());
    EXPECT_LT(rows.rows(), 8 * 1001);
  }
  EXPECT_EQ(matches(rows, batch(101'000, 20'000)), 20u);
  ASSERT_TRUE(rows.expire(1'000'000).ok());
  EXPECT_EQ(rows.rows(), 0);
  EXPECT_TRUE(rows.batches().empty());
}

}  // namespace
}  // namespace weir
