#include "runtime/set_runner.h"

#include <arrow/record_batch.h>

#include <algorithm>
#include <optional>
#include <thread>

#include "base/crash_point.h"
#include "runtime/commit_lane.h"
#include "runtime/cut.h"
#include "runtime/epoch_runner.h"
#include "runtime/guarded.h"
#include "runtime/partition_workers.h"
#include "runtime/set_tables.h"
#include "runtime/sink_lane.h"

namespace weir {
namespace {

using std::chrono::milliseconds;

using Committed = std::vector<std::shared_future<Status>>;

// A table that is written: the thread that encodes for it, and the thread that commits to it.
struct Lane {
  Lane(Sink& sink, size_t queue_batches) : rows(sink, queue_batches), sink(sink) {}
  SinkLane rows;
  CommitLane commits;  // ends before `rows`, whose promises it waits for
  Sink& sink;
  int64_t appended = 0;                    // rows since the last seal
  std::atomic<int64_t> last_commit_ns{0};  // how long it took, the seal included
};

class Attempt {
 public:
  Attempt(const PipelinePlan& plan, const SetPlan& set, const RunOptions& options, PipelineStats& stats,
          const std::atomic<bool>& stop, Sources& sources, Budgets& budgets)
      : state_(plan, set, options, stats, stop), sources_(sources) {
    for (auto& budget : budgets) {
      if (budget != nullptr) budget->restart();
      state_.budgets.push_back(budget.get());
    }
  }

  Status run() {
    const int64_t started_ns = clock().monotonic_ns();
    state_.stats.set_state("connecting");
    WEIR_TRY(create_sources());
    WEIR_TRY(join_groups());
    WEIR_ASSIGN(tables_, SetTables::open(state_.plan, state_.set, state_.options));
    state_.tables = tables_.get();
    log_recovery(started_ns);
    PartitionWorkers workers(state_);
    WEIR_TRY(workers.start());
    state_.stats.set_state("running");
    open_lanes();
    collect(workers);
    error_lanes_.clear();
    lanes_.clear();  // waits for the commits
    memory_lane_.reset();
    // What was read but not committed will be read, and counted, again.
    uncommitted_.add(committed_, -1);
    uncommitted_.add_to(state_.stats, -1);
    return state_.failure();
  }

  // After run() gave ok: the share of a group changed, so another attempt has to follow.
  bool drained() const { return state_.draining(); }
  // Not ok: the next attempt needs another plan.
  Status drain_reason() const { return state_.drain_reason(); }

 private:
  const Clock& clock() const { return *state_.options.clock; }

  Status create_sources() {
    for (size_t i = 0; i < state_.set.sources.size(); ++i) {
      if (sources_[i] == nullptr) {
        WEIR_ASSIGN(sources_[i], create_source(state_.plan, *state_.set.sources[i], state_.options));
      }
      state_.sources.push_back(sources_[i].get());
    }
    return {};
  }

  // Before the tables are opened: when the group hands a partition over, its former owner has committed.
  Status join_groups() {
    for (Source* source : state_.sources) {
      if (source->group() == nullptr) continue;
      state_.stats.set_state("joining");
      Status joined;
      do {
        joined = source->group()->join(milliseconds(500));
      } while (joined.code() == Code::unavailable && !state_.stopping());
      if (!state_.stopping()) WEIR_TRY(joined);
    }
    return {};
  }

  void log_recovery(int64_t started_ns) {
    const Stands& positions = tables_->positions();
    if (positions.empty() || !state_.options.log) return;
    int64_t took_ms = (clock().monotonic_ns() - started_ns) / 1'000'000;
    std::string shown_positions;
    int shown = 0;
    for (const auto& [app_id, next] : positions) {
      if (++shown > 4) break;
      shown_positions += " " + app_id.substr(5) + "=" + std::to_string(next);
    }
    state_.options.log("recovered in " + std::to_string(took_ms) + " ms from " + tables_->memory_name() +
                       ", positions" + shown_positions);
  }

  void open_lanes() {
    auto capacity = static_cast<size_t>(state_.plan.spec.settings.integer("pipeline.queue-batches"));
    for (size_t i = 0; i < tables_->sinks().size(); ++i) {
      lanes_.push_back(std::make_unique<Lane>(*tables_->sinks()[i], capacity));
      intervals_.push_back(state_.plan.commit_interval(*state_.set.sinks[i]));
    }
    for (const auto& sink : tables_->error_sinks()) {
      error_lanes_.push_back(sink == nullptr ? nullptr : std::make_unique<Lane>(*sink, capacity));
    }
    cuts_.resize(lanes_.size());
    // Where no table remembers, positions are kept as often as the hastiest sink commits.
    recovery_interval_ = tables_->authority() ? intervals_[*tables_->authority()]
                                              : *std::min_element(intervals_.begin(), intervals_.end());
  }

