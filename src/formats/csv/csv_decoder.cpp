#include "formats/csv/csv_decoder.h"

#include <arrow/record_batch.h>
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "formats/base64.h"
#include "formats/error_words.h"
#include "formats/excerpt.h"
#include "formats/number.h"
#include "formats/scan.h"
#include "formats/time_text.h"

namespace weir::csv {
namespace {

using columns::Column;
using columns::Kind;

bool fail(ErrorRecord& error, ErrorCode code, int64_t byte, std::string message) {
  error.code = code;
  error.byte = byte;
  error.message = std::move(message);
  return false;
}

bool fail(ErrorRecord& error, ErrorCode code, const Field& field, std::string message) {
  return fail(error, code, static_cast<int64_t>(field.byte), std::move(message));
}

bool wrong_type(ErrorRecord& error, const Column& column, const Field& field) {
  return fail(error, ErrorCode::wrong_type, field,
              "expected " + column.type_text + ", found '" + excerpt(field.text) + "'");
}

bool does_not_fit(ErrorRecord& error, const Column& column, const Field& field) {
  return fail(error, ErrorCode::out_of_range, field,
              "'" + excerpt(field.text) + "' does not fit into " + column.type_text);
}

std::string count_of(size_t count) { return std::to_string(count) + (count == 1 ? " field" : " fields"); }

bool put_integer(Column& column, __int128 value, int64_t row) {
  const __int128 limit = static_cast<__int128>(1) << (8 * column.width - 1);
  if (value < -limit || value >= limit) return false;
  switch (column.kind) {
    case Kind::int8: column.put(row, static_cast<int8_t>(value)); break;
    case Kind::int16: column.put(row, static_cast<int16_t>(value)); break;
    case Kind::int32: column.put(row, static_cast<int32_t>(value)); break;
    default: column.put(row, static_cast<int64_t>(value)); break;
  }
  return true;
}

}  // namespace

Result<std::unique_ptr<Decoder>> CsvDecoder::create(const std::vector<ColumnSpec>& columns,
                                                    Settings settings) {
  std::unique_ptr<CsvDecoder> decoder(new CsvDecoder(std::move(settings)));
  arrow::FieldVector fields;
  for (const ColumnSpec& spec : columns) {
    WEIR_ASSIGN(auto column, columns::compile_column(spec.name, &spec.type, spec.type.arrow, spec.nullable));
    if (column->kind == Kind::list || column->kind == Kind::map || column->kind == Kind::row) {
      return Status::invalid("format 'csv': column '" + spec.name + "' is " + column->type_text +
                             ", which has no form in CSV");
    }
    decoder->columns_.push_back(std::move(column));
    decoder->names_.push_back(spec.name);
    fields.push_back(arrow::field(spec.name, spec.type.arrow, spec.nullable));
  }
  decoder->schema_ = arrow::schema(std::move(fields));
  return std::unique_ptr<Decoder>(std::move(decoder));
}

Result<DecodedRows> CsvDecoder::decode(const EventBatch& batch, size_t begin, size_t end) {
  DecodedRows result;
  for (auto& column : columns_) column->reserve_rows(std::max<int64_t>(1, static_cast<int64_t>(end - begin)));
  result.event_of_row.reserve(end - begin);
  int64_t row = 0;
  ErrorRecord error;
  for (size_t event = begin; event < end; ++event) {
    if (settings_.header != Header::none && is_header(batch, event)) continue;
    bool read = false;
    if (batch.events[event].payload.size < 0) {
      fail(error, ErrorCode::malformed, -1, kNoPayload);
    } else {
      read = read_event(batch.payload(event), row, error);
    }
    if (read) {
      result.event_of_row.push_back(static_cast<uint32_t>(event));
      ++row;
    } else {
      error.event = static_cast<uint32_t>(event);
      result.errors.push_back(std::move(error));
      error = {};
    }
  }
  result.rows = columns::finish_rows(schema_, columns_, row);
  return result;
}

bool CsvDecoder::is_header(const EventBatch& batch, size_t event) {
  if (settings_.header == Header::first) return batch.events[event].offset == 0;
  reader_.begin(batch.payload(event));
  ErrorRecord unused;
  Field field;
  for (const std::string& name : names_) {
    if (reader_.at_end() || !reader_.next(field, unused) || field.text != name) return false;
  }
  return reader_.at_end();
}

bool CsvDecoder::read_event(std::string_view payload, int64_t row, ErrorRecord& error) {
  if (static_cast<int64_t>(payload.size()) > settings_.max_size) {
    return fail(
        error, ErrorCode::too_large, -1,
        std::to_string(payload.size()) + " bytes, csv.max-size is " + std::to_string(settings_.max_size));
  }
  if (!is_ascii(payload.data(), payload.size()) && !simdjson::validate_utf8(payload.data(), payload.size())) {
    return fail(error, ErrorCode::invalid_utf8, -1, "not UTF-8");
  }
  reader_.begin(payload);
  Field field;
  size_t index = 0;
  for (; index < columns_.size() && !reader_.at_end(); ++index) {
    if (!reader_.next(field, error)) return false;
    if (value(*columns_[index], field, row, error)) continue;
    error.field = "/" + pointer_token(names_[index]);
    return false;
  }
  for (size_t given = index; index < columns_.size(); ++index) {
    if (settings_.allow_missing && columns_[index]->nullable) {
      columns_[index]->put_null(row);
      continue;
    }
    error.field = "/" + pointer_token(names_[index]);
    return fail(error, ErrorCode::missing_required, static_cast<int64_t>(payload.size()),
                "the record has " + count_of(given) + ", the table " + count_of(columns_.size()) +
                    (settings_.allow_missing ? ", and the column is NOT NULL"
                                             : " ('csv.allow-missing-columns' makes the last ones null)"));
  }
  if (reader_.at_end()) return true;
  size_t given = index;
  size_t extra = 0;
  while (!reader_.at_end()) {
    if (!reader_.next(field, error)) return false;
    if (given++ == index) extra = field.byte;
  }
  if (settings_.ignore_extra) return true;
  return fail(error, ErrorCode::unknown_field, static_cast<int64_t>(extra),
              "the record has " + count_of(given) + ", the table " + count_of(index) +
                  " ('csv.ignore-extra-columns' leaves out the last ones)");
}

bool CsvDecoder::value(Column& column, const Field& field, int64_t row, ErrorRecord& error) {
  if (!field.quoted && field.text == settings_.null_literal) {
    if (!column.nullable) {
      return fail(error, ErrorCode::missing_required, field,
                  field.text.empty() ? "the field is empty, and its column is NOT NULL"
                                     : "the null literal, and its column is NOT NULL");
    }
    column.put_null(row);
    return true;
  }
  switch (column.kind) {
    case Kind::boolean:
      if (field.text != "true" && field.text != "false") return wrong_type(error, column, field);
      column.put(row, static_cast<uint8_t>(field.text == "true" ? 1 : 0));
      return true;
    case Kind::text:
    case Kind::binary: return bytes(column, field, row, error);
    case Kind::date:
    case Kind::time32:
    case Kind::time64: return time(column, field, row, error);
    case Kind::timestamp:
      return settings_.timestamp_format == TimestampFormat::iso8601 ? time(column, field, row, error)
                                                                    : epoch(column, field, row, error);
    default: return number(column, field, row, error);
  }
}

bool CsvDecoder::number(Column& column, const Field& field, int64_t row, ErrorRecord& error) {
  const std::string_view text = field.text;
  const bool integer = column.kind >= Kind::int8 && column.kind <= Kind::int64;
  if (integer && !text.empty() && text.size() < 19) {  // what is canonical and fits surely
    int64_t value = 0;
    const auto [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    const char first = text[text[0] == '-' && text.size() > 1 ? 1 : 0];
    if (problem == std::errc() && stop == text.data() + text.size() && (first != '0' || text == "0")) {
      return put_integer(column, value, row) || does_not_fit(error, column, field);
    }
  }
  token_.assign(text);
  token_ += '\0';
  if (number_end(token_.data()) != token_.data() + text.size() || text.empty()) {
    return wrong_type(error, column, field);
  }
  NumberOutcome outcome = NumberOutcome::ok;
  __int128 exact = 0;
  if (column.kind == Kind::float32) {
    float value = 0;
    outcome = to_float32(text, &value);
    column.put(row, value);
  } else if (column.kind == Kind::float64) {
    double value = 0;
    outcome = to_float64(text, &value);
    column.put(row, value);
  } else if (column.kind == Kind::decimal) {
    outcome = exact_decimal(text, column.precision, column.scale, &exact);
    column.put(row, exact);
  } else {
    if (text.find_first_of(".eE") != std::string_view::npos) return wrong_type(error, column, field);
    outcome = exact_decimal(text, 19, 0, &exact);
    if (outcome == NumberOutcome::ok && !put_integer(column, exact, row))
      outcome = NumberOutcome::out_of_range;
  }
  if (outcome == NumberOutcome::ok) return true;
  if (outcome != NumberOutcome::excess_scale) return does_not_fit(error, column, field);
  return fail(error, ErrorCode::out_of_range, field,
              "'" + excerpt(text) + "' has more decimal places than " + column.type_text);
}

bool CsvDecoder::bytes(Column& column, const Field& field, int64_t row, ErrorRecord& error) {
  const std::string_view text = field.text;
  const int64_t begin = column.offsets[row];
  auto size = static_cast<int64_t>(text.size());
  if (!column.data.grow_to(begin + size)) {
    return fail(error, ErrorCode::too_large, field, "the batch is full");
  }
  uint8_t* const to = column.data.data + begin;
  if (column.kind == Kind::binary && settings_.binary_is_base64) {
    size = decode_base64(text, to);
    if (size < 0) {
      return fail(error, ErrorCode::wrong_type, field, "expected base64, found '" + excerpt(text) + "'");
    }
  } else if (size > 0) {
    std::copy(text.begin(), text.end(), to);
  }
  if (column.max_length >= 0 && size > column.max_length) {
    const auto length =
        column.kind == Kind::binary
            ? size
            : std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; });
    if (length > column.max_length) {
      return fail(error, ErrorCode::out_of_range, field,
                  std::to_string(length) + (column.kind == Kind::binary ? " bytes" : " characters") +
                      " do not fit into " + column.type_text);
    }
  }
  column.put_text_end(row, begin + size);
  return true;
}

