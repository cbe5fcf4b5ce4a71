#include "checkpoint/commit_decision.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

namespace weir {
namespace {

using A = CommitAction;

CommitFacts facts(bool authority, std::vector<RangeFacts> ranges, int attempts = 0) {
  CommitFacts result;
  result.authority = authority;
  result.ranges = std::move(ranges);
  result.attempts = attempts;
  result.max_attempts = 5;
  return result;
}

RangeFacts range(int64_t from, int64_t next, std::optional<int64_t> stand, bool first_start = false,
                 std::optional<int64_t> trimmed = std::nullopt) {
  return {from, next, stand, first_start, trimmed};
}

// Every stand around [10, 20), told again as a table, so that a changed rule shows as a changed line.
TEST(CommitDecision, AuthorityOneRange) {
  for (int64_t stand = 0; stand <= 30; ++stand) {
    A expected = stand == 10 ? A::commit : stand == 20 ? A::already_committed : A::lost_ownership;
    for (bool first : {false, true}) {
      EXPECT_EQ(decide_commit(facts(true, {range(10, 20, stand, first)})), expected) << stand;
    }
  }
  EXPECT_EQ(decide_commit(facts(true, {range(10, 20, std::nullopt, true)})), A::commit);
  EXPECT_EQ(decide_commit(facts(true, {range(10, 20, std::nullopt, false)})), A::lost_ownership);
}

TEST(CommitDecision, FollowerOneRange) {
  for (int64_t stand = 0; stand <= 30; ++stand) {
    A expected = stand <= 10 ? A::commit : stand >= 20 ? A::already_committed : A::lost_ownership;
    EXPECT_EQ(decide_commit(facts(false, {range(10, 20, stand)})), expected) << stand;
  }
  EXPECT_EQ(decide_commit(facts(false, {range(10, 20, std::nullopt)})), A::commit);
}

TEST(CommitDecision, FollowerTrimmedAtOpening) {
  // The table was ahead (at 15) when we opened it: rows 10..14 are not in the cut.
  EXPECT_EQ(decide_commit(facts(false, {range(10, 20, 15, false, 15)})), A::commit);
  EXPECT_EQ(decide_commit(facts(false, {range(10, 20, 16, false, 15)})), A::lost_ownership);
  EXPECT_EQ(decide_commit(facts(false, {range(10, 20, 20, false, 15)})), A::already_committed);
  EXPECT_EQ(decide_commit(facts(false, {range(10, 20, 14, false, 15)})), A::lost_ownership);
  EXPECT_EQ(decide_commit(facts(false, {range(10, 20, std::nullopt, false, 15)})), A::lost_ownership);
  // Wholly trimmed ranges neither hinder the others nor move a position back.
  RangeFacts trimmed = range(10, 20, 25, false, 25);
  EXPECT_FALSE(range_moves(facts(false, {}), trimmed));
  EXPECT_EQ(decide_commit(facts(false, {trimmed})), A::already_committed);
  EXPECT_EQ(decide_commit(facts(false, {trimmed, range(10, 20, 15, false, 15)})), A::commit);
}

TEST(CommitDecision, EveryPairOfStates) {
  struct Case {
    RangeFacts facts;
    A alone;
  };
  for (bool authority : {true, false}) {
    std::vector<Case> cases = {{range(10, 20, 10), A::commit},
                               {range(10, 20, 20), A::already_committed},
                               {range(10, 20, 15), A::lost_ownership}};
    for (const Case& a : cases) {
      for (const Case& b : cases) {
        A expected = a.alone == b.alone ? a.alone : A::lost_ownership;
        EXPECT_EQ(decide_commit(facts(authority, {a.facts, b.facts})), expected);
      }
    }
  }
}

TEST(CommitDecision, AttemptsAreBoundedButSuccessIsAlwaysSeen) {
  CommitFacts waiting = facts(true, {range(10, 20, 10)}, 4);
  EXPECT_EQ(decide_commit(waiting), A::commit);
  waiting.attempts = 5;
  EXPECT_EQ(decide_commit(waiting), A::give_up);
  waiting.ranges[0].stand = 20;
  EXPECT_EQ(decide_commit(waiting), A::already_committed);
  waiting.snapshot_loaded = false;
  EXPECT_EQ(decide_commit(waiting), A::give_up);
  waiting.attempts = 4;
  EXPECT_EQ(decide_commit(waiting), A::retry_later);
}

// ---- simulation
// ---------------------------------------------------------------------------------------------------

constexpr int kPartitions = 3;
using Stands = std::map<int, int64_t>;

// A Delta table: versions are put-if-absent; each commit adds offsets and moves stands.
struct SimTable {
  struct Version {
    std::map<int, std::pair<int64_t, int64_t>> rows;
    Stands moved;
  };
  std::vector<Version> log;

  Stands stands_at(size_t version) const {
    Stands stands;
    for (size_t i = 0; i < version; ++i) {
      for (auto [partition, next] : log[i].moved) stands[partition] = next;
    }
    return stands;
  }
  bool put(size_t version, const Version& content) {
    if (version != log.size()) return false;
    log.push_back(content);
    return true;
  }
};

struct SimView {
  SimTable* table;
  bool authority;
  size_t version = 0;
  Stands at_open = {};  // of the snapshot when it was opened
  Stands current = {};
  std::map<int, bool> first_start = {};

