#include "runtime/epoch_commit.h"

#include <arrow/record_batch.h>

#include <nlohmann/json.hpp>

#include "base/crash_point.h"
#include "runtime/epoch_recovery.h"
#include "runtime/guarded.h"

namespace weir {
namespace {

constexpr int64_t kPruneEvery = 8;  // epochs: removing objects costs requests

}  // namespace

SnapshotWriter::SnapshotWriter(EpochStore& store) : store_(store), thread_([this] { work(); }) {}

SnapshotWriter::~SnapshotWriter() {
  queue_.close();
  thread_.join();
}

void SnapshotWriter::add(int64_t epoch, const std::string& name, std::unique_ptr<StateSnapshot> snapshot) {
  queue_.push({epoch, name, std::move(snapshot)});
}

Result<StateFile> SnapshotWriter::write(Item& item) {
  const std::string name = item.name + ".state";
  WEIR_ASSIGN(auto out, store_.open_writer(item.epoch, name));
  StateWriter writer(std::move(out));
  WEIR_TRY(item.snapshot->write(writer));
  WEIR_TRY(writer.close());
  StateFile file;
  file.path = store_.relative_path(item.epoch, name);
  file.size = writer.size();
  file.crc = writer.crc();
  return file;
}

void SnapshotWriter::work() {
  while (true) {
    auto item = queue_.pop(std::chrono::milliseconds(100));
    if (!item) {
      if (queue_.closed_and_empty()) return;
      continue;
    }
    Status status = guarded([&]() -> Status {
      WEIR_ASSIGN(auto file, write(*item));
      std::lock_guard lock(mutex_);
      files_[item->epoch][item->name] = std::move(file);
      return {};
    });
    std::lock_guard lock(mutex_);
    if (!status.ok() && failure_.ok()) failure_ = status.with_context("the state of " + item->name);
    changed_.notify_all();
  }
}

Result<std::map<std::string, StateFile>> SnapshotWriter::wait(int64_t epoch, size_t count,
                                                              const std::function<bool()>& stopped) {
  std::unique_lock lock(mutex_);
  while (files_[epoch].size() < count && failure_.ok()) {
    if (stopped()) return Status(Code::cancelled, "the run has ended");
    changed_.wait_for(lock, std::chrono::milliseconds(50));
  }
  if (!failure_.ok()) return failure_;
  auto files = std::move(files_[epoch]);
  files_.erase(epoch);
  return files;
}

EpochCommitter::EpochCommitter(SetState& state, SetTables& tables, EpochStore& store,
                               SnapshotWriter& snapshots, size_t tasks, int32_t parallelism)
    : state_(state),
      tables_(tables),
      store_(store),
      snapshots_(snapshots),
      tasks_(tasks),
      parallelism_(parallelism) {}

void EpochCommitter::restore(const EpochManifest& manifest) {
  spools_ = manifest.spools;
  prepared_epochs_ = manifest.prepared_epochs;
}

Status EpochCommitter::commit(FinishedEpoch& epoch) {
  const EpochCut& cut = *epoch.cut;
  EpochManifest manifest;
  manifest.epoch = cut.epoch;
  manifest.created_us = state_.options.clock->now_us();
  manifest.plan_hash = state_.plan.stateful_hash(state_.set);
  manifest.parallelism = parallelism_;
  manifest.ended = cut.ended;
  manifest.positions = cut.positions;
  manifest.watermarks = cut.watermarks;
  manifest.merged = cut.merged;
  manifest.sequences = epoch.sequences;
  WEIR_TRY(prepare(epoch, manifest));
  auto stopped = [this] { return !state_.failure().ok(); };
  WEIR_ASSIGN(manifest.states, snapshots_.wait(cut.epoch, tasks_, stopped));
  manifest.spools = spools_;
  manifest.prepared_epochs = prepared_epochs_;
  crash_point("epoch.sealed");
  Status written = store_.write(manifest);
  if (written.code() == Code::already_exists) {
    return Status::invalid("another process has written epoch " + std::to_string(cut.epoch) +
                           " of this pipeline: only one may run it");
  }
  WEIR_TRY(written.with_context("the checkpoint"));
  state_.stats.epoch = cut.epoch;
  state_.stats.epoch_ns = state_.options.clock->monotonic_ns() - cut.started_ns;
  crash_point("epoch.manifest");
  for (const PreparedHandle& handle : manifest.prepared) {
    WEIR_TRY(commit_handle(state_.set, tables_, handle, cut.epoch));
    crash_point("epoch.committed");
  }
  ++state_.stats.commits;
  counted_ = cut.counted;
  counted_.add(epoch.delivered, 1);
  for (const auto& [_, entry] : cut.cut.partitions) {
    if (entry.partition->reader == nullptr) continue;
    // What fails here is read again after the next commit; positions never come from acknowledgements.
    Status acknowledged = entry.partition->reader->acknowledge(entry.next);
    if (!acknowledged.ok() && state_.options.log)
      state_.options.log("acknowledge: " + acknowledged.message());
  }
  crash_point("epoch.acknowledged");
  if (++since_prune_ >= kPruneEvery || cut.last) {
    since_prune_ = 0;
    const auto keep = static_cast<size_t>(state_.plan.spec.settings.integer("pipeline.checkpoints-kept"));
    Status pruned = store_.prune(keep);
    if (!pruned.ok() && state_.options.log) state_.options.log("old checkpoints stay: " + pruned.message());
  }
  return {};
}

Status EpochCommitter::prepare(FinishedEpoch& epoch, EpochManifest& manifest) {
  const std::string& pipeline = state_.plan.spec.name;
  for (const auto& sink : state_.set.sinks) untold_[sink->name].add(epoch.cut->cut);
  for (const auto& source : state_.set.sources) {
    untold_[error_handle_name(source->table.name)].add(epoch.cut->cut);
  }
  const auto told = [&](const std::string& handle) {
    return ledger(epoch.cut->epoch, std::exchange(untold_[handle], {}));
  };
  for (size_t i = 0; i < epoch.errors.size(); ++i) {
    if (!epoch.errors[i].valid()) continue;
    WEIR_ASSIGN(auto sealed, epoch.errors[i].get());
    WEIR_ASSIGN(auto persisted, tables_.error_sinks()[i]->transactional()->persist(*sealed));
    const std::string& source = state_.set.sources[i]->table.name;
    manifest.prepared.push_back({error_handle_name(source), error_epoch_app_id(pipeline, source),
                                 std::move(persisted), told(error_handle_name(source))});
  }
  for (size_t i = 0; i < epoch.sealed.size(); ++i) {
    const std::string& name = state_.set.sinks[i]->name;
    if (!epoch.spooled[i].empty()) WEIR_TRY(spool(i, epoch.spooled[i], manifest));
    if (!epoch.sealed[i].valid()) continue;
    auto sealed = epoch.sealed[i].get();
    if (!sealed.ok()) return sealed.status().with_context("sink '" + name + "'");
    Sink& sink = *tables_.sinks()[i];
    if (sink.transactional() == nullptr) {
      CommitRequest request;
      request.plan_hash = manifest.plan_hash;
      request.ranges = {{epoch_app_id(pipeline, name), manifest.epoch - 1, manifest.epoch}};
      WEIR_TRY(sink.commit(**sealed, request).with_context("sink '" + name + "'"));
      continue;
    }
    auto persisted = sink.transactional()->persist(**sealed);
    if (!persisted.ok()) return persisted.status().with_context("sink '" + name + "'");
    manifest.prepared.push_back({name, epoch_app_id(pipeline, name), *std::move(persisted), told(name)});
    prepared_epochs_[name] = manifest.epoch;
    spools_.erase(name);
  }
  return {};
}

Status EpochCommitter::spool(size_t sink, const RowBatches& rows, EpochManifest& manifest) {
  const std::string name = "spool-" + state_.set.sinks[sink]->name + ".rows";
  WEIR_ASSIGN(auto out, store_.open_writer(manifest.epoch, name));
  StateWriter writer(std::move(out));
  WEIR_TRY(writer.section("rows", 1));
  WEIR_TRY(writer.u32(static_cast<uint32_t>(rows.size())));
  for (const auto& batch : rows) WEIR_TRY(writer.rows(*batch));
  WEIR_TRY(writer.close());
  StateFile file;
  file.path = store_.relative_path(manifest.epoch, name);
  file.size = writer.size();
  file.crc = writer.crc();
  spools_[state_.set.sinks[sink]->name].push_back(std::move(file));
  return {};
}

std::string EpochCommitter::ledger(int64_t epoch, const Cut& cut) const {
  nlohmann::json entries = nlohmann::json::array();
  for (const auto& [app_id, entry] : cut.partitions) {
    for (size_t i = 0; i < entry.counts.size(); ++i) {
      const InsertCounts& counts = entry.counts[i];
      if (counts.read == 0) continue;
      entries.push_back({{"insert", state_.set.inserts[i]->label},
                         {"partition", app_id},
                         {"from", entry.from},
                         {"next", entry.next},
                         {"read", counts.read},
                         {"kept", counts.kept},
                         {"filtered", counts.filtered},
                         {"errored", counts.errored},
                         {"emitted", counts.emitted}});
    }
  }
  return nlohmann::json({{"epoch", epoch}, {"entries", std::move(entries)}}).dump();
}

}  // namespace weir
