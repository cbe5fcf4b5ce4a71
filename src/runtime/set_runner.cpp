#include "runtime/set_runner.h"

#include <arrow/record_batch.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <thread>

#include "base/crash_point.h"
#include "base/text.h"
#include "checkpoint/position_store.h"
#include "runtime/cut.h"
#include "runtime/guarded.h"
#include "runtime/partition_workers.h"
#include "runtime/sink_lane.h"
#include "runtime/tables.h"
#include "sinks/delta/delta_connector.h"

namespace weir {
namespace {

using std::chrono::milliseconds;

// The files of one cut, on their way to being visible.
struct CommitJob {
  struct Target {
    size_t index = 0;  // of the sink or, for the error lake, of the source
    bool has_rows = false;
    std::future<SinkLane::Sealed> sealed;
  };
  Cut cut;
  std::vector<Target> sinks;
  std::vector<Target> errors;
};

struct Counted {
  int64_t events = 0, rows = 0, errors = 0, filtered = 0;
  void add(const Counted& other, int64_t sign) {
    events += sign * other.events;
    rows += sign * other.rows;
    errors += sign * other.errors;
    filtered += sign * other.filtered;
  }
};

// Of a table's stands only those of source partitions: weir/<pipeline>/<source>/<partition>, without the
// plan's, the authority's and replay's marks.
std::map<std::string, int64_t> positions_in(const std::map<std::string, int64_t>& stands) {
  std::map<std::string, int64_t> positions;
  for (const auto& [app_id, next] : stands) {
    size_t source = app_id.find('/', app_id.find('/') + 1) + 1;
    size_t partition = app_id.find('/', source);
    if (partition != std::string::npos && app_id.compare(partition, std::string::npos, "/_replay") != 0) {
      positions[app_id] = next;
    }
  }
  return positions;
}

class Attempt {
 public:
  Attempt(const PipelinePlan& plan, const SetPlan& set, const RunOptions& options, PipelineStats& stats,
          const std::atomic<bool>& stop)
      : state_(plan, set, options, stats, stop), jobs_(1) {}

  Status run() {
    const int64_t started_ns = clock().monotonic_ns();
    state_.stats.set_state("connecting");
    WEIR_TRY(open_tables());
    WEIR_TRY(open_sources());
    log_recovery(started_ns);
    PartitionWorkers workers(state_);
    WEIR_TRY(workers.start());
    state_.stats.set_state("running");
    open_lanes();
    std::thread committer([this] { commit_jobs(); });
    collect(workers);
    jobs_.close();
    committer.join();
    // What was read but not committed will be read, and counted, again.
    uncommitted_.add(committed_, -1);
    add_to_stats(uncommitted_, -1);
    return state_.failure();
  }

 private:
  const Clock& clock() const { return *state_.options.clock; }

  Status open_tables() {
    const std::string prefix = "weir/" + state_.plan.spec.name + "/";
    for (size_t i = 0; i < state_.set.sinks.size(); ++i) {
      WEIR_ASSIGN(auto sink, create_sink(state_.plan, *state_.set.sinks[i], clock()));
      auto stands = sink->open(prefix);
      if (!stands.ok()) return stands.status().with_context("sink '" + state_.set.sinks[i]->name + "'");
      state_.sink_stands.push_back(*std::move(stands));
      sinks_.push_back(std::move(sink));
    }
    choose_authority();
    for (size_t i = 0; i < state_.set.sources.size(); ++i) {
      state_.error_stands.emplace_back();
      error_sinks_.push_back(nullptr);
      if (!state_.plan.spec.settings.boolean("error-lake.enabled")) continue;
      WEIR_ASSIGN(error_sinks_[i], create_error_sink(state_.plan, *state_.set.sources[i], clock()));
      auto stands = error_sinks_[i]->open(prefix);
      if (!stands.ok()) return stands.status().with_context("error lake");
      state_.error_stands[i] = *std::move(stands);
    }
    if (state_.plan.spec.settings.boolean("error-lake.enabled")) {
      // There from the start, so that queries over the error lake can always join it.
      WEIR_ASSIGN(auto resolutions, create_delta_sink(resolution_sink_context(state_.plan, clock())));
      auto opened = resolutions->open(prefix);
      if (!opened.ok()) return opened.status().with_context("error lake");
    }
    if (authority_) {
      take_positions();
      return refuse_changed_plan();
    }
    WEIR_ASSIGN(state_objects_, open_state_objects(state_.plan));
    for (const SourcePlan* source : state_.set.sources) {
      positions_.emplace_back(*state_objects_, state_.plan.spec.name, source->table.name);
      WEIR_ASSIGN(auto stored, positions_.back().load());
      state_.authority_stands.merge(stored);
    }
    return {};
  }

