// Protobuf's wire format (protobuf.dev/programming-guides/encoding): varints, tags, lengths and skipping,
// each bounded by the end of the bytes. Header-only; allocates nothing.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace weir::wire {

enum class WireType : uint8_t {
  varint = 0,
  fixed64 = 1,
  bytes = 2,
  group_begin = 3,
  group_end = 4,
  fixed32 = 5,
};

enum class WireError : uint8_t {
  none,
  truncated,         // the bytes end inside a value
  varint_too_long,   // more than 10 bytes, or more than 64 bits
  length_too_long,   // a length beyond what is left
  bad_field_number,  // 0, or above 2^29 - 1
  bad_wire_type,     // 6 or 7
  bad_group_end,     // an end-group without its start, or of another field
  too_deep,          // groups nested beyond the bound
};

inline const char* wire_error_text(WireError error) {
  switch (error) {
    case WireError::none: return "no error";
    case WireError::truncated: return "the message ends inside a value";
    case WireError::varint_too_long: return "a varint of more than 10 bytes or 64 bits";
    case WireError::length_too_long: return "a length that is longer than what is left of the message";
    case WireError::bad_field_number: return "a field number that is 0 or above 536870911";
    case WireError::bad_wire_type: return "a wire type that does not exist (6 or 7)";
    case WireError::bad_group_end: return "the end of a group that was not begun";
    case WireError::too_deep: return "groups nested too deeply";
  }
  return "an error";
}

struct Tag {
  uint32_t field = 0;
  WireType type = WireType::varint;
};

inline int32_t zigzag32(uint32_t value) { return static_cast<int32_t>((value >> 1) ^ (0U - (value & 1))); }
inline int64_t zigzag64(uint64_t value) { return static_cast<int64_t>((value >> 1) ^ (0ULL - (value & 1))); }

// Reads [position, end). A failed call leaves `position` at the value it could not read.
struct WireReader {
  const char* position = nullptr;
  const char* end = nullptr;

  WireReader() = default;
  explicit WireReader(std::string_view bytes) : position(bytes.data()), end(bytes.data() + bytes.size()) {}
  WireReader(const char* begin, const char* finish) : position(begin), end(finish) {}

  bool at_end() const { return position == end; }
  size_t left() const { return static_cast<size_t>(end - position); }

  WireError varint(uint64_t& value) {
    if (position == end) return WireError::truncated;
    const auto first = static_cast<uint8_t>(*position);
    if (first < 0x80) {
      value = first;
      ++position;
      return WireError::none;
    }
    return long_varint(value);
  }

  WireError fixed32(uint32_t& value) {
    if (left() < sizeof(value)) return WireError::truncated;
    std::memcpy(&value, position, sizeof(value));
    position += sizeof(value);
    return WireError::none;
  }

  WireError fixed64(uint64_t& value) {
    if (left() < sizeof(value)) return WireError::truncated;
    std::memcpy(&value, position, sizeof(value));
    position += sizeof(value);
    return WireError::none;
  }

  // The bytes behind a length.
  WireError bytes(std::string_view& value) {
    const char* const begin = position;
    uint64_t size = 0;
    if (const WireError error = varint(size); error != WireError::none) return error;
    if (size > left()) {
      position = begin;
      return WireError::length_too_long;
    }
    value = {position, static_cast<size_t>(size)};
    position += size;
    return WireError::none;
  }

  WireError tag(Tag& value) {
    const char* const begin = position;
    uint64_t raw = 0;
    if (const WireError error = varint(raw); error != WireError::none) return error;
    const uint64_t field = raw >> 3;
    if (field == 0 || field > 536870911) {
      position = begin;
      return WireError::bad_field_number;
    }
    if ((raw & 7) > 5) {
      position = begin;
      return WireError::bad_wire_type;
    }
    value = {static_cast<uint32_t>(field), static_cast<WireType>(raw & 7)};
    return WireError::none;
  }

  // What follows `tag`. Groups are skipped to their end, at most `max_depth` inside one another.
  WireError skip(Tag tag, int max_depth) {
    switch (tag.type) {
      case WireType::varint: {
        uint64_t ignored = 0;
        return varint(ignored);
      }
      case WireType::fixed64: return advance(8);
      case WireType::fixed32: return advance(4);
      case WireType::bytes: {
        std::string_view ignored;
        return bytes(ignored);
      }
      case WireType::group_begin: return skip_group(tag.field, max_depth);
      case WireType::group_end: return WireError::bad_group_end;
    }
    return WireError::bad_wire_type;
  }

 private:
  WireError advance(size_t size) {
    if (left() < size) return WireError::truncated;
    position += size;
    return WireError::none;
  }

  WireError long_varint(uint64_t& value) {
    uint64_t result = 0;
    const char* at = position;
    for (int shift = 0; shift < 70; shift += 7) {
      if (at == end) return WireError::truncated;
      const auto byte = static_cast<uint8_t>(*at++);
      if (shift == 63 && byte > 1) return WireError::varint_too_long;
      result |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) {
        value = result;
        position = at;
        return WireError::none;
      }
    }
    return WireError::varint_too_long;
  }

  WireError skip_group(uint32_t field, int max_depth) {
    if (max_depth <= 0) return WireError::too_deep;
    const char* const begin = position;
    while (true) {
      if (at_end()) {
        position = begin;
        return WireError::truncated;
      }
      Tag inner;
      if (const WireError error = tag(inner); error != WireError::none) return error;
      if (inner.type == WireType::group_end) {
        return inner.field == field ? WireError::none : WireError::bad_group_end;
      }
      if (const WireError error = skip(inner, max_depth - 1); error != WireError::none) return error;
    }
  }
};

}  // namespace weir::wire
