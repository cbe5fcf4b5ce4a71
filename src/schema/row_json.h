// Rows as JSON text: what `weir sql --format json`, the print sink and golden cases use. docs/sql.md
// describes it for users.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <string>

namespace weir {

// Appends one value: numbers as such (DECIMAL with its full scale), timestamps and dates as ISO-8601 strings
// ("Z" when the type has a zone), BYTES as base64, lists as arrays, structs and maps as objects (keys that
// are not text by their text), NaN and infinities as strings.
void append_json_value(const arrow::Array& array, int64_t row, std::string& out);

// Appends {"column":value,…} of the first `columns` columns.
void append_json_row(const arrow::RecordBatch& rows, int64_t row, int columns, std::string& out);

}  // namespace weir
