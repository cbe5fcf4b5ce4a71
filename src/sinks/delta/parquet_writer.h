// One Parquet file of a Delta table: rows in, bytes to an ObjectWriter, Delta's statistics out.
//
// Timestamps are stored in microseconds: with a zone adjusted to UTC, without one as local (timestampNtz).
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/objects.h"
#include "base/status.h"

namespace weir {

struct ParquetOptions {
  std::string compression = "zstd";  // zstd, snappy, gzip, lz4, uncompressed
  int compression_level = 1;         // of zstd and gzip
  int statistics_columns = 32;       // leaf columns, in order, that get Delta statistics
};

struct WrittenFile {
  int64_t size_bytes = 0;
  int64_t rows = 0;
  std::string stats_json;  // Delta's per-file statistics
};

// One thread at a time. Destroyed without close(): the object is abandoned.
class ParquetFile {
 public:
  // `schema`: storable by Delta (see delta_schema.h), without partition columns.
  static Result<std::unique_ptr<ParquetFile>> open(std::unique_ptr<ObjectWriter> object,
                                                   std::shared_ptr<arrow::Schema> schema,
                                                   const ParquetOptions& options);
  virtual ~ParquetFile() = default;

  // `rows` has the schema's columns; timestamps may have any unit down to microseconds.
  virtual Status write(const std::shared_ptr<arrow::RecordBatch>& rows) = 0;
  // Ends the open row group: what it held in memory goes to the object.
  virtual Status flush_row_group() = 0;
  // Rows' bytes (as Arrow) in the open row group: a bound of the memory that flush_row_group frees.
  virtual int64_t buffered_bytes() const = 0;
  // What the file will be about as large as.
  virtual int64_t estimated_size_bytes() const = 0;
  // Durable when it returns.
  virtual Result<WrittenFile> close() = 0;
};

}  // namespace weir
