#include "formats/column.h"

#include <algorithm>
#include <limits>
#include <new>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>

namespace weir::columns {
namespace {

std::shared_ptr<arrow::ResizableBuffer> allocate(int64_t size) {
  auto buffer = arrow::AllocateResizableBuffer(size);
  if (!buffer.ok()) throw std::bad_alloc();
  return std::move(*buffer);
}

// Bytes of 0 and 1 -> bits, least significant first; gives the number of ones.
int64_t pack_bits(const uint8_t* bytes, int64_t count, uint8_t* bits) {
  int64_t ones = 0;
  int64_t i = 0;
#if defined(__AVX2__)
  for (; i + 32 <= count; i += 32) {
    const __m256i chunk = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes + i));
    const uint32_t mask = static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_slli_epi16(chunk, 7)));
    std::memcpy(bits + i / 8, &mask, sizeof(mask));
    ones += __builtin_popcount(mask);
  }
#endif
  for (; i < count; ++i) {
    if (i % 8 == 0) bits[i / 8] = 0;
    bits[i / 8] = static_cast<uint8_t>(bits[i / 8] | (bytes[i] << (i % 8)));
    ones += bytes[i];
  }
  return ones;
}

std::shared_ptr<arrow::Buffer> packed(const uint8_t* bytes, int64_t count, int64_t* ones) {
  auto buffer = allocate((count + 31) / 32 * 4);
  *ones = pack_bits(bytes, count, buffer->mutable_data());
  return buffer;
}

}  // namespace

bool GrowingBytes::grow_to(int64_t size) {
  if (size <= capacity) return true;
  if (size > std::numeric_limits<int32_t>::max()) return false;
  grow_unbounded(size);
  return true;
}

void GrowingBytes::grow_unbounded(int64_t size) {
  const int64_t target = std::max<int64_t>({size, capacity * 2, 256, buffer ? 0 : expected_});
  if (buffer) {
    if (!buffer->Resize(target, false).ok()) throw std::bad_alloc();
  } else {
    buffer = allocate(target);
  }
  data = buffer->mutable_data();
  capacity = buffer->size();
}

std::shared_ptr<arrow::Buffer> GrowingBytes::take(int64_t size) {
  reserve(1);
  std::shared_ptr<arrow::ResizableBuffer> taken = std::move(buffer);
  buffer = nullptr;
  data = nullptr;
  capacity = 0;
  expected_ = size + size / 8;
  // Far too large (the last batch was bigger): give the rest back.
  const bool shrink = size < taken->size() / 4;
  if (!taken->Resize(size, shrink).ok()) throw std::bad_alloc();
  return taken;
}

void Column::grow_rows(int64_t rows) {
  const int64_t target = std::max<int64_t>(rows, std::min<int64_t>(rows_capacity * 2, 1 << 30));
  valid_bytes.reserve(target);
  valid = valid_bytes.data;
  if (width > 0) {
    value_bytes.reserve(target * width);
    values = value_bytes.data;
  }
  if (has_offsets()) {
    offset_bytes.reserve((target + 1) * static_cast<int64_t>(sizeof(int32_t)));
    offsets = reinterpret_cast<int32_t*>(offset_bytes.data);
    offsets[0] = 0;
  }
  if (kind == Kind::row) {
    for (auto& child : children) child->reserve_rows(target);
  }
  rows_capacity = target;
}

void Column::put_null(int64_t row) {
  valid[row] = nullable ? 0 : 1;
  if (width > 0) std::memset(values + row * width, 0, static_cast<size_t>(width));
  if (has_offsets()) offsets[row + 1] = offsets[row];
  if (kind == Kind::row) {
    for (auto& child : children) child->put_null(row);
  }
}

std::shared_ptr<arrow::ArrayData> Column::finish(int64_t rows) {
  reserve_rows(std::max<int64_t>(rows, 1));
  int64_t ones = rows;
  std::shared_ptr<arrow::Buffer> validity;
  if (nullable) {
    validity = packed(valid, rows, &ones);
    if (ones == rows) validity = nullptr;
  }
  const int64_t nulls = rows - ones;
  std::shared_ptr<arrow::ArrayData> array;
  if (kind == Kind::boolean) {
    int64_t trues = 0;
    array = arrow::ArrayData::Make(type, rows, {validity, packed(values, rows, &trues)}, nulls);
  } else if (width > 0) {
    array = arrow::ArrayData::Make(type, rows, {validity, value_bytes.take(rows * width)}, nulls);
  } else if (kind == Kind::row) {
    array = arrow::ArrayData::Make(type, rows, {validity}, nulls);
    for (auto& child : children) array->child_data.push_back(child->finish(rows));
  } else {
    const int64_t end = offsets[rows];
    auto offset_buffer = offset_bytes.take((rows + 1) * static_cast<int64_t>(sizeof(int32_t)));
    if (kind == Kind::list) {
      array =
          arrow::ArrayData::Make(type, rows, {validity, offset_buffer}, {children[0]->finish(end)}, nulls);
    } else if (kind == Kind::map) {
      auto entries = arrow::ArrayData::Make(type->field(0)->type(), end, {nullptr},
                                            {children[0]->finish(end), children[1]->finish(end)}, 0);
      array = arrow::ArrayData::Make(type, rows, {validity, offset_buffer}, {entries}, nulls);
    } else {
      array = arrow::ArrayData::Make(type, rows, {validity, offset_buffer, data.take(end)}, nulls);
    }
  }
  // The validity bytes stay: they never leave this column.
  rows_capacity = 0;
  values = value_bytes.data;
  offsets = reinterpret_cast<int32_t*>(offset_bytes.data);
  return array;
}

