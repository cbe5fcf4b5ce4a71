// Rows that a sink refused, kept in the error lake as JSON -> rows as that sink takes them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "formats/decoder.h"
#include "plan/pipeline_plan.h"

namespace weir {

// One thread.
class StoredRows {
 public:
  // Along today's columns of `sink`, which outlives it: a column that is new becomes null, one that is gone
  // is left out.
  static Result<std::unique_ptr<StoredRows>> create(const SinkPlan& sink);

  // Payloads are rows as JSON. `rows` has the sink's columns and the hidden ones, of a changelog also the
  // weight and the version that they had; null when none fits.
  Result<std::shared_ptr<arrow::RecordBatch>> decode(const EventBatch& batch, const std::string& partition,
                                                     std::vector<ErrorRecord>& errors);

 private:
  StoredRows(const SinkPlan& sink, std::unique_ptr<Decoder> decoder)
      : sink_(sink), decoder_(std::move(decoder)) {}

  const SinkPlan& sink_;
  std::unique_ptr<Decoder> decoder_;
};

}  // namespace weir
