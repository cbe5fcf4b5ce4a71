#include "state/key_encoder.h"

#include <arrow/array/array_base.h>
#include <arrow/array/array_binary.h>
#include <arrow/array/builder_binary.h>
#include <arrow/array/data.h>
#include <arrow/array/util.h>
#include <arrow/buffer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/bit_util.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace weir {

namespace {

enum class Kind {
  none,  // cannot be a key
  null,
  boolean,
  i8,
  i16,
  i32,
  i64,
  u8,
  u16,
  u32,
  u64,
  f16,
  f32,
  f64,
  wide16,
  wide32,
  text32,
  text64,
  text_view,
  fixed_bytes,
};

Kind kind_of(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::NA: return Kind::null;
    case arrow::Type::BOOL: return Kind::boolean;
    case arrow::Type::INT8: return Kind::i8;
    case arrow::Type::INT16: return Kind::i16;
    case arrow::Type::INT32:
    case arrow::Type::DATE32:
    case arrow::Type::TIME32:
    case arrow::Type::DECIMAL32: return Kind::i32;
    case arrow::Type::INT64:
    case arrow::Type::DATE64:
    case arrow::Type::TIME64:
    case arrow::Type::TIMESTAMP:
    case arrow::Type::DURATION:
    case arrow::Type::DECIMAL64: return Kind::i64;
    case arrow::Type::UINT8: return Kind::u8;
    case arrow::Type::UINT16: return Kind::u16;
    case arrow::Type::UINT32: return Kind::u32;
    case arrow::Type::UINT64: return Kind::u64;
    case arrow::Type::HALF_FLOAT: return Kind::f16;
    case arrow::Type::FLOAT: return Kind::f32;
    case arrow::Type::DOUBLE: return Kind::f64;
    case arrow::Type::DECIMAL128: return Kind::wide16;
    case arrow::Type::DECIMAL256: return Kind::wide32;
    case arrow::Type::STRING:
    case arrow::Type::BINARY: return Kind::text32;
    case arrow::Type::LARGE_STRING:
    case arrow::Type::LARGE_BINARY: return Kind::text64;
    case arrow::Type::STRING_VIEW:
    case arrow::Type::BINARY_VIEW: return Kind::text_view;
    case arrow::Type::FIXED_SIZE_BINARY: return Kind::fixed_bytes;
    default: return Kind::none;
  }
}

bool is_text(Kind kind) {
  return kind == Kind::text32 || kind == Kind::text64 || kind == Kind::text_view || kind == Kind::fixed_bytes;
}

// Bytes of a value of fixed width within a key.
size_t width_of(Kind kind) {
  if (kind == Kind::wide16) return 16;
  return kind == Kind::wide32 ? 32 : 8;
}

uint64_t word_of(float value) {
  if (value == 0) value = 0;
  if (std::isnan(value)) value = std::numeric_limits<float>::quiet_NaN();
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}

uint64_t word_of(double value) {
  if (value == 0) value = 0;
  if (std::isnan(value)) value = std::numeric_limits<double>::quiet_NaN();
  uint64_t bits;
  std::memcpy(&bits, &value, 8);
  return bits;
}

uint64_t half_word_of(uint16_t bits) {
  if ((bits & 0x7fff) == 0) return 0;
  return (bits & 0x7c00) == 0x7c00 && (bits & 0x3ff) != 0 ? 0x7e00 : bits;
}

template <typename T, typename Take, typename Word>
void each_value(const arrow::ArrayData& data, Take&& take, Word&& word) {
  const T* values = data.GetValues<T>(1);
  for (int64_t i = 0; i < data.length; ++i) take(i, word(values[i]));
}

