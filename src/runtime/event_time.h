// Event time before the operators: the watermarks of one source's partitions merged into one, and the times
// of rows.
//
// Invariants of the merged watermark: it never falls; it is at most the least of the partitions that count. A
// partition counts from its discovery until it has ended, save while it is idle; one that never gave an event
// counts too, so that its first rows are not late. When all are idle the merged watermark goes to the highest
// of them: what has come is complete, and nobody is waited for.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "bridge/stream_graph.h"
#include "operators/operator.h"

namespace weir {

// Microseconds since 1970 of a TIMESTAMP column of any unit; rows that are NULL are left out of least and
// most.
struct TimeRange {
  int64_t least_us = std::numeric_limits<int64_t>::max();
  int64_t most_us = std::numeric_limits<int64_t>::min();
};
TimeRange time_range(const arrow::Array& times);
int64_t time_us(const arrow::Array& times, int64_t row);

// One thread.
class WatermarkTracker {
 public:
  // `restored` is what the merged watermark was.
  explicit WatermarkTracker(int64_t restored_us = kNoWatermark) : merged_us_(restored_us) {}

  // A partition that is read from now on; again: nothing changes.
  void add(const std::string& partition, int64_t restored_us);
  // Events came; the highest of their watermarks, kNoWatermark: they have none.
  void observe(const std::string& partition, int64_t watermark_us);
  void set_idle(const std::string& partition, bool idle);
  void end(const std::string& partition);

  int64_t merged_us();
  bool idle() const;   // it has partitions, and every one that has not ended is idle
  bool ended() const;  // it has partitions, and all have ended
  std::map<std::string, int64_t> watermarks() const;  // by partition, those that have one

 private:
  struct Partition {
    int64_t watermark_us = kNoWatermark;
    bool idle = false;
    bool ended = false;
  };
  int64_t merged_us_;
  std::map<std::string, Partition> partitions_;
};

// The rows of one scan of a stateful INSERT, on their way to its operators.
struct FeedRows {
  int node = 0;                              // of InsertPlan::plan.graph
  std::shared_ptr<arrow::RecordBatch> rows;  // the node's columns
  std::vector<uint32_t> events;              // by row: index into the EventBatch
  // No row is late while the watermark lies below it, even if lateness is not allowed.
  int64_t first_late_from_us = kFinalWatermark;
};

// The watermark from which on a row of a scan is late: kFinalWatermark when it never is.
int64_t late_from_us(const PlanNode& scan, const arrow::RecordBatch& rows, int64_t row,
                     int64_t allowed_lateness_us);
// The least of all rows, when no lateness is allowed.
int64_t first_late_from_us(const PlanNode& scan, const arrow::RecordBatch& rows);

// Rows whose event is not marked.
Status drop_events(const std::vector<uint8_t>& marked, FeedRows& feed);

}  // namespace weir
