#include "sinks/message_refusals.h"

#include <arrow/record_batch.h>

namespace weir {

Status store_refusals(const SinkContext& context, const std::string& broker, const SealedMessages& sealed,
                      const CommitRequest& request, const std::string& log_id, int64_t sequence) {
  if (sealed.refused.empty()) return {};
  RefusedRows refused;
  refused.log_id = log_id;
  refused.sequence = sequence;
  for (const PartitionRange& range : request.ranges) refused.app_ids.push_back(range.app_id);
  std::vector<std::shared_ptr<arrow::RecordBatch>> rows;
  for (const MessageRefusal& refusal : sealed.refused) {
    rows.push_back(refusal.row);
    refused.messages.push_back(refusal.message);
  }
  auto joined = arrow::ConcatenateRecordBatches(rows);
  if (!joined.ok()) return Status::internal("Arrow: " + joined.status().ToString());
  refused.rows = *joined;
  if (!context.store_refused) {
    return Status::invalid(broker +
                           " refused a row, and there is no error lake: " + refused.messages.front());
  }
  return context.store_refused(refused);
}

}  // namespace weir