// take(row, word) for each row of a column of 8-byte keys; what is taken for a NULL means nothing.
template <typename Take>
void each_word(const arrow::ArrayData& data, Kind kind, Take&& take) {
  const auto extend = [](auto value) { return static_cast<uint64_t>(static_cast<int64_t>(value)); };
  switch (kind) {
    case Kind::null:
      for (int64_t i = 0; i < data.length; ++i) take(i, uint64_t{0});
      return;
    case Kind::boolean: {
      const uint8_t* bits = data.buffers[1]->data();
      for (int64_t i = 0; i < data.length; ++i) {
        take(i, uint64_t{arrow::bit_util::GetBit(bits, data.offset + i)});
      }
      return;
    }
    case Kind::i8: return each_value<int8_t>(data, take, extend);
    case Kind::i16: return each_value<int16_t>(data, take, extend);
    case Kind::i32: return each_value<int32_t>(data, take, extend);
    case Kind::i64: return each_value<int64_t>(data, take, extend);
    case Kind::u8: return each_value<uint8_t>(data, take, extend);
    case Kind::u16: return each_value<uint16_t>(data, take, extend);
    case Kind::u32: return each_value<uint32_t>(data, take, extend);
    case Kind::u64: return each_value<uint64_t>(data, take, extend);
    case Kind::f16: return each_value<uint16_t>(data, take, half_word_of);
    case Kind::f32: return each_value<float>(data, take, [](float value) { return word_of(value); });
    case Kind::f64: return each_value<double>(data, take, [](double value) { return word_of(value); });
    default: WEIR_CHECK(false, "a key of 8 bytes");
  }
}

// take(row, bytes) for each row of texts or bytes that is not NULL.
template <typename Take>
void each_text(const arrow::Array& array, Kind kind, Take&& take) {
  const bool nulls = array.null_count() != 0;
  const auto each = [&](const auto& texts) {
    for (int64_t i = 0; i < texts.length(); ++i) {
      if (!nulls || texts.IsValid(i)) take(i, std::string_view(texts.GetView(i)));
    }
  };
  switch (kind) {
    case Kind::text32: return each(static_cast<const arrow::BinaryArray&>(array));
    case Kind::text64: return each(static_cast<const arrow::LargeBinaryArray&>(array));
    case Kind::text_view: return each(static_cast<const arrow::BinaryViewArray&>(array));
    default: return each(static_cast<const arrow::FixedSizeBinaryArray&>(array));
  }
}

// NULLs as a reader sees them: an array of type NULL has no bitmap and is all NULL.
int64_t null_count(const arrow::Array& array) {
  return array.type_id() == arrow::Type::NA ? array.length() : array.null_count();
}

// Array::IsNull for a whole column: free when none is NULL.
class NullTest {
 public:
  explicit NullTest(const arrow::Array& array) : array_(array), any_(null_count(array) != 0) {}
  bool operator()(size_t row) const { return any_ && array_.IsNull(static_cast<int64_t>(row)); }

 private:
  const arrow::Array& array_;
  bool any_;
};

void mark_nulls(const arrow::Array& array, size_t rows, std::vector<uint8_t>& has_null) {
  if (has_null.empty()) has_null.resize(rows);
  for (size_t i = 0; i < rows; ++i)
    has_null[i] |= static_cast<uint8_t>(array.IsNull(static_cast<int64_t>(i)));
}

}  // namespace

uint64_t hash_variable_key(const uint8_t* key, size_t size) {
  const auto fold = [](uint64_t a, uint64_t b) {
    const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  };
  uint64_t hash = kHashSeed ^ size;
  uint64_t words[2];
  for (; size >= 16; size -= 16, key += 16) {
    std::memcpy(words, key, 16);
    hash = fold(words[0] ^ kHashA, words[1] ^ hash);
  }
  if (size > 0) {
    words[0] = words[1] = 0;
    std::memcpy(words, key, size);
    hash = fold(words[0] ^ kHashA, words[1] ^ hash);
  }
  return hash_mix(hash);
}