  bool is_authority(size_t sink) const { return tables_->authority() == sink; }
  // A row is visible within the interval: the cut comes earlier by what the last commit took, at most by
  // half.
  int64_t due_ns(milliseconds interval, const Lane& lane) const {
    const int64_t interval_ns = interval.count() * 1'000'000;
    return clock().monotonic_ns() + interval_ns - std::min<int64_t>(lane.last_commit_ns, interval_ns / 2);
  }
  int64_t recovery_due_ns() const {
    return due_ns(recovery_interval_, *lanes_[tables_->authority().value_or(0)]);
  }

  // The collector: this thread. Ends when the workers have ended and the last cut is handed over, or on
  // failure.
  void collect(PartitionWorkers& workers) {
    std::vector<int64_t> due;
    for (size_t i = 0; i < lanes_.size(); ++i) due.push_back(due_ns(intervals_[i], *lanes_[i]));
    int64_t recovery_due = recovery_due_ns();
    int64_t next_lag_ns = 0;
    while (state_.failure().ok()) {
      const int64_t now_ns = clock().monotonic_ns();
      if (now_ns >= next_lag_ns) {
        state_.stats.lag = workers.lag();
        next_lag_ns = now_ns + 200'000'000;
        if (state_.stop_requested) state_.stats.set_state("draining");
      }
      const bool idle = all_idle();
      const bool full = any_full();
      const bool recovery_waits = !recovery_cut_.empty() && (now_ns >= recovery_due || authority_full());
      if (idle && recovery_waits) {
        cut_recovery_point();
        recovery_due = recovery_due_ns();
        for (size_t i = 0; i < due.size(); ++i) due[i] = due_ns(intervals_[i], *lanes_[i]);
        continue;
      }
      for (size_t i = 0; i < lanes_.size(); ++i) {
        // Sinks that commit in turn must not keep the recovery point from the moment when all are idle.
        if (recovery_waits || is_authority(i) || !lanes_[i]->commits.idle()) continue;
        // A sink that had nothing for a while commits the next rows at once.
        if (lanes_[i]->appended == 0 || (now_ns < due[i] && !lanes_[i]->rows.full())) continue;
        cut_sink(i);
        due[i] = due_ns(intervals_[i], *lanes_[i]);
      }
      if (full && any_full()) {  // what is full still commits: take in nothing more
        clock().sleep(milliseconds(2));
        check_lanes();
        continue;
      }
      if (state_.units.closed_and_empty()) break;
      int64_t next_due = recovery_due;
      for (size_t i = 0; i < due.size(); ++i) {
        if (!is_authority(i) && lanes_[i]->appended > 0) next_due = std::min(next_due, due[i]);
      }
      const int64_t wait_ms =
          recovery_cut_.empty() ? 50 : std::clamp<int64_t>((next_due - now_ns) / 1'000'000, idle ? 1 : 5, 50);
      auto unit = state_.units.pop(milliseconds(wait_ms));
      if (unit) take(*std::move(unit));
    }
    state_.units.close();
    while (state_.failure().ok() && !all_idle()) clock().sleep(milliseconds(1));
    if (state_.failure().ok() && !recovery_cut_.empty()) cut_recovery_point();
  }

  bool all_idle() const {
    auto idle = [](const auto& lane) { return lane == nullptr || lane->commits.idle(); };
    return std::all_of(lanes_.begin(), lanes_.end(), idle) &&
           std::all_of(error_lanes_.begin(), error_lanes_.end(), idle) && memory_lane_->idle();
  }
  bool any_full() const {
    return std::any_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane->rows.full(); });
  }
  bool authority_full() const { return tables_->authority() && lanes_[*tables_->authority()]->rows.full(); }

  void check_lanes() {
    for (auto& lane : lanes_) {
      if (Status status = lane->rows.status(); !status.ok()) state_.fail(status);
    }
  }

