#include "state/row_keys.h"

#include <arrow/array/array_base.h>
#include <arrow/array/data.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>

namespace weir {

namespace {

// Types whose values are equal exactly when their bytes are.
bool compares_as_integer(arrow::Type::type id) {
  switch (id) {
    case arrow::Type::INT8:
    case arrow::Type::INT16:
    case arrow::Type::INT32:
    case arrow::Type::INT64:
    case arrow::Type::UINT8:
    case arrow::Type::UINT16:
    case arrow::Type::UINT32:
    case arrow::Type::UINT64:
    case arrow::Type::DATE32:
    case arrow::Type::DATE64:
    case arrow::Type::TIME32:
    case arrow::Type::TIME64:
    case arrow::Type::TIMESTAMP: return true;
    default: return false;
  }
}

const uint8_t* values_of(const arrow::RecordBatch& rows, int column, int width) {
  const arrow::ArrayData& data = *rows.column_data(column);
  return data.buffers[1]->data() + data.offset * width;
}

template <typename T>
void widen(const uint8_t* values, size_t count, std::vector<uint64_t>& out) {
  const T* from = reinterpret_cast<const T*>(values);
  for (size_t i = 0; i < count; ++i) out[i] = static_cast<uint64_t>(from[i]);
}

}  // namespace

std::shared_ptr<arrow::Schema> as_nullable(const arrow::Schema& schema) {
  std::vector<std::shared_ptr<arrow::Field>> fields;
  for (const auto& field : schema.fields()) fields.push_back(field->WithNullable(true));
  return arrow::schema(std::move(fields));
}

Result<RowKeys> RowKeys::create(std::shared_ptr<arrow::Schema> schema, std::vector<int> columns,
                                int time_column) {
  RowKeys keys;
  if (time_column >= 0 && schema->field(time_column)->type()->id() != arrow::Type::TIMESTAMP) {
    return Status::invalid("the time of a join is a TIMESTAMP, not column '" +
                           schema->field(time_column)->name() + "' of type " +
                           schema->field(time_column)->type()->ToString());
  }
  keys.exact_ = columns.empty() ||
                (columns.size() == 1 && compares_as_integer(schema->field(columns[0])->type()->id()));
  if (!keys.exact_) {
    WEIR_ASSIGN(keys.encoder_, KeyEncoder::create(*as_nullable(*schema), columns));
  } else if (!columns.empty()) {
    keys.width_ = schema->field(columns[0])->type()->bit_width() / 8;
  }
  keys.schema_ = std::move(schema);
  keys.columns_ = std::move(columns);
  keys.time_column_ = time_column;
  return keys;
}

Result<KeyedRows> RowKeys::prepare(std::shared_ptr<arrow::RecordBatch> rows) const {
  std::vector<int> with_nulls;
  for (int column : columns_) {
    if (rows->column_data(column)->GetNullCount() > 0 ||
        rows->column_data(column)->type->id() == arrow::Type::NA) {
      with_nulls.push_back(column);
    }
  }
  if (time_column_ >= 0 && rows->column_data(time_column_)->GetNullCount() > 0) {
    with_nulls.push_back(time_column_);
  }
  if (!with_nulls.empty()) {
    std::vector<RowRef> kept;
    for (int64_t row = 0; row < rows->num_rows(); ++row) {
      bool null = false;
      for (int column : with_nulls) null = null || rows->column(column)->IsNull(row);
      if (!null) kept.push_back(static_cast<RowRef>(row));
    }
    RowChunks single(schema_);
    single.assign(rows);
    WEIR_ASSIGN(rows, single.gather(kept.data(), kept.size()));
  }
  KeyedRows keyed;
  keyed.rows = std::move(rows);
  keyed.count = static_cast<size_t>(keyed.rows->num_rows());
  if (keyed.size() == 0) return keyed;
  point(keyed);
  if (keyed.times != nullptr) {
    auto [least, most] = std::minmax_element(keyed.times, keyed.times + keyed.size());
    keyed.min_time_us = *least * keyed.scale;
    keyed.max_time_us = *most * keyed.scale;
  }
  return keyed;
}

void RowKeys::point(KeyedRows& keyed) const {
  const arrow::RecordBatch& rows = *keyed.rows;
  if (keyed.key_buffer.empty()) {
    keyed.keys = exact_ && width_ == 8
                     ? reinterpret_cast<const uint64_t*>(values_of(rows, columns_[0], width_))
                     : nullptr;
  }
  if (time_column_ < 0) return;
  const auto& type = static_cast<const arrow::TimestampType&>(*schema_->field(time_column_)->type());
  const auto* raw = reinterpret_cast<const int64_t*>(values_of(rows, time_column_, 8));
  switch (type.unit()) {
    case arrow::TimeUnit::SECOND: keyed.scale = 1'000'000; break;
    case arrow::TimeUnit::MILLI: keyed.scale = 1'000; break;
    default: keyed.scale = 1;
  }
  keyed.times = raw;
  if (type.unit() != arrow::TimeUnit::NANO) return;
  keyed.time_buffer.resize(keyed.size());
  for (size_t i = 0; i < keyed.size(); ++i) {
    keyed.time_buffer[i] = raw[i] / 1000 - (raw[i] % 1000 < 0);  // rounded down
  }
  keyed.times = keyed.time_buffer.data();
}

void RowKeys::make_keys(KeyedRows& keyed) {
  if (keyed.keys != nullptr || keyed.size() == 0) return;
  size_t count = keyed.size();
  if (!exact_) {
    encoder_->encode(*keyed.rows, encoded_);
    keyed.key_buffer.assign(encoded_.hashes.begin(), encoded_.hashes.end());
  } else {
    keyed.key_buffer.resize(count);
    const uint8_t* values = width_ == 0 ? nullptr : values_of(*keyed.rows, columns_[0], width_);
    switch (width_) {
      case 0: break;  // no key: every row has the same
      case 1: widen<uint8_t>(values, count, keyed.key_buffer); break;
      case 2: widen<uint16_t>(values, count, keyed.key_buffer); break;
      default: widen<uint32_t>(values, count, keyed.key_buffer);
    }
  }
  keyed.keys = keyed.key_buffer.data();
}

}  // namespace weir