Result<KeyEncoder> KeyEncoder::create(const arrow::Schema& schema, std::vector<int> columns) {
  KeyEncoder encoder;
  bool variable = columns.empty();
  size_t width = 0;
  for (const int column : columns) {
    const auto& field = schema.field(column);
    const Kind kind = kind_of(*field->type());
    if (kind == Kind::none) {
      return Status::invalid("column '" + field->name() + "' of type " + field->type()->ToString() +
                             " cannot be a key: group or join by a column with one value");
    }
    variable = variable || is_text(kind);
    width += width_of(kind);
    encoder.types_.push_back(field->type());
    encoder.column_nullable_.push_back(field->nullable());
    encoder.nullable_ = encoder.nullable_ || field->nullable();
  }
  if (encoder.nullable_) width += 8 * ((columns.size() + 63) / 64);
  encoder.width_ = variable ? 0 : width;
  encoder.columns_ = std::move(columns);
  return encoder;
}

void KeyEncoder::encode(const arrow::RecordBatch& rows, EncodedKeys& keys) const {
  keys.width = width_;
  keys.has_null.clear();
  keys.hashes.resize(static_cast<size_t>(rows.num_rows()));
  for (size_t i = 0; i < columns_.size(); ++i) {
    WEIR_CHECK(column_nullable_[i] || null_count(*rows.column(columns_[i])) == 0,
               "NULL in a key column that is NOT NULL");
  }
  if (width_ != 0) {
    encode_fixed(rows, keys);
  } else {
    encode_variable(rows, keys);
  }
}

void KeyEncoder::encode_fixed(const arrow::RecordBatch& batch, EncodedKeys& keys) const {
  const size_t rows = keys.hashes.size();
  const size_t width = width_;
  keys.offsets.clear();
  keys.bytes.resize(rows * width);
  uint8_t* const bytes = keys.bytes.data();
  size_t nulls_at = width;
  if (nullable_) {
    nulls_at -= 8 * ((columns_.size() + 63) / 64);
    for (size_t i = 0; i < rows; ++i) std::memset(bytes + i * width + nulls_at, 0, width - nulls_at);
  }
  uint8_t* out = bytes;
  for (size_t c = 0; c < columns_.size(); ++c) {
    const auto& array = *batch.column(columns_[c]);
    const Kind kind = kind_of(*types_[c]);
    const size_t size = width_of(kind);
    if (size == 8) {
      each_word(*array.data(), kind, [out, width](int64_t row, uint64_t word) {
        std::memcpy(out + static_cast<size_t>(row) * width, &word, 8);
      });
    } else {
      const auto* values = array.data()->buffers[1]->data() + static_cast<size_t>(array.offset()) * size;
      for (size_t i = 0; i < rows; ++i) std::memcpy(out + i * width, values + i * size, size);
    }
    if (null_count(array) != 0) {
      mark_nulls(array, rows, keys.has_null);
      for (size_t i = 0; i < rows; ++i) {
        if (!array.IsNull(static_cast<int64_t>(i))) continue;
        std::memset(out + i * width, 0, size);
        bytes[i * width + nulls_at + c / 8] |= static_cast<uint8_t>(1U << (c % 8));
      }
    }
    out += size;
  }
  // Three widths with a loop of known length: one key column, or two, NOT NULL or not.
  switch (width / 8) {
    case 1:
      for (size_t i = 0; i < rows; ++i) keys.hashes[i] = hash_fixed_key(bytes + i * 8, 1);
      return;
    case 2:
      for (size_t i = 0; i < rows; ++i) keys.hashes[i] = hash_fixed_key(bytes + i * 16, 2);
      return;
    case 3:
      for (size_t i = 0; i < rows; ++i) keys.hashes[i] = hash_fixed_key(bytes + i * 24, 3);
      return;
    default:
      for (size_t i = 0; i < rows; ++i) keys.hashes[i] = hash_fixed_key(bytes + i * width, width / 8);
  }
}

