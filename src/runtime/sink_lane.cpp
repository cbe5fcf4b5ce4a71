#include "runtime/sink_lane.h"

#include <arrow/record_batch.h>

#include "runtime/guarded.h"

namespace weir {

SinkLane::SinkLane(Sink& sink, size_t queue_batches) : sink_(sink), queue_(queue_batches) {
  thread_ = std::thread([this] { work(); });
}

SinkLane::~SinkLane() {
  queue_.close();
  thread_.join();
}

void SinkLane::append(std::shared_ptr<arrow::RecordBatch> rows) { queue_.push(Item(std::move(rows))); }

std::future<SinkLane::Sealed> SinkLane::seal() {
  auto promise = std::make_shared<std::promise<Sealed>>();
  auto future = promise->get_future();
  if (!queue_.push(Item(promise))) promise->set_value(Sealed(Status(Code::cancelled, "the sink is closing")));
  return future;
}

Status SinkLane::status() const {
  std::lock_guard lock(mutex_);
  return failure_;
}

void SinkLane::work() {
  while (!queue_.closed_and_empty()) {
    auto item = queue_.pop(std::chrono::milliseconds(1000));
    if (!item) continue;
    Status failure = status();
    if (auto* rows = std::get_if<std::shared_ptr<arrow::RecordBatch>>(&*item)) {
      if (!failure.ok()) continue;
      Status appended = guarded([&] { return sink_.append(*rows); });
      if (appended.ok()) {
        full_ = sink_.full();
        continue;
      }
      std::lock_guard lock(mutex_);
      failure_ = appended;
      continue;
    }
    auto& promise = std::get<std::shared_ptr<std::promise<Sealed>>>(*item);
    Sealed sealed = Sealed(failure);
    if (failure.ok()) {
      Status thrown = guarded([&] {
        sealed = sink_.seal();
        return Status();
      });
      if (!thrown.ok()) sealed = Sealed(thrown);
    }
    full_ = false;
    promise->set_value(std::move(sealed));
  }
}

}  // namespace weir