  void open() {
    refresh();
    at_open = current;
    first_start.clear();
    for (int p = 0; p < kPartitions; ++p) first_start[p] = !current.count(p);
  }
  void refresh() {
    version = table->log.size();
    current = table->stands_at(version);
  }
};

// A request that was sent and may still arrive after its sender gave up waiting.
struct InFlight {
  SimTable* table;
  size_t version;
  SimTable::Version content;
};

class Simulation {
 public:
  explicit Simulation(uint64_t seed) : random_(seed) {
    for (int i = 0; i < 3; ++i) workers_.push_back({{&follower_, false}, {&lake_, true}, {}, false});
  }

  void run() {
    for (int step = 0; step < 600; ++step) {
      deliver_some();
      work(workers_[pick(workers_.size())]);
    }
    while (!in_flight_.empty()) deliver_some();
    check(lake_);
    check(follower_);
  }
  size_t versions() const { return lake_.log.size(); }

 private:
  struct Worker {
    SimView follower;
    SimView lake;
    std::map<int, int64_t> position;
    bool open;
  };

  size_t pick(size_t bound) { return random_() % bound; }

  void deliver_some() {
    if (in_flight_.empty() || pick(3) != 0) return;
    size_t index = pick(in_flight_.size());
    InFlight request = in_flight_[index];
    in_flight_.erase(in_flight_.begin() + index);
    request.table->put(request.version, request.content);
  }

  void work(Worker& worker) {
    if (!worker.open) {
      worker.follower.open();
      worker.lake.open();
      for (int p = 0; p < kPartitions; ++p) {
        worker.position[p] = worker.lake.current.count(p) ? worker.lake.current[p] : 0;
      }
      worker.open = true;
      return;
    }
    std::map<int, std::pair<int64_t, int64_t>> cut;
    for (int p = 0; p < kPartitions; ++p) {
      if (pick(2)) cut[p] = {worker.position[p], worker.position[p] + 1 + static_cast<int64_t>(pick(9))};
    }
    if (cut.empty()) return;
    for (SimView* view : {&worker.follower, &worker.lake}) {
      if (pick(12) == 0 || !commit(*view, cut)) {  // crashed, or told to start anew
        worker.open = false;
        return;
      }
    }
    for (auto [p, range] : cut) worker.position[p] = range.second;
  }

  // As DeltaSink::commit does it. False: lost ownership, gave up or crashed.
  bool commit(SimView& view, const std::map<int, std::pair<int64_t, int64_t>>& cut) {
    CommitFacts facts;
    facts.authority = view.authority;
    facts.max_attempts = 4;
    while (true) {
      facts.ranges.clear();
      SimTable::Version content;
      for (auto [p, range] : cut) {
        RangeFacts one{range.first, range.second, std::nullopt, view.first_start[p], std::nullopt};
        if (view.current.count(p)) one.stand = view.current[p];
        if (view.at_open.count(p)) one.trimmed_below = view.at_open[p];
        facts.ranges.push_back(one);
        if (!range_moves(facts, one)) continue;
        content.rows[p] = {std::max(range.first, one.trimmed_below.value_or(range.first)), range.second};
        content.moved[p] = range.second;
      }
      switch (decide_commit(facts)) {
        case A::already_committed: return true;
        case A::retry_later:
        case A::lost_ownership:
        case A::give_up: return false;
        case A::commit: break;
      }
      facts.attempts += 1;
      size_t fate = pick(8);
      if (fate == 0) {  // the answer is lost and the request arrives later, or never
        in_flight_.push_back({view.table, view.version, content});
        facts.last = LastAttempt::unknown;
      } else if (fate == 1) {  // it arrived, the answer is lost
        view.table->put(view.version, content);
        facts.last = LastAttempt::unknown;
        if (pick(3) == 0) return false;
      } else if (view.table->put(view.version, content)) {
        view.refresh();
        for (auto& [p, next] : content.moved) view.first_start[p] = false;
        return true;
      } else {
        facts.last = LastAttempt::conflict;
      }
      view.refresh();
    }
  }

  static void check(const SimTable& table) {
    std::map<int, int64_t> next;
    for (const auto& version : table.log) {
      for (auto [p, rows] : version.rows) {
        ASSERT_EQ(rows.first, next[p]) << "offsets doubled or lost in partition " << p;
        next[p] = rows.second;
      }
    }
  }

  std::mt19937_64 random_;
  SimTable lake_, follower_;
  std::vector<Worker> workers_;
  std::vector<InFlight> in_flight_;
};

TEST(CommitDecision, ManyWorkersLostAnswersAndCrashes) {
  size_t versions = 0;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    Simulation simulation(seed);
    simulation.run();
    ASSERT_FALSE(HasFatalFailure()) << "seed " << seed;
    versions += simulation.versions();
  }
  EXPECT_GT(versions, 300u * 20u);  // the simulation must make progress to mean anything
}

}  // namespace
}  // namespace weir
