// The end up to which a partition's readers may read: 8 bytes in the file `durable`, mapped by its writer and
// its readers.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"

namespace weir {

class DurableEnd {
 public:
  // The writer's, which makes the file (with 0) when there is none.
  static Result<std::unique_ptr<DurableEnd>> open_writable(const std::string& path);
  // unavailable when the writer has not made it yet.
  static Result<std::unique_ptr<DurableEnd>> open_readable(const std::string& path);
  ~DurableEnd();
  DurableEnd(const DurableEnd&) = delete;
  DurableEnd& operator=(const DurableEnd&) = delete;

  int64_t load() const { return value_->load(std::memory_order_acquire); }
  // Wakes those who wait, also in other processes.
  void store(int64_t end);
  // Returns when the end is another than `seen`, after `timeout`, or now and then for no reason.
  void wait(int64_t seen, std::chrono::milliseconds timeout) const;

 private:
  explicit DurableEnd(std::atomic<int64_t>* value) : value_(value) {}
  static Result<std::unique_ptr<DurableEnd>> map(int descriptor, const std::string& path, bool writable);

  std::atomic<int64_t>* value_;
};

}  // namespace weir
