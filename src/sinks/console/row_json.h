// Rows as JSON text.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <string>

namespace weir {

// Appends one value. Numbers are plain (NaN and infinities as strings, DECIMAL with all its digits),
// timestamps ISO-8601 with Z only when they have a zone, binary as base64, maps as objects when keys are
// text, else as arrays of pairs.
void append_json_value(const arrow::Array& array, int64_t row, std::string& out);

// Appends {"column":value,…} of the first `columns` columns.
void append_json_row(const arrow::RecordBatch& rows, int64_t row, int columns, std::string& out);

}  // namespace weir
