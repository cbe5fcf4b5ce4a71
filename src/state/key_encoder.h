// Key columns of a batch -> one comparable byte string and one hash a row.
//
// A key is fixed when all its columns are of fixed width (integers, floats, decimals, dates, times,
// timestamps, BOOLEAN): its columns lie one behind the other, each padded to 8 bytes (decimals 16), and then,
// when any column of the table's schema is nullable, 8 bytes whose bit i says that column i is NULL (its
// value bytes are zero). -0.0 and all NaNs are made one. Else a key is variable: a null byte for each column,
// then its value; texts and bytes with a u32 length in front. The hash is the same in every process and
// version: exchange and state depend on it.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace weir {

struct EncodedKeys {
  std::vector<uint64_t> hashes;   // by row
  size_t width = 0;               // bytes a key; 0: variable
  std::vector<uint8_t> bytes;     // fixed: rows * width
  std::vector<uint32_t> offsets;  // variable: rows + 1
  std::vector<uint8_t> has_null;  // by row, 1: some column is NULL; empty: none has

  size_t size() const { return hashes.size(); }
  std::string_view key(size_t row) const {
    const char* data = reinterpret_cast<const char*>(bytes.data());
    if (width != 0) return {data + row * width, width};
    return {data + offsets[row], offsets[row + 1] - offsets[row]};
  }
};

class KeyEncoder {
 public:
  // `columns` are indexes into `schema`. invalid: a column that cannot be a key (ARRAY, MAP, ROW), by name.
  static Result<KeyEncoder> create(const arrow::Schema& schema, std::vector<int> columns);
  // Bytes of a fixed key, a multiple of 8; 0: variable.
  size_t width() const { return width_; }
  // Keeps `keys`' buffers between calls. No columns: every row has the same, empty key (width 0).
  void encode(const arrow::RecordBatch& rows, EncodedKeys& keys) const;
  // The inverse: the key columns of `count` keys, in order. `keys` points to the first byte of each.
  Result<std::vector<std::shared_ptr<arrow::Array>>> decode(const std::vector<std::string_view>& keys) const;

 private:
  std::vector<int> columns_;
  std::vector<std::shared_ptr<arrow::DataType>> types_;
  bool nullable_ = false;
  size_t width_ = 0;
};

// Which of `shares` a key belongs to. Uses other bits than KeyTable's slots do.
inline uint32_t share_of(uint64_t hash, uint32_t shares) {
  return static_cast<uint32_t>((static_cast<unsigned __int128>(hash) * shares) >> 64);
}

}  // namespace weir
