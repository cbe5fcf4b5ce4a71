#include "runtime/cut.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

// Two INSERTs from one source into two sinks.
struct Fixture {
  SourcePlan source;
  SinkPlan lake, copy;
  InsertPlan into_lake, into_copy;
  SetPlan set;
  std::shared_ptr<PartitionState> partition = std::make_shared<PartitionState>();

  Fixture() {
    source.table.name = "orders";
    lake.name = "lake";
    copy.name = "copy";
    into_lake.label = "lake";
    into_lake.sink = &lake;
    into_copy.label = "copy";
    into_copy.sink = &copy;
    bridge::PlanBranch a, b;
    a.source = b.source = "orders";
    into_lake.plan.branches.push_back(std::move(a));
    into_copy.plan.branches.push_back(std::move(b));
    set.sources = {&source};
    set.sinks = {&lake, &copy};
    set.inserts = {&into_lake, &into_copy};
    partition->app_id = "weir/p/orders/0";
    partition->sink_stands = {kNoStand, kNoStand};
  }

  Unit unit(int64_t from, int64_t next, int64_t read, int64_t kept, int64_t errored) {
    Unit unit;
    unit.partition = partition;
    unit.from = from;
    unit.next = next;
    unit.events = read;
    unit.failed = errored;
    unit.processed.counts.assign(2, InsertCounts{read, kept, read - kept - errored, errored, kept});
    unit.processed.rows.resize(2);
    return unit;
  }
};

TEST(Cut, JoinsTheRangesOfOnePartition) {
  Fixture f;
  Cut cut;
  cut.add(f.unit(10, 20, 10, 8, 1));
  cut.add(f.unit(20, 45, 5, 5, 0));
  auto request = cut.request(f.set, 0, true);
  ASSERT_EQ(request.ranges.size(), 1u);
  EXPECT_EQ(request.ranges[0].from, 10);
  EXPECT_EQ(request.ranges[0].next, 45);
  ASSERT_EQ(request.ledger.size(), 2u);  // the authority tells of every INSERT
  EXPECT_EQ(request.ledger[0].read, 15);
  EXPECT_EQ(request.ledger[0].read,
            request.ledger[0].kept + request.ledger[0].filtered + request.ledger[0].errored);
}

TEST(Cut, ATableThatIsAheadTakesOnlyWhatLiesAboveItsStand) {
  Fixture f;
  f.partition->sink_stands = {kNoStand, 20};
  Cut cut;
  cut.add(f.unit(10, 20, 10, 8, 1));
  cut.add(f.unit(20, 45, 5, 5, 0));
  auto request = cut.request(f.set, 1, false);
  ASSERT_EQ(request.ranges.size(), 1u);
  EXPECT_EQ(request.ranges[0].from, 20);
  ASSERT_EQ(request.ledger.size(), 1u);
  EXPECT_EQ(request.ledger[0].insert, "copy");
  EXPECT_EQ(request.ledger[0].from, 20);
}

TEST(Cut, ATableThatHasItAllGetsNoRange) {
  Fixture f;
  f.partition->sink_stands = {kNoStand, 45};
  f.partition->error_stand = 30;
  Cut cut;
  cut.add(f.unit(10, 45, 15, 13, 1));
  EXPECT_TRUE(cut.request(f.set, 1, false).ranges.empty());
  auto errors = cut.error_request(0);
  ASSERT_EQ(errors.ranges.size(), 1u);
  EXPECT_EQ(errors.ranges[0].from, 30);
}

TEST(CutDeathTest, AGapBetweenUnitsIsAProgrammersError) {
  Fixture f;
  Cut cut;
  cut.add(f.unit(10, 20, 1, 1, 0));
  EXPECT_DEATH(cut.add(f.unit(21, 30, 1, 1, 0)), "must follow each other");
}

}  // namespace
}  // namespace weir
