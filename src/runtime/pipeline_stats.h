// Live numbers of one pipeline: written by its threads, read by the progress line.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
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

// One instance of a stateful operator. Written by its thread, read by the progress line and the metrics.
struct OperatorStats {
  std::string insert;  // the INSERT's label
  std::string name;    // "3 window_aggregate auction"
  int share = 0;
  std::atomic<int64_t> rows_in{0}, rows_out{0}, bytes_in{0};
  std::atomic<int64_t> busy_ns{0};     // in the operator and the fragments behind it
  std::atomic<int64_t> blocked_ns{0};  // waiting for room downstream
  std::atomic<int64_t> watermark_us{INT64_MIN};
  std::atomic<int64_t> state_bytes{0}, state_keys{0};
  std::atomic<int64_t> waiting{0};   // batches in its inbox
  std::atomic<int64_t> pause_ns{0};  // of its last snapshot, on its own thread
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

  std::atomic<int64_t> late{0};         // rows whose windows had closed, also those that are in `errors`
  std::atomic<int64_t> epoch{0};        // the newest whole one
  std::atomic<int64_t> epoch_ns{0};     // from its barrier to its manifest
  std::atomic<int64_t> state_bytes{0};  // of all operators

  // A set starts (again): its operators replace those of its former attempt.
  void set_operators(const void* set, std::vector<std::shared_ptr<OperatorStats>> operators) {
    std::lock_guard lock(mutex_);
    operators_[set] = std::move(operators);
  }
  std::vector<std::shared_ptr<OperatorStats>> operators() const {
    std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<OperatorStats>> all;
    for (const auto& [_, some] : operators_) all.insert(all.end(), some.begin(), some.end());
    return all;
  }

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
  std::map<const void*, std::vector<std::shared_ptr<OperatorStats>>> operators_;
  std::string state_ = "starting";  // "running", "retrying: <words>", "draining", …
};

}  // namespace weir
