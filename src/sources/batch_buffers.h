// Buffers for EventBatch::bytes that are used again once no batch refers to them.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstring>
#include <memory>
#include <vector>

#include "schema/event_batch.h"

namespace weir {

struct BatchBuffer {
  std::shared_ptr<char[]> bytes;
  size_t capacity = 0;  // kPadding more bytes are readable behind it
};

// One per reader, used by one thread. Batches may be released on any thread and may outlive the pool.
class BatchBuffers {
 public:
  // Fresh pages cost more than copying a file into warm ones; eight buffers cover a pipeline's queue.
  static constexpr size_t kKept = 8;

  explicit BatchBuffers(size_t usual_capacity) : usual_capacity_(usual_capacity) {}

  // A buffer that nobody else refers to, of at least `capacity` bytes; its contents are arbitrary.
  BatchBuffer take(size_t capacity) {
    if (capacity <= usual_capacity_) {
      for (std::shared_ptr<char[]>& kept : kept_) {
        if (kept.use_count() != 1) continue;
        std::atomic_thread_fence(std::memory_order_acquire);  // pairs with the release of the last batch
        return {kept, usual_capacity_};
      }
      BatchBuffer fresh = allocate(usual_capacity_);
      if (kept_.size() < kKept) kept_.push_back(fresh.bytes);
      return fresh;
    }
    return allocate(capacity);  // for an unusually long event: freed with its batch
  }

 private:
  static BatchBuffer allocate(size_t capacity) {
    std::shared_ptr<char[]> bytes(new char[capacity + EventBatch::kPadding]);
    std::memset(bytes.get() + capacity, 0, EventBatch::kPadding);
    return {std::move(bytes), capacity};
  }

  size_t usual_capacity_;
  std::vector<std::shared_ptr<char[]>> kept_;
};

}  // namespace weir
