// Batches, watermarks and time -> batches. What a stateful node of the plan runs as.
//
// Protocol: one instance belongs to one thread and holds the keys of one share of the hash space. The runtime
// calls
// - process for each batch of each input, in order;
// - advance when the lowest watermark of all inputs has risen: no row with an event time at or below it
//   will come (rows that would have were set aside before, as `late`);
// - on_time when the processing time reached next_timer();
// - snapshot between two batches, at a barrier that all inputs have reached; the snapshot is written by
//   another thread, so it must not see what happens after it;
// - restore once, before anything else, on a fresh instance.
// Rows that an operator emits before it returns from advance(w) may have any event time above the watermark
// that was told downstream before; after it, output_watermark() is told downstream.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "bridge/bridge.h"
#include "bridge/stream_graph.h"
#include "state/state_file.h"

namespace weir {

inline constexpr int64_t kNoWatermark = std::numeric_limits<int64_t>::min();
inline constexpr int64_t kFinalWatermark = std::numeric_limits<int64_t>::max();  // nothing will come at all

// A row for which an operator's own expression failed (a join's condition): it goes to the error lake as
// `sql_eval`, as JSON.
struct OperatorError {
  std::shared_ptr<arrow::RecordBatch> row;  // one row, the visible columns
  std::string message;
};

class OperatorOutput {
 public:
  virtual ~OperatorOutput() = default;
  // Blocks while downstream is full. cancelled: the run has ended.
  virtual Status emit(std::shared_ptr<arrow::RecordBatch> rows) = 0;
  virtual Status error(OperatorError error) = 0;
};

class Operator {
 public:
  virtual ~Operator() = default;
  // `rows` has the input node's schema, and "_weir_weight" behind it when that is a changelog.
  virtual Status process(size_t input, const std::shared_ptr<arrow::RecordBatch>& rows,
                         OperatorOutput& out) = 0;
  virtual Status advance(int64_t watermark_us, OperatorOutput& out) = 0;
  // What downstream may take for granted once advance(watermark_us) has returned.
  virtual int64_t output_watermark(int64_t watermark_us) const { return watermark_us; }
  // Processing time, microseconds since 1970; nothing: no timer is set. finish: the input has ended and
  // processing time will not go on: what waits for it comes out now.
  virtual std::optional<int64_t> next_timer() const { return std::nullopt; }
  virtual Status on_time(int64_t now_us, OperatorOutput& out) { return {}; }
  virtual Status finish(OperatorOutput& out) { return {}; }
  // Before a barrier and when the input pauses: what was held back for a better batch comes out now.
  virtual Status flush(OperatorOutput& out) { return {}; }
  virtual Result<std::unique_ptr<StateSnapshot>> snapshot() = 0;
  virtual Status restore(StateReader& reader) = 0;
  virtual int64_t state_bytes() const = 0;  // approximate, cheap
  virtual int64_t state_keys() const { return 0; }
};

// What an operator is made from. `node` and `plan` outlive it.
struct OperatorContext {
  const PlanNode* node = nullptr;
  const bridge::StreamPlan* plan = nullptr;  // for the fragments of conditions, and the inputs' schemas
  const Clock* clock = nullptr;
  int64_t state_ttl_us = 0;         // 0: kept for ever
  int64_t allowed_lateness_us = 0;  // window_aggregate: > 0 makes its output a changelog
  size_t batch_rows = 8192;         // most rows in one emitted batch
  std::function<Result<std::shared_ptr<class LookupTable>>()> open_lookup;  // lookup_join
};

// One line for each kind of stateful node. invalid: the node asks for what no operator does, in words
// for the user.
Result<std::unique_ptr<Operator>> create_operator(const OperatorContext& context);

}  // namespace weir