namespace {

void set_time_unit(Column& column, arrow::TimeUnit::type unit) {
  column.fraction_digits = unit == arrow::TimeUnit::SECOND  ? 0
                           : unit == arrow::TimeUnit::MILLI ? 3
                           : unit == arrow::TimeUnit::MICRO ? 6
                                                            : 9;
  column.units_per_second = 1;
  for (int i = 0; i < column.fraction_digits; ++i) column.units_per_second *= 10;
}

Status set_kind(const std::string& path, Column& column) {
  const auto fixed = [&column](Kind kind, int width) {
    column.kind = kind;
    column.width = width;
    return Status();
  };
  const arrow::DataType& type = *column.type;
  switch (type.id()) {
    case arrow::Type::BOOL: return fixed(Kind::boolean, 1);
    case arrow::Type::INT8: return fixed(Kind::int8, 1);
    case arrow::Type::INT16: return fixed(Kind::int16, 2);
    case arrow::Type::INT32: return fixed(Kind::int32, 4);
    case arrow::Type::INT64: return fixed(Kind::int64, 8);
    case arrow::Type::FLOAT: return fixed(Kind::float32, 4);
    case arrow::Type::DOUBLE: return fixed(Kind::float64, 8);
    case arrow::Type::DATE32: return fixed(Kind::date, 4);
    case arrow::Type::STRING: return fixed(Kind::text, 0);
    case arrow::Type::BINARY: return fixed(Kind::binary, 0);
    case arrow::Type::LIST: return fixed(Kind::list, 0);
    case arrow::Type::MAP: return fixed(Kind::map, 0);
    case arrow::Type::STRUCT: return fixed(Kind::row, 0);
    case arrow::Type::DECIMAL128: {
      const auto& decimal = static_cast<const arrow::DecimalType&>(type);
      column.precision = decimal.precision();
      column.scale = decimal.scale();
      return fixed(Kind::decimal, 16);
    }
    case arrow::Type::TIME32:
      set_time_unit(column, static_cast<const arrow::Time32Type&>(type).unit());
      return fixed(Kind::time32, 4);
    case arrow::Type::TIME64:
      set_time_unit(column, static_cast<const arrow::Time64Type&>(type).unit());
      return fixed(Kind::time64, 8);
    case arrow::Type::TIMESTAMP:
      set_time_unit(column, static_cast<const arrow::TimestampType&>(type).unit());
      return fixed(Kind::timestamp, 8);
    default:
      return Status::invalid("column '" + path + "': no format has a form for the type " + column.type_text);
  }
}

}  // namespace

Result<std::unique_ptr<Column>> compile_column(const std::string& path, const DataType* declared,
                                               const std::shared_ptr<arrow::DataType>& type, bool nullable) {
  if (!type) return Status::invalid("column '" + path + "' has no type");
  auto column = std::make_unique<Column>();
  column->type = type;
  column->nullable = nullable;
  column->type_text = declared && !declared->text.empty() ? declared->text : type->ToString();
  if (declared) column->max_length = declared->max_length;
  WEIR_TRY(set_kind(path, *column));
  const auto child = [&](size_t index, const std::string& name, const arrow::Field& field) -> Status {
    const DataType* type_of_child =
        declared && index < declared->children.size() ? &declared->children[index] : nullptr;
    auto compiled = compile_column(path + "." + name, type_of_child, field.type(), field.nullable());
    if (!compiled.ok()) return compiled.status();
    column->children.push_back(std::move(*compiled));
    return {};
  };
  if (column->kind == Kind::list) {
    WEIR_TRY(child(0, "element", *type->field(0)));
  } else if (column->kind == Kind::map) {
    const auto& map = static_cast<const arrow::MapType&>(*type);
    WEIR_TRY(child(0, "key", *map.key_field()));
    WEIR_TRY(child(1, "value", *map.item_field()));
  } else if (column->kind == Kind::row) {
    for (int i = 0; i < type->num_fields(); ++i) {
      WEIR_TRY(child(static_cast<size_t>(i), type->field(i)->name(), *type->field(i)));
    }
  }
  return column;
}

std::shared_ptr<arrow::RecordBatch> finish_rows(const std::shared_ptr<arrow::Schema>& schema,
                                                const std::vector<std::unique_ptr<Column>>& columns,
                                                int64_t rows) {
  std::vector<std::shared_ptr<arrow::ArrayData>> arrays;
  for (const auto& column : columns) arrays.push_back(column->finish(rows));
  return arrow::RecordBatch::Make(schema, rows, std::move(arrays));
}

}  // namespace weir::columns
