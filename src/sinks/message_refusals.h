// Rows that a broker refused one by one: from the sink that sent them into the error lake.
#pragma once

#include <string>
#include <vector>

#include "sinks/sink.h"

namespace weir {

struct MessageRefusal {
  std::shared_ptr<arrow::RecordBatch> row;
  std::string message;  // the broker's words
};

// What a sink of messages seals: everything else was sent and acknowledged before.
struct SealedMessages final : SealedRows {
  std::vector<MessageRefusal> refused;
};

// The commit of such a sink. `broker` names it in messages; `sequence` rises with each call under one
// `log_id`.
Status store_refusals(const SinkContext& context, const std::string& broker, const SealedMessages& sealed,
                      const CommitRequest& request, const std::string& log_id, int64_t sequence);

}  // namespace weir
