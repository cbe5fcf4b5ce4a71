#include "formats/avro/avro_walk.h"

#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "formats/error_words.h"
#include "formats/scan.h"

namespace weir::avro {
namespace {

constexpr int kMaxSkipDepth = 1000;  // a list of records that hold the next one
constexpr int64_t kCopySlack = 32;
constexpr size_t kMaxKeyExcerpt = 64;
constexpr int64_t kSecondsPerDay = 86400;

int64_t unzigzag(uint64_t bits) { return static_cast<int64_t>((bits >> 1) ^ (0 - (bits & 1))); }

// Reads a varint of at most 8 bytes without a branch on its length; 16 bytes at `at` are readable. Null: it
// is longer.
inline const uint8_t* short_varint(const uint8_t* at, uint64_t* bits) {
  uint64_t word;
  std::memcpy(&word, at, 8);
  const uint64_t stops = ~word & 0x8080808080808080u;
  if (stops == 0) return nullptr;
#if defined(__BMI2__)
  const uint64_t upto = stops ^ (stops - 1);
  *bits = _pext_u64(word & upto, 0x7f7f7f7f7f7f7f7fu);
  return at + (__builtin_ctzll(stops) + 1) / 8;
#else
  *bits = 0;
  for (int shift = 0;; shift += 7, ++at) {
    *bits |= static_cast<uint64_t>(*at & 0x7f) << shift;
    if ((*at & 0x80) == 0) return at + 1;
  }
#endif
}

// One of 9 or 10 bytes. Null: more than 64 bits.
const uint8_t* long_varint(const uint8_t* at, uint64_t* bits) {
  *bits = 0;
  for (int i = 0; i < 10; ++i) {
    const uint64_t part = at[i] & 0x7f;
    if (i == 9 && part > 1) return nullptr;
    *bits |= part << (7 * i);
    if ((at[i] & 0x80) == 0) return at + i + 1;
  }
  return nullptr;
}

// A varint that may end behind the event: the caller compares. Null: longer than 64 bits.
inline const uint8_t* varint(const uint8_t* at, uint64_t* bits) {
  if ((*at & 0x80) == 0) {
    *bits = *at;
    return at + 1;
  }
  const uint8_t* next = short_varint(at, bits);
  return next != nullptr ? next : long_varint(at, bits);
}

// Copies text and tells whether all of it is ASCII. 32 bytes beyond both ends may be read and written.
inline bool copy_ascii(const uint8_t* from, uint8_t* to, int64_t size) {
#if defined(__AVX2__)
  if (size <= 32) {
    const __m256i chunk = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), chunk);
    const uint64_t high = static_cast<uint32_t>(_mm256_movemask_epi8(chunk));
    return (high & ((uint64_t{1} << size) - 1)) == 0;
  }
#endif
  std::memcpy(to, from, static_cast<size_t>(size));
  return is_ascii(reinterpret_cast<const char*>(from), static_cast<size_t>(size));
}

// Of text that is not UTF-8: the first byte of what is no character.
size_t first_invalid(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const uint8_t lead = static_cast<uint8_t>(text[at]);
    const size_t size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (at + size > text.size() || !simdjson::validate_utf8(text.data() + at, size)) break;
    at += size;
  }
  return at;
}

int64_t code_points(const uint8_t* text, int64_t size) {
  int64_t points = 0;
  for (int64_t i = 0; i < size; ++i) points += (text[i] & 0xc0) != 0x80;
  return points;
}

}  // namespace

std::nullptr_t Walk::fail(ErrorCode code, const uint8_t* at, std::string message) {
  error_->code = code;
  error_->message = std::move(message);
  error_->field.clear();
  error_->byte = origin_ == nullptr ? -1 : at - origin_;
  return nullptr;
}

void Walk::under(std::string_view name) { error_->field = "/" + pointer_token(name) + error_->field; }

