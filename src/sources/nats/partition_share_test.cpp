#include "sources/nats/partition_share.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace weir {
namespace {

using Texts = std::vector<std::string>;

Texts names(const std::string& prefix, size_t count) {
  Texts all;
  for (size_t i = 0; i < count; ++i) all.push_back(prefix + std::to_string(100 + i));
  return all;
}

TEST(PartitionShare, QuotasSumToAllPartitions) {
  for (size_t partitions = 0; partitions < 20; ++partitions) {
    for (size_t workers = 1; workers < 12; ++workers) {
      size_t sum = 0;
      for (const std::string& me : names("w", workers)) {
        const size_t quota = decide_share({me, names("w", workers), names("p", partitions), {}, {}}).quota;
        EXPECT_LE(quota, (partitions + workers - 1) / workers);
        sum += quota;
      }
      EXPECT_EQ(sum, partitions);
    }
  }
}

TEST(PartitionShare, TakesWhatIsFreeUpToTheQuota) {
  const ShareDecision alone = decide_share({"w100", {"w100"}, names("p", 3), {}, {}});
  EXPECT_EQ(alone.take, (Texts{"p100", "p101", "p102"}));
  EXPECT_TRUE(alone.release.empty());
  const ShareDecision second =
      decide_share({"w101", {"w100", "w101"}, names("p", 4), {"p100", "p101", "p103"}, {}});
  EXPECT_EQ(second.quota, 2u);
  EXPECT_EQ(second.take, Texts{"p102"});
  // Not yet in the list that it reads: it counts itself.
  EXPECT_EQ(decide_share({"w101", {"w100"}, names("p", 4), {}, {}}).quota, 2u);
}

TEST(PartitionShare, ReleasesWhatIsAboveTheQuota) {
  const Texts all = names("p", 4);
  const std::set<std::string> held(all.begin(), all.end());
  const ShareDecision first = decide_share({"w100", {"w100", "w101", "w102"}, all, held, held});
  EXPECT_EQ(first.release, (Texts{"p102", "p103"}));
  EXPECT_TRUE(first.take.empty());
}

TEST(PartitionShare, WithMoreWorkersThanPartitionsTheYoungestHaveNone) {
  const Texts workers = names("w", 5);
  EXPECT_EQ(decide_share({"w104", workers, names("p", 2), {}, {}}).quota, 0u);
  EXPECT_EQ(decide_share({"w101", workers, names("p", 2), {}, {}}).quota, 1u);
}

// Workers that come and go, act in any order and now and then on old facts: leases have one holder, and soon
// after the last change everybody holds its quota and nothing moves any more.
TEST(PartitionShare, ComesToRestWithoutPassingPartitionsAround) {
  std::mt19937 random(7);
  for (int run = 0; run < 300; ++run) {
    const Texts partitions = names("p", random() % 12);
    std::map<std::string, std::string> holder;
    Texts workers;
    size_t born = 0;
    const auto act = [&](const std::string& me, const Texts& seen_workers) {
      ShareFacts facts{me, seen_workers, partitions, {}, {}};
      for (const auto& [partition, who] : holder) {
        facts.taken.insert(partition);
        if (who == me) facts.mine.insert(partition);
      }
      const ShareDecision decision = decide_share(facts);
      for (const std::string& partition : decision.release) holder.erase(partition);
      for (const std::string& partition : decision.take) holder.emplace(partition, me);
      return decision.release.size() + decision.take.size();
    };
    for (int step = 0; step < 40; ++step) {
      const Texts before = workers;
      if (workers.empty() || random() % 4 == 0) {
        workers.push_back("w" + std::to_string(100 + born++));
      } else if (random() % 5 == 0) {
        const size_t gone = random() % workers.size();
        for (auto it = holder.begin(); it != holder.end();)
          it = it->second == workers[gone] ? holder.erase(it) : std::next(it);
        workers.erase(workers.begin() + static_cast<ptrdiff_t>(gone));
      }
      if (workers.empty()) continue;
      act(workers[random() % workers.size()], random() % 3 == 0 && !before.empty() ? before : workers);
    }
    if (workers.empty()) continue;
    // Two rounds in any order: the first frees what is too much, the second takes it.
    for (int round = 0; round < 2; ++round) {
      Texts order = workers;
      std::shuffle(order.begin(), order.end(), random);
      for (const std::string& me : order) act(me, workers);
    }
    EXPECT_EQ(holder.size(), partitions.size());
    for (const std::string& me : workers) EXPECT_EQ(act(me, workers), 0u) << "it does not come to rest";

    // One that comes moves only what it gets; one that goes moves only what it held.
    const std::map<std::string, std::string> settled = holder;
    workers.push_back("w" + std::to_string(100 + born++));
    for (int round = 0; round < 2; ++round)
      for (const std::string& me : workers) act(me, workers);
    for (const auto& [partition, who] : settled)
      EXPECT_TRUE(holder[partition] == who || holder[partition] == workers.back());
    const std::map<std::string, std::string> grown = holder;
    const std::string gone = workers[random() % workers.size()];
    workers.erase(std::find(workers.begin(), workers.end(), gone));
    for (auto it = holder.begin(); it != holder.end();)
      it = it->second == gone ? holder.erase(it) : std::next(it);
    for (int round = 0; round < 2; ++round)
      for (const std::string& me : workers) act(me, workers);
    for (const auto& [partition, who] : grown) {
      if (who != gone) {
        EXPECT_EQ(holder[partition], who);
      }
    }
    if (!workers.empty()) {
      EXPECT_EQ(holder.size(), partitions.size());
    }
  }
}

}  // namespace
}  // namespace weir