  // The table that was the authority before; else the first that can be.
  void choose_authority() {
    for (size_t i = 0; i < sinks_.size(); ++i) {
      if (!sinks_[i]->remembers_positions()) continue;
      if (!authority_ || (was_authority(i) && !was_authority(*authority_))) authority_ = i;
    }
  }

  bool was_authority(size_t sink) const {
    auto mark = state_.sink_stands[sink].find(authority_app_id(state_.plan.spec.name));
    return mark != state_.sink_stands[sink].end() && mark->second == 1;
  }

  // The authority's positions. A source that it has never read, because its set was joined to this one since,
  // goes on where the authority of that set stands.
  void take_positions() {
    state_.authority_stands = positions_in(state_.sink_stands[*authority_]);
    for (size_t i = 0; i < sinks_.size(); ++i) {
      if (was_authority(i)) state_.authority_stands.merge(positions_in(state_.sink_stands[i]));
    }
  }

  // A table that is ahead of the authority was committed just before a crash. The window between them is read
  // again and trimmed for that table, which is only right when the same file makes the same rows and errors
  // of it.
  Status refuse_changed_plan() const {
    if (state_.plan.spec.settings.string("pipeline.on-changed-plan") == "continue") return {};
    for (size_t i = 0; i < state_.sink_stands.size(); ++i) {
      WEIR_TRY(refuse_changed_plan("table '" + state_.set.sinks[i]->name + "'", state_.sink_stands[i]));
    }
    for (size_t i = 0; i < state_.error_stands.size(); ++i) {
      WEIR_TRY(refuse_changed_plan("the error lake of '" + state_.set.sources[i]->table.name + "'",
                                   state_.error_stands[i]));
    }
    return {};
  }

  Status refuse_changed_plan(const std::string& table, const std::map<std::string, int64_t>& stands) const {
    const std::string& pipeline = state_.plan.spec.name;
    auto mark = stands.find(plan_app_id(pipeline));
    if (mark == stands.end() || mark->second == state_.plan.hash()) return {};
    for (const SourcePlan* source : state_.set.sources) {
      const std::string prefix = "weir/" + pipeline + "/" + source->table.name + "/";
      for (const auto& [app_id, next] : positions_in(stands)) {
        if (!app_id.starts_with(prefix)) continue;
        auto stand = state_.authority_stands.find(app_id);
        if (stand != state_.authority_stands.end() && stand->second >= next) continue;
        return Status::invalid(
            "the last run ended inside a commit (" + table + " holds " + source->table.name + " up to " +
            std::to_string(next) + ", the lake up to " +
            (stand == state_.authority_stands.end() ? std::string("nothing")
                                                    : std::to_string(stand->second)) +
            "), and the file's columns, CHECKs or queries have changed since: run the earlier version once "
            "(weir run --once), then this one. SET 'pipeline.on-changed-plan' = 'continue' goes on "
            "regardless: events "
            "between the two positions may then be in both the lake and the error lake, or in neither");
      }
    }
    return {};
  }

  Status open_sources() {
    for (const SourcePlan* source : state_.set.sources) {
      SourceContext context;
      context.pipeline = state_.plan.spec.name;
      context.table = &source->table;
      context.options = source->options;
      context.once = state_.options.once;
      context.batch_rows = static_cast<size_t>(state_.plan.spec.settings.integer("pipeline.batch-rows"));
      context.clock = state_.options.clock;
      const std::string prefix = "weir/" + state_.plan.spec.name + "/" + source->table.name + "/";
      for (const auto& [app_id, _] : state_.authority_stands) {
        if (!app_id.starts_with(prefix)) continue;
        context.known_partitions.push_back(app_id.substr(prefix.size()));
      }
      auto created = source->connector->create(std::move(context));
      if (!created.ok()) return created.status().with_context("source '" + source->table.name + "'");
      state_.sources.push_back(*std::move(created));
    }
    return {};
  }

  void log_recovery(int64_t started_ns) {
    if (state_.authority_stands.empty() || !state_.options.log) return;
    int64_t took_ms = (clock().monotonic_ns() - started_ns) / 1'000'000;
    std::string positions;
    int shown = 0;
    for (const auto& [app_id, next] : state_.authority_stands) {
      if (++shown > 4) break;
      positions += " " + app_id.substr(5) + "=" + std::to_string(next);
    }
    state_.options.log(
        "recovered in " + std::to_string(took_ms) + " ms from " +
        (authority_ ? "table " + state_.set.sinks[*authority_]->name : std::string("the state folder")) +
        ", positions" + positions);
  }

