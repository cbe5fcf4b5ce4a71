// Key columns of a batch -> one comparable byte string and one hash a row.
//
// A key is fixed when all its columns are of fixed width (integers, floats, decimals, dates, times,
// timestamps, BOOLEAN): its columns lie one behind the other, each padded to 8 bytes (decimals 16 or 32), and
// then, when any key column is nullable, 8 bytes for each 64 columns whose bit i says that column i is NULL
// (its value bytes are zero). Signed integers are sign-extended; -0.0 and all NaNs are made one. Else a key
// is variable: for each column a null byte (1: NULL, and nothing follows), then its value; texts and bytes
// with a u32 length in front. Everything is little-endian.
//
// The hash is the same in every process and version: exchange and state depend on it.
//   mix(x): x ^= x >> 32; x *= kHashA; x ^= x >> 29; x *= kHashB; x ^= x >> 32   (a bijection)
//   fixed keys:    h = kHashSeed; for each 8-byte word w: h = mix(h ^ w), h being multiplied by kHashA
//   between
//                  two words; so keys of one word never collide.
//   variable keys: h = kHashSeed ^ length; for each 16 bytes (the last ones padded with zeros):
//                  h = fold(w0 ^ kHashA, w1 ^ h), fold(a, b) being the two halves of a * b xored; then
//                  mix(h).
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace weir {

inline constexpr uint64_t kHashSeed = 0x2545f4914f6cdd1d;
inline constexpr uint64_t kHashA = 0x9e3779b97f4a7c15;
inline constexpr uint64_t kHashB = 0xd1342543de82ef95;

inline uint64_t hash_mix(uint64_t x) {
  x ^= x >> 32;
  x *= kHashA;
  x ^= x >> 29;
  x *= kHashB;
  return x ^ (x >> 32);
}

// `words` 8-byte words.
inline uint64_t hash_fixed_key(const uint8_t* key, size_t words) {
  uint64_t hash = kHashSeed;
  for (size_t i = 0; i < words; ++i) {
    uint64_t word;
    std::memcpy(&word, key + 8 * i, 8);
    hash = hash_mix((i == 0 ? hash : hash * kHashA) ^ word);
  }
  return hash;
}
uint64_t hash_variable_key(const uint8_t* key, size_t size);

// Of one encoded key; `width` as KeyEncoder::width() says.
inline uint64_t hash_key(std::string_view key, size_t width) {
  const auto* data = reinterpret_cast<const uint8_t*>(key.data());
  return width != 0 ? hash_fixed_key(data, width / 8) : hash_variable_key(data, key.size());
}

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
  // A NULL in a column that the schema calls NOT NULL ends the process.
  void encode(const arrow::RecordBatch& rows, EncodedKeys& keys) const;
  // The inverse: the key columns of `count` keys, in order. `keys` points to the first byte of each.
  Result<std::vector<std::shared_ptr<arrow::Array>>> decode(const std::vector<std::string_view>& keys) const;

 private:
  void encode_fixed(const arrow::RecordBatch& rows, EncodedKeys& keys) const;
  void encode_variable(const arrow::RecordBatch& rows, EncodedKeys& keys) const;

  std::vector<int> columns_;
  std::vector<std::shared_ptr<arrow::DataType>> types_;
  std::vector<bool> column_nullable_;
  bool nullable_ = false;
  size_t width_ = 0;
};

// Which of `shares` a key belongs to. Uses other bits than KeyTable's slots do.
inline uint32_t share_of(uint64_t hash, uint32_t shares) {
  return static_cast<uint32_t>((static_cast<unsigned __int128>(hash) * shares) >> 64);
}

}  // namespace weir
