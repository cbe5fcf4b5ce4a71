#include "schema/row_json.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <arrow/util/base64.h>

#include <charconv>
#include <cmath>
#include <cstdio>
#include <string_view>
#include <utility>

#include "base/clock.h"

namespace weir {
namespace {

void append_quoted(std::string_view text, std::string& out) {
  static const char* digits = "0123456789abcdef";
  out += '"';
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (byte < 0x20) {
          out += "\\u00";
          out += digits[byte >> 4];
          out += digits[byte & 15];
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

template <typename Number>
void append_number(Number number, std::string& out) {
  if constexpr (std::is_floating_point_v<Number>) {
    if (!std::isfinite(number)) {
      out += std::isnan(number) ? "\"NaN\"" : number > 0 ? "\"Infinity\"" : "\"-Infinity\"";
      return;
    }
  }
  char text[64];
  auto end = std::to_chars(text, text + sizeof text, number).ptr;
  out.append(text, end);
}

// Drops trailing groups of three zeros: 0, 3, 6 or 9 digits stay.
std::string fraction(int64_t nanoseconds) {
  if (nanoseconds == 0) return "";
  char text[16];
  std::snprintf(text, sizeof text, ".%09lld", static_cast<long long>(nanoseconds));
  std::string digits(text);
  while (digits.ends_with("000")) digits.resize(digits.size() - 3);
  return digits;
}

int64_t units_per_second(arrow::TimeUnit::type unit) {
  switch (unit) {
    case arrow::TimeUnit::SECOND: return 1;
    case arrow::TimeUnit::MILLI: return 1000;
    case arrow::TimeUnit::MICRO: return 1'000'000;
    case arrow::TimeUnit::NANO: return 1'000'000'000;
  }
  return 1;
}

// [whole seconds, nanoseconds], rounded towards minus infinity.
std::pair<int64_t, int64_t> split_seconds(int64_t value, int64_t per_second) {
  int64_t seconds = value / per_second;
  int64_t rest = value % per_second;
  if (rest < 0) {
    rest += per_second;
    --seconds;
  }
  return {seconds, rest * (1'000'000'000 / per_second)};
}

std::string timestamp_text(int64_t value, const arrow::TimestampType& type) {
  auto [seconds, nanoseconds] = split_seconds(value, units_per_second(type.unit()));
  std::string text = format_timestamp_us(seconds * 1'000'000).substr(0, 19) + fraction(nanoseconds);
  return type.timezone().empty() ? text : text + "Z";
}

std::string time_text(int64_t value, int64_t per_second) {
  auto [seconds, nanoseconds] = split_seconds(value, per_second);
  char text[16];
  std::snprintf(text, sizeof text, "%02d:%02d:%02d", static_cast<int>(seconds / 3600),
                static_cast<int>(seconds / 60 % 60), static_cast<int>(seconds % 60));
  return text + fraction(nanoseconds);
}

std::string date_text(int64_t days) { return format_timestamp_us(days * 86'400'000'000).substr(0, 10); }

void append_list(const arrow::Array& values, int64_t begin, int64_t end, std::string& out) {
  out += '[';
  for (int64_t i = begin; i < end; ++i) {
    if (i != begin) out += ',';
    append_json_value(values, i, out);
  }
  out += ']';
}

void append_map(const arrow::MapArray& map, int64_t row, std::string& out) {
  out += '{';
  for (int64_t i = map.value_offset(row); i < map.value_offset(row + 1); ++i) {
    if (i != map.value_offset(row)) out += ',';
    std::string key;
    append_json_value(*map.keys(), i, key);
    if (key.starts_with('"')) {
      out += key;
    } else {
      append_quoted(key, out);
    }
    out += ':';
    append_json_value(*map.items(), i, out);
  }
  out += '}';
}

template <typename ArrayType>
auto value_of(const arrow::Array& array, int64_t row) {
  return static_cast<const ArrayType&>(array).Value(row);
}

}  // namespace

void append_json_value(const arrow::Array& array, int64_t row, std::string& out) {
  using arrow::Type;
  if (array.IsNull(row)) {
    out += "null";
    return;
  }
  const arrow::DataType& type = *array.type();
  switch (type.id()) {
    case Type::NA: out += "null"; return;
    case Type::BOOL: out += value_of<arrow::BooleanArray>(array, row) ? "true" : "false"; return;
    case Type::INT8: return append_number<int>(value_of<arrow::Int8Array>(array, row), out);
    case Type::INT16: return append_number<int>(value_of<arrow::Int16Array>(array, row), out);
    case Type::INT32: return append_number(value_of<arrow::Int32Array>(array, row), out);
    case Type::INT64: return append_number(value_of<arrow::Int64Array>(array, row), out);
    case Type::UINT8: return append_number<int>(value_of<arrow::UInt8Array>(array, row), out);
    case Type::UINT16: return append_number<int>(value_of<arrow::UInt16Array>(array, row), out);
    case Type::UINT32: return append_number(value_of<arrow::UInt32Array>(array, row), out);
    case Type::UINT64: return append_number(value_of<arrow::UInt64Array>(array, row), out);
    case Type::FLOAT: return append_number(value_of<arrow::FloatArray>(array, row), out);
    case Type::DOUBLE: return append_number(value_of<arrow::DoubleArray>(array, row), out);
    case Type::DECIMAL128: out += static_cast<const arrow::Decimal128Array&>(array).FormatValue(row); return;
    case Type::DECIMAL256: out += static_cast<const arrow::Decimal256Array&>(array).FormatValue(row); return;
    case Type::STRING: return append_quoted(static_cast<const arrow::StringArray&>(array).GetView(row), out);
    case Type::LARGE_STRING:
      return append_quoted(static_cast<const arrow::LargeStringArray&>(array).GetView(row), out);
    case Type::STRING_VIEW:
      return append_quoted(static_cast<const arrow::StringViewArray&>(array).GetView(row), out);
    case Type::BINARY:
      return append_quoted(
          arrow::util::base64_encode(static_cast<const arrow::BinaryArray&>(array).GetView(row)), out);
    case Type::LARGE_BINARY:
      return append_quoted(
          arrow::util::base64_encode(static_cast<const arrow::LargeBinaryArray&>(array).GetView(row)), out);
    case Type::BINARY_VIEW:
      return append_quoted(
          arrow::util::base64_encode(static_cast<const arrow::BinaryViewArray&>(array).GetView(row)), out);
    case Type::DATE32: return append_quoted(date_text(value_of<arrow::Date32Array>(array, row)), out);
    case Type::DATE64:
      return append_quoted(date_text(value_of<arrow::Date64Array>(array, row) / 86'400'000), out);
    case Type::TIME32:
      return append_quoted(time_text(value_of<arrow::Time32Array>(array, row),
                                     units_per_second(static_cast<const arrow::Time32Type&>(type).unit())),
                           out);
    case Type::TIME64:
      return append_quoted(time_text(value_of<arrow::Time64Array>(array, row),
                                     units_per_second(static_cast<const arrow::Time64Type&>(type).unit())),
                           out);
    case Type::TIMESTAMP:
      return append_quoted(timestamp_text(value_of<arrow::TimestampArray>(array, row),
                                          static_cast<const arrow::TimestampType&>(type)),
                           out);
    case Type::LIST: {
      const auto& list = static_cast<const arrow::ListArray&>(array);
      return append_list(*list.values(), list.value_offset(row), list.value_offset(row + 1), out);
    }
    case Type::LARGE_LIST: {
      const auto& list = static_cast<const arrow::LargeListArray&>(array);
      return append_list(*list.values(), list.value_offset(row), list.value_offset(row + 1), out);
    }
    case Type::MAP: return append_map(static_cast<const arrow::MapArray&>(array), row, out);
    case Type::STRUCT: {
      const auto& record = static_cast<const arrow::StructArray&>(array);
      out += '{';
      for (int i = 0; i < record.num_fields(); ++i) {
        if (i != 0) out += ',';
        append_quoted(type.field(i)->name(), out);
        out += ':';
        append_json_value(*record.field(i), row, out);
      }
      out += '}';
      return;
    }
    case Type::DICTIONARY: {
      const auto& dictionary = static_cast<const arrow::DictionaryArray&>(array);
      return append_json_value(*dictionary.dictionary(), dictionary.GetValueIndex(row), out);
    }
    default: {
      auto scalar = array.GetScalar(row);
      return append_quoted(scalar.ok() ? (*scalar)->ToString() : "?", out);
    }
  }
}

void append_json_row(const arrow::RecordBatch& rows, int64_t row, int columns, std::string& out) {
  out += '{';
  for (int c = 0; c < columns; ++c) {
    if (c != 0) out += ',';
    append_quoted(rows.column_name(c), out);
    out += ':';
    append_json_value(*rows.column(c), row, out);
  }
  out += '}';
}

}  // namespace weir
