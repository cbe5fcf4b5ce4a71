// One number a row to look rows of a join up by, and their times.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "base/status.h"
#include "state/key_encoder.h"
#include "state/row_chunks.h"

namespace weir {

// A batch without NULLs in its key and time columns. The pointers lead into its own buffers or the batch's;
// moving keeps them.
struct KeyedRows {
  std::shared_ptr<arrow::RecordBatch> rows;
  size_t count = 0;                // of rows
  const uint64_t* keys = nullptr;  // by row; null until RowKeys::make_keys
  const int64_t* times = nullptr;  // by row, in units of `scale` microseconds; null: rows have no time
  int64_t scale = 1;
  int64_t min_time_us = std::numeric_limits<int64_t>::max();
  int64_t max_time_us = std::numeric_limits<int64_t>::min();
  std::vector<uint64_t> key_buffer;
  std::vector<int64_t> time_buffer;

  KeyedRows() = default;
  KeyedRows(KeyedRows&&) noexcept = default;
  KeyedRows& operator=(KeyedRows&&) noexcept = default;
  size_t size() const { return count; }
  int64_t time_us(size_t row) const { return times[row] * scale; }
};

class RowKeys {
 public:
  // time_column: a TIMESTAMP, or -1. invalid: a column that cannot be a key, or a time.
  static Result<RowKeys> create(std::shared_ptr<arrow::Schema> schema, std::vector<int> columns,
                                int time_column);
  // True: equal numbers are equal keys. False: they are hashes, and keys must be compared.
  bool exact() const { return exact_; }
  // Rows with a NULL key or time match nothing: they are left out.
  Result<KeyedRows> prepare(std::shared_ptr<arrow::RecordBatch> rows) const;
  // Points into `keyed.rows`, which another copy of the rows may have replaced.
  void point(KeyedRows& keyed) const;
  void make_keys(KeyedRows& keyed);

 private:
  std::shared_ptr<arrow::Schema> schema_;
  std::vector<int> columns_;
  int time_column_ = -1;
  bool exact_ = false;
  int width_ = 0;  // exact: bytes of the one key column; 0: there is none
  std::optional<KeyEncoder> encoder_;
  EncodedKeys encoded_;
};

// The same fields, all of them nullable: so that both sides of a join encode alike.
std::shared_ptr<arrow::Schema> as_nullable(const arrow::Schema& schema);

}  // namespace weir
