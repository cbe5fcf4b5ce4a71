#include "runtime/error_query.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>

#include "base/text.h"
#include "bridge/bridge.h"
#include "runtime/tables.h"
#include "schema/error_code.h"

namespace weir {
namespace {

std::string quoted(const std::string& text) {
  std::string out = "'";
  for (char c : text) out += c == '\'' ? std::string("''") : std::string(1, c);
  return out + "'";
}

std::string condition(const ErrorFilter& filter) {
  std::string text = "true";
  if (!filter.code.empty()) text += " AND e.code = " + quoted(filter.code);
  if (!filter.id.empty()) text += " AND e.id = " + quoted(filter.id);
  if (!filter.where.empty()) text += " AND (" + filter.where + ")";
  return text;
}

constexpr const char* kResolvedIds =
    "(SELECT DISTINCT error_id FROM errors._resolved WHERE outcome = 'resolved')";

// The error tables of this file, and nothing else: a missing lake table must not hide its errors.
std::vector<bridge::QueryTable> error_tables(const PipelinePlan& plan) {
  auto tables = query_tables(plan);
  std::erase_if(tables, [](const auto& table) { return table.schema != "errors"; });
  return tables;
}

}  // namespace

Result<std::vector<const SourcePlan*>> sources_of(const PipelinePlan& plan, const ErrorFilter& filter) {
  if (!filter.code.empty() && !error_code_from_name(filter.code)) {
    std::vector<std::string> names;
    for (ErrorCode code : all_error_codes()) names.emplace_back(error_code_name(code));
    return Status::invalid("no error code is named '" + filter.code + "'." + suggestion(filter.code, names));
  }
  std::vector<const SourcePlan*> sources;
  std::vector<std::string> names;
  for (const auto& source : plan.sources) {
    names.push_back(source->table.name);
    if (filter.source.empty() || filter.source == source->table.name) sources.push_back(source.get());
  }
  if (sources.empty()) {
    return Status::invalid("this file reads no source named '" + filter.source + "'." +
                           suggestion(filter.source, names));
  }
  return sources;
}

Result<std::shared_ptr<arrow::RecordBatchReader>> query_errors(const PipelinePlan& plan,
                                                               const SourcePlan& source,
                                                               const ErrorFilter& filter, ErrorRead read,
                                                               int64_t limit) {
  std::string sql =
      read == ErrorRead::listing ? "SELECT e.* EXCEPT (payload, key) FROM " : "SELECT e.* FROM ";
  // The ids are what a join keeps in memory, the errors flow past them.
  if (!filter.include_resolved) sql += std::string(kResolvedIds) + " AS r RIGHT ANTI JOIN ";
  sql += "errors.\"" + source.table.name + "\" AS e";
  if (!filter.include_resolved) sql += " ON r.error_id = e.id";
  sql += " WHERE " + condition(filter);
  if (read != ErrorRead::everything) sql += " ORDER BY e.partition, e.sink, e.\"offset\"";
  if (read == ErrorRead::first) sql += " LIMIT " + std::to_string(limit);
  auto reader = bridge::query(error_tables(plan), sql);
  if (reader.status().code() == Code::not_found) return std::shared_ptr<arrow::RecordBatchReader>();
  return reader;
}

Result<std::vector<int64_t>> set_aside_offsets(const PipelinePlan& plan, const SourcePlan& source,
                                               const std::string& partition, int64_t from, int64_t next) {
  const std::string code(error_code_name(ErrorCode::producer_paused));
  const std::string sql =
      "SELECT e.\"offset\" FROM errors.\"" + source.table.name + "\" AS e WHERE e.code = " + quoted(code) +
      " AND e.partition = " + quoted(partition) + " AND e.\"offset\" >= " + std::to_string(from) +
      " AND e.\"offset\" < " + std::to_string(next) + " ORDER BY e.\"offset\"";
  std::vector<int64_t> offsets;
  auto reader = bridge::query(error_tables(plan), sql);
  if (reader.status().code() == Code::not_found) return offsets;
  if (!reader.ok()) return reader.status();
  while (true) {
    std::shared_ptr<arrow::RecordBatch> batch;
    arrow::Status read = (*reader)->ReadNext(&batch);
    if (!read.ok()) return Status(Code::unavailable, read.message());
    if (batch == nullptr) return offsets;
    const auto& column = static_cast<const arrow::Int64Array&>(*batch->column(0));
    for (int64_t row = 0; row < batch->num_rows(); ++row) offsets.push_back(column.Value(row));
  }
}

Result<ErrorCounts> count_errors(const PipelinePlan& plan, const SourcePlan& source,
                                 const ErrorFilter& filter) {
  std::string sql = "SELECT count(*) AS total, count(r.error_id) AS resolved FROM errors.\"" +
                    source.table.name + "\" AS e LEFT JOIN " + kResolvedIds +
                    " AS r ON r.error_id = e.id WHERE " + condition(filter);
  ErrorCounts counts;
  auto reader = bridge::query(error_tables(plan), sql);
  if (reader.status().code() == Code::not_found) return counts;
  if (!reader.ok()) return reader.status();
  while (true) {
    std::shared_ptr<arrow::RecordBatch> batch;
    arrow::Status read = (*reader)->ReadNext(&batch);
    if (!read.ok()) return Status::internal(read.message());
    if (batch == nullptr) return counts;
    for (int64_t row = 0; row < batch->num_rows(); ++row) {
      counts.total += static_cast<const arrow::Int64Array&>(*batch->column(0)).Value(row);
      counts.resolved += static_cast<const arrow::Int64Array&>(*batch->column(1)).Value(row);
    }
  }
}

}  // namespace weir
