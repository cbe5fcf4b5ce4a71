#include "runtime/epoch_runner.h"

#include <arrow/array.h>
#include <arrow/array/util.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "base/environment.h"
#include "runtime/commit_lane.h"
#include "runtime/epoch_commit.h"
#include "runtime/epoch_recovery.h"
#include "runtime/guarded.h"
#include "runtime/output_rows.h"
#include "runtime/rows.h"
#include "schema/row_json.h"
#include "sinks/error_lake/error_lake.h"

namespace weir {
namespace {

using std::chrono::milliseconds;

// A table that is written in epochs.
struct EpochLane {
  EpochLane(Sink& sink, size_t queue_batches)
      : rows(sink, queue_batches), transactional(sink.transactional()) {}
  SinkLane rows;
  bool transactional;
  int64_t appended = 0;     // rows since it was last sealed
  int64_t interval_ns = 0;  // of its commits
  int64_t sealed_ns = 0;
  RowBatches unspooled;  // of them, those since the last epoch
};

class EpochRun {
 public:
  EpochRun(const PipelinePlan& plan, const SetPlan& set, const RunOptions& options, PipelineStats& stats,
           const std::atomic<bool>& stop, Sources& sources, Budgets& budgets)
      : state_(plan, set, options, stats, stop), sources_(sources), collector_(queue_batches()) {
    for (auto& budget : budgets) {
      if (budget != nullptr) budget->restart();
      state_.budgets.push_back(budget.get());
    }
  }

  ~EpochRun() {
    collector_.close();
    if (dataflow_ != nullptr) dataflow_->close();
    state_.units.close();
    if (router_thread_.joinable()) router_thread_.join();
  }

  Status run() {
    const int64_t started_ns = clock().monotonic_ns();
    state_.stats.set_state("connecting");
    WEIR_TRY(open());
    WEIR_TRY(restore(started_ns));
    PartitionWorkers workers(state_);
    WEIR_TRY(workers.start());
    EpochRouter router(state_, workers, *dataflow_, collector_, gate_, interval_);
    router.set_next_epoch(start_.next_epoch);
    if (start_.manifest) router.restore(*start_.manifest);
    dataflow_->start();
    state_.stats.set_state("running");
    router_thread_ = std::thread([&] {
      Status status = guarded([&] { return router.run(); });
      if (!status.ok() && status.code() != Code::cancelled) state_.fail(status);
      if (!state_.failure().ok()) collector_.close();
    });
    Status collected = guarded([&] { return collect(); });
    if (!collected.ok() && collected.code() != Code::cancelled) state_.fail(collected);
    commits_.reset();  // waits for the last epoch
    state_.units.close();
    dataflow_->close();
    collector_.close();
    router_thread_.join();
    // What was read but not committed will be read, and counted, again.
    Counted uncommitted = router.counted();
    uncommitted.add(delivered_, 1);
    uncommitted.add(committer_->counted(), -1);
    uncommitted.add_to(state_.stats, -1);
    return state_.failure();
  }

  bool drained() const { return state_.draining(); }
  Status drain_reason() const { return state_.drain_reason(); }

 private:
  const Clock& clock() const { return *state_.options.clock; }
  size_t queue_batches() const {
    return static_cast<size_t>(state_.plan.spec.settings.integer("pipeline.queue-batches"));
  }

