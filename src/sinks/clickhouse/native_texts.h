// Arrow's layouts of texts and bytes behind one face, chosen once a piece.
#pragma once

#include <arrow/array/data.h>
#include <arrow/type.h>
#include <arrow/util/binary_view_util.h>

#include <string_view>

#include "sinks/clickhouse/native_column.h"

namespace weir {

template <typename Offset>
struct OffsetTexts {
  const Offset* offsets;  // of the piece's first value
  const uint8_t* bytes;   // what offsets count from
  const uint8_t* end;     // of the buffer: reading up to here is safe
  std::string_view operator()(int64_t i) const {
    return {reinterpret_cast<const char*>(bytes) + offsets[i],
            static_cast<size_t>(offsets[i + 1] - offsets[i])};
  }
};

struct ViewTexts {
  const arrow::BinaryViewType::c_type* views;
  const std::shared_ptr<arrow::Buffer>* buffers;
  std::string_view operator()(int64_t i) const { return arrow::util::FromBinaryView(views[i], buffers); }
};

struct FixedTexts {
  const uint8_t* bytes;
  int64_t width;
  std::string_view operator()(int64_t i) const {
    return {reinterpret_cast<const char*>(bytes) + i * width, static_cast<size_t>(width)};
  }
};

template <typename Offset>
OffsetTexts<Offset> offset_texts(const Piece& piece) {
  const auto& buffers = piece.data->buffers;
  const uint8_t* bytes = buffers[2] == nullptr ? nullptr : buffers[2]->data();
  const uint8_t* end = bytes == nullptr ? nullptr : bytes + buffers[2]->size();
  return {reinterpret_cast<const Offset*>(buffers[1]->data()) + piece.offset, bytes, end};
}

// Calls visit(texts) with the layout of the piece, which has values; texts(i) is value i of the piece. What
// stands under a NULL is unspecified, except that it may be read.
template <typename Visit>
void with_texts(const Piece& piece, Visit visit) {
  const arrow::ArrayData& data = *piece.data;
  switch (data.type->id()) {
    case arrow::Type::STRING:
    case arrow::Type::BINARY: return visit(offset_texts<int32_t>(piece));
    case arrow::Type::LARGE_STRING:
    case arrow::Type::LARGE_BINARY: return visit(offset_texts<int64_t>(piece));
    case arrow::Type::FIXED_SIZE_BINARY: {
      int64_t width = static_cast<const arrow::FixedSizeBinaryType&>(*data.type).byte_width();
      return visit(FixedTexts{data.buffers[1]->data() + piece.offset * width, width});
    }
    default: {
      const auto* views = reinterpret_cast<const arrow::BinaryViewType::c_type*>(data.buffers[1]->data());
      return visit(ViewTexts{views + piece.offset, data.buffers.data() + 2});
    }
  }
}

}  // namespace weir
