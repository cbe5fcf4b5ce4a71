// A changelog on its way into a Delta table: of each key the last change counts.
//
// Rows come with kOffsetColumn and kWeightColumn behind them. Of one key the row with the highest offset
// wins, at equal offsets an insert over a retraction (an update that moves between branches of a query is -1
// and +1 at one offset). A key whose last change is a retraction is deleted.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "state/key_encoder.h"
#include "state/key_table.h"

namespace weir {

// The key columns of a table, in the types that its files have.
struct KeyColumns {
  std::shared_ptr<arrow::Schema> schema;  // all nullable: files of other writers may have NULLs
  std::vector<int> of_rows;               // their indexes in the rows that are appended

  // `rows`: storable (delta_schema.h). invalid: `names` are not columns of it, or cannot be keys.
  static Result<KeyColumns> create(const std::string& table, const arrow::Schema& rows,
                                   const std::vector<std::string>& names);
  // `columns` as the schema has them.
  Result<std::shared_ptr<arrow::RecordBatch>> batch(const arrow::ArrayVector& columns, int64_t rows) const;
  std::string text() const;  // "a, b"
};

// `array` as `type`, which it has or can be cast to.
Result<std::shared_ptr<arrow::Array>> as_type(std::shared_ptr<arrow::Array> array,
                                              const std::shared_ptr<arrow::DataType>& type);

class ChangedRows {
 public:
  static Result<std::unique_ptr<ChangedRows>> create(KeyColumns columns);

  // `rows`: the storable columns. `weights`: int8, or null when all are inserts. invalid: a key is NULL.
  Status append(const std::shared_ptr<arrow::RecordBatch>& rows, const arrow::Array& offsets,
                const arrow::Array* weights);
  int64_t bytes() const { return bytes_; }  // of the rows that are held
  bool empty() const { return table_.size() == 0; }

  struct Net {
    std::vector<std::shared_ptr<arrow::RecordBatch>> upserts;  // the columns that were appended
    std::shared_ptr<arrow::RecordBatch> keys;                  // of all changes, once each
    int64_t deletes = 0;
  };
  // What was appended since the last take.
  Result<Net> take();

 private:
  struct Change {
    uint32_t batch = 0;
    uint32_t row = 0;
    int64_t offset = 0;
    bool deleted = false;
  };
  ChangedRows(KeyColumns columns, KeyEncoder encoder);
  Status check_keys(const arrow::RecordBatch& keys) const;
  Status compact();
  std::vector<std::vector<int32_t>> rows_by_batch(bool with_deleted) const;

  KeyColumns columns_;
  KeyEncoder encoder_;
  KeyTable table_;
  EncodedKeys encoded_;
  std::vector<uint32_t> entries_;
  std::vector<Change> changes_;  // by entry of table_
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches_;
  int64_t bytes_ = 0;
  int64_t compacted_bytes_ = 0;
};

}  // namespace weir
