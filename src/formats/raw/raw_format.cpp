#include "formats/raw/raw_format.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <simdjson.h>

namespace weir {
namespace {

// A builder of one value's offset and many bytes: payloads of a batch lie close together, so their sum is
// known before the first is copied.
class RawDecoder final : public Decoder {
 public:
  RawDecoder(const ColumnSpec& column, bool text)
      : text_(text),
        nullable_(column.nullable),
        schema_(arrow::schema({arrow::field(column.name, column.type.arrow, column.nullable)})) {}

  Result<DecodedRows> decode(const EventBatch& batch, size_t begin, size_t end) override {
    DecodedRows result;
    result.event_of_row.reserve(end - begin);
    int64_t bytes = 0;
    for (size_t event = begin; event < end; ++event) bytes += std::max(0, batch.events[event].payload.size);
    arrow::BinaryBuilder builder(schema_->field(0)->type(), arrow::default_memory_pool());
    bool fits = builder.Reserve(static_cast<int64_t>(end - begin)).ok() && builder.ReserveData(bytes).ok();
    for (size_t event = begin; fits && event < end; ++event) {
      if (!accept(batch, event, result)) continue;
      if (batch.events[event].payload.size < 0) {
        builder.UnsafeAppendNull();
      } else {
        builder.UnsafeAppend(batch.payload(event));
      }
      result.event_of_row.push_back(static_cast<uint32_t>(event));
    }
    std::shared_ptr<arrow::Array> array;
    fits = fits && builder.Finish(&array).ok();
    WEIR_CHECK(fits, "no memory for a batch of " + std::to_string(bytes) + " bytes");
    result.rows = arrow::RecordBatch::Make(schema_, array->length(), {array});
    return result;
  }

 private:
  bool accept(const EventBatch& batch, size_t event, DecodedRows& result) const {
    ErrorRecord error;
    error.event = static_cast<uint32_t>(event);
    const std::string_view payload = batch.payload(event);
    if (batch.events[event].payload.size < 0) {
      if (nullable_) return true;
      error.code = ErrorCode::missing_required;
      error.message = "no payload: a tombstone (a message without a value), and the column is NOT NULL. " +
                      std::string("'scan.tombstones' = 'skip' leaves them out");
    } else if (text_ && !simdjson::validate_utf8(payload.data(), payload.size())) {
      error.code = ErrorCode::invalid_utf8;
      error.message = "not UTF-8; a column of type BYTES takes any bytes";
    } else {
      return true;
    }
    result.errors.push_back(std::move(error));
    return false;
  }

  bool text_;
  bool nullable_;
  std::shared_ptr<arrow::Schema> schema_;
};

Result<std::unique_ptr<Decoder>> create_raw(const FormatContext& context) {
  const std::vector<ColumnSpec>& columns = context.columns;
  if (columns.size() != 1) {
    return Status::invalid("format 'raw' fills exactly one column, found " + std::to_string(columns.size()) +
                           " (METADATA and computed columns do not count)");
  }
  const ColumnSpec& column = columns.front();
  const auto kind = column.type.arrow->id();
  const bool text = kind == arrow::Type::STRING;
  if ((!text && kind != arrow::Type::BINARY) || column.type.max_length >= 0) {
    return Status::invalid("format 'raw': column '" + column.name + "' is " + column.type.text +
                           ", expected STRING or BYTES");
  }
  return std::unique_ptr<Decoder>(std::make_unique<RawDecoder>(column, text));
}

}  // namespace

FormatInfo raw_format() {
  return {"raw", "an event's bytes as they are, in one STRING or BYTES column", {}, create_raw, {}};
}

}  // namespace weir
