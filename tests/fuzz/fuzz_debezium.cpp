// Any bytes as a change event between two good ones: no crash, valid arrays, both neighbours unharmed.
#include <arrow/array.h>
#include <arrow/record_batch.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "config/data_type.h"
#include "decoder_target.h"
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

void decode(Decoder& decoder, const std::string& middle) {
  const std::string good = R"({"op":"c","after":{"id":7,"s":"text","l":[1,2]}})";
  const DecodedRows decoded = decode_between(decoder, good, middle);
  const auto count = decoded.event_of_row.size();
  require(count >= 2 && count <= 4);
  require(decoded.weights.empty() || decoded.weights.size() == count);
  require(decoded.errors.empty() || count == 2);
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