  void open_lanes() {
    auto capacity = static_cast<size_t>(state_.plan.spec.settings.integer("pipeline.queue-batches"));
    for (auto& sink : sinks_) lanes_.push_back(std::make_unique<SinkLane>(*sink, capacity));
    for (auto& sink : error_sinks_) {
      error_lanes_.push_back(sink == nullptr ? nullptr : std::make_unique<SinkLane>(*sink, capacity));
    }
    sink_rows_.assign(sinks_.size(), 0);
    error_rows_.assign(error_sinks_.size(), 0);
  }

  // The collector: this thread. Ends when the workers have ended and the last cut is handed over, or on
  // failure.
  void collect(PartitionWorkers& workers) {
    const auto interval = state_.plan.commit_interval(state_.set);
    int64_t next_cut_ns = clock().monotonic_ns() + interval.count() * 1'000'000;
    int64_t next_lag_ns = 0;
    while (state_.failure().ok()) {
      int64_t now_ns = clock().monotonic_ns();
      if (now_ns >= next_lag_ns) {
        state_.stats.lag = workers.lag();
        next_lag_ns = now_ns + 200'000'000;
        if (state_.stop_requested) state_.stats.set_state("draining");
      }
      if (now_ns >= next_cut_ns && !cut_.empty() && !committing_) {
        cut();
        next_cut_ns = now_ns + interval.count() * 1'000'000;
      }
      bool last = state_.units.closed_and_empty();
      if (last) break;
      int64_t wait_ms = std::clamp<int64_t>((next_cut_ns - now_ns) / 1'000'000, 1, 50);
      auto unit = state_.units.pop(milliseconds(wait_ms));
      if (unit) take(*std::move(unit));
    }
    state_.units.close();
    if (state_.failure().ok() && !cut_.empty()) cut();
  }

  void take(Unit unit) {
    cut_.add(unit);
    count(unit);
    for (size_t i = 0; i < state_.set.inserts.size(); ++i) {
      if (unit.processed.rows[i] == nullptr) continue;
      size_t sink = sink_of(i);
      sink_rows_[sink] += unit.processed.rows[i]->num_rows();
      lanes_[sink]->append(std::move(unit.processed.rows[i]));
    }
    size_t source = unit.partition->source;
    if (unit.error_rows != nullptr && error_lanes_[source] != nullptr) {
      error_rows_[source] += unit.error_rows->num_rows();
      error_lanes_[source]->append(std::move(unit.error_rows));
    }
    for (auto& lane : lanes_) {
      if (Status status = lane->status(); !status.ok()) state_.fail(status);
    }
  }

  void count(const Unit& unit) {
    Counted delta{unit.events, 0, unit.failed, 0};
    for (const InsertCounts& counts : unit.processed.counts) {
      delta.rows += counts.emitted;
      delta.filtered += counts.filtered;
    }
    uncommitted_.add(delta, 1);
    add_to_stats(delta, 1);
  }

  void add_to_stats(const Counted& delta, int64_t sign) {
    state_.stats.events += sign * delta.events;
    state_.stats.rows += sign * delta.rows;
    state_.stats.errors += sign * delta.errors;
    state_.stats.filtered += sign * delta.filtered;
  }

  size_t sink_of(size_t insert) const {
    const auto& sinks = state_.set.sinks;
    return static_cast<size_t>(std::find(sinks.begin(), sinks.end(), state_.set.inserts[insert]->sink) -
                               sinks.begin());
  }

  void cut() {
    crash_point("runtime.cut");
    CommitJob job;
    job.cut = std::exchange(cut_, {});
    for (size_t i = 0; i < lanes_.size(); ++i) {
      bool rows = std::exchange(sink_rows_[i], 0) > 0;
      bool authority = authority_ && *authority_ == i;
      if (rows || authority) job.sinks.push_back({i, rows, lanes_[i]->seal()});
    }
    for (size_t i = 0; i < error_lanes_.size(); ++i) {
      if (error_lanes_[i] == nullptr || std::exchange(error_rows_[i], 0) == 0) continue;
      job.errors.push_back({i, true, error_lanes_[i]->seal()});
    }
    committing_ = true;
    jobs_.push(std::move(job));
  }

  void commit_jobs() {
    while (!jobs_.closed_and_empty()) {
      auto job = jobs_.pop(milliseconds(1000));
      if (!job) continue;
      if (!state_.failure().ok()) continue;
      Status status = guarded([&] { return commit(*job); });
      if (!status.ok()) state_.fail(status);
      committing_ = false;
    }
  }

  CommitRequest stamped(CommitRequest request) const {
    request.plan_hash = state_.plan.hash();
    return request;
  }

