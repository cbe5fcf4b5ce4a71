// What a task receives: messages of several channels, each in order, bounded.
//
// A channel is one sender's way to one input. After its barrier a channel is held until every other channel
// has given its own: so a snapshot sees exactly what came before the barrier on each (aligned barriers).
#pragma once

#include <arrow/type_fwd.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace weir {

struct Message {
  enum class Kind { rows, watermark, barrier, end };
  Kind kind = Kind::rows;
  size_t input = 0;                          // of the operator, or the INSERT for the collector
  std::shared_ptr<arrow::RecordBatch> rows;  // rows
  std::string text;                          // of one row that failed: why
  int64_t value = 0;                         // watermark: microseconds; barrier: the epoch
  size_t channel = 0;                        // set by pop
};

class Inbox {
 public:
  // At most `capacity` batches wait in each channel.
  explicit Inbox(size_t capacity) : capacity_(capacity) {}

  // Before any message is sent.
  size_t add_channel();
  size_t channels() const { return channels_.size(); }

  // Rows wait for room, the rest does not: a watermark replaces one that waits at the end of its channel, and
  // there is one barrier at a time. False: closed, the message is dropped.
  bool push(size_t channel, Message message);
  // From any channel that is not held, in turn. Nothing: none came in time, or closed and empty.
  std::optional<Message> pop(std::chrono::microseconds timeout);
  void hold(size_t channel);
  void release_all();
  void close();
  bool closed() const;
  size_t waiting() const;  // batches

 private:
  struct Channel {
    std::deque<Message> messages;
    size_t batches = 0;
    bool held = false;
  };
  std::optional<Message> take();

  const size_t capacity_;
  mutable std::mutex mutex_;
  std::condition_variable room_;
  std::condition_variable data_;
  std::vector<Channel> channels_;
  size_t next_ = 0;
  bool closed_ = false;
};

}  // namespace weir