void KeyEncoder::encode_variable(const arrow::RecordBatch& batch, EncodedKeys& keys) const {
  const size_t rows = keys.hashes.size();
  // Sizes, then where each key begins, then the values column by column, each behind the one before.
  std::vector<uint64_t> at(rows, columns_.size());
  for (size_t c = 0; c < columns_.size(); ++c) {
    const auto& array = *batch.column(columns_[c]);
    const Kind kind = kind_of(*types_[c]);
    if (is_text(kind)) {
      each_text(array, kind, [&](int64_t row, std::string_view text) { at[row] += 4 + text.size(); });
    } else {
      const NullTest is_null(array);
      const size_t size = width_of(kind);
      for (size_t i = 0; i < rows; ++i) at[i] += is_null(i) ? 0 : size;
    }
    if (null_count(array) != 0) mark_nulls(array, rows, keys.has_null);
  }
  keys.offsets.resize(rows + 1);
  uint64_t total = 0;
  for (size_t i = 0; i < rows; ++i) {
    keys.offsets[i] = static_cast<uint32_t>(total);
    total += std::exchange(at[i], total);
  }
  WEIR_CHECK(total <= UINT32_MAX, "keys of one batch over 4 GB");
  keys.offsets[rows] = static_cast<uint32_t>(total);
  keys.bytes.resize(total);
  uint8_t* const bytes = keys.bytes.data();
  for (size_t c = 0; c < columns_.size(); ++c) {
    const auto& array = *batch.column(columns_[c]);
    const Kind kind = kind_of(*types_[c]);
    const NullTest is_null(array);
    for (size_t i = 0; i < rows; ++i) bytes[at[i]++] = is_null(i) ? 1 : 0;
    if (is_text(kind)) {
      each_text(array, kind, [&](int64_t row, std::string_view text) {
        const auto size = static_cast<uint32_t>(text.size());
        std::memcpy(bytes + at[row], &size, 4);
        if (size != 0) std::memcpy(bytes + at[row] + 4, text.data(), size);
        at[row] += 4 + text.size();
      });
    } else if (width_of(kind) == 8) {
      each_word(*array.data(), kind, [&](int64_t row, uint64_t word) {
        if (is_null(static_cast<size_t>(row))) return;
        std::memcpy(bytes + at[row], &word, 8);
        at[row] += 8;
      });
    } else {
      const size_t size = width_of(kind);
      const auto* values = array.data()->buffers[1]->data() + static_cast<size_t>(array.offset()) * size;
      for (size_t i = 0; i < rows; ++i) {
        if (is_null(i)) continue;
        std::memcpy(bytes + at[i], values + i * size, size);
        at[i] += size;
      }
    }
  }
  for (size_t i = 0; i < rows; ++i) {
    keys.hashes[i] = hash_variable_key(bytes + keys.offsets[i], keys.offsets[i + 1] - keys.offsets[i]);
  }
}

