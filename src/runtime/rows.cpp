#include "runtime/rows.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>

#include <nlohmann/json.hpp>

namespace weir {

Status arrow_status(const arrow::Status& status) { return Status::internal("Arrow: " + status.ToString()); }

namespace {

Status bisect(const bridge::Fragment& fragment, const std::shared_ptr<arrow::RecordBatch>& rows,
              int64_t now_us, std::vector<RowFailure>& failures,
              std::vector<std::shared_ptr<arrow::RecordBatch>>& parts) {
  auto result = fragment.eval(rows, now_us);
  if (result.ok()) {
    if ((*result)->num_rows() > 0) parts.push_back(*result);
    return {};
  }
  if (result.status().code() != Code::invalid) return result.status();
  if (rows->num_rows() == 1) {
    failures.emplace_back(row_indexes(*rows)[0], result.status().message());
    return {};
  }
  int64_t half = rows->num_rows() / 2;
  WEIR_TRY(bisect(fragment, rows->Slice(0, half), now_us, failures, parts));
  return bisect(fragment, rows->Slice(half), now_us, failures, parts);
}

template <typename Builder, typename Append>
Result<std::shared_ptr<arrow::Array>> build(Builder& builder, const std::vector<uint32_t>& events,
                                            Append append) {
  for (uint32_t event : events) {
    arrow::Status status = append(builder, event);
    if (!status.ok()) return arrow_status(status);
  }
  std::shared_ptr<arrow::Array> array;
  arrow::Status status = builder.Finish(&array);
  if (!status.ok()) return arrow_status(status);
  return array;
}

arrow::Status append_headers(arrow::MapBuilder& builder, std::string_view text) {
  if (text.empty()) return builder.AppendNull();
  ARROW_RETURN_NOT_OK(builder.Append());
  auto& keys = static_cast<arrow::StringBuilder&>(*builder.key_builder());
  auto& values = static_cast<arrow::StringBuilder&>(*builder.item_builder());
  auto headers = nlohmann::json::parse(text, nullptr, false);
  if (!headers.is_object()) return arrow::Status::OK();
  for (const auto& [key, value] : headers.items()) {
    ARROW_RETURN_NOT_OK(keys.Append(key));
    if (value.is_null()) {  // a header without a value
      ARROW_RETURN_NOT_OK(values.AppendNull());
      continue;
    }
    ARROW_RETURN_NOT_OK(values.Append(value.is_string() ? value.get<std::string>() : value.dump()));
  }
  return arrow::Status::OK();
}

// Microseconds in the column's unit (ms or us).
int64_t in_unit(const arrow::DataType& type, int64_t microseconds) {
  return static_cast<const arrow::TimestampType&>(type).unit() == arrow::TimeUnit::MILLI ? microseconds / 1000
                                                                                         : microseconds;
}

}  // namespace

const int32_t* row_indexes(const arrow::RecordBatch& rows) {
  const auto& column = static_cast<const arrow::Int32Array&>(*rows.column(rows.num_columns() - 1));
  return column.raw_values();
}

Result<std::shared_ptr<arrow::RecordBatch>> without_events(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                           const std::vector<uint8_t>& mask) {
  arrow::BooleanBuilder keep;
  const int32_t* indexes = row_indexes(*rows);
  for (int64_t i = 0; i < rows->num_rows(); ++i) {
    arrow::Status status = keep.Append(mask[indexes[i]] == 0);
    if (!status.ok()) return arrow_status(status);
  }
  std::shared_ptr<arrow::Array> selection;
  arrow::Status finished = keep.Finish(&selection);
  if (!finished.ok()) return arrow_status(finished);
  auto filtered = arrow::compute::Filter(arrow::Datum(rows), arrow::Datum(selection));
  if (!filtered.ok()) return arrow_status(filtered.status());
  return filtered->record_batch();
}

Result<std::shared_ptr<arrow::RecordBatch>> evaluate(const bridge::Fragment& fragment,
                                                     const std::shared_ptr<arrow::RecordBatch>& rows,
                                                     int64_t now_us, std::vector<RowFailure>& failures) {
  std::vector<std::shared_ptr<arrow::RecordBatch>> parts;
  WEIR_TRY(bisect(fragment, rows, now_us, failures, parts));
  if (parts.empty()) return std::shared_ptr<arrow::RecordBatch>();
  if (parts.size() == 1) return parts[0];
  auto joined = arrow::ConcatenateRecordBatches(parts);
  if (!joined.ok()) return arrow_status(joined.status());
  return *joined;
}

Result<std::shared_ptr<arrow::Array>> metadata_column(const ColumnSpec& column, const EventBatch& batch,
                                                      const std::vector<uint32_t>& events,
                                                      const std::string& partition) {
  const std::string& key = column.metadata_key;
  auto text_of = [&](Slice slice) { return batch.view(slice); };
  if (key == "offset") {
    arrow::Int64Builder builder;
    return build(builder, events, [&](auto& b, uint32_t e) { return b.Append(batch.events[e].offset); });
  }
  if (key == "partition") {
    arrow::StringBuilder builder;
    return build(builder, events, [&](auto& b, uint32_t) { return b.Append(partition); });
  }
  if (key == "topic" || key == "subject") {
    arrow::StringBuilder builder;
    return build(builder, events, [&](auto& b, uint32_t e) {
      Slice slice = batch.events[e].subject;
      return slice.size < 0 ? b.AppendNull() : b.Append(text_of(slice));
    });
  }
  if (key == "key") {
    auto append = [&](auto& b, uint32_t e) {
      Slice slice = batch.events[e].key;
      return slice.size < 0 ? b.AppendNull() : b.Append(text_of(slice));
    };
    if (column.type.arrow->id() == arrow::Type::BINARY) {
      arrow::BinaryBuilder builder;
      return build(builder, events, append);
    }
    arrow::StringBuilder builder;
    return build(builder, events, append);
  }
  if (key == "headers") {
    auto pool = arrow::default_memory_pool();
    arrow::MapBuilder builder(pool, std::make_shared<arrow::StringBuilder>(pool),
                              std::make_shared<arrow::StringBuilder>(pool), column.type.arrow);
    return build(builder, events,
                 [&](auto& b, uint32_t e) { return append_headers(b, text_of(batch.events[e].headers)); });
  }
  if (key == "timestamp" || key == "ingest-time") {
    arrow::TimestampBuilder builder(column.type.arrow, arrow::default_memory_pool());
    return build(builder, events, [&](auto& b, uint32_t e) {
      int64_t value = key == "timestamp" ? batch.events[e].timestamp_us : batch.received_us;
      return value < 0 ? b.AppendNull() : b.Append(in_unit(*column.type.arrow, value));
    });
  }
  return Status::internal("no values for the METADATA key '" + key + "'");
}

}  // namespace weir
