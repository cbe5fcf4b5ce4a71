#include "runtime/epoch_router.h"

#include <arrow/record_batch.h>

#include <algorithm>

#include "base/crash_point.h"

namespace weir {
namespace {

using std::chrono::milliseconds;

constexpr int64_t kLookNs = 50'000'000;

Status closed() { return {Code::cancelled, "the run has ended"}; }

}  // namespace

EpochRouter::EpochRouter(SetState& state, PartitionWorkers& workers, Dataflow& dataflow, Inbox& collector,
                         EpochGate& gate, milliseconds interval)
    : state_(state),
      workers_(workers),
      dataflow_(dataflow),
      collector_(collector),
      gate_(gate),
      interval_(interval),
      channel_(collector.add_channel()),
      trackers_(state.set.sources.size()),
      told_us_(state.set.sources.size(), kNoWatermark) {}

void EpochRouter::restore(const EpochManifest& manifest) {
  positions_ = manifest.positions;
  restored_watermarks_ = manifest.watermarks;
  for (size_t i = 0; i < trackers_.size(); ++i) {
    const auto merged = manifest.merged.find(state_.set.sources[i]->table.name);
    if (merged != manifest.merged.end()) trackers_[i] = WatermarkTracker(merged->second);
  }
}

Status EpochRouter::run() {
  const Clock& clock = *state_.options.clock;
  int64_t next_look_ns = 0;
  due_ns_ = clock.monotonic_ns() + interval_.count() * 1'000'000;
  while (state_.failure().ok()) {
    const int64_t now_ns = clock.monotonic_ns();
    if (now_ns >= next_look_ns) {
      look();
      WEIR_TRY(tell_watermarks());
      next_look_ns = now_ns + kLookNs;
    }
    if (due(now_ns)) WEIR_TRY(inject(false, false));
    if (state_.units.closed_and_empty()) break;
    auto unit = state_.units.pop(milliseconds(20));
    if (unit) WEIR_TRY(route(*unit));
  }
  while (state_.failure().ok() && gate_.on_its_way) clock.sleep(milliseconds(1));
  if (!state_.failure().ok()) return {};
  const bool ended = !state_.stopping() && all_bounded();
  if (ended) {
    WEIR_TRY(dataflow_.watermark("", kFinalWatermark));
    for (WatermarkTracker& tracker : trackers_) tracker = WatermarkTracker(kFinalWatermark);
  }
  WEIR_TRY(inject(true, ended));
  Message end;
  end.kind = Message::Kind::end;
  WEIR_TRY(dataflow_.control(end));
  return collector_.push(channel_, end) ? Status() : closed();
}

bool EpochRouter::all_bounded() const {
  return std::all_of(state_.sources.begin(), state_.sources.end(),
                     [](const Source* source) { return source->bounded(); });
}

void EpochRouter::look() {
  const int64_t now_us = state_.options.clock->monotonic_ns() / 1000;
  for (const auto& partition : workers_.partitions()) {
    WatermarkTracker& tracker = trackers_[partition->source];
    const auto restored = restored_watermarks_.find(partition->app_id);
    tracker.add(partition->app_id, restored == restored_watermarks_.end() ? kNoWatermark : restored->second);
    const int64_t timeout_us = state_.set.sources[partition->source]->event_time.idle_timeout_us;
    const int64_t empty_us = partition->empty_since_us;
    const int64_t since_us = std::max(empty_us, partition->drained_us);
    const bool waits = empty_us >= 0 && partition->queued == 0;
    tracker.set_idle(partition->app_id, timeout_us > 0 && waits && now_us - since_us >= timeout_us);
  }
  state_.stats.lag = workers_.lag();
  state_.stats.state_bytes = dataflow_.state_bytes();
  if (state_.stop_requested) state_.stats.set_state("draining");
  const int64_t budget = state_.plan.spec.settings.size("pipeline.state-memory");
  if (state_.stats.state_bytes <= budget) return;
  std::string largest;
  int64_t most = -1;
  for (const auto& stats : dataflow_.stats()) {
    if (stats->state_bytes <= most) continue;
    most = stats->state_bytes;
    largest = stats->insert + ": " + stats->name;
  }
  const auto shown = [](int64_t bytes) {
    return bytes < 10 << 20 ? std::to_string(bytes >> 10) + " kB" : std::to_string(bytes >> 20) + " MB";
  };
  state_.fail(Status::invalid("the operators' state takes " + shown(state_.stats.state_bytes) +
                              ", more than 'pipeline.state-memory' allows (" + shown(budget) +
                              "); the largest is " + largest + " with " + shown(most) +
                              ". Nothing is lost: raise it, or bound the state (a shorter window or "
                              "'pipeline.state-ttl'), and start again"));
}

// A source that is idle, or has ended for good, holds nobody back: joins and unions wait for the others
// alone.
int64_t EpochRouter::watermark_of(size_t source) {
  WatermarkTracker& tracker = trackers_[source];
  const Source& from = *state_.sources[source];
  if (tracker.ended() && from.bounded() && !from.may_grow()) return kFinalWatermark;
  if (!tracker.idle()) return tracker.merged_us();
  // As with partitions: the least of those that are not idle, or where all are, the highest.
  int64_t least_us = kFinalWatermark, most_us = tracker.merged_us();
  for (size_t i = 0; i < trackers_.size(); ++i) {
    if (state_.set.sources[i]->event_time.fragment == nullptr || trackers_[i].ended()) continue;
    most_us = std::max(most_us, trackers_[i].merged_us());
    if (!trackers_[i].idle()) least_us = std::min(least_us, trackers_[i].merged_us());
  }
  return least_us == kFinalWatermark ? most_us : std::max(least_us, tracker.merged_us());
}

Status EpochRouter::tell_watermarks() {
  for (size_t i = 0; i < trackers_.size(); ++i) {
    const int64_t watermark_us = watermark_of(i);
    if (watermark_us <= told_us_[i]) continue;
    told_us_[i] = watermark_us;
    moved_ = true;
    WEIR_TRY(dataflow_.watermark(state_.set.sources[i]->table.name, watermark_us));
  }
  return {};
}

bool EpochRouter::due(int64_t now_ns) const {
  if (gate_.on_its_way || !(moved_ || gate_.output)) return false;
  return now_ns >= due_ns_ || gate_.wanted;
}

Status EpochRouter::inject(bool last, bool ended) {
  const int64_t now_ns = state_.options.clock->monotonic_ns();
  auto cut = std::make_shared<EpochCut>();
  cut->epoch = next_epoch_++;
  cut->cut = std::exchange(cut_, {});
  cut->positions = positions_;
  cut->watermarks = restored_watermarks_;
  for (size_t i = 0; i < trackers_.size(); ++i) {
    for (const auto& [partition, watermark] : trackers_[i].watermarks())
      cut->watermarks[partition] = watermark;
    const int64_t merged_us = ended ? kFinalWatermark : std::max(told_us_[i], trackers_[i].merged_us());
    if (merged_us != kNoWatermark) cut->merged[state_.set.sources[i]->table.name] = merged_us;
  }
  cut->last = last;
  cut->ended = ended;
  cut->started_ns = now_ns;
  cut->counted = counted_;
  moved_ = false;
  gate_.wanted = false;
  gate_.output = false;
  gate_.on_its_way = true;
  due_ns_ = now_ns + interval_.count() * 1'000'000;
  Message barrier;
  barrier.kind = Message::Kind::barrier;
  barrier.value = cut->epoch;
  gate_.put(std::move(cut));
  crash_point("epoch.barrier");
  WEIR_TRY(dataflow_.control(barrier));
  return collector_.push(channel_, barrier) ? Status() : closed();
}

Status EpochRouter::send(size_t input, std::shared_ptr<arrow::RecordBatch> rows) {
  if (rows == nullptr || rows->num_rows() == 0) return {};
  Message message;
  message.input = input;
  message.rows = std::move(rows);
  return collector_.push(channel_, std::move(message)) ? Status() : closed();
}

Status EpochRouter::route(Unit& unit) {
  const std::string& app_id = unit.partition->app_id;
  const size_t source = unit.partition->source;
  if (--unit.partition->queued == 0) {
    unit.partition->drained_us = state_.options.clock->monotonic_ns() / 1000;
  }
  if (unit.ended) {
    trackers_[source].add(app_id, kNoWatermark);
    // --once ends where an endless partition ends for now: its next events may be earlier than others have
    // come.
    if (state_.sources[source]->bounded()) trackers_[source].end(app_id);
    return tell_watermarks();
  }
  const size_t inserts = state_.set.inserts.size();
  WEIR_TRY(set_late_aside(unit));
  for (size_t i = 0; i < inserts; ++i) WEIR_TRY(send(i, std::move(unit.processed.rows[i])));
  WEIR_TRY(send(2 * inserts + source, std::move(unit.error_rows)));
  for (size_t i = 0; i < inserts; ++i) {
    for (FeedRows& feed : unit.processed.feeds[i]) WEIR_TRY(dataflow_.scan(i, feed.node).rows(feed.rows));
  }
  cut_.add(unit);
  count(unit);
  positions_[app_id] = unit.next;
  moved_ = true;
  trackers_[source].observe(app_id, unit.processed.watermark_us);
  return tell_watermarks();
}

void EpochRouter::count(const Unit& unit) {
  Counted delta{unit.events, 0, unit.failed, 0};
  for (size_t i = 0; i < unit.processed.counts.size(); ++i) {
    delta.filtered += unit.processed.counts[i].filtered;
    // What a stateful INSERT gives is counted where it comes out.
    if (!state_.set.inserts[i]->stateful()) delta.rows += unit.processed.counts[i].emitted;
  }
  counted_.add(delta, 1);
  delta.add_to(state_.stats, 1);
}

Result<EpochRouter::LateRows> EpochRouter::late_rows(size_t insert, const Unit& unit,
                                                     std::vector<ErrorRecord>& records) const {
  LateRows late;
  const int64_t merged_us = told_us_[unit.partition->source];
  const InsertPlan& plan = *state_.set.inserts[insert];
  const int64_t lateness_us = state_.plan.spec.settings.duration("pipeline.allowed-lateness").count() * 1000;
  for (const FeedRows& feed : unit.processed.feeds[insert]) {
    if (feed.first_late_from_us > merged_us) continue;
    const PlanNode& scan = plan.plan.graph[static_cast<size_t>(feed.node)];
    for (int64_t row = 0; row < feed.rows->num_rows(); ++row) {
      if (late_from_us(scan, *feed.rows, row, lateness_us) > merged_us) continue;
      const uint32_t event = feed.events[static_cast<size_t>(row)];
      if (late.marked.empty()) late.marked.resize(unit.batch->events.size(), 0);
      if (std::exchange(late.marked[event], 1) != 0) continue;
      ++late.events;
      ErrorRecord record;
      record.event = event;
      record.code = ErrorCode::late;
      record.sink = plan.label;
      record.message =
          "the event came when its window had closed: " +
          (merged_us == kFinalWatermark
               ? std::string("the input had ended")
               : "the watermark of '" + scan.source + "' was " + format_timestamp_us(merged_us)) +
          (scan.time_column < 0
               ? std::string()
               : ", its time is " + format_timestamp_us(time_us(*feed.rows->column(scan.time_column), row)));
      records.push_back(std::move(record));
    }
  }
  return late;
}

Status EpochRouter::set_late_aside(Unit& unit) {
  const auto& settings = state_.plan.spec.settings;
  const bool drop = settings.string("pipeline.late-rows") == "drop";
  std::vector<ErrorRecord> records;
  for (size_t i = 0; i < state_.set.inserts.size(); ++i) {
    WEIR_ASSIGN(const LateRows late, late_rows(i, unit, records));
    if (late.events == 0) continue;
    InsertCounts& counts = unit.processed.counts[i];
    for (FeedRows& feed : unit.processed.feeds[i]) {
      counts.emitted -= feed.rows->num_rows();
      WEIR_TRY(drop_events(late.marked, feed));
      counts.emitted += feed.rows->num_rows();
    }
    counts.kept -= late.events;
    (drop ? counts.filtered : counts.errored) += late.events;
    state_.stats.late += late.events;
  }
  if (records.empty() || drop) return {};
  if (!settings.boolean("error-lake.enabled")) {
    return Status::invalid("a late event of " + unit.partition->id +
                           " has nowhere to go ('error-lake.enabled' is "
                           "'false'): SET 'pipeline.late-rows' = 'drop' only counts them. " +
                           records.front().message);
  }
  unit.failed += static_cast<int64_t>(records.size());
  WEIR_ASSIGN(auto rows, error_rows(error_origin(state_, *unit.partition), *unit.batch, records));
  return send(2 * state_.set.inserts.size() + unit.partition->source, std::move(rows));
}

}  // namespace weir
