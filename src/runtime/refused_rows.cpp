#include "runtime/refused_rows.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>

#include <cstring>
#include <map>
#include <numeric>

#include "runtime/rows.h"
#include "runtime/tables.h"
#include "schema/row_json.h"
#include "sinks/error_lake/error_lake.h"

namespace weir {
namespace {

// The source whose partition `partition` is: the ranges of the commit name both.
const SourcePlan* source_of(const PipelinePlan& plan, const std::vector<std::string>& app_ids,
                            const std::string& partition) {
  // "out:<insert>": a row of a query that keeps state stands with the first source that it reads.
  for (const auto& insert : plan.inserts) {
    if (insert->stateful() && partition == "out:" + insert->label) {
      return plan.source(insert->plan.branches[0].source);
    }
  }
  const std::string prefix = "weir/" + plan.spec.name + "/";
  for (const auto& source : plan.sources) {
    const std::string app_id = prefix + source->table.name + "/";
    for (const std::string& known : app_ids) {
      if (known == app_id + partition || known == app_id + "_replay") return source.get();
    }
  }
  return nullptr;
}

// Where the commit's ranges name no source (epochs), the rows do: sinks/sink.h.
const SourcePlan* named_source(const PipelinePlan& plan, const arrow::Field& partition) {
  const auto metadata = partition.metadata();
  if (metadata == nullptr || !metadata->Contains("source")) return nullptr;
  return plan.source(*metadata->Get("source"));
}

struct SourceErrors {
  std::string partition;
  EventBatch batch;
  std::string bytes;
  std::vector<ErrorRecord> records;
};

Status store(const PipelinePlan& plan, const SourcePlan& source, const std::string& sink,
             const RefusedRows& refused, std::map<std::string, SourceErrors>& partitions,
             const Clock& clock) {
  WEIR_ASSIGN(auto table, create_error_sink(plan, source, clock));
  const std::string prefix = "weir/" + plan.spec.name + "/";
  auto opened = table->open(prefix);
  if (!opened.ok()) return opened.status().with_context("error lake");
  for (auto& [partition, errors] : partitions) {
    auto bytes = std::shared_ptr<char[]>(new char[errors.bytes.size() + EventBatch::kPadding]());
    std::memcpy(bytes.get(), errors.bytes.data(), errors.bytes.size());
    errors.batch.bytes = bytes;
    errors.batch.received_us = clock.now_us();
    ErrorOrigin origin;
    origin.pipeline = plan.spec.name;
    origin.source = source.table.name;
    origin.partition = partition;
    origin.payload_kind = "row";
    WEIR_ASSIGN(auto rows, error_rows(origin, errors.batch, errors.records));
    WEIR_TRY(table->append(rows));
  }
  WEIR_ASSIGN(auto sealed, table->seal());
  WEIR_ASSIGN(auto persisted, table->transactional()->persist(*sealed));
  auto committed = table->transactional()->commit_persisted(
      persisted, prefix + source.table.name + "/_reject/" + sink + "/" + refused.log_id, refused.sequence,
      "{}");
  return committed.ok() ? Status() : committed.status().with_context("error lake");
}

int first_hidden(const arrow::RecordBatch& rows) {
  int column = rows.num_columns() - 2;
  while (rows.schema()->field(column)->name() != kPartitionColumn) --column;
  return column;
}

// What replay needs of a row: its columns, and of a changelog its weight and version.
Result<std::shared_ptr<arrow::RecordBatch>> kept_columns(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                         int hidden) {
  std::vector<int> columns(static_cast<size_t>(hidden));
  std::iota(columns.begin(), columns.end(), 0);
  for (int i = hidden; i < rows->num_columns(); ++i) {
    const std::string& name = rows->schema()->field(i)->name();
    if (name == kWeightColumn || name == kVersionColumn) columns.push_back(i);
  }
  auto kept = rows->SelectColumns(columns);
  if (!kept.ok()) return arrow_status(kept.status());
  return *std::move(kept);
}

}  // namespace

Status store_refused_rows(const PipelinePlan& plan, const std::string& sink, const RefusedRows& refused,
                          const Clock& clock) {
  if (!plan.spec.settings.boolean("error-lake.enabled")) {
    return Status::invalid("sink '" + sink + "' refused a row, which has nowhere to go " +
                           "('error-lake.enabled' is 'false'): " +
                           (refused.messages.empty() ? std::string() : refused.messages[0]));
  }
  const auto& rows = *refused.rows;
  const int hidden = first_hidden(rows);
  WEIR_ASSIGN(auto kept, kept_columns(refused.rows, hidden));
  const auto& partition_column = static_cast<const arrow::StringArray&>(*rows.column(hidden));
  const auto& offset_column = static_cast<const arrow::Int64Array&>(*rows.column(hidden + 1));
  std::map<const SourcePlan*, std::map<std::string, SourceErrors>> by_source;
  std::map<std::pair<std::string, int64_t>, int> ordinals;
  const bool replayed = refused.app_ids.size() == 1 && refused.app_ids[0].ends_with("/_replay");
  for (int64_t row = 0; row < rows.num_rows(); ++row) {
    const std::string partition = partition_column.GetString(row);
    const SourcePlan* source = source_of(plan, refused.app_ids, partition);
    if (source == nullptr) source = named_source(plan, *rows.schema()->field(hidden));
    if (source == nullptr) {
      return Status::invalid("sink '" + sink + "' refused a row of the partition '" + partition +
                             "', whose source this file no longer has: run the earlier version once");
    }
    SourceErrors& errors = by_source[source][partition];
    std::string json;
    append_json_row(*kept, row, kept->num_columns(), json);
    Event event;
    event.offset = offset_column.Value(row);
    event.payload = {static_cast<uint32_t>(errors.bytes.size()), static_cast<int32_t>(json.size())};
    errors.bytes += json;
    ErrorRecord record;
    record.event = static_cast<uint32_t>(errors.batch.events.size());
    record.code = ErrorCode::sink_refused;
    record.message = refused.messages[static_cast<size_t>(row)];
    record.sink = sink;
    // A row that replay brought and that is refused again is a new error: the former one is resolved.
    if (replayed) {
      record.id_suffix = "/r" + refused.log_id.substr(0, 8) + "-" + std::to_string(refused.sequence);
    }
    if (int ordinal = ++ordinals[{partition, event.offset}]; ordinal > 1) {
      record.id_suffix += "/" + std::to_string(ordinal);
    }
    errors.batch.events.push_back(event);
    errors.records.push_back(std::move(record));
  }
  for (auto& [source, partitions] : by_source) {
    WEIR_TRY(store(plan, *source, sink, refused, partitions, clock));
  }
  return {};
}

}  // namespace weir
