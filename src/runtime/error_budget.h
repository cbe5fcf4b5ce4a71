// Whether a producer has given too many bad events, decided from facts alone: no clock, no I/O.
//
// A producer is counted over a window that slides in steps of a sixth. Beyond the budget it is paused; after
// the pause it is tried again with a clean sheet, and on probation for one window: the share is judged from
// ten events on. Memory is bounded: at most max_producers are watched, the least recently seen is forgotten,
// also when it is paused. A name counts by its first 256 bytes.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "plan/error_budget_plan.h"

namespace weir {

// Events [begin, end) of a batch that one producer gave, one after the other.
struct ProducerRun {
  std::string_view producer;  // must stay alive until observe
  uint32_t begin = 0;
  uint32_t end = 0;
  uint32_t errors = 0;  // bad events of it; set by the caller between admit and observe
  bool paused = false;  // set by admit: these events must not be decoded
  uint32_t slot = 0, generation = 0;
};

// Thread-safe: the partition workers of a source share one. `now_us` is of any clock that never goes back.
class ErrorBudget {
 public:
  struct Notice {
    std::string producer;
    bool paused = false;             // false: it is tried again
    int64_t events = 0, errors = 0;  // in the window, when it was paused
  };
  struct Paused {
    std::string producer;
    int64_t until_us = 0;
  };

  explicit ErrorBudget(const ErrorBudgetPlan& plan);

  const ErrorBudgetPlan& plan() const { return plan_; }
  // Before decoding: which runs are paused.
  void admit(std::vector<ProducerRun>& runs, int64_t now_us);
  // After decoding: counts the runs that were not paused, then judges each of their producers once.
  void observe(const std::vector<ProducerRun>& runs, int64_t now_us);
  // By::source: true while nothing may be read.
  bool source_paused(int64_t now_us);

  // What was read but not committed will be read, and counted, again: forgets counts, keeps pauses.
  void restart();
  // What has changed since the last call, for the log; pauses that are over end with it. At most 100 wait.
  std::vector<Notice> take_notices(int64_t now_us);
  // The first `most` that are paused, and how many there are in all.
  std::vector<Paused> paused(size_t most, size_t& count) const;
  int64_t pauses() const { return pauses_; }

 private:
  static constexpr size_t kBuckets = 6;
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Counts {
    int64_t events = 0, errors = 0;
  };
  struct Entry {
    std::string name;
    std::array<Counts, kBuckets> buckets;
    int64_t bucket = 0;            // number of the newest: now / width
    int64_t paused_until_us = -1;  // -1: not paused
    int64_t probation_until_us = -1;
    uint32_t generation = 0;
    uint32_t newer = kNone, older = kNone;  // by when it was last seen
  };

  uint32_t find_or_add(std::string_view producer);
  void touch(uint32_t slot);
  void unlink(uint32_t slot);
  void link_newest(uint32_t slot);
  void roll(Entry& entry, int64_t now_us) const;
  void judge(uint32_t slot, int64_t now_us);
  void resume(uint32_t slot, int64_t now_us);
  void note(Notice notice);

  const ErrorBudgetPlan plan_;
  const int64_t width_us_;
  mutable std::mutex mutex_;
  std::deque<Entry> entries_;  // stands still: by_name_ refers to the names
  std::unordered_map<std::string_view, uint32_t> by_name_;
  uint32_t newest_ = kNone, oldest_ = kNone;
  std::vector<uint32_t> paused_;  // slots
  std::vector<Notice> notices_;
  std::atomic<int64_t> pauses_{0};
};

}  // namespace weir