  Status open() {
    for (size_t i = 0; i < state_.set.sources.size(); ++i) {
      if (sources_[i] == nullptr) {
        WEIR_ASSIGN(sources_[i], create_source(state_.plan, *state_.set.sources[i], state_.options));
      }
      state_.sources.push_back(sources_[i].get());
      if (sources_[i]->group() == nullptr) continue;
      return Status::invalid(
          "'" + state_.set.sources[i]->table.name +
          "' shares its partitions with other workers, but this set keeps state, which one "
          "process holds: SET 'pipeline.workers' = 'one'. Beyond one machine it runs on Flink: "
          "weir deploy flink");
    }
    WEIR_ASSIGN(tables_, SetTables::open(state_.plan, state_.set, state_.options));
    state_.tables = tables_.get();
    store_ = std::make_unique<EpochStore>(tables_->state_objects(), state_.plan.spec.name,
                                          epoch_set_name(state_.set));
    WEIR_ASSIGN(start_, recover_epochs(state_.plan, state_.set, *tables_, *store_, state_.options));
    interval_ = milliseconds::max();
    for (size_t i = 0; i < tables_->sinks().size(); ++i) {
      const milliseconds interval = state_.plan.commit_interval(*state_.set.sinks[i]);
      interval_ = std::min(interval_, interval);
      lanes_.push_back(std::make_unique<EpochLane>(*tables_->sinks()[i], queue_batches()));
      lanes_.back()->interval_ns = interval.count() * 1'000'000;
      lanes_.back()->sealed_ns = clock().monotonic_ns();
    }
    for (const auto& sink : tables_->error_sinks()) {
      error_lanes_.push_back(sink == nullptr ? nullptr : std::make_unique<EpochLane>(*sink, queue_batches()));
    }
    return {};
  }

  Status restore(int64_t started_ns) {
    int32_t parallelism = static_cast<int32_t>(state_.plan.spec.settings.integer("pipeline.parallelism"));
    if (parallelism == 0)
      parallelism = static_cast<int32_t>(std::clamp(std::thread::hardware_concurrency(), 1U, 16U));
    if (start_.manifest && start_.manifest->parallelism != parallelism) {
      parallelism = start_.manifest->parallelism;
      if (state_.options.log) {
        state_.options.log("the state is kept in " + std::to_string(parallelism) +
                           " shares, so 'pipeline.parallelism' stays " + std::to_string(parallelism));
      }
    }
    snapshots_ = std::make_unique<SnapshotWriter>(*store_);
    DataflowContext context;
    context.plan = &state_.plan;
    context.set = &state_.set;
    context.parallelism = parallelism;
    context.clock = &clock();
    context.collector = &collector_;
    context.snapshot = [this](int64_t epoch, const std::string& name,
                              std::unique_ptr<StateSnapshot> snapshot) {
      snapshots_->add(epoch, name, std::move(snapshot));
    };
    context.failed = [this](Status status) {
      state_.fail(std::move(status));
      collector_.close();
    };
    context.log = state_.options.log;
    WEIR_ASSIGN(dataflow_, Dataflow::create(std::move(context)));
    state_.stats.set_operators(&state_.set, dataflow_->stats());
    committer_ = std::make_unique<EpochCommitter>(state_, *tables_, *store_, *snapshots_,
                                                  dataflow_->tasks().size(), parallelism);
    if (!start_.manifest) return {};
    const EpochManifest& manifest = *start_.manifest;
    committer_->restore(manifest);
    sequences_ = manifest.sequences;
    skip_numbers();
    for (auto& task : dataflow_->tasks()) {
      const auto file = manifest.states.find(task->name());
      if (file == manifest.states.end())
        return Status::internal("epoch without the state of " + task->name());
      WEIR_ASSIGN(auto reader,
                  StateReader::open(tables_->state_objects(), store_->object_path(file->second)));
      Status restored = task->restore(*reader);
      if (!restored.ok()) return restored.with_context("checkpoint " + file->second.path);
    }
    for (size_t i = 0; i < lanes_.size(); ++i) WEIR_TRY(restore_spools(i, manifest));
    if (manifest.ended && state_.options.log) {
      state_.options.log("the input had ended, and every window was told: what comes now is late for them");
    }
    if (state_.options.log) {
      state_.options.log("restored epoch " + std::to_string(manifest.epoch) + " in " +
                         std::to_string((clock().monotonic_ns() - started_ns) / 1'000'000) + " ms, " +
                         std::to_string(manifest.bytes()) + " bytes of state");
    }
    return {};
  }

  // Sinks that commit before the manifest may hold rows that are made again now: the new ones get higher
  // numbers, so that a table that replaces rows by number takes them.
  void skip_numbers() {
    for (const InsertPlan* insert : state_.set.inserts) {
      const auto& sinks = state_.set.sinks;
      const auto sink = std::find(sinks.begin(), sinks.end(), insert->sink) - sinks.begin();
      if (!lanes_[static_cast<size_t>(sink)]->transactional) sequences_[insert->label] += int64_t{1} << 32;
    }
  }

