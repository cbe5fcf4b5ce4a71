// What the runtime does to whole batches: filter, join, evaluate with bisection.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "bridge/bridge.h"
#include "config/pipeline_spec.h"
#include "schema/event_batch.h"

namespace weir {

// A failure of Arrow itself: out of memory, or a bug.
Status arrow_status(const arrow::Status& status);

// The values of a last int32 column "_weir_row".
const int32_t* row_indexes(const arrow::RecordBatch& rows);

// Rows whose mask byte (indexed by "_weir_row") is zero.
Result<std::shared_ptr<arrow::RecordBatch>> without_events(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                           const std::vector<uint8_t>& mask);

// A row on which an expression failed: its "_weir_row" and the engine's words.
using RowFailure = std::pair<int32_t, std::string>;

// Evaluates `fragment`; when it fails, bisects to the rows that make it fail, which are left out and appended
// to `failures`. Null when nothing is left.
Result<std::shared_ptr<arrow::RecordBatch>> evaluate(const bridge::Fragment& fragment,
                                                     const std::shared_ptr<arrow::RecordBatch>& rows,
                                                     int64_t now_us, std::vector<RowFailure>& failures);

// The values of a METADATA column for the given events.
Result<std::shared_ptr<arrow::Array>> metadata_column(const ColumnSpec& column, const EventBatch& batch,
                                                      const std::vector<uint32_t>& events,
                                                      const std::string& partition);

}  // namespace weir
