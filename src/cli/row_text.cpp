#include "cli/row_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <vector>

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <arrow/util/base64.h>

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
    append_json(values, i, out);
  }
  out += ']';
}

void append_map(const arrow::MapArray& map, int64_t row, std::string& out) {
  out += '{';
  for (int64_t i = map.value_offset(row); i < map.value_offset(row + 1); ++i) {
    if (i != map.value_offset(row)) out += ',';
    std::string key;
    append_json(*map.keys(), i, key);
    if (key.starts_with('"')) {
      out += key;
    } else {
      append_quoted(key, out);
    }
    out += ':';
    append_json(*map.items(), i, out);
  }
  out += '}';
}

template <typename ArrayType>
auto value_of(const arrow::Array& array, int64_t row) {
  return static_cast<const ArrayType&>(array).Value(row);
}

}  // namespace

void append_json(const arrow::Array& array, int64_t row, std::string& out) {
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
    case Type::LARGE_STRING: return append_quoted(static_cast<const arrow::LargeStringArray&>(array).GetView(row), out);
    case Type::STRING_VIEW: return append_quoted(static_cast<const arrow::StringViewArray&>(array).GetView(row), out);
    case Type::BINARY:
      return append_quoted(arrow::util::base64_encode(static_cast<const arrow::BinaryArray&>(array).GetView(row)), out);
    case Type::LARGE_BINARY:
      return append_quoted(arrow::util::base64_encode(static_cast<const arrow::LargeBinaryArray&>(array).GetView(row)), out);
    case Type::BINARY_VIEW:
      return append_quoted(arrow::util::base64_encode(static_cast<const arrow::BinaryViewArray&>(array).GetView(row)), out);
    case Type::DATE32: return append_quoted(date_text(value_of<arrow::Date32Array>(array, row)), out);
    case Type::DATE64: return append_quoted(date_text(value_of<arrow::Date64Array>(array, row) / 86'400'000), out);
    case Type::TIME32:
      return append_quoted(time_text(value_of<arrow::Time32Array>(array, row),
                                     units_per_second(static_cast<const arrow::Time32Type&>(type).unit())), out);
    case Type::TIME64:
      return append_quoted(time_text(value_of<arrow::Time64Array>(array, row),
                                     units_per_second(static_cast<const arrow::Time64Type&>(type).unit())), out);
    case Type::TIMESTAMP:
      return append_quoted(timestamp_text(value_of<arrow::TimestampArray>(array, row),
                                          static_cast<const arrow::TimestampType&>(type)), out);
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
        append_json(*record.field(i), row, out);
      }
      out += '}';
      return;
    }
    case Type::DICTIONARY: {
      const auto& dictionary = static_cast<const arrow::DictionaryArray&>(array);
      return append_json(*dictionary.dictionary(), dictionary.GetValueIndex(row), out);
    }
    default: {
      auto scalar = array.GetScalar(row);
      return append_quoted(scalar.ok() ? (*scalar)->ToString() : "?", out);
    }
  }
}

std::string row_json(const arrow::RecordBatch& batch, int64_t row) {
  std::string out = "{";
  for (int c = 0; c < batch.num_columns(); ++c) {
    if (c != 0) out += ',';
    append_quoted(batch.column_name(c), out);
    out += ':';
    append_json(*batch.column(c), row, out);
  }
  return out + "}";
}

namespace {

// A cell of a table or CSV: strings without quotes, null as "".
std::string cell_text(const arrow::Array& array, int64_t row) {
  if (array.IsNull(row)) return "";
  if (array.type_id() == arrow::Type::STRING) return static_cast<const arrow::StringArray&>(array).GetString(row);
  std::string text;
  append_json(array, row, text);
  if (text.size() >= 2 && text.front() == '"' && text.find('\\') == std::string::npos) {
    text = text.substr(1, text.size() - 2);
  }
  return text;
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of("\",\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

// Columns on the screen, counting code points.
size_t display_width(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string one_line(std::string text) {
  for (char& c : text) {
    if (c == '\n' || c == '\r' || c == '\t') c = ' ';
  }
  return text;
}

void print_table(const std::vector<std::vector<std::string>>& lines, std::FILE* out) {
  std::vector<size_t> widths;
  for (const auto& line : lines) {
    widths.resize(std::max(widths.size(), line.size()), 0);
    for (size_t c = 0; c < line.size(); ++c) widths[c] = std::max(widths[c], display_width(line[c]));
  }
  for (size_t l = 0; l < lines.size(); ++l) {
    std::string text;
    for (size_t c = 0; c < lines[l].size(); ++c) {
      if (c != 0) text += " | ";
      text += lines[l][c];
      if (c + 1 < lines[l].size()) text.append(widths[c] - display_width(lines[l][c]), ' ');
    }
    std::fprintf(out, "%s\n", text.c_str());
    if (l != 0) continue;
    std::string rule;
    for (size_t c = 0; c < widths.size(); ++c) rule += (c == 0 ? "" : "-+-") + std::string(widths[c], '-');
    std::fprintf(out, "%s\n", rule.c_str());
  }
}

}  // namespace

Result<int64_t> write_rows(arrow::RecordBatchReader& reader, const std::string& format, int64_t table_rows,
                           std::FILE* out) {
  std::vector<std::string> names = reader.schema()->field_names();
  std::vector<std::vector<std::string>> table{names};
  if (format == "csv") {
    std::string header;
    for (size_t c = 0; c < names.size(); ++c) header += (c == 0 ? "" : ",") + csv_cell(names[c]);
    std::fprintf(out, "%s\n", header.c_str());
  }
  int64_t count = 0;
  while (true) {
    std::shared_ptr<arrow::RecordBatch> batch;
    arrow::Status read = reader.ReadNext(&batch);
    if (!read.ok()) return Status::invalid(read.message());
    if (batch == nullptr) break;
    for (int64_t row = 0; row < batch->num_rows(); ++row, ++count) {
      if (format == "json") {
        std::fprintf(out, "%s\n", row_json(*batch, row).c_str());
        continue;
      }
      std::vector<std::string> cells;
      if (format == "table" && count >= table_rows) continue;
      for (int c = 0; c < batch->num_columns(); ++c) cells.push_back(cell_text(*batch->column(c), row));
      if (format == "csv") {
        std::string line;
        for (size_t c = 0; c < cells.size(); ++c) line += (c == 0 ? "" : ",") + csv_cell(cells[c]);
        std::fprintf(out, "%s\n", line.c_str());
      } else {
        for (auto& cell : cells) cell = one_line(cell);
        table.push_back(std::move(cells));
      }
    }
  }
  if (format == "table") {
    print_table(table, out);
    if (count > table_rows) {
      std::fprintf(out, "(%lld of %lld rows; --format json or csv prints them all)\n", static_cast<long long>(table_rows),
                   static_cast<long long>(count));
    } else {
      std::fprintf(out, "(%lld row%s)\n", static_cast<long long>(count), count == 1 ? "" : "s");
    }
  }
  return count;
}

}  // namespace weir
