#include <algorithm>

#include "sources/kafka/kafka_source.h"
#include "sources/kafka/mock_cluster_test.h"
#include "sources/test_support.h"

namespace weir {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Texts = std::vector<std::string>;

class KafkaGroupTest : public ::testing::TestWithParam<const char*> {
 protected:
  KafkaGroupTest() { cluster_.create_topic("orders", 4); }

  std::unique_ptr<Source> worker(std::map<std::string, std::string> written = {}) {
    written.emplace("properties.bootstrap.servers", cluster_.servers());
    written.emplace("topic", "orders");
    written.emplace("properties.group.id", "g");
    written.emplace("properties.partition.assignment.strategy", GetParam());
    written.emplace("properties.session.timeout.ms", "3000");
    written.emplace("properties.heartbeat.interval.ms", "100");
    auto source = connector("kafka").create(context_for("kafka", written, table_, false));
    EXPECT_TRUE(source.ok()) << source.status().message();
    return *std::move(source);
  }
  static Status join(Source& source) {
    Status status = Status::unavailable("");
    for (int i = 0; i < 100 && status.code() == Code::unavailable; ++i) {
      status = source.group()->join(milliseconds(200));
    }
    return status;
  }
  static Texts share(Source& source) {
    auto ids = source.discover({});
    EXPECT_TRUE(ids.ok()) << ids.status().message();
    return ids.ok() ? *ids : Texts();
  }
  static bool comes_to_change(Source& source) {
    for (int i = 0; i < 1000 && !source.group()->changing(); ++i) Clock::real().sleep(milliseconds(20));
    return source.group()->changing();
  }
  // Joins whoever is asked to until the shares together are all four partitions and nobody is asked any more.
  static std::vector<Texts> settle(std::vector<Source*> workers, size_t least_each) {
    std::vector<Texts> shares(workers.size());
    for (int i = 0; i < 2000; ++i) {
      size_t sum = 0;
      bool enough = true;
      for (size_t k = 0; k < workers.size(); ++k) {
        if (workers[k]->group()->changing() || shares[k].empty()) {
          if (workers[k]->group()->join(milliseconds(50)).ok()) shares[k] = share(*workers[k]);
        }
        sum += shares[k].size();
        enough = enough && shares[k].size() >= least_each && !workers[k]->group()->changing();
      }
      if (sum == 4 && enough) return shares;
      Clock::real().sleep(milliseconds(10));
    }
    ADD_FAILURE() << "the group does not settle";
    return shares;
  }

  MockCluster cluster_;
  TableSpec table_;
};

INSTANTIATE_TEST_SUITE_P(Protocols, KafkaGroupTest, ::testing::Values("cooperative-sticky", "range"),
                         [](const auto& info) { return std::string(info.param).substr(0, 5); });

TEST_P(KafkaGroupTest, OneWorkerHasEveryPartition) {
  auto source = worker();
  ASSERT_NE(source->group(), nullptr);
  ASSERT_TRUE(join(*source).ok());
  EXPECT_FALSE(source->group()->changing());
  EXPECT_EQ(share(*source).size(), 4u);
  EXPECT_TRUE(source->may_grow());
}

TEST_P(KafkaGroupTest, APartitionIsGivenAwayOnlyWhenItsReaderHasJoinedAnew) {
  auto first = worker();
  ASSERT_TRUE(join(*first).ok());
  ASSERT_EQ(share(*first).size(), 4u);
  auto second = worker();
  (void)second->group()->join(milliseconds(10));
  ASSERT_TRUE(comes_to_change(*first));
  EXPECT_EQ(share(*first).size(), 4u) << "still ours until join()";
  for (int i = 0; i < 5; ++i) {
    if (second->group()->join(milliseconds(100)).ok()) {
      EXPECT_TRUE(share(*second).empty());
    }
  }
  const std::vector<Texts> shares = settle({first.get(), second.get()}, 1);
  for (const std::string& id : shares[0]) {
    EXPECT_EQ(std::count(shares[1].begin(), shares[1].end(), id), 0) << id;
  }
}

TEST_P(KafkaGroupTest, WhatAWorkerLeavesTheOthersTake) {
  auto first = worker();
  ASSERT_TRUE(join(*first).ok());
  auto second = worker();
  settle({first.get(), second.get()}, 1);
  second.reset();
  const std::vector<Texts> shares = settle({first.get()}, 4);
  EXPECT_EQ(shares[0].size(), 4u);
}

TEST_P(KafkaGroupTest, AcknowledgedPositionsReachTheGroupAndAreNotUsed) {
  cluster_.produce_values("orders", 5, 0);
  {
    auto source = worker();
    ASSERT_TRUE(join(*source).ok());
    auto reader = source->open(share(*source)[0], std::nullopt);
    ASSERT_TRUE(reader.ok()) << reader.status().message();
    std::vector<SeenEvent> seen;
    int64_t next = 0;
    ASSERT_TRUE(read_all(**reader, seen, next, 5).ok());
    ASSERT_TRUE((*reader)->acknowledge(3).ok());
  }
  auto again = worker();
  ASSERT_TRUE(join(*again).ok());
  auto reader = again->open(share(*again)[0], 1);
  ASSERT_TRUE(reader.ok());
  std::vector<SeenEvent> seen;
  int64_t next = 0;
  ASSERT_TRUE(read_all(**reader, seen, next, 4).ok());
  EXPECT_EQ(payloads(seen), (Texts{"v1", "v2", "v3", "v4"})) << "from the stored position";
  reader->reset();
  again.reset();
  auto by_group = worker({{"scan.startup.mode", "group-offsets"}});
  ASSERT_TRUE(join(*by_group).ok());
  reader = by_group->open(share(*by_group)[0], std::nullopt);
  ASSERT_TRUE(reader.ok()) << reader.status().message();
  seen.clear();
  ASSERT_TRUE(read_all(**reader, seen, next, 2).ok());
  EXPECT_EQ(payloads(seen), (Texts{"v3", "v4"})) << "from the group's, because the first start asks for it";
}

}  // namespace
}  // namespace weir