  Status restore_spools(size_t sink, const EpochManifest& manifest) {
    const auto files = manifest.spools.find(state_.set.sinks[sink]->name);
    if (files == manifest.spools.end()) return {};
    for (const StateFile& file : files->second) {
      WEIR_ASSIGN(auto reader, StateReader::open(tables_->state_objects(), store_->object_path(file)));
      WEIR_TRY(reader->section("rows", 1).status());
      WEIR_ASSIGN(const uint32_t batches, reader->u32());
      for (uint32_t i = 0; i < batches; ++i) {
        WEIR_ASSIGN(auto rows, reader->rows());
        lanes_[sink]->appended += rows->num_rows();
        lanes_[sink]->rows.append(std::move(rows));
      }
      gate_.output = true;
    }
    return {};
  }

  // ---- the collector: this thread

  Status collect() {
    size_t open = collector_.channels(), held = 0;
    while (open > 0) {
      if (!state_.failure().ok()) return {};
      WEIR_TRY(check_lanes());
      if (any_full()) {
        gate_.wanted = true;
        if (with_committer_) {  // what is full still commits: take in nothing more
          clock().sleep(milliseconds(2));
          continue;
        }
      }
      auto message = collector_.pop(milliseconds(50));
      if (!message) {
        if (collector_.closed()) return {};
        continue;
      }
      switch (message->kind) {
        case Message::Kind::rows: WEIR_TRY(take(*message)); break;
        case Message::Kind::watermark: break;
        case Message::Kind::barrier:
          collector_.hold(message->channel);
          if (++held < open) break;
          held = 0;
          WEIR_TRY(finish_epoch());
          collector_.release_all();
          break;
        case Message::Kind::end: --open; break;
      }
    }
    return {};
  }

  Status check_lanes() {
    for (size_t i = 0; i < lanes_.size(); ++i) {
      Status status = lanes_[i]->rows.status();
      if (!status.ok()) return status.with_context("sink '" + state_.set.sinks[i]->name + "'");
    }
    for (auto& lane : error_lanes_) {
      if (lane != nullptr) WEIR_TRY(lane->rows.status().with_context("error lake"));
    }
    return {};
  }

  bool any_full() const {
    return std::any_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane->rows.full(); });
  }

  Status take(Message& message) {
    gate_.output = true;
    const size_t inserts = state_.set.inserts.size();
    if (message.input >= 2 * inserts) {
      append_errors(message.input - 2 * inserts, std::move(message.rows));
      return {};
    }
    if (message.input >= inserts) {
      return report(message.input - inserts, ErrorCode::sql_eval, message.text, message.rows);
    }
    const InsertPlan& insert = *state_.set.inserts[message.input];
    if (!insert.stateful()) {
      append(message.input, std::move(message.rows));
      return {};
    }
    return deliver(message.input, message.rows);
  }

  void append(size_t insert, std::shared_ptr<arrow::RecordBatch> rows) {
    const auto& sinks = state_.set.sinks;
    const auto sink = std::find(sinks.begin(), sinks.end(), state_.set.inserts[insert]->sink) - sinks.begin();
    EpochLane& lane = *lanes_[static_cast<size_t>(sink)];
    lane.appended += rows->num_rows();
    if (lane.transactional && lane.interval_ns > interval_.count() * 1'000'000)
      lane.unspooled.push_back(rows);
    lane.rows.append(std::move(rows));
  }

  void append_errors(size_t source, std::shared_ptr<arrow::RecordBatch> rows) {
    EpochLane* lane = error_lanes_[source].get();
    if (lane == nullptr || rows == nullptr) return;
    lane->appended += rows->num_rows();
    lane->rows.append(std::move(rows));
  }

