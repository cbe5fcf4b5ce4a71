// The copy-on-write half of a MERGE: files of a table that hold changed keys, written anew without them.
//
// Files are skipped by their statistics and partition values; of the rest the key columns are read, and only
// those that hold a changed key are rewritten. Nothing becomes visible here: the caller commits `added` and
// `removed` together, on the very snapshot that `files` came from.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/objects.h"
#include "base/status.h"
#include "bridge/bridge.h"
#include "sinks/delta/changed_rows.h"
#include "sinks/delta/parquet_writer.h"

namespace weir {

struct FileMergeRequest {
  ObjectStore* objects = nullptr;  // of the table
  std::vector<bridge::AddFile> files;
  std::shared_ptr<arrow::Schema> schema;  // of the table
  std::vector<std::string> partition_by;
  const KeyColumns* columns = nullptr;
  std::shared_ptr<arrow::RecordBatch> keys;  // without NULLs, each once
  ParquetOptions parquet;
  int64_t target_file_bytes = 0;
  const Clock* clock = nullptr;
};

struct FileMerge {
  std::vector<bridge::AddFile> added;
  std::vector<std::string> removed;  // paths
  int64_t rows_removed = 0;
  int64_t rows_copied = 0;
  int64_t files_read = 0;  // of which the key columns were looked at
};

// not_found: a file of the snapshot is gone (the snapshot is old, or a vacuum took what is live).
Result<FileMerge> merge_files(const FileMergeRequest& request);

}  // namespace weir