  void take(Unit unit) {
    recovery_cut_.add(unit);
    error_cut_.add(unit);
    set_aside_ = set_aside_ || unit.set_aside > 0;
    for (size_t i = 0; i < cuts_.size(); ++i) {
      if (!is_authority(i)) cuts_[i].add(unit);
    }
    count(unit);
    for (size_t i = 0; i < state_.set.inserts.size(); ++i) {
      if (unit.processed.rows[i] == nullptr) continue;
      Lane& lane = *lanes_[sink_of(i)];
      lane.appended += unit.processed.rows[i]->num_rows();
      lane.rows.append(std::move(unit.processed.rows[i]));
    }
    Lane* errors = error_lanes_[unit.partition->source].get();
    if (unit.error_rows != nullptr && errors != nullptr) {
      errors->appended += unit.error_rows->num_rows();
      errors->rows.append(std::move(unit.error_rows));
    }
    check_lanes();
  }

  void count(const Unit& unit) {
    Counted delta{unit.events, 0, unit.failed, 0};
    for (const InsertCounts& counts : unit.processed.counts) {
      delta.rows += counts.emitted;
      delta.filtered += counts.filtered;
    }
    uncommitted_.add(delta, 1);
    delta.add_to(state_.stats, 1);
  }

  size_t sink_of(size_t insert) const {
    const auto& sinks = state_.set.sinks;
    return static_cast<size_t>(std::find(sinks.begin(), sinks.end(), state_.set.inserts[insert]->sink) -
                               sinks.begin());
  }

  CommitRequest stamped(CommitRequest request) const {
    request.plan_hash = state_.plan.hash();
    return request;
  }

  // Seals what `lane` has and commits it once `after` are there; `then` follows on the same thread.
  std::shared_future<Status> push(Lane& lane, CommitRequest request, const std::string& name, Committed after,
                                  const char* before_point, std::function<Status()> then) {
    lane.appended = 0;
    const int64_t cut_ns = clock().monotonic_ns();
    auto sealed = std::make_shared<std::future<SinkLane::Sealed>>(lane.rows.seal());
    return lane.commits.push([this, &lane, request = stamped(std::move(request)), name,
                              after = std::move(after), before_point, then = std::move(then), sealed,
                              cut_ns] {
      Status status = guarded([&]() -> Status {
        WEIR_ASSIGN(auto rows, sealed->get());
        WEIR_TRY(succeeded(after));
        if (!state_.failure().ok()) return {Code::cancelled, "another table failed"};
        crash_point(before_point);
        Status committed = lane.sink.commit(*rows, request);
        if (!committed.ok()) return committed.with_context(name);
        lane.last_commit_ns = clock().monotonic_ns() - cut_ns;
        return then ? then() : Status();
      });
      if (!status.ok()) state_.fail(status);
      return status;
    });
  }

  // The first failure was told by the lane that had it.
  static Status succeeded(const Committed& after) {
    for (const auto& each : after) {
      if (!each.get().ok()) return {Code::cancelled, "an earlier commit failed"};
    }
    return {};
  }

  std::string sink_name(size_t sink) const { return "sink '" + state_.set.sinks[sink]->name + "'"; }

  // A table other than the authority, at its own interval. Null: there was nothing to commit.
  std::shared_future<Status> cut_sink(size_t sink) {
    Cut cut = std::exchange(cuts_[sink], {});
    Lane& lane = *lanes_[sink];
    if (lane.appended == 0) return {};
    crash_point("runtime.cut");
    return push(lane, cut.request(state_.set, sink, false), sink_name(sink), before_sinks(),
                "runtime.before_sink", [] {
                  crash_point("runtime.after_sink");
                  return Status();
                });
  }

  // The error lake's rows since its last commit.
  Committed commit_errors() {
    const Cut cut = std::exchange(error_cut_, {});
    Committed commits;
    for (size_t i = 0; i < error_lanes_.size(); ++i) {
      if (error_lanes_[i] == nullptr || error_lanes_[i]->appended == 0) continue;
      commits.push_back(
          push(*error_lanes_[i], cut.error_request(i), "error lake", {}, "runtime.before_errors", [] {
            crash_point("runtime.after_errors");
            return Status();
          }));
    }
    if (std::exchange(set_aside_, false)) {
      set_aside_commits_.insert(set_aside_commits_.end(), commits.begin(), commits.end());
    }
    return commits;
  }

  // What an error budget set aside is in the error lake before any table moves past it: after a crash the
  // error lake tells what was decided (docs/decisions/0010).
  Committed before_sinks() {
    if (set_aside_) commit_errors();
    std::erase_if(set_aside_commits_, [](const auto& commit) {
      return commit.wait_for(milliseconds(0)) == std::future_status::ready && commit.get().ok();
    });
    return set_aside_commits_;
  }

