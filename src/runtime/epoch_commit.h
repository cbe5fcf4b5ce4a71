// The end of an epoch: snapshots written, sinks prepared, the manifest, then the commits.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "checkpoint/epoch_store.h"
#include "runtime/bounded_queue.h"
#include "runtime/epoch_router.h"
#include "runtime/sink_lane.h"
#include "state/state_file.h"

namespace weir {

// Writes snapshots on a thread of its own.
class SnapshotWriter {
 public:
  explicit SnapshotWriter(EpochStore& store);
  ~SnapshotWriter();  // what was not written is dropped

  void add(int64_t epoch, const std::string& name, std::unique_ptr<StateSnapshot> snapshot);
  // Waits until `count` files of the epoch are durable. cancelled: `stopped` said so.
  Result<std::map<std::string, StateFile>> wait(int64_t epoch, size_t count,
                                                const std::function<bool()>& stopped);

 private:
  struct Item {
    int64_t epoch;
    std::string name;
    std::unique_ptr<StateSnapshot> snapshot;
  };
  void work();
  Result<StateFile> write(Item& item);

  EpochStore& store_;
  BoundedQueue<Item> queue_{4096};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<int64_t, std::map<std::string, StateFile>> files_;
  Status failure_;
  std::thread thread_;
};

using RowBatches = std::vector<std::shared_ptr<arrow::RecordBatch>>;

// An epoch whose barrier has come out of every task.
struct FinishedEpoch {
  std::shared_ptr<EpochCut> cut;
  std::map<std::string, int64_t> sequences;
  Counted delivered;                                  // by the collector since its start
  std::vector<std::future<SinkLane::Sealed>> sealed;  // by sink; not valid: it prepares nothing now
  std::vector<std::future<SinkLane::Sealed>> errors;  // by source
  std::vector<RowBatches> spooled;  // by sink: rows since the last epoch that it does not prepare
};

// One thread.
class EpochCommitter {
 public:
  EpochCommitter(SetState& state, SetTables& tables, EpochStore& store, SnapshotWriter& snapshots,
                 size_t tasks, int32_t parallelism);

  void restore(const EpochManifest& manifest);
  // Everything up to the acknowledgements.
  Status commit(FinishedEpoch& epoch);
  // What of the statistics is in committed epochs; after the last commit.
  const Counted& counted() const { return counted_; }

 private:
  Status prepare(FinishedEpoch& epoch, EpochManifest& manifest);
  Status spool(size_t sink, const RowBatches& rows, EpochManifest& manifest);
  std::string ledger(int64_t epoch, const Cut& cut) const;

  SetState& state_;
  SetTables& tables_;
  EpochStore& store_;
  SnapshotWriter& snapshots_;
  const size_t tasks_;
  const int32_t parallelism_;
  std::map<std::string, std::vector<StateFile>> spools_;
  std::map<std::string, int64_t> prepared_epochs_;
  int64_t since_prune_ = 0;
  // What each has not told in a ledger yet. A restart begins anew: epochs from before it, of a sink that had
  // prepared none of them, are told by positions only.
  std::map<std::string, Cut> untold_;
  Counted counted_;
};

}  // namespace weir
