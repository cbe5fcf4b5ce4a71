// Appends to one stream of the embedded log. Durable before answered: all appends that wait share one fsync.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "log/log_format.h"

namespace weir {

// Views must stay valid until the append's answer.
struct LogRecord {
  std::string_view payload;
  std::optional<std::string_view> key;
  std::optional<std::string_view> headers;  // a JSON object of strings
  std::string_view subject;
  int64_t timestamp_us = 0;
};

struct LogRetention {
  int64_t max_bytes = -1;            // of a partition; -1: no bound
  std::chrono::seconds max_age{-1};  // of a segment's newest record
  bool consumed = false;             // what every registered reader has passed goes, when there is a reader
};

struct LogWriterSettings {
  std::string folder;  // of all streams
  std::string stream;
  int partitions = 1;                // of a stream that is created; more than it has: partitions are added
  int64_t segment_bytes = 64 << 20;  // preallocated, so that a full disk shows before anything is written
  LogRetention retention;
  std::chrono::seconds key_window{24 * 3600};  // how long an idempotency key is remembered
  // Of those; requests under further keys are refused, for a forgotten key would let its repeat in.
  size_t most_keys = 10'000'000;
  size_t most_key_bytes = size_t{2} << 30;
  int64_t max_waiting_bytes = 64 << 20;  // appends beyond: exhausted
};

// One partition's share of an append.
struct LogPart {
  int partition = 0;
  std::vector<LogRecord> records;
};

// What makes a repeated append the same one: kept in the frames, remembered for key_window, also over
// restarts.
struct LogKey {
  std::string key;           // at most 255 bytes; "": none
  uint64_t fingerprint = 0;  // of the whole request
};

struct LogAppended {
  int partition = 0;
  int64_t first = 0;  // offsets, both included
  int64_t last = 0;
  bool repeated = false;  // had been appended before under the same key
};

class LogWriter {
 public:
  virtual ~LogWriter() = default;
  // Creates or recovers the stream: a torn tail (a frame that is cut off or whose checksum fails at the end
  // of the newest segment) is cut off, damage anywhere else is `invalid` and says where. already_exists:
  // another process writes this stream. `clock` outlives the writer.
  static Result<std::unique_ptr<LogWriter>> open(LogWriterSettings settings, const Clock& clock);

  virtual const LogStreamInfo& info() const = 0;
  // Any thread. `done` is called once, from another thread, after fsync: one entry a part, in order (a repeat
  // of what was stored before partitions were added: the parts of then). All
  // parts or none: exhausted (disk, max_waiting_bytes or most_keys) when nothing was stored. Only a process
  // that dies in between leaves some parts; a repeat with the same key adds the others. already_exists: the
  // key was used with another fingerprint. The views in `parts` must stay valid until then.
  virtual void append(std::vector<LogPart> parts, LogKey key,
                      std::function<void(Result<std::vector<LogAppended>>)> done) = 0;
  // Room for that many more bytes in each partition, or exhausted.
  virtual Status reserve(int64_t bytes) = 0;
  // Deletes the segments that `retention` lets go. Called now and then by the owner.
  virtual Status retain() = 0;
  // What is stored: first and next offset by partition.
  struct Extent {
    int64_t first = 0;
    int64_t next = 0;
    int64_t bytes = 0;
  };
  virtual std::vector<Extent> extents() const = 0;
};

}  // namespace weir