bool CsvDecoder::time(Column& column, const Field& field, int64_t row, ErrorRecord& error) {
  TimeOutcome outcome = TimeOutcome::not_iso;
  int64_t units = 0;
  int64_t days = 0;
  if (column.kind == Kind::date) {
    outcome = parse_date(field.text, &units);
  } else if (column.kind != Kind::timestamp) {
    outcome = parse_time(field.text, column.fraction_digits, &units);
  } else if (field.text.size() > 10 && parse_date(field.text.substr(0, 10), &days) == TimeOutcome::ok) {
    outcome = parse_after_date(field.text.substr(10), days, column.fraction_digits, &units);
  }
  switch (outcome) {
    case TimeOutcome::ok: break;
    case TimeOutcome::too_precise:
      return fail(error, ErrorCode::bad_timestamp, field,
                  "'" + excerpt(field.text) + "' has more digits of a second than " + column.type_text);
    case TimeOutcome::out_of_range: return does_not_fit(error, column, field);
    case TimeOutcome::not_iso:
      return fail(error, ErrorCode::bad_timestamp, field,
                  "expected " + column.type_text + " in ISO-8601, found '" + excerpt(field.text) + "'");
  }
  if (column.width == 4) {
    column.put(row, static_cast<int32_t>(units));
  } else {
    column.put(row, units);
  }
  return true;
}

