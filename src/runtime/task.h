// One instance of a stateful operator with its thread: takes messages in, gives rows on.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "operators/operator.h"
#include "runtime/inbox.h"
#include "runtime/outlet.h"
#include "runtime/pipeline_stats.h"

namespace weir {

struct TaskContext {
  std::string name;  // of its state file: "<insert>.<node>-<share>"
  std::unique_ptr<Operator> op;
  std::unique_ptr<Inbox> inbox;
  std::vector<Route> routes;
  const Clock* clock = nullptr;
  std::shared_ptr<OperatorStats> stats;
  ErrorRoute errors;
  // A barrier has reached it on every channel: its snapshot, to be written by another thread.
  std::function<void(int64_t epoch, const std::string& name, std::unique_ptr<StateSnapshot>)> snapshot;
  std::function<void(Status)> failed;
};

class Task final : private OperatorOutput {
 public:
  explicit Task(TaskContext context);
  ~Task() override;  // the inbox was closed, or every channel has ended

  Inbox& inbox() { return *context_.inbox; }
  const std::string& name() const { return context_.name; }
  Status restore(StateReader& reader) { return context_.op->restore(reader); }
  // After every inbox has all its channels and all routes are known.
  void start();
  std::vector<Route>& routes() { return context_.routes; }
  void join();

 private:
  void work();
  Status loop();
  Status take(Message& message);
  Status advance();
  Status barrier(int64_t epoch);
  Status tell_time();
  Status emit(std::shared_ptr<arrow::RecordBatch> rows) override;
  Status error(OperatorError error) override { return outlet_->error(std::move(error)); }

  TaskContext context_;
  std::unique_ptr<Outlet> outlet_;
  std::vector<int64_t> watermarks_;  // by channel
  size_t barriers_ = 0;              // channels that are held
  size_t open_ = 0;                  // channels that have not ended: all end together, behind a last barrier
  int64_t watermark_us_ = kNoWatermark;
  int64_t told_us_ = kNoWatermark;
  std::thread thread_;
};

}  // namespace weir