  Status commit(CommitJob& job) {
    std::vector<std::unique_ptr<SealedRows>> sealed_errors;
    std::vector<std::unique_ptr<SealedRows>> sealed_rows;
    for (auto& target : job.errors) {
      WEIR_ASSIGN(auto sealed, target.sealed.get());
      sealed_errors.push_back(std::move(sealed));
    }
    for (auto& target : job.sinks) {
      WEIR_ASSIGN(auto sealed, target.sealed.get());
      sealed_rows.push_back(std::move(sealed));
    }
    crash_point("runtime.before_errors");
    for (size_t i = 0; i < job.errors.size(); ++i) {
      size_t source = job.errors[i].index;
      Status status = error_sinks_[source]->commit(*sealed_errors[i], stamped(job.cut.error_request(source)));
      if (!status.ok()) return status.with_context("error lake");
    }
    crash_point("runtime.after_errors");
    for (size_t i = 0; i < job.sinks.size(); ++i) {
      size_t sink = job.sinks[i].index;
      if (authority_ && *authority_ == sink) continue;
      Status status =
          sinks_[sink]->commit(*sealed_rows[i], stamped(job.cut.request(state_.set, sink, false)));
      if (!status.ok()) return status.with_context("sink '" + state_.set.sinks[sink]->name + "'");
    }
    crash_point("runtime.before_authority");
    for (size_t i = 0; i < job.sinks.size(); ++i) {
      size_t sink = job.sinks[i].index;
      if (!authority_ || *authority_ != sink) continue;
      Status status = sinks_[sink]->commit(*sealed_rows[i], stamped(job.cut.request(state_.set, sink, true)));
      if (!status.ok()) return status.with_context("sink '" + state_.set.sinks[sink]->name + "'");
    }
    for (size_t i = 0; i < positions_.size(); ++i) {
      std::map<std::string, int64_t> moved;
      for (const auto& [app_id, entry] : job.cut.partitions) {
        if (entry.partition->source == i) moved[app_id] = entry.next;
      }
      if (!moved.empty()) WEIR_TRY(positions_[i].save(moved));
    }
    crash_point("runtime.after_authority");
    ++state_.stats.commits;
    committed_.add({job.cut.events, job.cut.rows, job.cut.errors, job.cut.filtered}, 1);
    for (const auto& [_, entry] : job.cut.partitions) {
      // What fails here is read again after the next commit; positions never come from acknowledgements.
      Status acknowledged = entry.partition->reader->acknowledge(entry.next);
      if (!acknowledged.ok() && state_.options.log)
        state_.options.log("acknowledge: " + acknowledged.message());
    }
    crash_point("runtime.after_ack");
    return {};
  }

  SetState state_;
  std::vector<std::unique_ptr<Sink>> sinks_;        // by SetPlan::sinks
  std::vector<std::unique_ptr<Sink>> error_sinks_;  // by SetPlan::sources; null: switched off
  std::optional<size_t> authority_;
  std::unique_ptr<ObjectStore> state_objects_;
  std::vector<PositionStore> positions_;  // by SetPlan::sources; empty: the authority remembers
  std::vector<std::unique_ptr<SinkLane>> lanes_;
  std::vector<std::unique_ptr<SinkLane>> error_lanes_;
  std::vector<int64_t> sink_rows_;  // appended since the last cut
  std::vector<int64_t> error_rows_;
  Cut cut_;
  BoundedQueue<CommitJob> jobs_;
  std::atomic<bool> committing_{false};
  Counted uncommitted_;  // written by the collector
  Counted committed_;    // written by the committer
};

bool worth_retrying(const Status& status, bool once) {
  switch (status.code()) {
    case Code::unavailable:
    case Code::conflict:
    case Code::lost_ownership: return true;
    case Code::exhausted: return !once;  // a full disk may be freed while a service waits
    default: return false;
  }
}

}  // namespace

Status run_set(const PipelinePlan& plan, const SetPlan& set, const RunOptions& options, PipelineStats& stats,
               const std::atomic<bool>& stop) {
  int64_t backoff_ms = 0;
  while (true) {
    const int64_t commits = stats.commits;
    Status status = guarded([&] { return Attempt(plan, set, options, stats, stop).run(); });
    if (status.ok()) return status;
    if (stop || !worth_retrying(status, options.once)) return status;
    backoff_ms =
        stats.commits > commits ? 200 : std::min<int64_t>(10'000, std::max<int64_t>(200, backoff_ms * 2));
    stats.set_state("retrying: " + status.message());
    if (options.log) {
      options.log(std::string(code_name(status.code())) + ": " + status.message() + "; again in " +
                  std::to_string(backoff_ms) + " ms");
    }
    for (int64_t waited = 0; waited < backoff_ms && !stop; waited += 50)
      options.clock->sleep(milliseconds(50));
    if (stop) return status;
  }
}

}  // namespace weir