  // Every table: the error lake and the others first, then the authority, then the sources are told.
  void cut_recovery_point() {
    crash_point("runtime.cut");
    auto cut = std::make_shared<Cut>(std::exchange(recovery_cut_, {}));
    Committed before = commit_errors();
    for (size_t i = 0; i < lanes_.size(); ++i) {
      if (is_authority(i)) continue;
      if (auto committed = cut_sink(i); committed.valid()) before.push_back(std::move(committed));
    }
    auto finish = [this, cut] { return finish_recovery_point(*cut); };
    if (tables_->authority()) {
      const size_t authority = *tables_->authority();
      push(*lanes_[authority], cut->request(state_.set, authority, true), sink_name(authority),
           std::move(before), "runtime.before_authority", finish);
      return;
    }
    memory_lane_->push([this, before = std::move(before), finish] {
      Status status = succeeded(before);
      if (status.ok()) status = guarded(finish);
      if (!status.ok()) state_.fail(status);
      return status;
    });
  }

  Status finish_recovery_point(const Cut& cut) {
    std::vector<Stands> moved(state_.set.sources.size());
    for (const auto& [app_id, entry] : cut.partitions) moved[entry.partition->source][app_id] = entry.next;
    WEIR_TRY(tables_->save_positions(moved));
    crash_point("runtime.after_authority");
    ++state_.stats.commits;
    committed_.add({cut.events, cut.rows, cut.errors, cut.filtered}, 1);
    for (const auto& [_, entry] : cut.partitions) {
      // What fails here is read again after the next commit; positions never come from acknowledgements.
      Status acknowledged = entry.partition->reader->acknowledge(entry.next);
      if (!acknowledged.ok() && state_.options.log)
        state_.options.log("acknowledge: " + acknowledged.message());
    }
    crash_point("runtime.after_ack");
    return {};
  }

  SetState state_;
  Sources& sources_;
  std::unique_ptr<SetTables> tables_;
  std::vector<std::chrono::milliseconds> intervals_;  // by SetPlan::sinks
  std::chrono::milliseconds recovery_interval_{};
  Cut recovery_cut_;             // since the authority's last commit
  std::vector<Cut> cuts_;        // by SetPlan::sinks: since its last commit; not used for the authority
  Cut error_cut_;                // since the error lake's last commit
  bool set_aside_ = false;       // the error lake has rows of error budgets to commit
  Committed set_aside_commits_;  // that carry such rows; those that are done are taken out
  Counted uncommitted_;          // written by the collector
  Counted committed_;            // written by the thread that commits to the authority
  std::vector<std::unique_ptr<Lane>> lanes_;        // by SetPlan::sinks
  std::vector<std::unique_ptr<Lane>> error_lanes_;  // by SetPlan::sources; null: switched off
  std::unique_ptr<CommitLane> memory_lane_ =
      std::make_unique<CommitLane>();  // keeps positions where no table does
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

Result<std::unique_ptr<Source>> create_source(const PipelinePlan& plan, const SourcePlan& source,
                                              const RunOptions& options) {
  SourceContext context;
  context.pipeline = plan.spec.name;
  context.table = &source.table;
  context.options = source.options;
  context.once = options.once;
  context.batch_rows = static_cast<size_t>(plan.spec.settings.integer("pipeline.batch-rows"));
  context.shared = plan.spec.settings.string("pipeline.workers") == "several";
  context.clock = options.clock;
  context.log = options.log;
  auto created = source.connector->create(std::move(context));
  if (!created.ok()) return created.status().with_context("source '" + source.table.name + "'");
  return created;
}

Status run_set(const PipelinePlan& plan, const SetPlan& set, const RunOptions& options, PipelineStats& stats,
               const std::atomic<bool>& stop) {
  int64_t backoff_ms = 0;
  Sources sources(set.sources.size());
  Budgets budgets;
  for (const SourcePlan* source : set.sources) {
    budgets.push_back(source->error_budget.on() ? std::make_unique<ErrorBudget>(source->error_budget)
                                                : nullptr);
  }
  while (true) {
    const int64_t commits = stats.commits;
    bool again = false;
    Status status = guarded([&] {
      if (set.stateful()) return run_epochs(plan, set, options, stats, stop, sources, budgets, again);
      Attempt attempt(plan, set, options, stats, stop, sources, budgets);
      Status ended = attempt.run();
      again = attempt.drained();
      return ended.ok() ? attempt.drain_reason() : ended;
    });
    // A worker that left its group at every restart would set all the others going, and they it.
    for (auto& source : sources) {
      if (source != nullptr && source->group() == nullptr) source.reset();
    }
    if (status.ok() && again && !stop) continue;
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
