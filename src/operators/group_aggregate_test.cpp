#include "operators/group_aggregate.h"

#include <map>
#include <random>

#include "operators/harness_test.h"

namespace weir {
namespace {

using namespace harness;
using Texts = std::vector<std::string>;

Row keyed(std::optional<int64_t> key, std::optional<int64_t> number) {
  Row row;
  row.key = key;
  row.number = number;
  return row;
}

OneNode counted() {
  return {NodeKind::aggregate,
          {kKey},
          {call("count", {}, arrow::int64()), call("max", {kNumber}, arrow::int64())}};
}

std::unique_ptr<Operator> make(OneNode& one) {
  auto made = make_group_aggregate(one.context());
  EXPECT_TRUE(made.ok()) << made.status().message();
  return std::move(*made);
}

TEST(GroupAggregate, ChangesOfEachKeyOnceABatch) {
  OneNode one = counted();
  auto group = make(one);
  Output out;
  ASSERT_TRUE(group->process(0, batch_of({keyed(1, 5), keyed({}, 2), keyed(1, 3)}), out).ok());
  EXPECT_EQ(out.take(), (Texts{"1|2|5|1", "null|1|2|1"}));
  ASSERT_TRUE(group->process(0, batch_of({keyed(1, 9), keyed(2, {}), keyed(1, 1)}), out).ok());
  EXPECT_EQ(out.take(), (Texts{"1|2|5|-1", "1|4|9|1", "2|1|null|1"}));
}

TEST(GroupAggregate, NothingWhenTheResultStays) {
  OneNode one(NodeKind::aggregate, {kKey}, {call("max", {kNumber}, arrow::int64())});
  auto group = make(one);
  Output out;
  ASSERT_TRUE(group->process(0, batch_of({keyed(1, 5), keyed(2, 5)}), out).ok());
  out.take();
  ASSERT_TRUE(group->process(0, batch_of({keyed(1, 4), keyed(2, 6)}), out).ok());
  EXPECT_EQ(out.take(), (Texts{"2|5|-1", "2|6|1"}));
}

TEST(GroupAggregate, ForgetsKeysAfterTheirTtl) {
  OneNode one = counted();
  one.ttl_us = 8000;
  one.clock.set(100'000);
  auto group = make(one);
  Output out;
  EXPECT_FALSE(group->next_timer().has_value());
  ASSERT_TRUE(group->process(0, batch_of({keyed(1, 5), keyed(2, 5)}), out).ok());
  one.clock.set(106'000);
  ASSERT_TRUE(group->process(0, batch_of({keyed(2, 5)}), out).ok());
  ASSERT_TRUE(group->next_timer().has_value());
  EXPECT_GE(*group->next_timer(), 108'000);
  EXPECT_LE(*group->next_timer(), 109'000);
  one.clock.set(110'000);
  ASSERT_TRUE(group->on_time(110'000, out).ok());
  EXPECT_EQ(group->state_keys(), 1);
  out.take();
  ASSERT_TRUE(group->process(0, batch_of({keyed(1, 7), keyed(2, 7)}), out).ok());
  EXPECT_EQ(out.take(), (Texts{"2|2|5|-1", "1|1|7|1", "2|3|7|1"}));
}

// A TTL may come and go between two versions of a file: the state stays readable, and what was not touched
// for so long is forgotten.
TEST(GroupAggregate, ATtlMayComeAndGo) {
  const auto go_on = [](Operator& from, OneNode& to) {
    auto snapshot = from.snapshot();
    EXPECT_TRUE(snapshot.ok());
    const std::string bytes = write_down(**snapshot);
    auto reader = StateReader::from_bytes(bytes, "test");
    EXPECT_TRUE(reader.ok());
    auto group = make(to);
    Status restored = group->restore(**reader);
    EXPECT_TRUE(restored.ok()) << restored.message();
    return group;
  };
  OneNode endless = counted(), bounded = counted();
  bounded.ttl_us = 8000;
  Output out;
  auto group = make(endless);
  endless.clock.set(100'000);
  ASSERT_TRUE(group->process(0, batch_of({keyed(1, 5), keyed(2, 5)}), out).ok());
  endless.clock.set(106'000);
  ASSERT_TRUE(group->process(0, batch_of({keyed(2, 5)}), out).ok());
  EXPECT_FALSE(group->next_timer().has_value());
  bounded.clock.set(110'000);
  group = go_on(*group, bounded);
  ASSERT_TRUE(group->next_timer().has_value());
  ASSERT_TRUE(group->on_time(110'000, out).ok());
  EXPECT_EQ(group->state_keys(), 1);
  endless.clock.set(500'000);
  group = go_on(*group, endless);
  EXPECT_FALSE(group->next_timer().has_value());
  out.take();
  ASSERT_TRUE(group->process(0, batch_of({keyed(2, 7)}), out).ok());
  EXPECT_EQ(out.take(), (Texts{"2|2|5|-1", "2|3|7|1"}));
}

TEST(GroupAggregate, AChangelogIsNoInput) {
  OneNode one = counted();
  one.plan.graph[0].changelog = true;
  EXPECT_EQ(make_group_aggregate(one.context()).status().code(), Code::invalid);
}

// The net of the changelog is the batch answer, also with restarts in between.
TEST(GroupAggregate, NetIsTheAnswerOverAllRows) {
  std::mt19937 random(7);
  for (int round = 0; round < 20; ++round) {
    OneNode one(NodeKind::aggregate, {kName},
                {call("count", {}, arrow::int64()), call("max", {kText}, arrow::utf8()),
                 distinct(call("count", {kNumber}, arrow::int64()))});
    one.batch_rows = 1 + random() % 5;
    auto group = make(one);
    Output out;
    std::map<std::string, int> net;
    std::map<std::string, std::tuple<int, std::string, std::map<int64_t, int>>> groups;
    for (int step = 0; step < 30; ++step) {
      std::vector<Row> rows(1 + random() % 12);
      for (Row& row : rows) {
        row.name = "n" + std::to_string(random() % 6);
        row.text = std::string(1 + random() % 20, static_cast<char>('a' + random() % 8));
        row.number = random() % 30;
        auto& [count, most, numbers] = groups[row.name];
        ++count;
        most = std::max(most, *row.text);
        ++numbers[*row.number];
      }
      if (random() % 4 == 0) {
        auto snapshot = group->snapshot();
        ASSERT_TRUE(snapshot.ok());
        Output nowhere;
        ASSERT_TRUE(group->process(0, batch_of(rows), nowhere).ok());
        std::string bytes = write_down(**snapshot);
        group = make(one);
        auto reader = StateReader::from_bytes(bytes, "test");
        ASSERT_TRUE(reader.ok());
        ASSERT_TRUE(group->restore(**reader).ok());
      }
      ASSERT_TRUE(group->process(0, batch_of(rows), out).ok());
      for (const std::string& text : out.take()) {
        size_t cut = text.rfind('|');
        net[text.substr(0, cut)] += std::stoi(text.substr(cut + 1));
      }
    }
    std::map<std::string, int> expected;
    for (const auto& [name, group_of] : groups) {
      const auto& [count, most, numbers] = group_of;
      ++expected[name + "|" + std::to_string(count) + "|" + most + "|" + std::to_string(numbers.size())];
    }
    std::erase_if(net, [](const auto& row) { return row.second == 0; });
    EXPECT_EQ(net, expected);
  }
}

}  // namespace
}  // namespace weir
