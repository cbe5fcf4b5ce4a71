// The only place that reads the time. Everything else takes a Clock, so that a run can be replayed.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace weir {

class Clock {
 public:
  virtual ~Clock() = default;
  // Microseconds since 1970-01-01 UTC.
  virtual int64_t now_us() const = 0;
  // Nanoseconds on a clock that never goes back; only differences mean anything.
  virtual int64_t monotonic_ns() const = 0;
  virtual void sleep(std::chrono::milliseconds duration) const = 0;

  static const Clock& real();
};

// Stands still until told; safe to share between threads only while nobody calls set.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(int64_t now_us) : now_us_(now_us) {}
  void set(int64_t now_us) { now_us_ = now_us; }
  int64_t now_us() const override { return now_us_; }
  int64_t monotonic_ns() const override { return now_us_ * 1000; }
  void sleep(std::chrono::milliseconds) const override {}

 private:
  int64_t now_us_;
};

// "2026-11-21T13:24:23.123456Z"
std::string format_timestamp_us(int64_t microseconds);

}  // namespace weir
