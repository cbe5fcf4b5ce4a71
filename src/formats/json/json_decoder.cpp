#include "formats/json/json_decoder.h"

#include <arrow/record_batch.h>

#include "formats/error_words.h"
#include "formats/registry_frame.h"

namespace weir::json {

Result<std::unique_ptr<Decoder>> JsonDecoder::create(const std::vector<ColumnSpec>& specs, Settings settings,
                                                     const std::string& rest_column,
                                                     std::unique_ptr<ConfluentFrame> frame) {
  std::unique_ptr<JsonDecoder> decoder(new JsonDecoder(std::move(settings)));
  decoder->frame_ = std::move(frame);
  std::vector<std::string> names;
  std::vector<Column*> fields;
  std::vector<std::shared_ptr<arrow::Field>> arrow_fields;
  for (const ColumnSpec& spec : specs) {
    auto column = columns::compile_column(spec.name, &spec.type, spec.type.arrow, spec.nullable);
    if (!column.ok()) return column.status();
    WEIR_TRY(plan_rows(spec.name, **column));
    if (!rest_column.empty() && spec.name == rest_column) {
      if ((*column)->kind != Kind::text || !spec.nullable || spec.type.max_length >= 0) {
        return Status::invalid("json.rest-column '" + rest_column +
                               "' must be a nullable column of type STRING");
      }
      decoder->rest_ = column->get();
    } else {
      names.push_back(spec.name);
      fields.push_back(column->get());
    }
    arrow_fields.push_back(arrow::field(spec.name, spec.type.arrow, spec.nullable));
    decoder->columns_.push_back(std::move(*column));
  }
  if (!rest_column.empty() && decoder->rest_ == nullptr) {
    return Status::invalid("json.rest-column '" + rest_column + "' is not a column of the table");
  }
  decoder->root_ = std::make_unique<ObjectPlan>(names, fields);
  decoder->schema_ = arrow::schema(std::move(arrow_fields));
  return std::unique_ptr<Decoder>(std::move(decoder));
}

Result<DecodedRows> JsonDecoder::decode(const EventBatch& batch, size_t begin, size_t end) {
  DecodedRows result;
  const int64_t most_rows = static_cast<int64_t>(end - begin);
  for (auto& column : columns_) column->reserve_rows(std::max<int64_t>(most_rows, 1));
  result.event_of_row.reserve(end - begin);
  int64_t row = 0;
  ErrorRecord error;
  for (size_t event = begin; event < end; ++event) {
    std::string_view payload = batch.payload(event);
    bool read = true;
    if (frame_ != nullptr && batch.events[event].payload.size >= 0) {
      WEIR_ASSIGN(read, frame_->take_off(payload, error));
      const bool framed = read;
      read = read && walk_.read_event(*root_, rest_, payload, row, &error);
      if (framed && !read) {
        if (error.byte >= 0) error.byte += kRegistryFrameBytes;
        if (error.code != ErrorCode::malformed) error.message += frame_->versions();
      }
    } else {
      read = walk_.read_event(*root_, rest_, payload, row, &error);
    }
    if (read) {
      result.event_of_row.push_back(static_cast<uint32_t>(event));
      ++row;
    } else {
      error.event = static_cast<uint32_t>(event);
      if (batch.events[event].payload.size < 0) {
        error.message = kNoPayload;
      }
      result.errors.push_back(std::move(error));
      error = {};
    }
  }
  result.rows = columns::finish_rows(schema_, columns_, row);
  return result;
}

}  // namespace weir::json
