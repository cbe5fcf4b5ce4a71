// Any bytes between two good records: no crash, valid arrays, both neighbours unharmed.
#include <arrow/array.h>
#include <arrow/record_batch.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "config/data_type.h"
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

void require(bool condition) {
  if (!condition) std::abort();
}

void decode(Decoder& decoder, const std::string& good, const std::string& middle, bool lenient) {
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
  const size_t told = decoded.event_of_row.size() + decoded.errors.size();
  require(told == 3 || (lenient && told == 2));
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
  weir::decode(*strict, "7,true,1,1.5,2.5,1.25,\"a\"\"b\",aGk=,2026-11-21,10:00,2026-11-21T10:00:00Z,x", text,
               false);
  weir::decode(*lenient, "7,true,1,1.5,2.5,1.25,\"a\\\"b\",hi,2026-11-21,10:00,1500,x", text, true);
  return 0;
}
