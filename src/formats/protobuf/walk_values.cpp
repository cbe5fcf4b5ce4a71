#include <simdjson.h>

#include <cstring>

#include "formats/protobuf/struct_json.h"
#include "formats/protobuf/walk.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace weir::protobuf {

using wire::WireError;
using wire::WireReader;
using wire::WireType;

namespace {

constexpr int64_t kFirstSecond = -62135596800;  // 0001-01-01, the first that a Timestamp may hold
constexpr int64_t kLastSecond = 253402300799;   // 9999-12-31 23:59:59
constexpr int64_t kMostDurationSeconds = 315576000000;

// Copies `size` bytes; up to 31 more are read and written. False: one of them is no ASCII.
inline bool copy_ascii(const char* from, size_t size, uint8_t* to) {
#if defined(__AVX2__)
  __m256i all = _mm256_setzero_si256();
  size_t i = 0;
  for (; i + 32 <= size; i += 32) {
    const __m256i chunk = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i), chunk);
    all = _mm256_or_si256(all, chunk);
  }
  const __m256i last = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i), last);
  const uint32_t mask = (uint32_t{1} << (size - i)) - 1;
  return (static_cast<uint32_t>(_mm256_movemask_epi8(all)) |
          (static_cast<uint32_t>(_mm256_movemask_epi8(last)) & mask)) == 0;
#else
  std::memcpy(to, from, size);
  uint8_t all = 0;
  for (size_t i = 0; i < size; ++i) all |= static_cast<uint8_t>(from[i]);
  return all < 0x80;
#endif
}

size_t code_points(std::string_view text) {
  size_t count = 0;
  for (const char c : text) count += (static_cast<uint8_t>(c) & 0xC0) != 0x80;
  return count;
}

}  // namespace

size_t first_invalid_utf8(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const auto first = static_cast<uint8_t>(text[at]);
    const size_t size = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (at + size > text.size() || !simdjson::validate_utf8(text.data() + at, size)) return at;
    at += size;
  }
  return at;
}

const char* Walk::text(Field&, Column& column, const char* at, const char* end, int64_t row) {
  uint64_t size = 0;
  const char* begin = at + 1;
  if (at < end && static_cast<uint8_t>(*at) < 0x80) [[likely]] {
    size = static_cast<uint8_t>(*at);
  } else {
    WireReader reader(at, end);
    const WireError problem = reader.varint(size);
    if (problem != WireError::none) return fail_wire(problem, at);
    begin = reader.position;
  }
  if (size > static_cast<uint64_t>(end - begin)) return fail_wire(WireError::length_too_long, at);
  const int64_t from = column.offsets[row];
  const int64_t to = from + static_cast<int64_t>(size);
  if (to + 32 > column.data.capacity && !column.data.grow_to(to + 32)) {
    return fail(ErrorCode::too_large, at, "the texts of a batch come to more than 2 GB");
  }
  if (!copy_ascii(begin, size, column.data.data + from) && !simdjson::validate_utf8(begin, size)) {
    const std::string_view bytes(begin, size);
    return fail(ErrorCode::invalid_utf8, begin + first_invalid_utf8(bytes), "not UTF-8");
  }
  if (column.max_length >= 0 && size > static_cast<uint64_t>(column.max_length)) {
    const size_t length = code_points({begin, static_cast<size_t>(size)});
    if (length > static_cast<size_t>(column.max_length)) {
      return fail(ErrorCode::out_of_range, at,
                  std::to_string(length) + " characters do not fit into " + column.type_text);
    }
  }
  column.put_text_end(row, to);
  return begin + size;
}

const char* Walk::binary(Field&, Column& column, const char* at, const char* end, int64_t row) {
  WireReader reader(at, end);
  std::string_view bytes;
  const WireError problem = reader.bytes(bytes);
  if (problem != WireError::none) return fail_wire(problem, at);
  if (column.max_length >= 0 && bytes.size() > static_cast<size_t>(column.max_length)) {
    return fail(ErrorCode::out_of_range, at,
                std::to_string(bytes.size()) + " bytes do not fit into " + column.type_text);
  }
  const int64_t from = column.offsets[row];
  const int64_t to = from + static_cast<int64_t>(bytes.size());
  if (!column.data.grow_to(to + 1)) {
    return fail(ErrorCode::too_large, at, "the bytes of a batch come to more than 2 GB");
  }
  if (!bytes.empty()) std::memcpy(column.data.data + from, bytes.data(), bytes.size());
  column.put_text_end(row, to);
  return reader.position;
}

