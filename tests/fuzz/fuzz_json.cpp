// Any bytes between two good events: no crash, valid arrays, both neighbours unharmed.
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
    {"id", "BIGINT NOT NULL"},
    {"b", "BOOLEAN"},
    {"t", "TINYINT"},
    {"f", "FLOAT"},
    {"d", "DOUBLE"},
    {"p", "DECIMAL(20,4)"},
    {"s", "VARCHAR(20)"},
    {"y", "BYTES"},
    {"day", "DATE"},
    {"at", "TIME(3)"},
    {"ts", "TIMESTAMP(6)"},
    {"l", "ARRAY<ROW<x STRING NOT NULL, y ARRAY<INT>>>"},
    {"m", "MAP<STRING, ARRAY<DOUBLE>>"},
    {"k", "MAP<INT, STRING>"},
    {"rest", "STRING"},
};

std::unique_ptr<Decoder> make(bool lenient) {
  std::vector<ColumnSpec> columns;
  for (const auto& [name, type] : kColumns) {
    auto parsed = parse_type_text(type);
    ColumnSpec column;
    column.name = name;
    column.type = parsed->type;
    column.nullable = parsed->nullable;
    columns.push_back(std::move(column));
  }
  std::map<std::string, OptionValue> values;
  if (lenient) {
    for (const char* name :
         {"allow-strings-as-numbers", "allow-numbers-as-strings", "allow-integral-floats"}) {
      values[std::string("json.") + name].text = "true";
    }
    values["json.unknown-fields"].text = "keep";
    values["json.rest-column"].text = "rest";
    values["json.duplicate-keys"].text = "last";
    values["json.null-literals"].text = "-,N/A";
  }
  const FormatInfo format = json_format();
  Diagnostics diagnostics;
  const Options options = validate_options("format 'json'", format.options, values, {}, diagnostics);
  return std::move(*format.create({columns, &options}));
}

void require(bool condition) {
  if (!condition) std::abort();
}

void decode(Decoder& decoder, const std::string& middle) {
  const std::string good = R"({"id":7,"s":"text","l":[{"x":"a","y":[1,2]}],"m":{"q":[1.5]}})";
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
  require(decoded.event_of_row.size() + decoded.errors.size() == 3);
  require(decoded.event_of_row.front() == 0 && decoded.event_of_row.back() == 2);
  const auto rows = decoded.rows;
  require(rows->Slice(0, 1)->Equals(*rows->Slice(rows->num_rows() - 1, 1)));
  for (const ErrorRecord& error : decoded.errors) {
    require(error.event == 1 && !error.message.empty());
    require(error.byte >= -1 && error.byte <= static_cast<int64_t>(middle.size()));
  }
}

}  // namespace
}  // namespace weir

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::unique_ptr<weir::Decoder> strict = weir::make(false);
  static const std::unique_ptr<weir::Decoder> lenient = weir::make(true);
  const std::string text(reinterpret_cast<const char*>(data), size);
  weir::decode(*strict, text);
  weir::decode(*lenient, text);
  return 0;
}
