// Where the rows of one node go: through fragments, split by key, into the inboxes of the tasks behind it.
#pragma once

#include <arrow/type_fwd.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "bridge/bridge.h"
#include "operators/operator.h"
#include "runtime/inbox.h"
#include "state/key_encoder.h"

namespace weir {

// One way to one input of a node: the shares of that node, or the collector.
struct Route {
  std::vector<const bridge::Fragment*> fragments;  // evaluated in this order
  bool changelog = false;                          // rows carry a last "_weir_weight"
  std::optional<KeyEncoder> keys;  // by which rows are split; not set: all go to the first target
  size_t input = 0;                // at the target
  std::vector<Inbox*> inboxes;     // by share
  std::vector<size_t> channels;    // of this sender, in each inbox
};

// Where rows go for which an expression failed: to the collector, in order with everything else.
struct ErrorRoute {
  Inbox* inbox = nullptr;
  size_t channel = 0;
  size_t input = 0;
};

// One thread. The inboxes outlive it.
class Outlet {
 public:
  // `blocked_ns` counts the time that passes before there is room; may be null.
  Outlet(std::vector<Route> routes, ErrorRoute errors, const Clock& clock, std::atomic<int64_t>* blocked_ns)
      : routes_(std::move(routes)), errors_(errors), clock_(clock), blocked_ns_(blocked_ns) {}

  // cancelled: an inbox was closed.
  Status rows(const std::shared_ptr<arrow::RecordBatch>& rows);
  Status control(const Message& message);  // to every inbox
  Status error(OperatorError error);
  const std::vector<Route>& routes() const { return routes_; }

 private:
  Status send(Route& route, std::shared_ptr<arrow::RecordBatch> rows);
  Result<std::shared_ptr<arrow::RecordBatch>> through(const Route& route,
                                                      std::shared_ptr<arrow::RecordBatch> rows);

  std::vector<Route> routes_;
  ErrorRoute errors_;
  const Clock& clock_;
  std::atomic<int64_t>* blocked_ns_;
  EncodedKeys encoded_;
  std::vector<std::vector<int64_t>> rows_of_share_;
};

}  // namespace weir