bool CsvDecoder::epoch(Column& column, const Field& field, int64_t row, ErrorRecord& error) {
  const std::string_view text = field.text;
  int64_t given = 0;
  const auto [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), given);
  if (problem == std::errc::result_out_of_range) return does_not_fit(error, column, field);
  if (problem != std::errc() || stop != text.data() + text.size()) {
    return fail(error, ErrorCode::wrong_type, field,
                "expected an integer for " + column.type_text + ", found '" + excerpt(text) + "'");
  }
  const int digits = settings_.timestamp_format == TimestampFormat::epoch_s    ? 0
                     : settings_.timestamp_format == TimestampFormat::epoch_ms ? 3
                                                                               : 6;
  __int128 units = given;
  for (int i = digits; i < column.fraction_digits; ++i) units *= 10;
  for (int i = column.fraction_digits; i < digits; ++i) {
    if (units % 10 != 0) {
      return fail(error, ErrorCode::bad_timestamp, field,
                  "'" + excerpt(text) + "' has more digits of a second than " + column.type_text);
    }
    units /= 10;
  }
  if (units < std::numeric_limits<int64_t>::min() || units > std::numeric_limits<int64_t>::max()) {
    return does_not_fit(error, column, field);
  }
  column.put(row, static_cast<int64_t>(units));
  return true;
}

}  // namespace weir::csv
