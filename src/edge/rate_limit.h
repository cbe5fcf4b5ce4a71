// How many events and bytes a second a stream takes.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>

namespace weir {

// A token bucket that may go into debt: a request larger than the bucket is taken when it is full, and paid
// for by those behind it. Thread-safe.
class RateLimit {
 public:
  // `per_second` 0: no limit. `burst`: how much time's worth the bucket holds.
  RateLimit(int64_t per_second, std::chrono::milliseconds burst);

  // 0: taken. Else seconds after which a retry can do.
  int take(int64_t amount, int64_t now_ns);

 private:
  const double per_second_;
  const double most_;
  std::mutex mutex_;
  double level_;
  int64_t at_ns_ = -1;
};

}  // namespace weir