namespace {

// One column of decoded keys: `at` of each is where its value begins; nullptr: NULL.
Result<std::shared_ptr<arrow::Array>> decode_texts(const std::shared_ptr<arrow::DataType>& type, Kind kind,
                                                   const std::vector<const char*>& at) {
  const auto append = [&](auto& builder) -> arrow::Status {
    ARROW_RETURN_NOT_OK(builder.Reserve(static_cast<int64_t>(at.size())));
    for (const char* value : at) {
      if (value == nullptr) {
        ARROW_RETURN_NOT_OK(builder.AppendNull());
        continue;
      }
      uint32_t size;
      std::memcpy(&size, value, 4);
      if constexpr (std::is_same_v<std::decay_t<decltype(builder)>, arrow::FixedSizeBinaryBuilder>) {
        ARROW_RETURN_NOT_OK(builder.Append(value + 4));
      } else {
        ARROW_RETURN_NOT_OK(builder.Append(std::string_view(value + 4, size)));
      }
    }
    return arrow::Status::OK();
  };
  const auto finish = [&](auto&& builder) -> arrow::Result<std::shared_ptr<arrow::Array>> {
    ARROW_RETURN_NOT_OK(append(builder));
    ARROW_ASSIGN_OR_RAISE(auto array, builder.Finish());
    auto data = array->data()->Copy();
    data->type = type;
    return arrow::MakeArray(data);
  };
  arrow::Result<std::shared_ptr<arrow::Array>> array;
  if (kind == Kind::text32) {
    array = finish(arrow::BinaryBuilder());
  } else if (kind == Kind::text64) {
    array = finish(arrow::LargeBinaryBuilder());
  } else if (kind == Kind::text_view) {
    array = finish(arrow::BinaryViewBuilder());
  } else {
    array = finish(arrow::FixedSizeBinaryBuilder(type));
  }
  if (!array.ok()) return Status(Code::exhausted, "key column: " + array.status().ToString());
  return *array;
}

Result<std::shared_ptr<arrow::Array>> decode_fixed(const std::shared_ptr<arrow::DataType>& type, Kind kind,
                                                   const std::vector<const char*>& at) {
  const auto rows = static_cast<int64_t>(at.size());
  if (kind == Kind::null) return std::shared_ptr<arrow::Array>(std::make_shared<arrow::NullArray>(rows));
  const bool boolean = kind == Kind::boolean;
  const size_t size = boolean ? 0 : static_cast<size_t>(type->bit_width() / 8);
  const int64_t bitmap_bytes = arrow::bit_util::BytesForBits(rows);
  auto values = arrow::AllocateBuffer(boolean ? bitmap_bytes : rows * static_cast<int64_t>(size));
  auto valid = arrow::AllocateBuffer(bitmap_bytes);
  if (!values.ok() || !valid.ok()) return Status(Code::exhausted, "no memory for a key column");
  uint8_t* out = (*values)->mutable_data();
  uint8_t* bits = (*valid)->mutable_data();
  std::memset(out, 0, static_cast<size_t>((*values)->size()));
  std::memset(bits, 0, static_cast<size_t>(bitmap_bytes));
  int64_t nulls = 0;
  for (int64_t i = 0; i < rows; ++i) {
    const char* value = at[static_cast<size_t>(i)];
    if (value == nullptr) {
      ++nulls;
      continue;
    }
    arrow::bit_util::SetBit(bits, i);
    if (boolean) {
      if (*value != 0) arrow::bit_util::SetBit(out, i);
    } else {
      std::memcpy(out + static_cast<size_t>(i) * size, value, size);
    }
  }
  std::shared_ptr<arrow::Buffer> bitmap =
      nulls == 0 ? nullptr : std::shared_ptr<arrow::Buffer>(*std::move(valid));
  return arrow::MakeArray(arrow::ArrayData::Make(type, rows, {bitmap, *std::move(values)}, nulls));
}

}  // namespace

Result<std::vector<std::shared_ptr<arrow::Array>>> KeyEncoder::decode(
    const std::vector<std::string_view>& keys) const {
  std::vector<std::shared_ptr<arrow::Array>> arrays;
  std::vector<const char*> at(keys.size());
  std::vector<const char*> next(keys.size());  // variable keys: where the next column begins
  for (size_t i = 0; i < keys.size(); ++i) next[i] = keys[i].data();
  const size_t nulls_at = width_ - (nullable_ ? 8 * ((columns_.size() + 63) / 64) : 0);
  size_t offset = 0;
  for (size_t c = 0; c < columns_.size(); ++c) {
    const Kind kind = kind_of(*types_[c]);
    const size_t width = width_of(kind);
    for (size_t i = 0; i < keys.size(); ++i) {
      if (width_ != 0) {
        const char* key = keys[i].data();
        const bool null = nullable_ && ((key[nulls_at + c / 8] >> (c % 8)) & 1) != 0;
        at[i] = null ? nullptr : key + offset;
        continue;
      }
      const bool null = *next[i]++ != 0;
      at[i] = null ? nullptr : next[i];
      if (null) continue;
      uint32_t size = static_cast<uint32_t>(width);
      if (is_text(kind)) {
        std::memcpy(&size, next[i], 4);
        size += 4;
      }
      next[i] += size;
    }
    offset += width;
    auto array = is_text(kind) ? decode_texts(types_[c], kind, at) : decode_fixed(types_[c], kind, at);
    WEIR_ASSIGN(auto column, std::move(array));
    arrays.push_back(std::move(column));
  }
  return arrays;
}

}  // namespace weir
