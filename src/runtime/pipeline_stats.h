// Live numbers of one pipeline: written by its threads, read by the progress line.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace weir {

// What an error budget has paused: a source as a whole, or one of its producers.
struct PausedInput {
  std::string source;
  bool whole_source = false;
  std::string producer;
  int64_t until_ns = 0;  // on the monotonic clock
};

struct PausedInputs {
  std::vector<PausedInput> first;  // at most ten of each source
  int64_t count = 0;               // in all
};

struct PipelineStats {
  std::atomic<int64_t> events{
      0};  // read and committed or about to be; not counted twice within one run of a set
  std::atomic<int64_t> rows{0};
  std::atomic<int64_t> errors{0};
  std::atomic<int64_t> filtered{0};
  std::atomic<int64_t> commits{0};
  std::atomic<int64_t> lag{-1};  // events (bytes for files) behind the heads; -1: unknown

  std::atomic<int64_t> dropped{0};    // by sources that cannot make their senders wait, before they were read
  std::atomic<int64_t> pauses{0};     // how often an error budget has paused a source or a producer
  std::atomic<int64_t> set_aside{0};  // events sent to the error lake undecoded; again after a restart

  void set_paused(const std::string& source, PausedInputs inputs) {
    std::lock_guard lock(mutex_);
    if (inputs.count == 0) {
      paused_.erase(source);
    } else {
      paused_[source] = std::move(inputs);
    }
  }
  std::map<std::string, PausedInputs> paused() const {  // by source
    std::lock_guard lock(mutex_);
    return paused_;
  }
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
  std::map<std::string, PausedInputs> paused_;
  std::string state_ = "starting";  // "running", "retrying: <words>", "draining", …
};

}  // namespace weir
