// Query results as text: JSON lines, CSV or an aligned table. docs/sql.md describes the JSON form of every
// type.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdio>
#include <memory>
#include <string>

#include "base/status.h"

namespace weir {

// One row as a JSON object.
std::string row_json(const arrow::RecordBatch& batch, int64_t row);

// Writes all of `reader` to `out`; format is "json", "csv" or "table". Tables hold at most `table_rows` rows
// and say so when more were left out; json and csv stream. Gives the number of rows read.
Result<int64_t> write_rows(arrow::RecordBatchReader& reader, const std::string& format, int64_t table_rows,
                           std::FILE* out);

}  // namespace weir
