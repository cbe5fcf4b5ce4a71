// The partition tasks of a set: a bounded number of threads, each polling its share of the partitions in
// turn.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "runtime/budget_gate.h"
#include "runtime/set_state.h"
#include "sinks/error_lake/error_lake.h"

namespace weir {

// Units go to state.units, which is closed when all partitions have ended, on stop and on failure
// (state.failure()).
// What an error of this partition is told with.
ErrorOrigin error_origin(const SetState& state, const PartitionState& partition);

class PartitionWorkers {
 public:
  explicit PartitionWorkers(SetState& state);
  ~PartitionWorkers();  // waits for the threads

  // Finds the partitions and starts the threads.
  Status start();
  // Events behind the heads of all open partitions; -1 when unknown.
  int64_t lag() const;
  // All that were discovered so far.
  std::vector<std::shared_ptr<PartitionState>> partitions() const;

 private:
  using Tasks = std::vector<std::shared_ptr<PartitionState>>;
  // What one thread has for the events of one source.
  struct SourceChain {
    std::unique_ptr<EventProcessor> events;
    BudgetGate gate;
  };

  void coordinate();  // discovers new partitions while sources may grow, closes the queue at the end
  void work();
  bool waits_for_share() const;
  Status discover(size_t source);
  std::shared_ptr<PartitionState> next_pending();
  Status open(PartitionState& task);
  // Log lines and the status of what error budgets have paused.
  void tell_budgets();
  // Which of the events [begin, end) must not be decoded.
  const std::vector<uint32_t>& set_aside(const PartitionState& task, const EventBatch& batch, size_t begin,
                                         size_t end, int64_t from, SourceChain& chain);
  // Polls once and turns what came into units. `progress`: events or positions moved; `ended`: the partition
  // is done.
  Status step(const std::shared_ptr<PartitionState>& task, std::chrono::milliseconds timeout,
              std::vector<SourceChain>& chains, bool& progress, bool& ended);
  using Events = std::shared_ptr<const EventBatch>;
  Status process(const std::shared_ptr<PartitionState>& task, const Events& events, SourceChain& chain);
  Status process_slice(const std::shared_ptr<PartitionState>& task, const Events& events, size_t begin,
                       size_t end, int64_t from, int64_t next, SourceChain& chain);
  Status push(Unit unit);
  void back_off(PartitionState& task, const Status& status);

  SetState& state_;
  bool growing_ = false;
  mutable std::mutex mutex_;
  std::deque<std::shared_ptr<PartitionState>> pending_;
  Tasks known_;
  std::set<std::string> known_ids_;   // app ids
  std::vector<int64_t> told_pauses_;  // by source; of the coordinator
  std::atomic<int> working_{0};
  std::vector<std::thread> threads_;
  std::thread coordinator_;
};

}  // namespace weir