const uint8_t* Walk::truncated(const uint8_t* at, const char* what) {
  return fail(ErrorCode::malformed, std::min(at, end_), std::string("the event ends within ") + what);
}

const uint8_t* Walk::bad_long(const uint8_t* at) {
  return fail(ErrorCode::malformed, at, "an integer of more than 64 bits");
}

const uint8_t* Walk::read_long(const uint8_t* at, int64_t* value) {
  uint64_t bits = 0;
  const uint8_t* next = varint(at, &bits);
  *value = unzigzag(bits);
  if (__builtin_expect(next != nullptr && next <= end_, 1)) return next;
  return next == nullptr && end_ - at >= 10 ? bad_long(at) : truncated(at, "an integer");
}

const uint8_t* Walk::read_int(const uint8_t* at, int32_t* value) {
  int64_t wide = 0;
  const uint8_t* next = read_long(at, &wide);
  *value = static_cast<int32_t>(wide);
  if (next == nullptr || *value == wide) return next;
  return fail(ErrorCode::malformed, at, "an int of more than 32 bits: " + std::to_string(wide));
}

const uint8_t* Walk::read_bytes(const uint8_t* at, std::string_view* bytes) {
  int64_t size = 0;
  const uint8_t* begin = at + 1;
  if (__builtin_expect((*at & 0x81) == 0, 1)) {
    size = *at >> 1;
    if (begin > end_) return truncated(at, "an integer");
  } else {
    begin = read_long(at, &size);
    if (begin == nullptr) return nullptr;
  }
  if (__builtin_expect(static_cast<uint64_t>(size) > static_cast<uint64_t>(end_ - begin), 0)) {
    return bad_length(at, size, end_ - begin);
  }
  *bytes = {reinterpret_cast<const char*>(begin), static_cast<size_t>(size)};
  return begin + size;
}

const uint8_t* Walk::bad_length(const uint8_t* at, int64_t size, int64_t left) {
  return fail(ErrorCode::malformed, at,
              "a length of " + std::to_string(size) + " bytes, and " + std::to_string(left) + " are left");
}

const uint8_t* Walk::fields(const std::vector<Step>& steps, const uint8_t* at, int64_t row) {
  for (const Step& step : steps) {
    // Most fields of most events: without a call.
    const bool plain_text = step.op == Op::text && step.null_byte < 0;
    const uint8_t* next = plain_text ? text(step, at, row) : value(step, at, row);
    if (__builtin_expect(next == nullptr, 0)) {
      under(step.name);
      return nullptr;
    }
    at = next;
  }
  return at;
}

const uint8_t* Walk::put_null(const Step& step, const uint8_t* at, int64_t row) {
  if (!step.column->nullable)
    return fail(ErrorCode::missing_required, at, "null, and the column is NOT NULL");
  step.column->put_null(row);
  return at;
}

// The index of a union of null and another type.
inline const uint8_t* Walk::null_branch(const Step& step, const uint8_t* at, int64_t row, bool* is_null) {
  if (__builtin_expect(at >= end_, 0)) return truncated(at, "the index of a union");
  const uint8_t index = *at;
  *is_null = index == static_cast<uint8_t>(step.null_byte);
  if (*is_null) {
    return put_null(step, at, row) == nullptr ? nullptr : at + 1;
  }
  if (__builtin_expect(index == (step.null_byte ^ 2), 1)) return at + 1;
  int64_t branch = 0;
  const uint8_t* next = read_long(at, &branch);
  if (next == nullptr) return nullptr;
  if (branch != 0 && branch != 1) {
    return fail(ErrorCode::malformed, at, "branch " + std::to_string(branch) + " of a union of 2");
  }
  *is_null = branch == step.null_byte / 2;
  if (*is_null && put_null(step, at, row) == nullptr) return nullptr;
  return next;
}

