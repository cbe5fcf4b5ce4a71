// Live numbers of one pipeline: written by its threads, read by the progress line.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

namespace weir {

struct PipelineStats {
  std::atomic<int64_t> events{
      0};  // read and committed or about to be; not counted twice within one run of a set
  std::atomic<int64_t> rows{0};
  std::atomic<int64_t> errors{0};
  std::atomic<int64_t> filtered{0};
  std::atomic<int64_t> commits{0};
  std::atomic<int64_t> lag{-1};  // events (bytes for files) behind the heads; -1: unknown

  void set_state(std::string state) {
    std::lock_guard lock(mutex_);
    state_ = std::move(state);
  }
  std::string state() const {
    std::lock_guard lock(mutex_);
    return state_;
  }

 private:
  mutable std::mutex mutex_;
  std::string state_ = "starting";  // "running", "retrying: <words>", "draining", …
};

}  // namespace weir
