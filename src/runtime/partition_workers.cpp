#include "runtime/partition_workers.h"

#include <arrow/record_batch.h>

#include <algorithm>

#include "base/crash_point.h"
#include "base/environment.h"
#include "runtime/error_query.h"
#include "runtime/guarded.h"
#include "sinks/error_lake/error_lake.h"

namespace weir {
namespace {

using std::chrono::milliseconds;

// One thread polls at most this many open partitions in turn; further ones wait until one ends.
constexpr size_t kOpenPerWorker = 64;
constexpr int64_t kMaxBackoffMs = 5000;
constexpr size_t kPausedNames = 10;  // shown of each source

}  // namespace

ErrorOrigin error_origin(const SetState& state, const PartitionState& partition) {
  ErrorOrigin origin;
  origin.pipeline = state.plan.spec.name;
  origin.source = state.set.sources[partition.source]->table.name;
  origin.partition = partition.id;
  origin.schema_name = origin.source;
  origin.schema_version = state.tables->schema_versions()[partition.source];
  return origin;
}

PartitionWorkers::PartitionWorkers(SetState& state) : state_(state) {}

PartitionWorkers::~PartitionWorkers() {
  // Reached with threads running only after a failure or stop; an unread queue must not hold a worker.
  state_.units.close();
  if (coordinator_.joinable()) coordinator_.join();
  for (auto& thread : threads_) thread.join();
}

Status PartitionWorkers::start() {
  for (size_t i = 0; i < state_.sources.size(); ++i) {
    WEIR_TRY(discover(i));
    growing_ = growing_ || state_.sources[i]->may_grow();
  }
  auto most = static_cast<size_t>(state_.plan.spec.settings.integer("pipeline.max-open-partitions"));
  size_t count = growing_ ? most : std::min(most, known_.size());
  working_ = static_cast<int>(count);
  for (size_t i = 0; i < count; ++i) threads_.emplace_back([this] { work(); });
  coordinator_ = std::thread([this] { coordinate(); });
  return {};
}

int64_t PartitionWorkers::lag() const {
  std::lock_guard lock(mutex_);
  int64_t sum = 0;
  for (const auto& task : known_) {
    if (task->reader == nullptr) continue;
    int64_t lag = task->reader->lag();
    if (lag < 0) return -1;
    sum += lag;
  }
  return sum;
}

std::vector<std::shared_ptr<PartitionState>> PartitionWorkers::partitions() const {
  std::lock_guard lock(mutex_);
  return known_;
}

Status PartitionWorkers::discover(size_t index) {
  const std::string prefix =
      "weir/" + state_.plan.spec.name + "/" + state_.set.sources[index]->table.name + "/";
  const Stands& positions = state_.tables->positions();
  std::vector<std::string> remembered;
  for (const auto& [app_id, _] : positions) {
    if (app_id.starts_with(prefix)) remembered.push_back(app_id.substr(prefix.size()));
  }
  WEIR_ASSIGN(auto ids, state_.sources[index]->discover(remembered));
  std::lock_guard lock(mutex_);
  for (const std::string& id : ids) {
    std::string app_id = prefix + id;
    if (!known_ids_.insert(app_id).second) continue;
    auto task = std::make_shared<PartitionState>();
    task->source = index;
    task->id = id;
    task->app_id = app_id;
    auto stand = positions.find(app_id);
    if (stand != positions.end()) task->stored = stand->second;
    for (const auto& stands : state_.tables->sink_stands()) {
      auto found = stands.find(app_id);
      task->sink_stands.push_back(found == stands.end() ? kNoStand : found->second);
    }
    const Stands& errors = state_.tables->error_stands()[index];
    auto found = errors.find(app_id);
    if (found != errors.end()) task->error_stand = found->second;
    known_.push_back(task);
    pending_.push_back(task);
  }
  const auto most =
      kOpenPerWorker * static_cast<size_t>(state_.plan.spec.settings.integer("pipeline.max-open-partitions"));
  if (state_.sources[index]->may_grow() && known_.size() > most) {
    return Status::invalid("source '" + state_.set.sources[index]->table.name + "' follows " +
                           std::to_string(known_.size()) + " partitions, more than the " +
                           std::to_string(most) +
                           " that are kept open: raise SET 'pipeline.max-open-partitions' (64 a thread)");
  }
  return {};
}

void PartitionWorkers::coordinate() {
  int64_t last_discovery_ns = state_.options.clock->monotonic_ns();
  while ((working_ > 0 || waits_for_share()) && !state_.stopping()) {
    state_.options.clock->sleep(milliseconds(20));
    tell_budgets();
    for (Source* source : state_.sources) {
      if (source->group() != nullptr && source->group()->changing()) state_.drain();
    }
    if (!growing_ || state_.options.clock->monotonic_ns() - last_discovery_ns < 500'000'000) continue;
    last_discovery_ns = state_.options.clock->monotonic_ns();
    for (size_t i = 0; i < state_.sources.size(); ++i) {
      if (!state_.sources[i]->may_grow()) continue;
      Status found = guarded([&] { return discover(i); });
      if (!found.ok() && !found.retryable()) state_.fail(found);
    }
  }
  for (auto& thread : threads_) thread.join();
  threads_.clear();
  tell_budgets();
  state_.units.close();
}

void PartitionWorkers::tell_budgets() {
  const int64_t now_us = state_.options.clock->monotonic_ns() / 1000;
  told_pauses_.resize(state_.budgets.size());
  for (size_t i = 0; i < state_.budgets.size(); ++i) {
    ErrorBudget* budget = state_.budgets[i];
    if (budget == nullptr) continue;
    const ErrorBudgetPlan& plan = budget->plan();
    const std::string& source = state_.set.sources[i]->table.name;
    for (const auto& notice : budget->take_notices(now_us)) {
      if (!state_.options.log) continue;
      const std::string who = plan.by_producer()
                                  ? "the producer '" + notice.producer + "' of '" + source + "'"
                                  : "'" + source + "'";
      state_.options.log(notice.paused ? who + " is paused for " + std::to_string(plan.pause_us / 1'000'000) +
                                             " s: " + std::to_string(notice.errors) + " of " +
                                             std::to_string(notice.events) + " events were bad"
                                       : who + " is tried again after its pause");
    }
    PausedInputs shown;
    size_t count = 0;
    for (auto& paused : budget->paused(kPausedNames, count)) {
      PausedInput input;
      input.source = source;
      input.whole_source = !plan.by_producer();
      input.producer = std::move(paused.producer);
      input.until_ns = paused.until_us * 1000;
      shown.first.push_back(std::move(input));
    }
    shown.count = static_cast<int64_t>(count);
    state_.stats.set_paused(source, std::move(shown));
    const int64_t pauses = budget->pauses();
    state_.stats.pauses += pauses - std::exchange(told_pauses_[i], pauses);
  }
}

// A worker whose group has given it nothing stays until there is something, or the input has ended.
bool PartitionWorkers::waits_for_share() const {
  if (state_.options.once) return false;
  return std::any_of(state_.sources.begin(), state_.sources.end(),
                     [](Source* source) { return source->group() != nullptr; });
}

std::shared_ptr<PartitionState> PartitionWorkers::next_pending() {
  std::lock_guard lock(mutex_);
  if (pending_.empty()) return nullptr;
  auto task = pending_.front();
  pending_.pop_front();
  return task;
}

void PartitionWorkers::work() {
  std::vector<SourceChain> chains;
  for (size_t i = 0; i < state_.sources.size(); ++i) {
    auto processor = EventProcessor::create(*state_.set.sources[i], state_.set.inserts);
    if (!processor.ok()) {
      state_.fail(processor.status());
      break;
    }
    chains.push_back({*std::move(processor), BudgetGate(state_.budgets[i])});
  }
  Tasks open_tasks;
  const size_t most_open = state_.options.once ? 1 : kOpenPerWorker;
  bool idle = false;
  while (!state_.stopping()) {
    while (open_tasks.size() < most_open) {
      auto task = next_pending();
      if (task == nullptr) break;
      open_tasks.push_back(task);
      if (!idle) break;  // shares new partitions evenly between the workers
    }
    if (open_tasks.empty()) {
      if (!growing_) break;
      state_.options.clock->sleep(milliseconds(20));
      idle = true;
      continue;
    }
    auto timeout = open_tasks.size() == 1 ? milliseconds(100) : milliseconds(idle ? 10 : 0);
    idle = true;
    for (size_t i = 0; i < open_tasks.size() && !state_.stopping();) {
      bool progress = false;
      bool ended = false;
      Status status = guarded([&] { return step(open_tasks[i], timeout, chains, progress, ended); });
      if (status.code() == Code::schema_changed) {
        state_.drain(status.with_context(state_.set.sources[open_tasks[i]->source]->table.name));
        break;
      }
      if (!status.ok()) {
        state_.fail(status.with_context(state_.set.sources[open_tasks[i]->source]->table.name));
        break;
      }
      if (progress) idle = false;
      if (ended) {
        open_tasks.erase(open_tasks.begin() + static_cast<std::ptrdiff_t>(i));
      } else {
        ++i;
      }
    }
  }
  --working_;
}

Status PartitionWorkers::open(PartitionState& task) {
  if (task.error_stand > task.stored.value_or(kNoStand)) {
    WEIR_ASSIGN(task.set_aside, set_aside_offsets(state_.plan, *state_.set.sources[task.source], task.id,
                                                  task.stored.value_or(std::numeric_limits<int64_t>::min()),
                                                  task.error_stand));
  }
  WEIR_ASSIGN(auto reader, state_.sources[task.source]->open(task.id, task.stored));
  std::lock_guard lock(mutex_);
  task.reader = std::move(reader);
  return {};
}

void PartitionWorkers::back_off(PartitionState& task, const Status& status) {
  task.backoff_ms = std::min(kMaxBackoffMs, task.backoff_ms == 0 ? 100 : task.backoff_ms * 2);
  state_.stats.set_state("retrying: " + status.message());
  for (int64_t waited = 0; waited < task.backoff_ms && !state_.stopping(); waited += 50) {
    state_.options.clock->sleep(milliseconds(50));
  }
}

Status PartitionWorkers::step(const std::shared_ptr<PartitionState>& task, milliseconds timeout,
                              std::vector<SourceChain>& chains, bool& progress, bool& ended) {
  SourceChain& chain = chains[task->source];
  if (chain.gate.source_paused(state_.options.clock->monotonic_ns() / 1000)) {
    state_.options.clock->sleep(timeout);
    return {};
  }
  if (task->reader == nullptr) {
    Status opened = open(*task);
    if (opened.code() == Code::unavailable) {
      back_off(*task, opened);
      return {};
    }
    WEIR_TRY(opened);
  }
  auto batch = task->reader->poll(timeout);
  if (!batch.ok()) {
    if (batch.status().code() != Code::unavailable) return batch.status();
    back_off(*task, batch.status());
    return {};
  }
  const int64_t dropped = task->reader->dropped();
  state_.stats.dropped += dropped - std::exchange(task->dropped, dropped);
  if (task->backoff_ms != 0) {
    task->backoff_ms = 0;
    state_.stats.set_state("running");
  }
  ended = batch->end;
  progress = batch->next > batch->from;
  if (!batch->events.empty()) {
    task->empty_since_us = -1;
  } else if (task->empty_since_us < 0) {
    task->empty_since_us = state_.options.clock->monotonic_ns() / 1000;
  }
  const auto events = std::make_shared<const EventBatch>(*std::move(batch));
  if (progress) WEIR_TRY(process(task, events, chain));
  if (!ended || !state_.set.stateful()) return {};
  Unit unit;
  unit.partition = task;
  unit.ended = true;
  return push(std::move(unit));
}

Status PartitionWorkers::push(Unit unit) {
  ++unit.partition->queued;
  if (!state_.units.push(std::move(unit)) && !state_.stopping()) {
    return Status(Code::cancelled, "the queue was closed");
  }
  return {};
}

Status PartitionWorkers::process(const std::shared_ptr<PartitionState>& task, const Events& events,
                                 SourceChain& chain) {
  const EventBatch& batch = *events;
  // A unit lies wholly below or wholly at or above each table's stand, so that a table takes all of it or
  // nothing.
  std::vector<int64_t> bounds;
  auto consider = [&](int64_t stand) {
    if (stand > batch.from && stand < batch.next) bounds.push_back(stand);
  };
  for (int64_t stand : task->sink_stands) consider(stand);
  consider(task->error_stand);
  std::sort(bounds.begin(), bounds.end());
  bounds.erase(std::unique(bounds.begin(), bounds.end()), bounds.end());
  bounds.push_back(batch.next);
  size_t begin = 0;
  int64_t from = batch.from;
  for (int64_t bound : bounds) {
    size_t end = begin;
    while (end < batch.events.size() && batch.events[end].offset < bound) ++end;
    WEIR_TRY(process_slice(task, events, begin, end, from, bound, chain));
    begin = end;
    from = bound;
  }
  return {};
}

const std::vector<uint32_t>& PartitionWorkers::set_aside(const PartitionState& task, const EventBatch& batch,
                                                         size_t begin, size_t end, int64_t from,
                                                         SourceChain& chain) {
  const auto& stands = task.sink_stands;
  const bool decided = from < task.error_stand ||
                       std::any_of(stands.begin(), stands.end(), [&](int64_t stand) { return from < stand; });
  if (!decided) return chain.gate.admit(batch, begin, end, state_.options.clock->monotonic_ns() / 1000);
  static const std::vector<int64_t> none;
  return chain.gate.follow(from < task.error_stand ? task.set_aside : none, batch, begin, end);
}

Status PartitionWorkers::process_slice(const std::shared_ptr<PartitionState>& task, const Events& events,
                                       size_t begin, size_t end, int64_t from, int64_t next,
                                       SourceChain& chain) {
  const EventBatch& batch = *events;
  const SetPlan& set = state_.set;
  std::vector<bool> active(set.inserts.size());
  for (size_t i = 0; i < set.inserts.size(); ++i) {
    auto sink = std::find(set.sinks.begin(), set.sinks.end(), set.inserts[i]->sink) - set.sinks.begin();
    active[i] = from >= task->sink_stands[static_cast<size_t>(sink)];
  }
  Unit unit;
  unit.partition = task;
  unit.from = from;
  unit.next = next;
  unit.events = static_cast<int64_t>(end - begin);
  const auto& aside = set_aside(*task, batch, begin, end, from, chain);
  WEIR_ASSIGN(unit.processed, chain.events->process_without(aside, batch, begin, end, task->id, active,
                                                            state_.options.clock->now_us()));
  chain.gate.observe(unit.processed.errors, state_.options.clock->monotonic_ns() / 1000);
  unit.set_aside = static_cast<int64_t>(aside.size());
  state_.stats.set_aside += unit.set_aside;
  unit.failed = static_cast<int64_t>(unit.processed.errors.size());
  if (unit.failed > 0 && !state_.plan.spec.settings.boolean("error-lake.enabled")) {
    const ErrorRecord& first = unit.processed.errors.front();
    return Status::invalid("the event at " + task->id + " " +
                           std::to_string(batch.events[first.event].offset) + ": " +
                           std::string(error_code_name(first.code)) + ": " + first.message +
                           " (it has nowhere to go: 'error-lake.enabled' is 'false')");
  }
  if (unit.failed > 0 && from >= task->error_stand) {
    const ErrorOrigin origin = error_origin(state_, *task);
    WEIR_ASSIGN(unit.error_rows, error_rows(origin, batch, unit.processed.errors));
  }
  if (set.stateful()) unit.batch = events;
  crash_point("runtime.unit");
  return push(std::move(unit));
}

}  // namespace weir