template <typename T>
const uint8_t* Walk::small_integer(const Step& step, const uint8_t* at, int64_t row) {
  int32_t value = 0;
  const uint8_t* next = read_int(at, &value);
  if (next == nullptr) return nullptr;
  if (value != static_cast<T>(value)) {
    return fail(ErrorCode::out_of_range, at,
                std::to_string(value) + " does not fit " + step.column->type_text);
  }
  step.column->put(row, static_cast<T>(value));
  return next;
}

inline const uint8_t* Walk::value(const Step& step, const uint8_t* at, int64_t row) {
  if (step.null_byte >= 0) {
    bool is_null = false;
    at = null_branch(step, at, row, &is_null);
    if (at == nullptr || is_null) return at;
  }
  Column* column = step.column;
  int64_t wide = 0;
  int32_t narrow = 0;
  switch (step.op) {
    case Op::null: return put_null(step, at, row);
    case Op::boolean:
      if (at >= end_) return truncated(at, "a boolean");
      if (*at > 1) return fail(ErrorCode::malformed, at, "a boolean that is neither 0 nor 1");
      column->put<uint8_t>(row, *at);
      return at + 1;
    case Op::int8: return small_integer<int8_t>(step, at, row);
    case Op::int16: return small_integer<int16_t>(step, at, row);
    case Op::int32:
      at = read_int(at, &narrow);
      column->put(row, narrow);
      return at;
    case Op::int64:
      at = read_long(at, &wide);
      column->put(row, wide);
      return at;
    case Op::int_to_int64:
      at = read_int(at, &narrow);
      column->put<int64_t>(row, narrow);
      return at;
    case Op::int_to_float32:
      at = read_int(at, &narrow);
      column->put(row, static_cast<float>(narrow));
      return at;
    case Op::int_to_float64:
      at = read_int(at, &narrow);
      column->put(row, static_cast<double>(narrow));
      return at;
    case Op::long_to_float32:
      at = read_long(at, &wide);
      column->put(row, static_cast<float>(wide));
      return at;
    case Op::long_to_float64:
      at = read_long(at, &wide);
      column->put(row, static_cast<double>(wide));
      return at;
    case Op::float32:
    case Op::float_to_float64: {
      if (end_ - at < 4) return truncated(end_, "a float");
      float number;
      std::memcpy(&number, at, 4);
      if (step.op == Op::float32) {
        column->put(row, number);
      } else {
        column->put(row, static_cast<double>(number));
      }
      return at + 4;
    }
    case Op::float64: {
      if (end_ - at < 8) return truncated(end_, "a double");
      double number;
      std::memcpy(&number, at, 8);
      column->put(row, number);
      return at + 8;
    }
    case Op::text: return text(step, at, row);
    case Op::binary: return binary(step, at, row);
    case Op::fixed_binary: return fixed_binary(step, at, row);
    case Op::uuid_text: return uuid_text(step, at, row);
    case Op::decimal: return decimal(step, at, row);
    case Op::fixed_decimal:
      if (end_ - at < step.size) return truncated(end_, "a fixed");
      return decimal_value(step, at, step.size, row);
    case Op::int_time:
    case Op::long_time: return time(step, at, row);
    case Op::timestamp: return timestamp(step, at, row);
    case Op::enumeration: return enumeration(step, at, row);
    case Op::list:
    case Op::map: return items(step, at, row);
    case Op::row: column->valid[row] = 1; return fields(step.children, at, row);
    case Op::union_of: return union_of(step, at, row);
    case Op::misfit: return fail(ErrorCode::wrong_type, at, step.words);
    case Op::put_null: column->put_null(row); return at;
    case Op::put_default: return put_default(step, at, row);
    case Op::missing:
      return fail(ErrorCode::missing_required, at,
                  "the writer's schema has no such field, it has no default, and the column is NOT NULL");
    case Op::skip: return skip(*step.skip, at, 0);
  }
  return nullptr;
}

