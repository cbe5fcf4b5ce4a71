#include "runtime/event_time.h"

#include <arrow/array.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>

#include "operators/window_assigner.h"
#include "runtime/rows.h"

namespace weir {
TimeRange time_range(const arrow::Array& times) {
  const auto& column = static_cast<const arrow::TimestampArray&>(times);
  const int64_t* values = column.raw_values();
  int64_t least = std::numeric_limits<int64_t>::max(), most = std::numeric_limits<int64_t>::min();
  if (column.null_count() == 0) {
    for (int64_t i = 0; i < column.length(); ++i) {
      least = std::min(least, values[i]);
      most = std::max(most, values[i]);
    }
  } else {
    for (int64_t i = 0; i < column.length(); ++i) {
      if (column.IsNull(i)) continue;
      least = std::min(least, values[i]);
      most = std::max(most, values[i]);
    }
  }
  if (least > most) return {};
  return {to_us(*times.type(), least), to_us(*times.type(), most)};
}

int64_t time_us(const arrow::Array& times, int64_t row) {
  return to_us(*times.type(), static_cast<const arrow::TimestampArray&>(times).Value(row));
}

void WatermarkTracker::add(const std::string& partition, int64_t restored_us) {
  auto [entry, added] = partitions_.try_emplace(partition);
  if (added) entry->second.watermark_us = restored_us;
}

void WatermarkTracker::observe(const std::string& partition, int64_t watermark_us) {
  Partition& entry = partitions_[partition];
  entry.watermark_us = std::max(entry.watermark_us, watermark_us);
  entry.idle = false;
}

void WatermarkTracker::set_idle(const std::string& partition, bool idle) {
  partitions_[partition].idle = idle;
}

void WatermarkTracker::end(const std::string& partition) { partitions_[partition].ended = true; }

int64_t WatermarkTracker::merged_us() {
  int64_t least = std::numeric_limits<int64_t>::max(), most = kNoWatermark;
  bool any = false;
  for (const auto& [_, partition] : partitions_) {
    most = std::max(most, partition.watermark_us);
    if (partition.ended || partition.idle) continue;
    any = true;
    least = std::min(least, partition.watermark_us);
  }
  merged_us_ = std::max(merged_us_, any ? least : most);
  return merged_us_;
}

bool WatermarkTracker::idle() const {
  return !partitions_.empty() && std::all_of(partitions_.begin(), partitions_.end(), [](const auto& entry) {
    return entry.second.idle || entry.second.ended;
  });
}

bool WatermarkTracker::ended() const {
  return !partitions_.empty() && std::all_of(partitions_.begin(), partitions_.end(),
                                             [](const auto& entry) { return entry.second.ended; });
}

std::map<std::string, int64_t> WatermarkTracker::watermarks() const {
  std::map<std::string, int64_t> result;
  for (const auto& [name, partition] : partitions_) {
    if (partition.watermark_us != kNoWatermark) result[name] = partition.watermark_us;
  }
  return result;
}

int64_t late_from_us(const PlanNode& scan, const arrow::RecordBatch& rows, int64_t row,
                     int64_t allowed_lateness_us) {
  if (!scan.timed) return kFinalWatermark;
  if (!scan.late_by_window) return time_us(*rows.column(scan.time_column), row) + scan.late_hold_us;
  const WindowSpec& window = scan.window;
  if (window.processing_time) return kFinalWatermark;
  const int64_t end = window.assigner == WindowSpec::Assigner::attached
                          ? time_us(*rows.column(window.end_column), row)
                          : last_window_end(window, time_us(*rows.column(scan.time_column), row));
  return saturating_add(fires_at(window, end), allowed_lateness_us);
}

int64_t first_late_from_us(const PlanNode& scan, const arrow::RecordBatch& rows) {
  if (!scan.timed || rows.num_rows() == 0) return kFinalWatermark;
  const WindowSpec& window = scan.window;
  if (scan.late_by_window && window.processing_time) return kFinalWatermark;
  const bool attached = scan.late_by_window && window.assigner == WindowSpec::Assigner::attached;
  const TimeRange range = time_range(*rows.column(attached ? window.end_column : scan.time_column));
  if (range.least_us > range.most_us) return kFinalWatermark;
  if (!scan.late_by_window) return saturating_add(range.least_us, scan.late_hold_us);
  return fires_at(window, attached ? range.least_us : last_window_end(window, range.least_us));
}

Status drop_events(const std::vector<uint8_t>& marked, FeedRows& feed) {
  std::vector<int64_t> kept;
  std::vector<uint32_t> events;
  for (size_t i = 0; i < feed.events.size(); ++i) {
    if (marked[feed.events[i]] != 0) continue;
    kept.push_back(static_cast<int64_t>(i));
    events.push_back(feed.events[i]);
  }
  if (kept.size() == feed.events.size()) return {};
  const auto count = static_cast<int64_t>(kept.size());
  auto indexes = std::make_shared<arrow::Int64Array>(count, arrow::Buffer::FromVector(std::move(kept)));
  auto taken = arrow::compute::Take(arrow::Datum(feed.rows), arrow::Datum(indexes));
  if (!taken.ok()) return arrow_status(taken.status());
  feed.rows = taken->record_batch();
  feed.events = std::move(events);
  return {};
}

}  // namespace weir
