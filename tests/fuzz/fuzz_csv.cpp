// Any bytes between two good records: no crash, valid arrays, both neighbours unharmed.
#include <arrow/array.h>
#include <arrow/record_batch.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "config/data_type.h"
#include "decoder_target.h"
#include "formats/csv/csv_format.h"

namespace weir {
namespace {

constexpr const char* kTypes[] = {"BIGINT NOT NULL", "BOOLEAN",     "TINYINT", "FLOAT", "DOUBLE",
                                  "DECIMAL(20,4)",   "VARCHAR(20)", "BYTES",   "DATE",  "TIME(3)",
                                  "TIMESTAMP(6)",    "STRING"};

std::unique_ptr<Decoder> make(bool lenient) {
  FormatContext context;
  for (const char* type : kTypes) {
    auto parsed = parse_type_text(type);
    ColumnSpec column;
    column.name = "c" + std::to_string(context.columns.size());
    column.type = parsed->type;
    column.nullable = parsed->nullable;
    context.columns.push_back(std::move(column));
  }
  std::map<std::string, OptionValue> values;
  if (lenient) {
    for (const char* name : {"allow-missing-columns", "ignore-extra-columns", "trim"}) {
      values[std::string("csv.") + name].text = "true";
    }
    values["csv.escape"].text = "\\";
    values["csv.header"].text = "names";
    values["csv.null-literal"].text = "-";
    values["csv.timestamp-format"].text = "epoch-ms";
    values["csv.binary-encoding"].text = "utf8";
  }
  const FormatInfo format = csv_format();
  const Options options(format.options, std::move(values));
  context.options = &options;
  return std::move(*format.create(context));
}

void decode(Decoder& decoder, const std::string& good, const std::string& middle, bool lenient) {
  const DecodedRows decoded = decode_between(decoder, good, middle);
  const size_t told = decoded.event_of_row.size() + decoded.errors.size();
  require(told == 3 || (lenient && told == 2));
}

}  // namespace
}  // namespace weir

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::unique_ptr<weir::Decoder> strict = weir::make(false);
  static const std::unique_ptr<weir::Decoder> lenient = weir::make(true);
  const std::string text(reinterpret_cast<const char*>(data), size);
  weir::decode(*strict, "7,true,1,1.5,2.5,1.25,\"a\"\"b\",aGk=,2026-11-21,10:00,2026-11-21T10:00:00Z,x", text,
               false);
  weir::decode(*lenient, "7,true,1,1.5,2.5,1.25,\"a\\\"b\",hi,2026-11-21,10:00,1500,x", text, true);
  return 0;
}
