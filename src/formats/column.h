// One column's buffers while a batch is decoded, written by position.
//
// Row r of a column is written at index r, variable-length data begins where row r-1 ended. So writing a row
// again replaces it, and a bad row is rolled back by not counting it: nothing is undone.
#pragma once

#include <arrow/array/data.h>
#include <arrow/buffer.h>
#include <arrow/type.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "config/pipeline_spec.h"

namespace weir::columns {

// What a format compiles for a column of its own; owned by the column.
struct FormatPlan {
  virtual ~FormatPlan() = default;
};

enum class Kind : uint8_t {
  boolean,
  int8,
  int16,
  int32,
  int64,
  float32,
  float64,
  decimal,
  text,
  binary,
  date,
  time32,
  time64,
  timestamp,
  list,
  map,
  row,
};

// Bytes that grow; the content up to the capacity survives growth.
struct GrowingBytes {
  std::shared_ptr<arrow::ResizableBuffer> buffer;
  uint8_t* data = nullptr;
  int64_t capacity = 0;

  // False when `size` is more than an Arrow array with 32-bit offsets can hold.
  bool grow_to(int64_t size);
  void reserve(int64_t size) {
    if (size > capacity) grow_unbounded(size);
  }
  // Hands over the first `size` bytes; the next buffer starts at about that size.
  std::shared_ptr<arrow::Buffer> take(int64_t size);

 private:
  void grow_unbounded(int64_t size);
  int64_t expected_ = 0;
};

struct Column {
  Kind kind = Kind::boolean;
  bool nullable = true;
  int width = 0;      // bytes of a fixed-width value
  int precision = 0;  // of a decimal
  int scale = 0;
  int max_length = -1;           // of text, in code points
  int64_t units_per_second = 1;  // of time and timestamp
  int fraction_digits = 0;       // that such a unit holds: 0, 3, 6 or 9
  std::string type_text;         // for messages
  std::shared_ptr<arrow::DataType> type;

  int64_t rows_capacity = 0;
  uint8_t* valid = nullptr;   // a byte a row: 1 or 0
  uint8_t* values = nullptr;  // fixed width; booleans as a byte each
  int32_t* offsets = nullptr;
  GrowingBytes valid_bytes, value_bytes, offset_bytes;
  GrowingBytes data;                              // of text and binary
  std::vector<std::unique_ptr<Column>> children;  // list: element; map: key, value; row: its fields
  std::unique_ptr<FormatPlan> plan;               // the format's, or null

  // The date that was read last, as text and as days: neighbours often share it.
  char last_date[16] = {};
  int64_t last_days = 0;

  template <typename T>
  void put(int64_t row, T value) {
    valid[row] = 1;
    std::memcpy(values + row * static_cast<int64_t>(sizeof(T)), &value, sizeof(T));
  }
  void put_text_end(int64_t row, int64_t end) {
    valid[row] = 1;
    offsets[row + 1] = static_cast<int32_t>(end);
  }
  bool has_offsets() const {
    return kind == Kind::text || kind == Kind::binary || kind == Kind::list || kind == Kind::map;
  }
  // Room for rows [0, rows), in fields of rows too; elements of lists make their own room.
  void reserve_rows(int64_t rows) {
    if (rows > rows_capacity) grow_rows(rows);
  }
  // Null, or where the column is NOT NULL (below a row that is null itself) the type's zero.
  void put_null(int64_t row);
  // The array of rows [0, rows); the column is empty afterwards.
  std::shared_ptr<arrow::ArrayData> finish(int64_t rows);

 private:
  void grow_rows(int64_t rows);
};

// A column and its children, without plans. invalid when no format can fill the type; `path` names the column
// in that message.
Result<std::unique_ptr<Column>> compile_column(const std::string& path, const DataType* declared,
                                               const std::shared_ptr<arrow::DataType>& type, bool nullable);

// Rows [0, rows) of all columns, in the schema's order; the columns are empty afterwards.
std::shared_ptr<arrow::RecordBatch> finish_rows(const std::shared_ptr<arrow::Schema>& schema,
                                                const std::vector<std::unique_ptr<Column>>& columns,
                                                int64_t rows);

}  // namespace weir::columns
