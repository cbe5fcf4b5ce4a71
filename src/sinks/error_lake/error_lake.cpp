#include "sinks/error_lake/error_lake.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/table_builder.h>
#include <arrow/type.h>

#include "schema/error_code.h"
#include "schema/row_json.h"
#include "sinks/sink.h"

namespace weir {
namespace {

std::shared_ptr<arrow::DataType> utc_microseconds() {
  return arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
}

std::shared_ptr<arrow::Schema> with_hidden_columns(const arrow::Schema& schema) {
  arrow::FieldVector fields = schema.fields();
  fields.push_back(arrow::field(kPartitionColumn, arrow::utf8()));
  fields.push_back(arrow::field(kOffsetColumn, arrow::int64()));
  return arrow::schema(fields);
}

std::string joined(const std::string& root, const std::string& rest) {
  return root + (root.empty() || root.back() == '/' ? "" : "/") + rest;
}

// Text columns must be UTF-8, also when an event's subject or an excerpt of it is not.
std::string valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    auto lead = static_cast<unsigned char>(text[i]);
    size_t size = lead < 0x80                   ? 1
                  : lead >= 0xC2 && lead < 0xE0 ? 2
                  : lead >= 0xE0 && lead < 0xF0 ? 3
                  : lead >= 0xF0 && lead < 0xF5 ? 4
                                                : 0;
    bool good = size != 0 && i + size <= text.size();
    for (size_t k = 1; good && k < size; ++k) good = (static_cast<unsigned char>(text[i + k]) & 0xC0) == 0x80;
    if (good && size >= 3) {
      auto second = static_cast<unsigned char>(text[i + 1]);
      if (lead == 0xE0) good = second >= 0xA0;
      if (lead == 0xED) good = second < 0xA0;
      if (lead == 0xF0) good = second >= 0x90;
      if (lead == 0xF4) good = second < 0x90;
    }
    if (good) {
      out.append(text.substr(i, size));
      i += size;
    } else {
      out += "\xEF\xBF\xBD";
      ++i;
    }
  }
  return out;
}

Status built(const arrow::Status& status) {
  if (status.ok()) return {};
  if (status.IsOutOfMemory()) return {Code::exhausted, "no memory left for error rows"};
  return Status::internal("error rows: " + status.ToString());
}

// A batch of `schema`, column by column through one RecordBatchBuilder.
class Columns {
 public:
  explicit Columns(const std::shared_ptr<arrow::Schema>& schema) : schema_(schema) {
    auto made = arrow::RecordBatchBuilder::Make(schema, arrow::default_memory_pool());
    WEIR_CHECK(made.ok(), "the error lake's schema is known");
    builder_ = std::move(*made);
  }

  void begin_row() { column_ = 0; }
  void text(std::string_view value) { keep(as<arrow::StringBuilder>()->Append(valid_utf8(value))); }
  void text_or_null(std::string_view value, bool present) {
    if (present) return text(value);
    null();
  }
  void bytes(std::string_view value) { keep(as<arrow::BinaryBuilder>()->Append(value)); }
  void int64(int64_t value) { keep(as<arrow::Int64Builder>()->Append(value)); }
  void int32(int32_t value) { keep(as<arrow::Int32Builder>()->Append(value)); }
  void time(int64_t value) { keep(as<arrow::TimestampBuilder>()->Append(value)); }
  void null() { keep(builder_->GetField(column_++)->AppendNull()); }
  void end_row() {
    WEIR_CHECK(column_ == schema_->num_fields(), "every column of a row is given");
    ++rows_;
  }

  int64_t rows() const { return rows_; }
  const Status& status() const { return status_; }
  Result<std::shared_ptr<arrow::RecordBatch>> finish() {
    WEIR_TRY(status_);
    auto batch = builder_->Flush();
    WEIR_TRY(built(batch.status()));
    rows_ = 0;
    return *batch;
  }

 private:
  template <typename Builder>
  Builder* as() {
    return static_cast<Builder*>(builder_->GetField(column_++));
  }
  void keep(const arrow::Status& status) {
    if (status_.ok()) status_ = built(status);
  }

  std::shared_ptr<arrow::Schema> schema_;
  std::unique_ptr<arrow::RecordBatchBuilder> builder_;
  int column_ = 0;
  int64_t rows_ = 0;
  Status status_;
};

}  // namespace

std::shared_ptr<arrow::Schema> error_lake_schema() {
  auto required = [](const char* name, std::shared_ptr<arrow::DataType> type) {
    return arrow::field(name, std::move(type), false);
  };
  return arrow::schema({
      required("id", arrow::utf8()),
      required("source", arrow::utf8()),
      arrow::field("sink", arrow::utf8()),
      required("code", arrow::utf8()),
      required("message", arrow::utf8()),
      required("field", arrow::utf8()),
      required("payload", arrow::binary()),
      required("payload_kind", arrow::utf8()),
      arrow::field("subject", arrow::utf8()),
      arrow::field("key", arrow::binary()),
      arrow::field("headers", arrow::utf8()),
      arrow::field("event_time", utc_microseconds()),
      required("partition", arrow::utf8()),
      required("offset", arrow::int64()),
      required("byte", arrow::int64()),
      arrow::field("schema_name", arrow::utf8()),
      arrow::field("schema_version", arrow::int32()),
      required("first_seen", utc_microseconds()),
      required("attempts", arrow::int32()),
  });
}

