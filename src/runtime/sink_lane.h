// A sink with a thread of its own, so that encoding runs beside decoding.
#pragma once

#include <arrow/type_fwd.h>

#include <atomic>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <variant>

#include "base/status.h"
#include "runtime/bounded_queue.h"
#include "sinks/sink.h"

namespace weir {

// append and seal are called by one thread (the collector). The first failure of the sink stays: later
// appends are dropped, every seal and status() give it.
class SinkLane {
 public:
  using Sealed = Result<std::unique_ptr<SealedRows>>;

  // `sink` is open and outlives the lane. At most `queue_batches` batches wait.
  SinkLane(Sink& sink, size_t queue_batches);
  ~SinkLane();  // ends the thread; what was not sealed is dropped

  void append(std::shared_ptr<arrow::RecordBatch> rows);
  // Everything appended before it; ready when its bytes are durable.
  std::future<Sealed> seal();
  Status status() const;
  // The sink said after its last append that it has enough for one commit.
  bool full() const { return full_; }

 private:
  using Item = std::variant<std::shared_ptr<arrow::RecordBatch>, std::shared_ptr<std::promise<Sealed>>>;
  void work();

  Sink& sink_;
  BoundedQueue<Item> queue_;
  mutable std::mutex mutex_;
  Status failure_;
  std::atomic<bool> full_{false};
  std::thread thread_;
};

}  // namespace weir
