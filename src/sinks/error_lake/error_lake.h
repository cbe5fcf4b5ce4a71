// The error lake's tables: schemas, places and rows. They are written by the Delta sink with 'positions' off.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "schema/error_record.h"
#include "schema/event_batch.h"

namespace weir {

// Of `<error-lake.path>/<pipeline>/<source>`.
std::shared_ptr<arrow::Schema> error_lake_schema();
// Of `<error-lake.path>/<pipeline>/_resolved`.
std::shared_ptr<arrow::Schema> resolution_schema();

// `root` is error-lake.path: a folder or s3://.
std::string error_table_uri(const std::string& root, const std::string& pipeline, const std::string& source);
std::string resolved_table_uri(const std::string& root, const std::string& pipeline);
// Folder of replay's intents, relative to the root, ending in '/'.
std::string replay_folder(const std::string& pipeline, const std::string& source);

// "source/partition/offset", "/sink" where only one refused it, then ErrorRecord::id_suffix.
std::string error_id(const std::string& source, const std::string& partition, int64_t offset,
                     const std::string& sink, const std::string& suffix = "");

struct ErrorOrigin {
  std::string pipeline;
  std::string source;
  std::string partition;
  // Or "row": a row of the sink as JSON; or "intermediate": a row between two operators of a query, as JSON.
  std::string payload_kind = "raw";
  std::string schema_name;           // "" until a registry names one
  int32_t schema_version = 0;        // 0: none
  int32_t attempts = 1;              // how often the event has been tried, this time included
};

// Builds a batch for the error table. One thread; usable again after finish.
class ErrorRows {
 public:
  ErrorRows();
  ~ErrorRows();

  // The event is batch.events[error.event]; its bytes are copied.
  Status append(const ErrorOrigin& origin, const EventBatch& batch, const ErrorRecord& error);
  int64_t rows() const;
  // error_lake_schema() and the two hidden columns of sinks/sink.h.
  Result<std::shared_ptr<arrow::RecordBatch>> finish();

 private:
  struct Builders;
  std::unique_ptr<Builders> builders_;
};

// All of `errors`; null when there are none.
Result<std::shared_ptr<arrow::RecordBatch>> error_rows(const ErrorOrigin& origin, const EventBatch& batch,
                                                       const std::vector<ErrorRecord>& errors);

// What a replay made of one stored error.
struct Resolution {
  std::string error_id;
  std::string source;
  std::string run;
  int64_t batch = 0;
  bool resolved = false;
  std::string code;  // of the new failure; "" when resolved
  std::string message;
  int64_t at_us = 0;
};

// resolution_schema() and the two hidden columns; null when there are none.
Result<std::shared_ptr<arrow::RecordBatch>> resolution_rows(const std::vector<Resolution>& resolutions);

}  // namespace weir
