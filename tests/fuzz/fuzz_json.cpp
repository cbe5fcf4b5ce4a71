// Any bytes between two good events: no crash, valid arrays, both neighbours unharmed.
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

void decode(Decoder& decoder, const std::string& middle) {
  const std::string good = R"({"id":7,"s":"text","l":[{"x":"a","y":[1,2]}],"m":{"q":[1.5]}})";
  const DecodedRows decoded = decode_between(decoder, good, middle);
  require(decoded.event_of_row.size() + decoded.errors.size() == 3);
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
