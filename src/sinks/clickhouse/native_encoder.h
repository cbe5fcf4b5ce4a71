// Arrow batches -> one block of ClickHouse's Native format, as `INSERT … FORMAT Native` over HTTP takes it
// (client revision 0). Source: https://clickhouse.com/docs/interfaces/formats/Native and the server's
// NativeReader.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "sinks/clickhouse/column_type.h"
#include "sinks/clickhouse/native_buffer.h"

namespace weir {

// A value that its column cannot hold. Its row is not in the block.
struct RefusedValue {
  int64_t row = 0;  // counted over all batches
  std::string column;
  std::string message;
};

struct EncodedBlock {
  NativeBuffer bytes;  // empty when rows is 0: nothing to send
  int64_t rows = 0;
  std::vector<RefusedValue> refused;  // by row; one for each row
};

struct EncodeOptions {
  // A NULL for a column that takes none is stored as the type's default (0, ''), not refused.
  bool null_as_default = false;
};

class NativeColumn;

// Reusable, for batches of one schema. Not safe for two threads at once. Equal rows give equal bytes, however
// they are cut into batches and whatever stands in the memory under a NULL.
class NativeEncoder {
 public:
  // `targets` as match_columns() gives them; invalid when one cannot be stored.
  static Result<NativeEncoder> create(const arrow::Schema& schema, std::vector<ColumnTarget> targets,
                                      EncodeOptions options = {});
  NativeEncoder(NativeEncoder&&) noexcept;
  NativeEncoder& operator=(NativeEncoder&&) noexcept;
  ~NativeEncoder();

  // All rows of `batches` as one block. Batches may have more columns than the schema, behind it.
  Result<EncodedBlock> encode(std::span<const std::shared_ptr<arrow::RecordBatch>> batches);
  // The same into a block whose memory is used again: much faster for large blocks.
  Status encode(std::span<const std::shared_ptr<arrow::RecordBatch>> batches, EncodedBlock* block);

  // "`a`, `b`": the column list of the INSERT.
  std::string column_list() const;

 private:
  NativeEncoder();
  std::vector<ColumnTarget> targets_;
  std::vector<std::string> type_texts_;
  std::vector<std::unique_ptr<NativeColumn>> columns_;
};

}  // namespace weir
