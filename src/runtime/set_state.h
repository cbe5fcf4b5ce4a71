// What the threads of one attempt to run a set share.
#pragma once

#include <arrow/type_fwd.h>

#include <atomic>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "plan/pipeline_plan.h"
#include "runtime/bounded_queue.h"
#include "runtime/error_budget.h"
#include "runtime/event_processor.h"
#include "runtime/pipeline_stats.h"
#include "runtime/set_runner.h"
#include "runtime/set_tables.h"
#include "sources/source.h"

namespace weir {

// Both by SetPlan::sources and kept over the attempts to run a set; null: not made yet, and none.
using Sources = std::vector<std::unique_ptr<Source>>;
using Budgets = std::vector<std::unique_ptr<ErrorBudget>>;

inline constexpr int64_t kNoStand = std::numeric_limits<int64_t>::min();

// One source partition of the set. Written by the worker that owns it, except `reader`, whose acknowledge is
// called by the commit thread.
struct PartitionState {
  size_t source = 0;  // index into SetPlan::sources
  std::string id;
  std::string app_id;                // weir/<pipeline>/<source>/<id>
  std::optional<int64_t> stored;     // the authority's stand
  std::vector<int64_t> sink_stands;  // by SetPlan::sinks; kNoStand: none
  int64_t error_stand = kNoStand;
  // What a former run decided and committed stays decided (docs/decisions/0010): below error_stand exactly
  // these offsets are set aside, above it but below a sink's stand none.
  std::vector<int64_t> set_aside;
  std::shared_ptr<PartitionReader> reader;
  int64_t backoff_ms = 0;
  int64_t dropped = 0;  // of the reader, as counted so far
  // Monotonic; -1: its last poll gave events, or there was none yet. A partition that nobody had time to poll
  // is not idle.
  std::atomic<int64_t> empty_since_us{-1};
  std::atomic<int64_t> queued{0};  // its units on their way to the router
  int64_t drained_us = 0;          // of the router: when the last of them came
};

// See the invariants in set_runner.h.
struct Unit {
  std::shared_ptr<PartitionState> partition;
  int64_t from = 0;
  int64_t next = 0;
  ProcessedEvents processed;                       // by SetPlan::inserts
  std::shared_ptr<arrow::RecordBatch> error_rows;  // of the error lake; null when there are none
  int64_t events = 0;
  int64_t failed = 0;     // error records
  int64_t set_aside = 0;  // of them, producer_paused

  // Of a set that keeps state: what rows that turn out late are told with.
  std::shared_ptr<const EventBatch> batch;
  bool ended = false;  // the partition gives nothing more
};

// What was added to the statistics.
struct Counted {
  int64_t events = 0, rows = 0, errors = 0, filtered = 0;
  void add(const Counted& other, int64_t sign) {
    events += sign * other.events;
    rows += sign * other.rows;
    errors += sign * other.errors;
    filtered += sign * other.filtered;
  }
  void add_to(PipelineStats& stats, int64_t sign) const {
    stats.events += sign * events;
    stats.rows += sign * rows;
    stats.errors += sign * errors;
    stats.filtered += sign * filtered;
  }
};

struct SetState {
  SetState(const PipelinePlan& plan, const SetPlan& set, const RunOptions& options, PipelineStats& stats,
           const std::atomic<bool>& stop)
      : plan(plan),
        set(set),
        options(options),
        stats(stats),
        stop_requested(stop),
        units(static_cast<size_t>(plan.spec.settings.integer("pipeline.queue-batches"))) {}

  const PipelinePlan& plan;
  const SetPlan& set;
  const RunOptions& options;
  PipelineStats& stats;
  const std::atomic<bool>& stop_requested;
  BoundedQueue<Unit> units;
  std::vector<Source*> sources;       // by SetPlan::sources
  std::vector<ErrorBudget*> budgets;  // by SetPlan::sources; null: none. Outlive the attempt
  const SetTables* tables = nullptr;  // outlives the workers

  bool stopping() const { return stop_requested || failed_ || draining_; }
  // The share of a source that is read in a group changes, or (with a reason) the columns do: end this
  // attempt as a stop does, so that what was read is committed, then go on.
  void drain(Status reason = {}) {
    std::lock_guard lock(mutex_);
    if (drain_reason_.ok()) drain_reason_ = std::move(reason);
    draining_ = true;
  }
  Status drain_reason() const {
    std::lock_guard lock(mutex_);
    return drain_reason_;
  }
  bool draining() const { return draining_; }
  // The first failure wins and stops every thread of the attempt.
  void fail(Status status) {
    std::lock_guard lock(mutex_);
    if (failed_) return;
    failure_ = std::move(status);
    failed_ = true;
  }
  Status failure() const {
    std::lock_guard lock(mutex_);
    return failure_;
  }

 private:
  mutable std::mutex mutex_;
  Status failure_;
  Status drain_reason_;
  std::atomic<bool> failed_{false};
  std::atomic<bool> draining_{false};
};

}  // namespace weir
