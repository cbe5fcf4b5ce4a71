#include "sinks/clickhouse/native_column.h"

#include <arrow/array/util.h>
#include <arrow/type.h>

#include <algorithm>

#include "schema/row_json.h"

namespace weir {
namespace {

// Byte -> its eight bits as eight bytes.
struct BitTable {
  uint64_t words[256];
  constexpr BitTable() : words() {
    for (uint64_t byte = 0; byte < 256; ++byte) {
      for (int bit = 0; bit < 8; ++bit) words[byte] |= (byte >> bit & 1) << (8 * bit);
    }
  }
};
constexpr BitTable kBitTable;
constexpr size_t kMaxValueText = 80;

}  // namespace

bool is_text(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
    case arrow::Type::LARGE_STRING:
    case arrow::Type::LARGE_BINARY:
    case arrow::Type::STRING_VIEW:
    case arrow::Type::BINARY_VIEW:
    case arrow::Type::FIXED_SIZE_BINARY: return true;
    default: return false;
  }
}

std::string default_bytes(const ClickHouseType& type) {
  std::string bytes(static_cast<size_t>(type.fixed_width_bytes()), '\0');
  if (type.enum_values.empty()) return bytes;
  int16_t least = type.enum_values[0].second;
  for (const auto& [name, value] : type.enum_values) least = std::min(least, value);
  std::memcpy(bytes.data(), &least, bytes.size());
  return bytes;
}

int64_t total_length(Pieces pieces) {
  int64_t total = 0;
  for (const Piece& piece : pieces) total += piece.length;
  return total;
}

bool may_have_nulls(const Piece& piece) {
  return !piece.data->buffers.empty() && piece.data->buffers[0] != nullptr && piece.data->GetNullCount() != 0;
}

bool is_null(const Piece& piece, int64_t index) {
  if (piece.data->type->id() == arrow::Type::NA) return true;
  if (piece.data->buffers[0] == nullptr) return false;
  int64_t bit = piece.offset + index;
  return (piece.data->buffers[0]->data()[bit / 8] >> (bit & 7) & 1) == 0;
}

std::string value_text(const Piece& piece, int64_t index) {
  std::string out;
  append_json_value(*arrow::MakeArray(piece.data->Copy()), piece.offset - piece.data->offset + index, out);
  if (out.size() <= kMaxValueText) return out;
  size_t end = kMaxValueText;
  while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xC0) == 0x80) --end;
  return out.substr(0, end) + "…";
}

void expand_bits(const uint8_t* bits, int64_t bit, int64_t count, bool flip, uint8_t* out) {
  const uint64_t flips = flip ? 0x0101010101010101u : 0;
  bits += bit / 8;
  const int shift = static_cast<int>(bit & 7);
  int64_t i = 0;
  for (; i + 8 <= count; i += 8, ++bits) {
    // With a shift, the eighth bit stands in the next byte, which is therefore part of the bitmap.
    uint32_t byte = shift == 0 ? bits[0] : (bits[0] >> shift | bits[1] << (8 - shift)) & 0xFF;
    store(out + i, kBitTable.words[byte] ^ flips);
  }
  for (int position = shift; i < count; ++i, ++position) {
    out[i] = static_cast<uint8_t>((bits[position / 8] >> (position & 7) & 1) ^ (flip ? 1 : 0));
  }
}

void refuse_nulls(const Piece& piece, int64_t first, Refusals* refused) {
  visit_nulls(piece, [&](int64_t i) {
    refused->push_back({first + i, "NULL, but the column takes none: make it Nullable, or give a value"});
  });
}

}  // namespace weir