bool Walk::append(Column& column, int64_t row, const char* bytes, int64_t size) {
  const int64_t begin = column.offsets[row];
  if (begin + size + kCopySlack > column.data.capacity && !column.data.grow_to(begin + size + kCopySlack)) {
    return false;
  }
  std::memcpy(column.data.data + begin, bytes, static_cast<size_t>(size));
  column.put_text_end(row, begin + size);
  return true;
}

inline const uint8_t* Walk::text(const Step& step, const uint8_t* at, int64_t row) {
  std::string_view bytes;
  const uint8_t* next = read_bytes(at, &bytes);
  if (__builtin_expect(next == nullptr, 0)) return nullptr;
  Column& column = *step.column;
  const int64_t begin = column.offsets[row];
  const int64_t size = static_cast<int64_t>(bytes.size());
  if (begin + size + kCopySlack > column.data.capacity && !column.data.grow_to(begin + size + kCopySlack)) {
    return fail(ErrorCode::too_large, at, "more than 2 GB of text in a batch");
  }
  const uint8_t* from = next - size;
  if (!copy_ascii(from, column.data.data + begin, size)) {
    if (!simdjson::validate_utf8(bytes.data(), bytes.size())) {
      return fail(ErrorCode::invalid_utf8, from + first_invalid(bytes), "not UTF-8");
    }
  }
  if (column.max_length >= 0 && size > column.max_length) {
    const int64_t points = code_points(from, size);
    if (points > column.max_length) {
      return fail(ErrorCode::out_of_range, at,
                  std::to_string(points) + " characters do not fit " + column.type_text);
    }
  }
  column.put_text_end(row, begin + size);
  return next;
}

const uint8_t* Walk::binary(const Step& step, const uint8_t* at, int64_t row) {
  std::string_view bytes;
  const uint8_t* next = read_bytes(at, &bytes);
  if (next == nullptr) return nullptr;
  const int64_t size = static_cast<int64_t>(bytes.size());
  if (step.column->max_length >= 0 && size > step.column->max_length) {
    return fail(ErrorCode::out_of_range, at,
                std::to_string(size) + " bytes do not fit " + step.column->type_text);
  }
  if (!append(*step.column, row, bytes.data(), size)) {
    return fail(ErrorCode::too_large, at, "more than 2 GB in a batch");
  }
  return next;
}

const uint8_t* Walk::fixed_binary(const Step& step, const uint8_t* at, int64_t row) {
  if (end_ - at < step.size) return truncated(end_, "a fixed");
  if (step.column->max_length >= 0 && step.size > step.column->max_length) {
    return fail(ErrorCode::out_of_range, at,
                std::to_string(step.size) + " bytes do not fit " + step.column->type_text);
  }
  if (!append(*step.column, row, reinterpret_cast<const char*>(at), step.size)) {
    return fail(ErrorCode::too_large, at, "more than 2 GB in a batch");
  }
  return at + step.size;
}

const uint8_t* Walk::uuid_text(const Step& step, const uint8_t* at, int64_t row) {
  if (end_ - at < 16) return truncated(end_, "a fixed");
  char text[36];
  char* to = text;
  for (int i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *to++ = '-';
    *to++ = "0123456789abcdef"[at[i] >> 4];
    *to++ = "0123456789abcdef"[at[i] & 15];
  }
  if (step.column->max_length >= 0 && step.column->max_length < 36) {
    return fail(ErrorCode::out_of_range, at, "36 characters do not fit " + step.column->type_text);
  }
  if (!append(*step.column, row, text, 36))
    return fail(ErrorCode::too_large, at, "more than 2 GB in a batch");
  return at + 16;
}

const uint8_t* Walk::decimal(const Step& step, const uint8_t* at, int64_t row) {
  std::string_view bytes;
  const uint8_t* next = read_bytes(at, &bytes);
  if (next == nullptr) return nullptr;
  return decimal_value(step, next - bytes.size(), static_cast<int64_t>(bytes.size()), row);
}

