// Reads one partition of the embedded log by offset, also while another process writes it: never beyond what
// is durable.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"
#include "log/log_format.h"
#include "schema/event_batch.h"

namespace weir {

class LogReader {
 public:
  virtual ~LogReader() = default;
  // From `offset` on. not_found: it is no longer (or not yet) in the log; the message names what is there.
  // unavailable: a writer has to make (or, after a crash of the machine, to recover) it first.
  static Result<std::unique_ptr<LogReader>> open(const std::string& folder, const std::string& stream,
                                                 int partition, int64_t offset);
  // At most `max_events` and about `max_bytes`; an empty batch at the durable end. `received_us` is not set.
  virtual Result<EventBatch> read(size_t max_events, size_t max_bytes) = 0;
  // Returns when there is something to read, after `timeout`, or now and then for no reason.
  virtual void wait(std::chrono::milliseconds timeout) const = 0;
  virtual int64_t first() const = 0;  // lowest offset that is still there
  virtual int64_t end() const = 0;    // offset after the last durable record
};

// The lowest offset that is still there.
Result<int64_t> log_first_offset(const std::string& folder, const std::string& stream, int partition);

// The first offset whose request was appended at or after `timestamp_us`, to the request; the end when there
// is none.
Result<int64_t> log_offset_at(const std::string& folder, const std::string& stream, int partition,
                              int64_t timestamp_us);

// Tells retention that everything below `next` of a partition may go as far as `reader` is concerned. A
// reader is registered from its first mark until it is removed. Durable when it returns.
Status mark_log_reader(const std::string& folder, const std::string& stream, const std::string& reader,
                       int partition, int64_t next);

}  // namespace weir