bool Walk::put_text(Column& column, std::string_view text, const char* at, int64_t row) {
  const int64_t from = column.offsets[row];
  const int64_t to = from + static_cast<int64_t>(text.size());
  if (!column.data.grow_to(to + 1)) {
    fail(ErrorCode::too_large, at, "the texts of a batch come to more than 2 GB");
    return false;
  }
  if (column.kind == columns::Kind::text && column.max_length >= 0 &&
      text.size() > static_cast<size_t>(column.max_length) &&
      code_points(text) > static_cast<size_t>(column.max_length)) {
    fail(ErrorCode::out_of_range, at,
         std::to_string(code_points(text)) + " characters do not fit into " + column.type_text);
    return false;
  }
  if (!text.empty()) std::memcpy(column.data.data + from, text.data(), text.size());
  column.put_text_end(row, to);
  return true;
}

const char* Walk::enum_name(Field& field, Column& column, const char* at, const char* end, int64_t row) {
  WireReader reader(at, end);
  uint64_t raw = 0;
  const WireError problem = reader.varint(raw);
  if (problem != WireError::none) return fail_wire(problem, at);
  const auto number = static_cast<int32_t>(raw);
  const std::string_view name = field.names->find(number);
  if (!name.empty()) return put_text(column, name, at, row) ? reader.position : nullptr;
  return put_text(column, std::to_string(number), at, row) ? reader.position : nullptr;
}

const char* Walk::integer(Field& field, Column& column, const char* at, const char* end, int64_t row) {
  WireReader reader(at, end);
  uint64_t raw = 0;
  uint32_t raw_32 = 0;
  WireError problem = WireError::none;
  if (field.wire == WireType::varint) {
    problem = reader.varint(raw);
  } else if (field.wire == WireType::fixed64) {
    problem = reader.fixed64(raw);
  } else {
    problem = reader.fixed32(raw_32);
    raw = raw_32;
  }
  if (problem != WireError::none) return fail_wire(problem, at);
  __int128 number = 0;
  switch (field.integer) {
    case Integer::int32:
    case Integer::sfixed32: number = static_cast<int32_t>(raw); break;
    case Integer::uint32:
    case Integer::fixed32: number = static_cast<uint32_t>(raw); break;
    case Integer::int64:
    case Integer::sfixed64: number = static_cast<int64_t>(raw); break;
    case Integer::uint64:
    case Integer::fixed64: number = raw; break;
    case Integer::sint32: number = wire::zigzag32(static_cast<uint32_t>(raw)); break;
    case Integer::sint64: number = wire::zigzag64(raw); break;
  }
  uint8_t bytes[16];
  if (!integer_bytes(number, column, bytes)) {
    const std::string text = number < 0 ? std::to_string(static_cast<int64_t>(number))
                                        : std::to_string(static_cast<uint64_t>(number));
    return fail(ErrorCode::out_of_range, at, text + " does not fit into " + column.type_text);
  }
  column.valid[row] = 1;
  std::memcpy(column.values + row * column.width, bytes, static_cast<size_t>(column.width));
  return reader.position;
}

// Timestamp and Duration: seconds = 1, nanos = 2. One that comes again is merged.
const char* Walk::instant(Field& field, Column& column, const char* at, const char* end, int64_t row,
                          bool again) {
  WireReader outer(at, end);
  std::string_view bytes;
  WireError problem = outer.bytes(bytes);
  if (problem != WireError::none) return fail_wire(problem, at);
  if (!again) field.seconds = field.nanos = 0;
  WireReader reader(bytes);
  while (!reader.at_end()) {
    const char* const tag_at = reader.position;
    wire::Tag tag;
    uint64_t raw = 0;
    problem = reader.tag(tag);
    if (problem != WireError::none) return fail_wire(problem, tag_at);
    if (tag.field > 2 || tag.type != WireType::varint) {
      if (tag.field <= 2) return fail(ErrorCode::wrong_type, tag_at, "seconds and nanos are varints");
      problem = reader.skip(tag, settings_.max_depth - depth_);
    } else {
      problem = reader.varint(raw);
      if (tag.field == 1) field.seconds = static_cast<int64_t>(raw);
      if (tag.field == 2) field.nanos = static_cast<int32_t>(raw);
    }
    if (problem != WireError::none) return fail_wire(problem, tag_at);
  }
  const bool put = field.op == Op::timestamp ? put_timestamp(field, column, at, row)
                                             : put_duration(field, column, at, row);
  return put ? outer.position : nullptr;
}

