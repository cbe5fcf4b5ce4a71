#include "sinks/console/row_json.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <arrow/util/base64.h>

#include <charconv>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace weir {
namespace {

void append_text(std::string_view text, std::string& out) {
  out += nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

template <typename ArrayType>
void append_number(const arrow::Array& array, int64_t row, std::string& out) {
  auto value = static_cast<const ArrayType&>(array).Value(row);
  if constexpr (std::is_floating_point_v<decltype(value)>) {
    if (!std::isfinite(value)) {
      out += std::isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
      return;
    }
  }
  char buffer[64];
  out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
}

// Arrow's own text form, which is ISO-8601 with a blank for the T.
void append_time(const arrow::Array& array, int64_t row, std::string& out) {
  auto scalar = array.GetScalar(row);
  std::string text = scalar.ok() ? (*scalar)->ToString() : "?";
  if (array.type_id() == arrow::Type::TIMESTAMP) {
    if (text.size() > 10) text[10] = 'T';
    bool zoned = !static_cast<const arrow::TimestampType&>(*array.type()).timezone().empty();
    if (zoned && text.back() != 'Z') text += 'Z';
  }
  append_text(text, out);
}

void append_items(const arrow::Array& values, int64_t begin, int64_t end, std::string& out) {
  out += '[';
  for (int64_t i = begin; i < end; ++i) {
    if (i > begin) out += ',';
    append_json_value(values, i, out);
  }
  out += ']';
}

void append_map(const arrow::MapArray& map, int64_t row, std::string& out) {
  bool text_keys = map.keys()->type_id() == arrow::Type::STRING;
  out += text_keys ? '{' : '[';
  for (int64_t i = map.value_offset(row); i < map.value_offset(row + 1); ++i) {
    if (i > map.value_offset(row)) out += ',';
    if (!text_keys) out += '[';
    append_json_value(*map.keys(), i, out);
    out += text_keys ? ':' : ',';
    append_json_value(*map.items(), i, out);
    if (!text_keys) out += ']';
  }
  out += text_keys ? '}' : ']';
}

}  // namespace

void append_json_value(const arrow::Array& array, int64_t row, std::string& out) {
  if (array.IsNull(row)) {
    out += "null";
    return;
  }
  switch (array.type_id()) {
    case arrow::Type::BOOL:
      out += static_cast<const arrow::BooleanArray&>(array).Value(row) ? "true" : "false";
      break;
    case arrow::Type::INT8: append_number<arrow::Int8Array>(array, row, out); break;
    case arrow::Type::INT16: append_number<arrow::Int16Array>(array, row, out); break;
    case arrow::Type::INT32: append_number<arrow::Int32Array>(array, row, out); break;
    case arrow::Type::INT64: append_number<arrow::Int64Array>(array, row, out); break;
    case arrow::Type::UINT8: append_number<arrow::UInt8Array>(array, row, out); break;
    case arrow::Type::UINT16: append_number<arrow::UInt16Array>(array, row, out); break;
    case arrow::Type::UINT32: append_number<arrow::UInt32Array>(array, row, out); break;
    case arrow::Type::UINT64: append_number<arrow::UInt64Array>(array, row, out); break;
    case arrow::Type::FLOAT: append_number<arrow::FloatArray>(array, row, out); break;
    case arrow::Type::DOUBLE: append_number<arrow::DoubleArray>(array, row, out); break;
    case arrow::Type::DECIMAL128:
      out += static_cast<const arrow::Decimal128Array&>(array).FormatValue(row);
      break;
    case arrow::Type::STRING:
      append_text(static_cast<const arrow::StringArray&>(array).GetView(row), out);
      break;
    case arrow::Type::LARGE_STRING:
      append_text(static_cast<const arrow::LargeStringArray&>(array).GetView(row), out);
      break;
    case arrow::Type::STRING_VIEW:
      append_text(static_cast<const arrow::StringViewArray&>(array).GetView(row), out);
      break;
    case arrow::Type::BINARY:
      out +=
          '"' + arrow::util::base64_encode(static_cast<const arrow::BinaryArray&>(array).GetView(row)) + '"';
      break;
    case arrow::Type::STRUCT: {
      const auto& rows = static_cast<const arrow::StructArray&>(array);
      out += '{';
      for (int i = 0; i < rows.num_fields(); ++i) {
        if (i > 0) out += ',';
        append_text(array.type()->field(i)->name(), out);
        out += ':';
        append_json_value(*rows.field(i), row, out);
      }
      out += '}';
      break;
    }
    case arrow::Type::LIST: {
      const auto& list = static_cast<const arrow::ListArray&>(array);
      append_items(*list.values(), list.value_offset(row), list.value_offset(row + 1), out);
      break;
    }
    case arrow::Type::MAP: append_map(static_cast<const arrow::MapArray&>(array), row, out); break;
    default: append_time(array, row, out); break;
  }
}

void append_json_row(const arrow::RecordBatch& rows, int64_t row, int columns, std::string& out) {
  out += '{';
  for (int i = 0; i < columns; ++i) {
    if (i > 0) out += ',';
    append_text(rows.schema()->field(i)->name(), out);
    out += ':';
    append_json_value(*rows.column(i), row, out);
  }
  out += '}';
}

}  // namespace weir
