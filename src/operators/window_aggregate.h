// GROUP BY keys and a window: one operator, with the way from rows to windows as a value (WindowSpec).
//
// tumble, hop and cumulate keep state by slice (window_assigner.h) and merge slices when a window fires; the
// windows of attached rows are slices of their own; sessions are kept by key. A window's results come when
// the watermark reaches its end - tick, in order of ends, as batches of at most batch_rows. Windows without
// rows give none.
//
// With processing time, rows are in the window of the moment of process(); windows fire at on_time(), and all
// of them at finish().
//
// With allowed lateness the output is a changelog: a window is kept until end + lateness, and rows that come
// after it has fired correct it: for each key whose result changes, its former row with -1, then the new one
// with +1; once for each batch. (For a session, rows may also join sessions that have fired.)
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "operators/grouping.h"
#include "operators/operator.h"

namespace weir {

// Rows on their way into windows: `times` are event times (the arrival with processing time); `starts` and
// `ends` are set for attached windows instead.
struct WindowInput {
  const arrow::RecordBatch* batch = nullptr;
  const EncodedKeys* keys = nullptr;
  const int64_t* times = nullptr;
  const int64_t* starts = nullptr;
  const int64_t* ends = nullptr;
  uint64_t arrival = 1;
};

// The open windows of one operator. `time` of advance is the watermark, or the processing time.
class OpenWindows {
 public:
  virtual ~OpenWindows() = default;
  virtual Status add(const WindowInput& rows, OperatorOutput& out) = 0;
  virtual Status advance(int64_t time_us, OperatorOutput& out) = 0;
  // The lowest time at which advance has something to do; INT64_MAX: never.
  virtual int64_t next_due() = 0;
  virtual Result<std::unique_ptr<StateSnapshot>> snapshot() = 0;
  virtual Status restore(StateReader& reader) = 0;
  virtual int64_t bytes() const = 0;
  virtual int64_t keys() const = 0;
};

Result<std::unique_ptr<OpenWindows>> make_slice_windows(const OperatorContext& context);
Result<std::unique_ptr<OpenWindows>> make_session_windows(const OperatorContext& context);

Result<std::unique_ptr<Operator>> make_window_aggregate(const OperatorContext& context);

}  // namespace weir