// Two's complement, most significant byte first.
const uint8_t* Walk::decimal_value(const Step& step, const uint8_t* at, int64_t size, int64_t row) {
  if (size == 0) return fail(ErrorCode::malformed, at, "a decimal of no bytes");
  const uint8_t* digits = at;
  const uint8_t* next = at + size;
  const uint8_t sign = static_cast<uint8_t>(static_cast<int8_t>(*at) >> 7);
  for (; size > 16; --size, ++digits) {
    if (*digits != sign) return fail(ErrorCode::out_of_range, at, "a decimal of more than 128 bits");
  }
  uint64_t high, low;
  std::memcpy(&high, digits, 8);
  __int128 value;
  if (size <= 8) {
    value = static_cast<int64_t>(__builtin_bswap64(high)) >> (64 - 8 * size);
  } else {
    std::memcpy(&low, digits + 8, 8);
    const unsigned __int128 bits =
        (static_cast<unsigned __int128>(__builtin_bswap64(high)) << 64) | __builtin_bswap64(low);
    value = static_cast<__int128>(bits) >> (128 - 8 * size);
  }
  bool fits = static_cast<uint8_t>(value >> 127) == sign;
  if (step.shrink) {
    if (value % step.factor != 0) {
      return fail(ErrorCode::out_of_range, at,
                  "a decimal with more digits behind the point than " + step.column->type_text + " has");
    }
    value /= step.factor;
  } else if (step.factor != 1) {
    fits = fits && !__builtin_mul_overflow(value, step.factor, &value);
  }
  if (!fits || value >= step.limit || value <= -step.limit) {
    return fail(ErrorCode::out_of_range, at,
                "a decimal with more digits than " + step.column->type_text + " has");
  }
  step.column->put(row, value);
  return next;
}

// From the writer's unit to the column's.
const uint8_t* Walk::scaled(const Step& step, const uint8_t* at, int64_t value, int64_t* result) {
  if (step.divide != 1) {
    *result = value / step.divide;
    if (*result * step.divide == value) return at;
    return fail(ErrorCode::bad_timestamp, at,
                "digits of a second that " + step.column->type_text + " does not hold");
  }
  if (!__builtin_mul_overflow(value, step.multiply, result)) return at;
  return fail(ErrorCode::out_of_range, at, std::to_string(value) + " does not fit " + step.column->type_text);
}

const uint8_t* Walk::time(const Step& step, const uint8_t* at, int64_t row) {
  int64_t value = 0;
  int32_t narrow = 0;
  const uint8_t* next = step.op == Op::int_time ? read_int(at, &narrow) : read_long(at, &value);
  if (next == nullptr) return nullptr;
  if (step.op == Op::int_time) value = narrow;
  if (scaled(step, at, value, &value) == nullptr) return nullptr;
  if (value < 0 || value >= kSecondsPerDay * step.column->units_per_second) {
    return fail(ErrorCode::bad_timestamp, at, "a time of day before 00:00 or after 23:59:59");
  }
  if (step.column->width == 4) {
    step.column->put(row, static_cast<int32_t>(value));
  } else {
    step.column->put(row, value);
  }
  return next;
}

const uint8_t* Walk::timestamp(const Step& step, const uint8_t* at, int64_t row) {
  int64_t value = 0;
  const uint8_t* next = read_long(at, &value);
  if (next == nullptr) return nullptr;
  if (!step.exact && scaled(step, at, value, &value) == nullptr) return nullptr;
  step.column->put(row, value);
  return next;
}