bool Walk::put_timestamp(Field& field, Column& column, const char* at, int64_t row) {
  const auto bad = [&](const std::string& words) {
    fail(ErrorCode::bad_timestamp, at,
         std::to_string(field.seconds) + " s and " + std::to_string(field.nanos) + " ns: " + words);
    return false;
  };
  if (field.seconds < kFirstSecond || field.seconds > kLastSecond || field.nanos < 0 ||
      field.nanos > 999999999) {
    return bad("a Timestamp lies in the years 1 to 9999, with 0 to 999999999 ns");
  }
  const int64_t nanos_per_unit = 1000000000 / column.units_per_second;
  if (field.nanos % nanos_per_unit != 0 && !settings_.truncate_times) {
    return bad("more digits of a second than " + column.type_text +
               " holds (protobuf.excess-nanos = 'truncate' drops them)");
  }
  int64_t units = 0;
  if (__builtin_mul_overflow(field.seconds, column.units_per_second, &units) ||
      __builtin_add_overflow(units, field.nanos / nanos_per_unit, &units)) {
    return bad(column.type_text + " does not reach so far");
  }
  column.put(row, units);
  return true;
}

bool Walk::put_duration(Field& field, Column& column, const char* at, int64_t row) {
  const bool signs_differ = (field.seconds > 0 && field.nanos < 0) || (field.seconds < 0 && field.nanos > 0);
  if (field.seconds < -kMostDurationSeconds || field.seconds > kMostDurationSeconds ||
      field.nanos <= -1000000000 || field.nanos >= 1000000000 || signs_differ) {
    fail(ErrorCode::out_of_range, at, "a Duration has up to 10,000 years and 999999999 ns of the same sign");
    return false;
  }
  if (field.nanos % 1000 != 0 && !settings_.truncate_times) {
    fail(ErrorCode::out_of_range, at,
         std::to_string(field.nanos) +
             " ns: a Duration is read in microseconds (protobuf.excess-nanos = 'truncate' drops the rest)");
    return false;
  }
  column.put(row, field.seconds * 1000000 + field.nanos / 1000);
  return true;
}

// Text is made of it when its message is at its end: one that comes again is merged, which is what the bytes
// of both in a row say.
const char* Walk::json(Field& field, Column& column, const char* at, const char* end, int64_t row,
                       bool again) {
  WireReader reader(at, end);
  std::string_view bytes;
  const WireError problem = reader.bytes(bytes);
  if (problem != WireError::none) return fail_wire(problem, at);
  if (!again) {
    field.json = bytes;
    field.merged_json.clear();
  } else {
    if (field.merged_json.empty()) field.merged_json = field.json;
    field.merged_json += bytes;
  }
  if (field.shape == Shape::list && !put_json(field, column, row)) return nullptr;
  return reader.position;
}

bool Walk::put_json(Field& field, Column& column, int64_t row) {
  const std::string_view bytes = field.merged_json.empty() ? field.json : std::string_view(field.merged_json);
  scratch_.clear();
  const StructProblem found = struct_json(bytes, field.json_kind, settings_.max_depth - depth_, &scratch_);
  const bool in_payload =
      field.merged_json.empty() && found.at >= bytes.data() && found.at <= bytes.data() + bytes.size();
  const char* const where = in_payload ? found.at : nullptr;
  switch (found.error) {
    case StructError::none: return put_text(column, scratch_, field.json.data(), row);
    case StructError::utf8: return fail(ErrorCode::invalid_utf8, where, "not UTF-8") != nullptr;
    case StructError::number:
      return fail(ErrorCode::out_of_range, where, "NaN and infinity have no form in JSON") != nullptr;
    case StructError::wire: break;
  }
  return fail_wire(found.wire, where) != nullptr;
}

}  // namespace weir::protobuf
