#include <arrow/c/abi.h>
#include <arrow/c/bridge.h>
#include <arrow/record_batch.h>

#include <nlohmann/json.hpp>

#include "bridge/abi.h"
#include "bridge/bridge.h"

namespace weir::bridge {

Result<std::shared_ptr<arrow::RecordBatchReader>> query(const std::vector<QueryTable>& tables,
                                                        const std::string& sql) {
  nlohmann::json listed = nlohmann::json::array();
  for (const QueryTable& table : tables) {
    listed.push_back(
        {{"schema", table.schema}, {"name", table.name}, {"uri", table.uri}, {"options", table.storage}});
  }
  const std::string request = listed.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  AbiError error;
  ArrowArrayStream stream{};
  if (const int32_t code = weir_query(slice(request), slice(sql), &stream, error.get()); code != WEIR_OK) {
    Status status = error.status(code);
    if (error.line() == 0) return status;
    return Status(status.code(), "line " + std::to_string(error.line()) + ", column " +
                                     std::to_string(error.column()) + ": " + status.message());
  }
  auto reader = arrow::ImportRecordBatchReader(&stream);
  if (!reader.ok()) return Status::internal(reader.status().ToString());
  return reader.MoveValueUnsafe();
}

}  // namespace weir::bridge
