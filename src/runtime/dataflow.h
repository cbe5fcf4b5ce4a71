// The tasks of one set's stateful INSERTs, wired: scans -> tasks -> the collector.
//
// Each stateful node runs as one task a share of the key space (one, where it has no key); fragments and
// unions run in the task in front of them. Threads only ever wait for room further downstream, so nothing can
// wait in a circle.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "plan/pipeline_plan.h"
#include "runtime/outlet.h"
#include "runtime/task.h"

namespace weir {

struct DataflowContext {
  const PipelinePlan* plan = nullptr;
  const SetPlan* set = nullptr;
  int32_t parallelism = 1;
  const Clock* clock = nullptr;
  // Rows of an INSERT come there with its index into SetPlan::inserts as input, rows that failed with that
  // and the number of INSERTs added.
  Inbox* collector = nullptr;
  std::function<void(int64_t epoch, const std::string& name, std::unique_ptr<StateSnapshot>)> snapshot;
  std::function<void(Status)> failed;
  std::function<void(const std::string&)> log;  // may be empty
};

class Dataflow {
 public:
  // invalid: a node that no operator does.
  static Result<std::unique_ptr<Dataflow>> create(DataflowContext context);
  ~Dataflow();

  std::vector<std::unique_ptr<Task>>& tasks() { return tasks_; }
  std::vector<std::shared_ptr<OperatorStats>> stats() const { return stats_; }
  void start();
  // One thread feeds: rows of a scan node of an INSERT.
  Outlet& scan(size_t insert, int node) { return *scans_[insert][static_cast<size_t>(node)]; }
  // To everything that reads `source` ("" : every scan).
  Status watermark(const std::string& source, int64_t watermark_us);
  Status control(const Message& message);
  void close();  // ends every task without waiting for what lies in its inbox
  int64_t state_bytes() const;

 private:
  explicit Dataflow(DataflowContext context) : context_(std::move(context)) {}
  Status build();
  Status make_tasks(size_t insert);
  Result<std::shared_ptr<LookupTable>> lookup(const std::string& table);
  ErrorRoute error_route(size_t insert);
  Result<std::vector<Route>> routes_of(size_t insert, size_t node);
  Status follow(size_t insert, size_t node, const Route& so_far, std::vector<Route>& routes);

  DataflowContext context_;
  std::vector<std::unique_ptr<Task>> tasks_;
  std::vector<std::vector<std::vector<Task*>>> by_node_;     // by insert, node, share
  std::vector<std::vector<std::unique_ptr<Outlet>>> scans_;  // by insert, node; null: no scan
  std::vector<std::shared_ptr<OperatorStats>> stats_;
  std::map<std::string, std::shared_ptr<LookupTable>> lookups_;
};

}  // namespace weir
