#include "operators/sort_keys.h"

#include <arrow/array/array_base.h>
#include <arrow/array/array_binary.h>
#include <arrow/array/array_primitive.h>
#include <arrow/array/data.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <bit>
#include <cmath>
#include <cstring>

namespace weir {

namespace {

constexpr uint64_t kSign = uint64_t{1} << 63;

uint64_t ordered(double value) {
  if (std::isnan(value)) return UINT64_MAX;
  uint64_t bits = std::bit_cast<uint64_t>(value);
  return (bits & kSign) != 0 ? ~bits : bits | kSign;
}

template <typename T>
uint64_t ordered_at(const uint8_t* values, int64_t row) {
  T value;
  std::memcpy(&value, values + row * sizeof(T), sizeof(T));
  if constexpr (std::is_floating_point_v<T>) {
    return ordered(static_cast<double>(value));  // exact, and in the same order
  } else if constexpr (std::is_signed_v<T>) {
    return static_cast<uint64_t>(static_cast<int64_t>(value)) ^ kSign;
  } else {
    return value;
  }
}

using ShortReader = uint64_t (*)(const uint8_t*, int64_t);

// Null: the type has no key of 8 bytes.
ShortReader short_reader(arrow::Type::type id) {
  switch (id) {
    case arrow::Type::INT8: return ordered_at<int8_t>;
    case arrow::Type::INT16: return ordered_at<int16_t>;
    case arrow::Type::INT32:
    case arrow::Type::DATE32:
    case arrow::Type::TIME32:
    case arrow::Type::DECIMAL32: return ordered_at<int32_t>;
    case arrow::Type::INT64:
    case arrow::Type::DATE64:
    case arrow::Type::TIME64:
    case arrow::Type::TIMESTAMP:
    case arrow::Type::DURATION:
    case arrow::Type::DECIMAL64: return ordered_at<int64_t>;
    case arrow::Type::UINT8: return ordered_at<uint8_t>;
    case arrow::Type::UINT16: return ordered_at<uint16_t>;
    case arrow::Type::UINT32: return ordered_at<uint32_t>;
    case arrow::Type::UINT64: return ordered_at<uint64_t>;
    case arrow::Type::FLOAT: return ordered_at<float>;
    case arrow::Type::DOUBLE: return ordered_at<double>;
    default: return nullptr;
  }
}

bool is_text(arrow::Type::type id) {
  return id == arrow::Type::STRING || id == arrow::Type::BINARY || id == arrow::Type::LARGE_STRING ||
         id == arrow::Type::LARGE_BINARY;
}

bool has_order(arrow::Type::type id) {
  return short_reader(id) != nullptr || is_text(id) || id == arrow::Type::BOOL ||
         id == arrow::Type::DECIMAL128 || id == arrow::Type::DECIMAL256;
}

void put_big_endian(uint64_t value, std::string& out) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

// A 0 byte within becomes 0 255, the end is 0 0: so a text sorts before all that begin with it.
void put_text(std::string_view text, std::string& out) {
  for (char c : text) {
    out.push_back(c);
    if (c == 0) out.push_back(static_cast<char>(0xff));
  }
  out.append(2, '\0');
}

std::string_view text_at(const arrow::Array& column, int64_t row) {
  if (column.type_id() == arrow::Type::STRING || column.type_id() == arrow::Type::BINARY) {
    return static_cast<const arrow::BinaryArray&>(column).GetView(row);
  }
  return static_cast<const arrow::LargeBinaryArray&>(column).GetView(row);
}

void put_value(const arrow::Array& column, int64_t row, std::string& out) {
  arrow::Type::type id = column.type_id();
  if (is_text(id)) return put_text(text_at(column, row), out);
  if (id == arrow::Type::BOOL) {
    out.push_back(static_cast<const arrow::BooleanArray&>(column).Value(row) ? 1 : 0);
    return;
  }
  const arrow::ArrayData& data = *column.data();
  const uint8_t* values = data.buffers[1]->data();
  if (ShortReader read = short_reader(id)) return put_big_endian(read(values, data.offset + row), out);
  int words = id == arrow::Type::DECIMAL128 ? 2 : 4;  // little-endian words
  for (int word = words - 1; word >= 0; --word) {
    uint64_t value;
    std::memcpy(&value, values + ((data.offset + row) * words + word) * 8, 8);
    put_big_endian(word == words - 1 ? value ^ kSign : value, out);
  }
}

}  // namespace

Result<SortKeys> SortKeys::create(std::shared_ptr<arrow::Schema> schema, std::vector<SortColumn> order) {
  for (const SortColumn& by : order) {
    const arrow::Field& field = *schema->field(by.column);
    if (!has_order(field.type()->id())) {
      return Status::invalid("ORDER BY '" + field.name() + "': rows cannot be ordered by " +
                             field.type()->ToString());
    }
  }
  SortKeys keys;
  keys.short_ = order.size() == 1 && short_reader(schema->field(order[0].column)->type()->id()) != nullptr;
  keys.schema_ = std::move(schema);
  keys.order_ = std::move(order);
  return keys;
}

void SortKeys::encode(const arrow::RecordBatch& rows) {
  int64_t count = rows.num_rows();
  if (short_) {
    short_keys_.resize(count);
    const SortColumn& by = order_[0];
    const arrow::Array& column = *rows.column(by.column);
    const arrow::ArrayData& data = *column.data();
    ShortReader read = short_reader(column.type_id());
    bool nulls = column.null_count() > 0;
    uint64_t flip = by.descending ? UINT64_MAX : 0;
    for (int64_t row = 0; row < count; ++row) {
      if (nulls && column.IsNull(row)) {
        short_keys_[row] = {static_cast<uint8_t>(by.nulls_first ? 0 : 2), 0};
      } else {
        short_keys_[row] = {1, read(data.buffers[1]->data(), data.offset + row) ^ flip};
      }
    }
    return;
  }
  bytes_.clear();
  ends_.assign(1, 0);
  std::vector<std::shared_ptr<arrow::Array>> columns;
  for (const SortColumn& by : order_) columns.push_back(rows.column(by.column));
  for (int64_t row = 0; row < count; ++row) {
    for (size_t i = 0; i < order_.size(); ++i) {
      if (columns[i]->IsNull(row)) {
        bytes_.push_back(order_[i].nulls_first ? 0 : 2);
        continue;
      }
      bytes_.push_back(1);
      size_t begin = bytes_.size();
      put_value(*columns[i], row, bytes_);
      if (!order_[i].descending) continue;
      for (size_t at = begin; at < bytes_.size(); ++at) bytes_[at] = static_cast<char>(~bytes_[at]);
    }
    ends_.push_back(bytes_.size());
  }
}

}  // namespace weir