const uint8_t* Walk::enumeration(const Step& step, const uint8_t* at, int64_t row) {
  int32_t index = 0;
  const uint8_t* next = read_int(at, &index);
  if (next == nullptr) return nullptr;
  if (index < 0 || static_cast<size_t>(index) >= step.symbols.size()) {
    return fail(ErrorCode::malformed, at,
                "symbol " + std::to_string(index) + " of " + std::to_string(step.symbols.size()));
  }
  const std::string& symbol = step.symbols[static_cast<size_t>(index)];
  if (!step.known_symbols[static_cast<size_t>(index)]) {
    return fail(ErrorCode::wrong_type, at, "the reader's enum has no symbol '" + symbol + "' and no default");
  }
  const int64_t size = static_cast<int64_t>(symbol.size());
  if (step.column->max_length >= 0 && size > step.column->max_length) {
    return fail(ErrorCode::out_of_range, at, "'" + symbol + "' does not fit " + step.column->type_text);
  }
  if (!append(*step.column, row, symbol.data(), size)) {
    return fail(ErrorCode::too_large, at, "more than 2 GB of text in a batch");
  }
  return next;
}

// The head of a block of items: its count, checked against what is left, and its bytes or -1.
const uint8_t* Walk::block(int64_t min_bytes, const uint8_t* at, int64_t* count, int64_t* bytes) {
  const uint8_t* next = read_long(at, count);
  *bytes = -1;
  if (next == nullptr) return nullptr;
  if (*count < 0) {
    next = read_long(next, bytes);
    if (next == nullptr) return nullptr;
    if (*count == std::numeric_limits<int64_t>::min() || *bytes < 0 || *bytes > end_ - next) {
      return fail(ErrorCode::malformed, at,
                  "a block of " + std::to_string(*bytes) + " bytes, and " + std::to_string(end_ - next) +
                      " are left");
    }
    *count = -*count;
  }
  const int64_t left = *bytes >= 0 ? *bytes : end_ - next;
  // The product cannot overflow: least_bytes() is small.
  if (min_bytes > 0 && (*count > left || *count * min_bytes > left)) {
    return fail(
        ErrorCode::malformed, at,
        "a block of " + std::to_string(*count) + " items, and " + std::to_string(left) + " bytes are left");
  }
  items_left_ -= *count;
  if (items_left_ < 0) {
    return fail(ErrorCode::too_large, at,
                "more than avro.max-items = " + std::to_string(max_items_) + " items in an event");
  }
  return next;
}

const uint8_t* Walk::items(const Step& step, const uint8_t* at, int64_t row) {
  Column& column = *step.column;
  Column& values = *column.children.back();
  const bool is_map = step.op == Op::map;
  const uint8_t* first_byte = at;
  const int64_t begin = column.offsets[row];
  int64_t index = begin;
  Column* keys = is_map ? column.children[0].get() : nullptr;
  while (true) {
    int64_t count = 0, bytes = 0;
    const uint8_t* head = at;
    at = block(step.min_bytes, at, &count, &bytes);
    if (at == nullptr) return nullptr;
    if (count == 0) break;
    const uint8_t* block_begin = at;
    if (index + count > std::numeric_limits<int32_t>::max()) {
      return fail(ErrorCode::too_large, head, "more than 2,147,483,647 items in a batch");
    }
    values.reserve_rows(index + count);
    if (is_map) keys->reserve_rows(index + count);
    for (int64_t i = 0; i < count; ++i, ++index) {
      if (is_map) {
        const uint8_t* next = text(step.children[1], at, index);
        if (next == nullptr) return nullptr;
        at = next;
      }
      const uint8_t* next = value(step.children[0], at, index);
      if (next == nullptr) {
        if (is_map) {
          const int32_t* ends = keys->offsets + index;
          under(std::string_view(reinterpret_cast<const char*>(keys->data.data) + ends[0],
                                 std::min<size_t>(kMaxKeyExcerpt, static_cast<size_t>(ends[1] - ends[0]))));
        } else {
          under(std::to_string(index - begin));
        }
        return nullptr;
      }
      at = next;
    }
    if (bytes >= 0 && at - block_begin != bytes) {
      return fail(ErrorCode::malformed, head,
                  "a block that says it has " + std::to_string(bytes) + " bytes has " +
                      std::to_string(at - block_begin));
    }
  }
  if (is_map && !distinct_keys(*keys, begin, index, first_byte)) return nullptr;
  column.put_text_end(row, index);
  return at;
}

