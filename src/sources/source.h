// The outside world -> bytes and positions. Sources never parse an event.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "config/options.h"
#include "config/pipeline_spec.h"
#include "schema/event_batch.h"

namespace weir {

// Reads one partition in order. poll is called by one thread; acknowledge and lag may be called from another
// at the same time.
class PartitionReader {
 public:
  virtual ~PartitionReader() = default;
  // Waits up to `timeout` for events; an empty batch (from == next) means none came. After a batch with `end`
  // it is not called again. unavailable: the caller backs off and calls again, the reader reconnects by
  // itself. invalid / not_found: the pipeline must stop with these words (for instance: the position is
  // gone).
  virtual Result<EventBatch> poll(std::chrono::milliseconds timeout) = 0;
  // Everything below `next` is durable in the lake and the error lake. Never trusted for positions.
  virtual Status acknowledge(int64_t next) = 0;
  // Events (or bytes, for files) between the last poll and the head; -1 when unknown.
  virtual int64_t lag() const = 0;
  // Events that came and were thrown away because nobody took them in time: only where the outside world
  // cannot wait. Any thread.
  virtual int64_t dropped() const { return 0; }
};

// A worker's place in a group that shares the partitions of one source out among processes (a Kafka consumer
// group, workers on one JetStream stream). The group only saves work: what keeps it exact is the rule of the
// authority, which refuses a commit that does not begin at its stand.
class GroupMember {
 public:
  virtual ~GroupMember() = default;
  // Waits up to `timeout` until the group has given this worker its share (it may be none), and completes a
  // change that `changing` announced: until this call the former share stays ours as far as the group allows.
  // Called before the tables are opened, so that their stands hold the former owners' last commits.
  // unavailable: no answer yet, call again.
  virtual Status join(std::chrono::milliseconds timeout) = 0;
  // True: the share is about to change (or has changed). The caller polls no more, commits what it has read,
  // and joins anew. Any thread.
  virtual bool changing() const = 0;
};

// discover() is called by one thread at a time; open() by several, for different partitions, also while
// another thread is in discover().
class Source {
 public:
  virtual ~Source() = default;
  // Ids of the partitions to read now, in a stable order; later calls may add some (a followed glob, a topic
  // that grew). An id holds what makes the log unique (topic id, stream creation time), so that positions of
  // a re-created log are never mixed up. `known`: the partitions that the authority has a position for: one
  // that is gone or was re-created must be named (invalid), not skipped.
  virtual Result<std::vector<std::string>> discover(const std::vector<std::string>& known) = 0;
  // False when discover() can never find more than it found first (bounded reads, one stream).
  virtual bool may_grow() const = 0;
  // True: when all partitions have ended, nothing will ever follow, so that time ends too (the final watermark).
  // False: --once only pauses an endless input.
  virtual bool bounded() const { return false; }
  // `stored`: the position (next offset) that the authority holds for it, or nothing on the first start.
  virtual Result<std::unique_ptr<PartitionReader>> open(const std::string& partition,
                                                        std::optional<int64_t> stored) = 0;
  // Not null: this source shares its partitions with other workers. Such a source is kept while the tables
  // are opened anew, so that a restart does not leave the group; open() may be called again for a partition
  // once its former reader is gone.
  virtual GroupMember* group() = 0;
};

struct SourceContext {
  std::string pipeline;
  const TableSpec* table = nullptr;  // outlives the source
  Options options;                   // validated against the connector's specs
  bool once = false;                 // end when the input that is present at start has been read
  size_t batch_rows = 8192;          // upper bound of events in a batch
  bool shared = false;               // other workers run this pipeline too (SET 'pipeline.workers')
  bool sample = false;  // only look at some events: nothing is acknowledged, claimed or left behind
  const Clock* clock = nullptr;
  std::function<void(const std::string&)> log;  // one line for the operator; may be empty. Never a secret
};

struct SourceConnector {
  std::string name;
  std::string summary;
  std::vector<OptionSpec> options;
  std::function<Result<std::unique_ptr<Source>>(SourceContext)> create;
  // `weir check --connect`: reachable, allowed, present? Fails fast.
  std::function<Status(const SourceContext&)> probe;
  // Where the events cannot be read again, so that no sink can make up for it: "at most once: …" and why, one
  // line. "" under all other options; may be absent.
  std::function<std::string(const Options&)> guarantee = nullptr;
};

}  // namespace weir