std::shared_ptr<arrow::Schema> resolution_schema() {
  return arrow::schema({
      arrow::field("error_id", arrow::utf8(), false),
      arrow::field("source", arrow::utf8(), false),
      arrow::field("run", arrow::utf8(), false),
      arrow::field("batch", arrow::int64(), false),
      arrow::field("outcome", arrow::utf8(), false),
      arrow::field("code", arrow::utf8()),
      arrow::field("message", arrow::utf8()),
      arrow::field("at", utc_microseconds(), false),
  });
}

std::string error_table_uri(const std::string& root, const std::string& pipeline, const std::string& source) {
  return joined(root, pipeline + "/" + source);
}

std::string resolved_table_uri(const std::string& root, const std::string& pipeline) {
  return joined(root, pipeline + "/_resolved");
}

std::string replay_folder(const std::string& pipeline, const std::string& source) {
  return pipeline + "/_replay/" + source + "/";
}

std::string error_id(const std::string& source, const std::string& partition, int64_t offset,
                     const std::string& sink, const std::string& suffix) {
  return source + "/" + partition + "/" + std::to_string(offset) + (sink.empty() ? "" : "/" + sink) + suffix;
}

struct ErrorRows::Builders {
  Columns columns{with_hidden_columns(*error_lake_schema())};
};

ErrorRows::ErrorRows() : builders_(std::make_unique<Builders>()) {}
ErrorRows::~ErrorRows() = default;

Status ErrorRows::append(const ErrorOrigin& origin, const EventBatch& batch, const ErrorRecord& error) {
  WEIR_CHECK(error.event < batch.events.size(), "an error names an event of its batch");
  const Event& event = batch.events[error.event];
  Columns& columns = builders_->columns;
  columns.begin_row();
  columns.text(error_id(origin.source, origin.partition, event.offset, error.sink, error.id_suffix));
  columns.text(origin.source);
  columns.text_or_null(error.sink, !error.sink.empty());
  columns.text(error_code_name(error.code));
  columns.text(error.message);
  columns.text(error.field);
  if (batch.rows != nullptr) {
    // Born typed: stored as the JSON that its source would have given, so that replay reads it like any
    // other.
    std::string json;
    append_json_row(*batch.rows, error.event, batch.rows->num_columns(), json);
    columns.bytes(json);
  } else {
    columns.bytes(batch.view(event.payload));
  }
  columns.text(origin.payload_kind);
  columns.text_or_null(batch.view(event.subject), event.subject.size >= 0);
  if (event.key.size >= 0)
    columns.bytes(batch.view(event.key));
  else
    columns.null();
  columns.text_or_null(batch.view(event.headers), event.headers.size >= 0);
  if (event.timestamp_us >= 0)
    columns.time(event.timestamp_us);
  else
    columns.null();
  columns.text(origin.partition);
  columns.int64(event.offset);
  columns.int64(error.byte);
  columns.text_or_null(origin.schema_name, !origin.schema_name.empty());
  if (origin.schema_version > 0)
    columns.int32(origin.schema_version);
  else
    columns.null();
  columns.time(batch.received_us);
  columns.int32(origin.attempts);
  columns.text(origin.partition);
  columns.int64(event.offset);
  columns.end_row();
  return columns.status();
}

int64_t ErrorRows::rows() const { return builders_->columns.rows(); }

Result<std::shared_ptr<arrow::RecordBatch>> ErrorRows::finish() { return builders_->columns.finish(); }

Result<std::shared_ptr<arrow::RecordBatch>> error_rows(const ErrorOrigin& origin, const EventBatch& batch,
                                                       const std::vector<ErrorRecord>& errors) {
  if (errors.empty()) return std::shared_ptr<arrow::RecordBatch>();
  ErrorRows rows;
  for (const ErrorRecord& error : errors) WEIR_TRY(rows.append(origin, batch, error));
  return rows.finish();
}

Result<std::shared_ptr<arrow::RecordBatch>> resolution_rows(const std::vector<Resolution>& resolutions) {
  if (resolutions.empty()) return std::shared_ptr<arrow::RecordBatch>();
  Columns columns(with_hidden_columns(*resolution_schema()));
  for (const Resolution& resolution : resolutions) {
    columns.begin_row();
    columns.text(resolution.error_id);
    columns.text(resolution.source);
    columns.text(resolution.run);
    columns.int64(resolution.batch);
    columns.text(resolution.resolved ? "resolved" : "failed");
    columns.text_or_null(resolution.code, !resolution.code.empty());
    columns.text_or_null(resolution.message, !resolution.message.empty());
    columns.time(resolution.at_us);
    columns.text(resolution.run);
    columns.int64(resolution.batch);
    columns.end_row();
  }
  return columns.finish();
}

}  // namespace weir
