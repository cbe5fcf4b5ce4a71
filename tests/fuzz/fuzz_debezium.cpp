// Any bytes as a change event between two good ones: no crash, valid arrays, both neighbours unharmed.
#include <arrow/array.h>
#include <arrow/record_batch.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "config/data_type.h"
#include "formats/json/json_format.h"

namespace weir {
namespace {

constexpr const char* kColumns[][2] = {
    {"id", "BIGINT NOT NULL"}, {"s", "STRING"}, {"l", "ARRAY<INT>"}, {"t", "TIMESTAMP(3)"}, {"op", "STRING"}};

std::unique_ptr<Decoder> make(const char* as) {
  FormatContext context;
  for (const auto& [name, type] : kColumns) {
    auto parsed = parse_type_text(type);
    ColumnSpec column;
    column.name = name;
    column.type = parsed->type;
    column.nullable = parsed->nullable;
    context.columns.push_back(std::move(column));
  }
  std::map<std::string, OptionValue> values;
  values["debezium-json.as"].text = as;
  values["debezium-json.op-column"].text = "op";
  const FormatInfo format = debezium_json_format();
  const Options options(format.options, std::move(values));
  context.options = &options;
  return std::move(*format.create(context));
}

void require(bool condition) {
  if (!condition) std::abort();
}

void decode(Decoder& decoder, const std::string& middle) {
  const std::string good = R"({"op":"c","after":{"id":7,"s":"text","l":[1,2]}})";
  const std::string bytes = good + middle + good;
  std::shared_ptr<char[]> copy(new char[bytes.size() + EventBatch::kPadding]());
  std::memcpy(copy.get(), bytes.data(), bytes.size());
  EventBatch batch;
  batch.bytes = copy;
  uint32_t at = 0;
  for (size_t size : {good.size(), middle.size(), good.size()}) {
    Event event;
    event.payload = {at, static_cast<int32_t>(size)};
    batch.events.push_back(event);
    at += static_cast<uint32_t>(size);
  }
  const DecodedRows decoded = *decoder.decode(batch, 0, 3);
  require(decoded.rows->ValidateFull().ok());
  const auto count = decoded.event_of_row.size();
  require(static_cast<size_t>(decoded.rows->num_rows()) == count && count >= 2 && count <= 4);
  require(decoded.weights.empty() || decoded.weights.size() == count);
  require(decoded.event_of_row.front() == 0 && decoded.event_of_row.back() == 2);
  require(decoded.rows->Slice(0, 1)->Equals(*decoded.rows->Slice(decoded.rows->num_rows() - 1, 1)));
  require(decoded.errors.empty() || count == 2);
  for (const ErrorRecord& error : decoded.errors) {
    require(error.event == 1 && !error.message.empty());
    require(error.byte >= -1 && error.byte <= static_cast<int64_t>(middle.size()));
  }
}

}  // namespace
}  // namespace weir

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::unique_ptr<weir::Decoder> changelog = weir::make("changelog");
  static const std::unique_ptr<weir::Decoder> rows = weir::make("rows");
  const std::string text(reinterpret_cast<const char*>(data), size);
  weir::decode(*changelog, text);
  weir::decode(*rows, text);
  return 0;
}