bool Walk::distinct_keys(const Column& keys, int64_t begin, int64_t end, const uint8_t* at) {
  if (end - begin < 2) return true;
  keys_.clear();
  for (int64_t i = begin; i < end; ++i) {
    keys_.emplace_back(reinterpret_cast<const char*>(keys.data.data) + keys.offsets[i],
                       static_cast<size_t>(keys.offsets[i + 1] - keys.offsets[i]));
  }
  std::sort(keys_.begin(), keys_.end());
  const auto twice = std::adjacent_find(keys_.begin(), keys_.end());
  if (twice == keys_.end()) return true;
  fail(ErrorCode::duplicate_key, at, "a key of a map is given twice");
  under(twice->substr(0, kMaxKeyExcerpt));
  return false;
}

const uint8_t* Walk::union_of(const Step& step, const uint8_t* at, int64_t row) {
  int64_t branch = 0;
  const uint8_t* next = read_long(at, &branch);
  if (next == nullptr) return nullptr;
  if (branch < 0 || static_cast<size_t>(branch) >= step.children.size()) {
    return fail(
        ErrorCode::malformed, at,
        "branch " + std::to_string(branch) + " of a union of " + std::to_string(step.children.size()));
  }
  return value(step.children[static_cast<size_t>(branch)], next, row);
}

const uint8_t* Walk::put_default(const Step& step, const uint8_t* at, int64_t row) {
  const uint8_t* bytes = reinterpret_cast<const uint8_t*>(step.bytes.data());
  const uint8_t* origin = std::exchange(origin_, nullptr);
  const uint8_t* end = std::exchange(end_, bytes + step.bytes_size);
  const bool done = value(step.children[0], bytes, row) != nullptr;
  origin_ = origin;
  end_ = end;
  return done ? at : nullptr;
}

const uint8_t* Walk::skip(const Skip& skip, const uint8_t* at, int depth) {
  int64_t number = 0;
  std::string_view bytes;
  if (depth > kMaxSkipDepth) return fail(ErrorCode::too_deep, at, "nested more than 1,000 deep");
  switch (skip.op) {
    case Skip::Op::nothing: return at;
    case Skip::Op::varint: return read_long(at, &number);
    case Skip::Op::fixed: return end_ - at < skip.size ? truncated(end_, "a value") : at + skip.size;
    case Skip::Op::bytes: return read_bytes(at, &bytes);
    case Skip::Op::record:
      for (const Skip* field : skip.children) {
        at = this->skip(*field, at, depth + 1);
        if (at == nullptr) return nullptr;
      }
      return at;
    case Skip::Op::array:
    case Skip::Op::map: return skip_items(skip, at, depth);
    case Skip::Op::union_of: {
      const uint8_t* next = read_long(at, &number);
      if (next == nullptr) return nullptr;
      if (number >= 0 && static_cast<size_t>(number) < skip.children.size()) {
        return this->skip(*skip.children[static_cast<size_t>(number)], next, depth + 1);
      }
      return fail(
          ErrorCode::malformed, at,
          "branch " + std::to_string(number) + " of a union of " + std::to_string(skip.children.size()));
    }
  }
  return nullptr;
}

const uint8_t* Walk::skip_items(const Skip& skip, const uint8_t* at, int depth) {
  const bool is_map = skip.op == Skip::Op::map;
  const Skip& item = *skip.children[0];
  std::string_view key;
  while (true) {
    int64_t count = 0, bytes = 0;
    at = block(item.min_bytes + (is_map ? 1 : 0), at, &count, &bytes);
    if (at == nullptr || count == 0) return at;
    if (bytes >= 0) {
      at += bytes;
      continue;
    }
    for (int64_t i = 0; i < count; ++i) {
      if (is_map) at = read_bytes(at, &key);
      if (at != nullptr) at = this->skip(item, at, depth + 1);
      if (at == nullptr) return nullptr;
    }
  }
}

}  // namespace weir::avro