  // Rows of a query that keeps state: they get a place of their own in the output's order.
  Status deliver(size_t index, std::shared_ptr<arrow::RecordBatch> rows) {
    const InsertPlan& insert = *state_.set.inserts[index];
    std::vector<uint8_t> refused;
    std::vector<std::pair<int64_t, std::string>> refusals;
    check_columns(insert, *rows, [&](int64_t row, std::string message) {
      if (refused.empty()) refused.resize(static_cast<size_t>(rows->num_rows()), 0);
      if (std::exchange(refused[static_cast<size_t>(row)], 1) == 0)
        refusals.emplace_back(row, std::move(message));
    });
    for (const auto& [row, message] : refusals) {
      WEIR_TRY(report(index, ErrorCode::sink_refused, message, rows->Slice(row, 1)));
    }
    if (!refused.empty()) {
      FeedRows kept;
      kept.rows = rows;
      kept.events.resize(refused.size());
      std::iota(kept.events.begin(), kept.events.end(), 0);
      WEIR_TRY(drop_events(refused, kept));
      rows = kept.rows;
    }
    const int64_t count = rows->num_rows();
    if (count == 0) return {};
    WEIR_ASSIGN(auto columns, sink_columns(insert, *rows));
    columns.push_back(partition_column(index, count));
    int64_t& next = sequences_[insert.label];
    std::vector<int64_t> offsets(static_cast<size_t>(count));
    std::iota(offsets.begin(), offsets.end(), next);
    next += count;
    columns.push_back(
        std::make_shared<arrow::Int64Array>(count, arrow::Buffer::FromVector(std::move(offsets))));
    const bool changelog = insert.sink->changelog;
    if (changelog && insert.plan.changelog) {
      columns.push_back(rows->column(rows->num_columns() - 1));
    } else if (changelog) {
      columns.push_back(std::make_shared<arrow::Int8Array>(
          count, arrow::Buffer::FromVector(std::vector<int8_t>(static_cast<size_t>(count), 1))));
    }
    auto schema = sink_rows_schema(*insert.sink->schema, first_source(index).table.name, changelog);
    state_.stats.rows += count;
    delivered_.rows += count;
    append(index, arrow::RecordBatch::Make(std::move(schema), count, std::move(columns)));
    return {};
  }

  const SourcePlan& first_source(size_t insert) const {
    return *state_.plan.source(state_.set.inserts[insert]->plan.branches[0].source);
  }

  // What cannot commit with the epoch may see a row twice after a crash: its partition is another one each
  // time, so that no receiver takes a new row for one that it has.
  std::shared_ptr<arrow::Array> partition_column(size_t index, int64_t rows) {
    auto& column = partitions_[index];
    if (column == nullptr || column->length() < rows) {
      const InsertPlan& insert = *state_.set.inserts[index];
      const auto& sinks = state_.set.sinks;
      const auto sink = std::find(sinks.begin(), sinks.end(), insert.sink) - sinks.begin();
      std::string name = "out:" + insert.label;
      if (!lanes_[static_cast<size_t>(sink)]->transactional) name += "@" + run_id_;
      auto made = arrow::MakeArrayFromScalar(arrow::StringScalar(name), std::max<int64_t>(rows, 8192));
      WEIR_CHECK(made.ok(), made.status().ToString());
      column = *made;
    }
    return column->Slice(0, rows);
  }

  // One row of a query's result that could not go on, as JSON.
  Status report(size_t index, ErrorCode code, const std::string& message,
                const std::shared_ptr<arrow::RecordBatch>& row) {
    const InsertPlan& insert = *state_.set.inserts[index];
    if (!state_.plan.spec.settings.boolean("error-lake.enabled")) {
      return Status::invalid("a row for '" + insert.label +
                             "' has nowhere to go ('error-lake.enabled' is 'false'): " +
                             std::string(error_code_name(code)) + ": " + message);
    }
    std::string json;
    append_json_row(*row, 0, row->num_columns(), json);
    auto bytes = std::shared_ptr<char[]>(new char[json.size() + EventBatch::kPadding]());
    std::memcpy(bytes.get(), json.data(), json.size());
    EventBatch batch;
    batch.bytes = bytes;
    batch.received_us = clock().now_us();
    Event event;
    event.payload = {0, static_cast<int32_t>(json.size())};
    event.offset = sequences_["errors:" + insert.label]++;
    batch.events.push_back(event);
    ErrorOrigin origin;
    origin.pipeline = state_.plan.spec.name;
    origin.source = first_source(index).table.name;
    origin.partition = "out:" + insert.label;
    // Replay takes rows of a sink; what failed between two operators has other columns.
    origin.payload_kind = code == ErrorCode::sink_refused ? "row" : "intermediate";
    ErrorRecord record;
    record.code = code;
    record.message = message;
    record.sink = insert.label;
    WEIR_ASSIGN(auto rows, error_rows(origin, batch, {record}));
    ++state_.stats.errors;
    ++delivered_.errors;
    const auto& sources = state_.set.sources;
    const auto source = std::find(sources.begin(), sources.end(), &first_source(index)) - sources.begin();
    append_errors(static_cast<size_t>(source), std::move(rows));
    return {};
  }

