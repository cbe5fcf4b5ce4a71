// Decodes CSV records along a table's columns, by position.
//
// Types take the texts that JSON's strings and numbers hold for them (formats/json): integers without
// fraction and exponent, exact DECIMALs, true and false, ISO-8601 dates and times, base64 for BYTES. Quotes
// do not change a type, but a quoted field is never null. ARRAY, MAP and ROW have no form in CSV.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "formats/column.h"
#include "formats/csv/record.h"
#include "formats/decoder.h"

namespace weir::csv {

enum class Header {
  none,
  names,  // a record of exactly the columns' names says nothing
  first,  // the event at offset 0 (the first line of a file) says nothing
};
enum class TimestampFormat { iso8601, epoch_s, epoch_ms, epoch_us };

struct Settings {
  Dialect dialect;
  Header header = Header::none;
  TimestampFormat timestamp_format = TimestampFormat::iso8601;
  std::string null_literal;  // an unquoted field of this text is null
  bool allow_missing = false;
  bool ignore_extra = false;
  bool binary_is_base64 = true;
  int64_t max_size = 1 << 20;
};

class CsvDecoder final : public Decoder {
 public:
  static Result<std::unique_ptr<Decoder>> create(const std::vector<ColumnSpec>& columns, Settings settings);

  Result<DecodedRows> decode(const EventBatch& batch, size_t begin, size_t end) override;

 private:
  explicit CsvDecoder(Settings settings) : settings_(std::move(settings)), reader_(settings_.dialect) {}

  bool read_event(std::string_view payload, int64_t row, ErrorRecord& error);
  bool is_header(const EventBatch& batch, size_t event);
  bool value(columns::Column& column, const Field& field, int64_t row, ErrorRecord& error);
  bool number(columns::Column& column, const Field& field, int64_t row, ErrorRecord& error);
  bool bytes(columns::Column& column, const Field& field, int64_t row, ErrorRecord& error);
  bool time(columns::Column& column, const Field& field, int64_t row, ErrorRecord& error);
  bool epoch(columns::Column& column, const Field& field, int64_t row, ErrorRecord& error);

  const Settings settings_;
  RecordReader reader_;
  std::vector<std::string> names_;
  std::vector<std::unique_ptr<columns::Column>> columns_;
  std::string token_;  // a number with a byte behind it that ends it
  std::shared_ptr<arrow::Schema> schema_;
};

}  // namespace weir::csv
