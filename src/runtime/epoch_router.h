// The one thread between workers and tasks: order, watermarks, lateness, barriers.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/epoch_manifest.h"
#include "runtime/cut.h"
#include "runtime/dataflow.h"
#include "runtime/event_time.h"
#include "runtime/partition_workers.h"

namespace weir {

// What lies before a barrier.
struct EpochCut {
  int64_t epoch = 0;
  Cut cut;                                                       // since the barrier before
  std::map<std::string, int64_t> positions, watermarks, merged;  // as in the manifest
  bool last = false;                                             // nothing follows
  bool ended = false;                                            // the final watermark has passed
  int64_t started_ns = 0;
  Counted counted;  // by the router since its start
};

// What router, collector and committer tell each other about the epoch on its way.
struct EpochGate {
  std::atomic<bool> on_its_way{false};  // from the barrier until it is committed
  std::atomic<bool> wanted{false};      // a sink has as much as one commit should carry
  std::atomic<bool> output{false};      // rows came out since the last barrier, or wait to be prepared

  void put(std::shared_ptr<EpochCut> cut) {
    std::lock_guard lock(mutex_);
    cut_ = std::move(cut);
  }
  std::shared_ptr<EpochCut> take() {
    std::lock_guard lock(mutex_);
    return std::move(cut_);
  }

 private:
  std::mutex mutex_;
  std::shared_ptr<EpochCut> cut_;
};

// Inputs of the collector's inbox: [0, inserts) rows of an INSERT, [inserts, 2*inserts) rows on which an
// expression failed, [2*inserts, 2*inserts + sources) rows of an error lake.
class EpochRouter {
 public:
  EpochRouter(SetState& state, PartitionWorkers& workers, Dataflow& dataflow, Inbox& collector,
              EpochGate& gate, std::chrono::milliseconds interval);

  // Before run: where the epoch before left off.
  void restore(const EpochManifest& manifest);
  void set_next_epoch(int64_t epoch) { next_epoch_ = epoch; }
  // Until the units end or the run fails; the last barrier and the ends of all channels are sent then.
  Status run();
  // Added to the statistics since the start; after run.
  const Counted& counted() const { return counted_; }

 private:
  struct LateRows {
    std::vector<uint8_t> marked;  // by event; empty: none
    int64_t events = 0;
  };

  Status route(Unit& unit);
  Status set_late_aside(Unit& unit);
  Result<LateRows> late_rows(size_t insert, const Unit& unit, std::vector<ErrorRecord>& records) const;
  Status send(size_t input, std::shared_ptr<arrow::RecordBatch> rows);
  Status tell_watermarks();
  int64_t watermark_of(size_t source);
  void look();
  bool due(int64_t now_ns) const;
  Status inject(bool last, bool ended);
  bool all_bounded() const;
  void count(const Unit& unit);

  SetState& state_;
  PartitionWorkers& workers_;
  Dataflow& dataflow_;
  Inbox& collector_;
  EpochGate& gate_;
  const std::chrono::milliseconds interval_;
  const size_t channel_;
  int64_t next_epoch_ = 1;
  int64_t due_ns_ = 0;
  bool moved_ = false;  // something to tell since the last barrier
  Cut cut_;
  Counted counted_;
  std::map<std::string, int64_t> positions_;
  std::map<std::string, int64_t> restored_watermarks_;
  std::vector<WatermarkTracker> trackers_;  // by SetPlan::sources
  std::vector<int64_t> told_us_;            // the same
};

}  // namespace weir
