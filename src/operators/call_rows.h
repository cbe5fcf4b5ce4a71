// The rows of a batch that one aggregate call takes: picked, of its filter, with arguments that are not NULL.
#pragma once

#include <arrow/array/array_base.h>
#include <arrow/array/array_binary.h>
#include <arrow/array/array_primitive.h>
#include <arrow/record_batch.h>
#include <arrow/util/bit_util.h>

#include <string_view>
#include <vector>

#include "operators/accumulator.h"

namespace weir {

struct BitColumn {
  const uint8_t* bits;
  int64_t offset;
  bool get(int64_t row) const { return arrow::bit_util::GetBit(bits, offset + row); }
};

class CallRows {
 public:
  // with_nulls: NULL arguments are taken too.
  CallRows(const AggregateRows& rows, const AggregateCall& call, bool with_nulls) : rows_(rows) {
    if (!with_nulls) {
      for (int argument : call.arguments) require_valid(*rows.batch->column(argument));
    }
    if (call.filter >= 0) {
      const arrow::Array& filter = *rows.batch->column(call.filter);
      require_valid(filter);
      required_.push_back({filter.data()->buffers[1]->data(), filter.offset()});
    }
  }

  // step(i, row): the i-th picked row.
  template <class Step>
  void each(Step&& step) const {
    const uint32_t* picked = rows_.picked;
    size_t count = rows_.count;
    if (none_) return;
    if (required_.empty()) {
      if (picked == nullptr) {
        for (size_t i = 0; i < count; ++i) step(i, i);
      } else {
        for (size_t i = 0; i < count; ++i) step(i, picked[i]);
      }
      return;
    }
    for (size_t i = 0; i < count; ++i) {
      size_t row = picked == nullptr ? i : picked[i];
      bool taken = true;
      for (const BitColumn& bits : required_) taken = taken && bits.get(static_cast<int64_t>(row));
      if (taken) step(i, row);
    }
  }

 private:
  void require_valid(const arrow::Array& column) {
    if (column.type_id() == arrow::Type::NA) none_ = true;
    if (column.null_count() == 0 || column.null_bitmap_data() == nullptr) return;
    required_.push_back({column.null_bitmap_data(), column.offset()});
  }

  const AggregateRows& rows_;
  bool none_ = false;
  std::vector<BitColumn> required_;
};

// with(values): a pointer to the column's numbers in their own type. false: not a number's column.
template <class With>
bool with_numbers(const arrow::Array& column, With&& with) {
  const arrow::ArrayData& data = *column.data();
  switch (column.type_id()) {
    case arrow::Type::INT8: with(data.GetValues<int8_t>(1)); return true;
    case arrow::Type::INT16: with(data.GetValues<int16_t>(1)); return true;
    case arrow::Type::INT32: with(data.GetValues<int32_t>(1)); return true;
    case arrow::Type::DURATION:
    case arrow::Type::INT64: with(data.GetValues<int64_t>(1)); return true;
    case arrow::Type::UINT8: with(data.GetValues<uint8_t>(1)); return true;
    case arrow::Type::UINT16: with(data.GetValues<uint16_t>(1)); return true;
    case arrow::Type::UINT32: with(data.GetValues<uint32_t>(1)); return true;
    case arrow::Type::UINT64: with(data.GetValues<uint64_t>(1)); return true;
    case arrow::Type::FLOAT: with(data.GetValues<float>(1)); return true;
    case arrow::Type::DOUBLE: with(data.GetValues<double>(1)); return true;
    default: return false;
  }
}

// with(get): get(row) is the value's text. false: not a column of texts or binaries.
template <class With>
bool with_texts(const arrow::Array& column, With&& with) {
  switch (column.type_id()) {
    case arrow::Type::STRING:
    case arrow::Type::BINARY: {
      const auto& texts = static_cast<const arrow::BinaryArray&>(column);
      with([&texts](size_t row) { return texts.GetView(static_cast<int64_t>(row)); });
      return true;
    }
    case arrow::Type::LARGE_STRING:
    case arrow::Type::LARGE_BINARY: {
      const auto& texts = static_cast<const arrow::LargeBinaryArray&>(column);
      with([&texts](size_t row) { return texts.GetView(static_cast<int64_t>(row)); });
      return true;
    }
    case arrow::Type::STRING_VIEW:
    case arrow::Type::BINARY_VIEW: {
      const auto& texts = static_cast<const arrow::BinaryViewArray&>(column);
      with([&texts](size_t row) { return texts.GetView(static_cast<int64_t>(row)); });
      return true;
    }
    default: return false;
  }
}

// A 16-byte number within a state, which is aligned to 8.
inline __int128 load_128(const void* at) {
  __int128 value;
  __builtin_memcpy(&value, at, sizeof value);
  return value;
}
inline void store_128(void* at, __int128 value) { __builtin_memcpy(at, &value, sizeof value); }

}  // namespace weir
