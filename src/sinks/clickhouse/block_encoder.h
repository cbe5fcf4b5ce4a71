// Rows as a sink gets them (the table's columns, then partition and offset) -> one block for one table.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "sinks/clickhouse/native_encoder.h"

namespace weir {

using RowBatches = std::vector<std::shared_ptr<arrow::RecordBatch>>;

// Added to created tables beside kPartitionColumn and kOffsetColumn: which commit a row came with.
inline constexpr const char* kSequenceColumn = "_weir_seq";

// Not safe for two threads at once.
class BlockEncoder {
 public:
  // `rows`: the schema of appended batches, hidden columns (kPartitionColumn and what follows) last. Hidden
  // columns that the table lacks are left out; `with_sequence`: _weir_seq is filled where the table has it.
  // invalid: every mismatch in one message.
  static Result<std::unique_ptr<BlockEncoder>> create(const std::string& table, const arrow::Schema& rows,
                                                      const std::vector<TableColumn>& existing,
                                                      bool with_sequence);

  // The block of all rows, `sequence` in each row's _weir_seq.
  Result<EncodedBlock> encode(const RowBatches& batches, int64_t sequence);
  // The same into a block whose memory is used again: much faster for large blocks.
  Status encode(const RowBatches& batches, int64_t sequence, EncodedBlock* block);

  // Name and type of each column of the block.
  const std::vector<std::pair<std::string, std::string>>& columns() const { return columns_; }
  bool has_sequence() const { return has_sequence_; }

 private:
  BlockEncoder() = default;
  std::vector<int> picked_;                // columns of the appended batches that are sent
  std::shared_ptr<arrow::Schema> schema_;  // of those, and _weir_seq
  std::unique_ptr<NativeEncoder> encoder_;
  std::vector<std::pair<std::string, std::string>> columns_;
  bool has_sequence_ = false;
};

// "`a`, `b`"
std::string column_list_of(const std::vector<std::pair<std::string, std::string>>& columns);

// Rows [from, from + count) over all batches, without copying.
RowBatches slice_rows(const RowBatches& batches, int64_t from, int64_t count);
// The rows at these indexes, which rise, as one batch.
Result<std::shared_ptr<arrow::RecordBatch>> pick_rows(const RowBatches& batches,
                                                      const std::vector<int64_t>& rows);
// One batch of all rows; the batches have one schema.
Result<std::shared_ptr<arrow::RecordBatch>> concatenated(const RowBatches& batches);
// All rows but those at `left_out`, which rise.
RowBatches without_rows(const RowBatches& batches, const std::vector<int64_t>& left_out);
int64_t count_rows(const RowBatches& batches);

// Arrow IPC streams of batches with one schema. Empty text for no batch.
Result<std::string> rows_to_ipc(const RowBatches& batches);
Result<RowBatches> rows_from_ipc(std::string_view bytes);

}  // namespace weir