  // Every channel has given its barrier: what has come is the epoch.
  Status finish_epoch() {
    auto epoch = std::make_shared<FinishedEpoch>();
    epoch->cut = gate_.take();
    WEIR_CHECK(epoch->cut != nullptr, "a barrier without its cut");
    epoch->sequences = sequences_;
    epoch->delivered = delivered_;
    const int64_t now_ns = clock().monotonic_ns();
    bool unprepared = false;
    for (auto& lane : lanes_) {
      // Only what is spooled may wait for a later epoch.
      const int64_t epoch_ns = interval_.count() * 1'000'000;
      const bool due = epoch->cut->last || !lane->transactional || lane->interval_ns <= epoch_ns ||
                       lane->rows.full() || now_ns - lane->sealed_ns >= lane->interval_ns - epoch_ns / 2;
      epoch->sealed.emplace_back();
      epoch->spooled.emplace_back(std::exchange(lane->unspooled, {}));
      if (lane->appended == 0) continue;
      if (!due) {
        unprepared = true;
        continue;
      }
      epoch->spooled.back().clear();
      epoch->sealed.back() = lane->rows.seal();
      lane->appended = 0;
      lane->sealed_ns = now_ns;
    }
    for (auto& lane : error_lanes_) {
      epoch->errors.emplace_back();
      if (lane == nullptr || lane->appended == 0) continue;
      epoch->errors.back() = lane->rows.seal();
      lane->appended = 0;
    }
    if (unprepared) gate_.output = true;  // another epoch follows, also when nothing more comes in
    with_committer_ = true;
    commits_->push([this, epoch] {
      Status status = guarded([&] { return committer_->commit(*epoch); });
      if (!status.ok()) {
        if (status.code() != Code::cancelled) state_.fail(status);
        collector_.close();
      }
      with_committer_ = false;
      gate_.on_its_way = false;
      return status;
    });
    return {};
  }

  SetState state_;
  Sources& sources_;
  std::unique_ptr<SetTables> tables_;
  std::unique_ptr<EpochStore> store_;
  EpochStart start_;
  milliseconds interval_{};
  Inbox collector_;
  EpochGate gate_;
  std::atomic<bool> with_committer_{false};  // the epoch on its way has come out of the tasks
  const std::string run_id_ = random_hex_id().substr(0, 8);
  std::map<std::string, int64_t> sequences_;
  Counted delivered_;
  std::map<size_t, std::shared_ptr<arrow::Array>> partitions_;
  std::vector<std::unique_ptr<EpochLane>> lanes_;        // by SetPlan::sinks
  std::vector<std::unique_ptr<EpochLane>> error_lanes_;  // by SetPlan::sources; null: switched off
  std::unique_ptr<SnapshotWriter> snapshots_;
  std::unique_ptr<EpochCommitter> committer_;
  std::unique_ptr<CommitLane> commits_ = std::make_unique<CommitLane>();
  std::unique_ptr<Dataflow> dataflow_;
  std::thread router_thread_;
};

}  // namespace

Status run_epochs(const PipelinePlan& plan, const SetPlan& set, const RunOptions& options,
                  PipelineStats& stats, const std::atomic<bool>& stop, Sources& sources, Budgets& budgets,
                  bool& again) {
  EpochRun run(plan, set, options, stats, stop, sources, budgets);
  Status ended = run.run();
  again = run.drained();
  return ended.ok() ? run.drain_reason() : ended;
}

}  // namespace weir
