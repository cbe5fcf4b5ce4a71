// Rows of a query -> rows as a sink takes them.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/status.h"
#include "plan/pipeline_plan.h"

namespace weir {

// What the sink's declared columns forbid: NULLs of NOT NULL columns and texts that are too long. `fail` gets
// the row.
void check_columns(const InsertPlan& insert, const arrow::RecordBatch& rows,
                   const std::function<void(int64_t row, std::string message)>& fail);

// The sink's columns in order: NULLs where the INSERT gives none. Hidden columns are the caller's.
Result<arrow::ArrayVector> sink_columns(const InsertPlan& insert, const arrow::RecordBatch& rows);

// The sink's columns, kPartitionColumn (its field names `source`), kOffsetColumn, and kWeightColumn of a
// changelog.
std::shared_ptr<arrow::Schema> sink_rows_schema(const arrow::Schema& columns, const std::string& source,
                                                bool changelog);

}  // namespace weir
