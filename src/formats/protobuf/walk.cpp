#include "formats/protobuf/walk.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <unordered_set>

#include "formats/error_words.h"

namespace weir::protobuf {

using wire::WireError;
using wire::WireReader;
using wire::WireType;

namespace {

constexpr int64_t kMostElements = std::numeric_limits<int32_t>::max() - 1;
constexpr size_t kFewEntries = 16;

// The low 7 bits of each of 8 bytes, side by side.
inline uint64_t join_sevens(uint64_t x) {
  x = ((x & 0x7f007f007f007f00u) >> 1) | (x & 0x007f007f007f007fu);
  x = ((x & 0x3fff00003fff0000u) >> 2) | (x & 0x00003fff00003fffu);
  return ((x & 0x0fffffff00000000u) >> 4) | (x & 0x000000000fffffffu);
}

// The byte after the varint at `at`, or null. May read 8 bytes beyond `end`.
inline const char* read_varint(const char* at, const char* end, uint64_t* value) {
  if (at < end && static_cast<uint8_t>(*at) < 0x80) {
    *value = static_cast<uint8_t>(*at);
    return at + 1;
  }
  uint64_t word;
  std::memcpy(&word, at, sizeof(word));
  const uint64_t stops = ~word & 0x8080808080808080u;
  if (stops != 0) [[likely]] {
    const int bits = __builtin_ctzll(stops) + 1;
    *value = join_sevens(word & (~uint64_t{0} >> (64 - bits)));
    at += bits / 8;
    return at <= end ? at : nullptr;
  }
  WireReader reader(at, end);
  return at < end && reader.varint(*value) == WireError::none ? reader.position : nullptr;
}

inline bool is_bytes(uint32_t wire_type) { return wire_type == static_cast<uint32_t>(WireType::bytes); }

}  // namespace

bool Walk::read_event(MessagePlan& root, const char* payload, const char* begin, const char* end, int64_t row,
                      ErrorRecord* error) {
  payload_ = payload;
  error_ = error;
  depth_ = 0;
  root.reset();
  return message(root, begin, end, row) && finish(root, row);
}

bool Walk::message(MessagePlan& plan, const char* at, const char* end, int64_t row) {
  if (++depth_ > settings_.max_depth) {
    fail(ErrorCode::too_deep, at,
         "messages nested more than " + std::to_string(settings_.max_depth) + " deep");
    return false;
  }
  while (at < end) {
    const char* const tag_at = at;
    uint32_t tag = static_cast<uint8_t>(*at);
    if (tag < 0x80) [[likely]] {
      ++at;
    } else if (at + 1 < end && static_cast<uint8_t>(at[1]) < 0x80) {
      tag = (tag & 0x7f) | static_cast<uint32_t>(static_cast<uint8_t>(at[1])) << 7;
      at += 2;
    } else {
      wire::Tag long_tag;
      WireReader reader(at, end);
      const WireError problem = reader.tag(long_tag);
      if (problem != WireError::none) return fail_wire(problem, at) != nullptr;
      tag = long_tag.field << 3 | static_cast<uint32_t>(long_tag.type);
      at = reader.position;
    }
    Field* const found = plan.find(tag >> 3);
    if (found == nullptr) {
      at = unknown(plan, tag_at, end);
      if (at == nullptr) return false;
      continue;
    }
    const bool again = plan.see(found->index);
    for (const uint32_t rival : found->rivals) plan.unsee(rival);
    if (found->op == Op::skip) {
      at = skip(*found, tag_at, end);
    } else if (found->shape == Shape::single && (tag & 7) == static_cast<uint32_t>(found->wire)) [[likely]] {
      at = value(*found, *found->column, at, end, row, again);
    } else {
      at = field(*found, tag & 7, at, end, row, again);
    }
    if (at == nullptr) {
      under(found->name);
      return false;
    }
  }
  --depth_;
  return true;
}

const char* Walk::unknown(MessagePlan& plan, const char* tag_at, const char* end) {
  wire::Tag tag;
  WireReader reader(tag_at, end);
  WireError problem = reader.tag(tag);
  const char* const value_at = reader.position;
  if (problem == WireError::none) problem = reader.skip(tag, settings_.max_depth - depth_);
  if (problem != WireError::none)
    return fail_wire(problem, problem == WireError::bad_group_end ? tag_at : value_at);
  if (settings_.reject_unknown_fields) {
    return fail(ErrorCode::unknown_field, tag_at,
                "the message " + plan.name + " has no field with the number " + std::to_string(tag.field));
  }
  return reader.position;
}

const char* Walk::skip(Field&, const char* tag_at, const char* end) {
  wire::Tag tag;
  WireReader reader(tag_at, end);
  WireError problem = reader.tag(tag);
  if (problem == WireError::none) problem = reader.skip(tag, settings_.max_depth - depth_);
  return problem == WireError::none ? reader.position : fail_wire(problem, tag_at);
}

const char* Walk::field(Field& field, uint32_t wire_type, const char* at, const char* end, int64_t row,
                        bool again) {
  if (field.shape == Shape::list) return list(field, wire_type, at, end, row, again);
  if (wire_type != static_cast<uint32_t>(field.wire)) return fail_wire_type(field, wire_type, at);
  return map(field, at, end, row, again);
}

inline const char* Walk::value(Field& field, Column& column, const char* at, const char* end, int64_t row,
                               bool again) {
  switch (field.op) {
    case Op::varint_64: {
      uint64_t number;
      const char* const next = read_varint(at, end, &number);
      if (next == nullptr) break;
      column.put(row, number);
      return next;
    }
    case Op::varint_32: {
      uint64_t number;
      const char* const next = read_varint(at, end, &number);
      if (next == nullptr) break;
      column.put(row, static_cast<uint32_t>(number));
      return next;
    }
    case Op::int32_in_64: {
      uint64_t number;
      const char* const next = read_varint(at, end, &number);
      if (next == nullptr) break;
      column.put(row, static_cast<int64_t>(static_cast<int32_t>(number)));
      return next;
    }
    case Op::boolean: {
      uint64_t number;
      const char* const next = read_varint(at, end, &number);
      if (next == nullptr) break;
      column.put(row, static_cast<uint8_t>(number != 0));
      return next;
    }
    case Op::fixed_64: {
      if (end - at < 8) break;
      uint64_t bits;
      std::memcpy(&bits, at, sizeof(bits));
      column.put(row, bits);
      return at + 8;
    }
    case Op::fixed_32: {
      if (end - at < 4) break;
      uint32_t bits;
      std::memcpy(&bits, at, sizeof(bits));
      column.put(row, bits);
      return at + 4;
    }
    case Op::float_double: {
      if (end - at < 4) break;
      float number;
      std::memcpy(&number, at, sizeof(number));
      column.put(row, static_cast<double>(number));
      return at + 4;
    }
    case Op::text: return text(field, column, at, end, row);
    case Op::binary: return binary(field, column, at, end, row);
    case Op::enum_name: return enum_name(field, column, at, end, row);
    case Op::integer: return integer(field, column, at, end, row);
    case Op::message:
    case Op::wrapper: return sub_message(field, column, at, end, row, again);
    case Op::timestamp:
    case Op::duration: return instant(field, column, at, end, row, again);
    case Op::json: return json(field, column, at, end, row, again);
    case Op::skip: break;
  }
  return fail_varint(at, end);
}

const char* Walk::sub_message(Field& field, Column& column, const char* at, const char* end, int64_t row,
                              bool again) {
  uint64_t size = 0;
  const char* const begin = read_varint(at, end, &size);
  if (begin == nullptr) return fail_varint(at, end);
  if (size > static_cast<uint64_t>(end - begin)) return fail_wire(WireError::length_too_long, at);
  if (!again) field.message->reset();
  if (field.op == Op::message) column.valid[row] = 1;
  return message(*field.message, begin, begin + size, row) ? begin + size : nullptr;
}

const char* Walk::list(Field& field, uint32_t wire_type, const char* at, const char* end, int64_t row,
                       bool again) {
  Column& column = *field.column;
  int64_t index = again ? column.offsets[row + 1] : column.offsets[row];
  const int64_t first = column.offsets[row];
  if (wire_type == static_cast<uint32_t>(field.wire)) {
    Column& element = *field.value;
    if (index >= kMostElements) {
      return fail(ErrorCode::too_large, at, "more elements than a batch can hold");
    }
    element.reserve_rows(index + 1);
    at = value(field, element, at, end, index, false);
    if (at != nullptr && field.message && !finish(*field.message, index)) at = nullptr;
    if (at != nullptr) ++index;
  } else if (is_bytes(wire_type)) {
    at = packed(field, at, end, &index);
  } else {
    return fail_wire_type(field, wire_type, at);
  }
  if (at == nullptr) {
    under(index - first);
    return nullptr;
  }
  column.put_text_end(row, index);
  return at;
}

const char* Walk::packed(Field& field, const char* at, const char* end, int64_t* index) {
  uint64_t size = 0;
  const char* const begin = read_varint(at, end, &size);
  if (begin == nullptr) return fail_varint(at, end);
  if (size > static_cast<uint64_t>(end - begin)) return fail_wire(WireError::length_too_long, at);
  const char* const finish_at = begin + size;
  Column& element = *field.value;
  at = begin;
  while (at < finish_at) {
    if (*index >= kMostElements) return fail(ErrorCode::too_large, at, "more elements than a batch can hold");
    element.reserve_rows(*index + 1);
    at = value(field, element, at, finish_at, *index, false);
    if (at == nullptr) return nullptr;
    ++*index;
  }
  return at;
}

const char* Walk::map(Field& field, const char* at, const char* end, int64_t row, bool again) {
  uint64_t size = 0;
  const char* const begin = read_varint(at, end, &size);
  if (begin == nullptr) return fail_varint(at, end);
  if (size > static_cast<uint64_t>(end - begin)) return fail_wire(WireError::length_too_long, at);
  Column& column = *field.column;
  if (!again) {
    field.entries.clear();
    column.put_text_end(row, column.offsets[row]);
  }
  const std::string_view entry(begin, size);
  field.entries.push_back(entry);
  return map_entry(field, entry, row) ? begin + size : nullptr;
}

bool Walk::map_entry(Field& field, std::string_view entry, int64_t row) {
  Column& column = *field.column;
  const int64_t index = column.offsets[row + 1];
  if (index >= kMostElements) {
    fail(ErrorCode::too_large, entry.data(), "more entries than a batch can hold");
    return false;
  }
  column.children[0]->reserve_rows(index + 1);
  column.children[1]->reserve_rows(index + 1);
  field.message->reset();
  if (!message(*field.message, entry.data(), entry.data() + entry.size(), index) ||
      !finish(*field.message, index)) {
    under(index - column.offsets[row]);
    return false;
  }
  column.put_text_end(row, index + 1);
  return true;
}

// Of several entries with one key the last one counts: such a map is written again, without the others.
bool Walk::unique_keys(Field& field, int64_t row) {
  const Column& column = *field.column;
  const int64_t first = column.offsets[row];
  const size_t count = static_cast<size_t>(column.offsets[row + 1] - first);
  if (count < 2) return true;
  const Column& keys = *column.children[0];
  const auto key = [&](size_t i) -> std::string_view {
    const int64_t at = first + static_cast<int64_t>(i);
    if (!keys.has_offsets()) {
      return {reinterpret_cast<const char*>(keys.values) + at * keys.width, static_cast<size_t>(keys.width)};
    }
    return {reinterpret_cast<const char*>(keys.data.data) + keys.offsets[at],
            static_cast<size_t>(keys.offsets[at + 1] - keys.offsets[at])};
  };
  bool unique = true;
  if (count <= kFewEntries) {
    for (size_t i = 1; i < count && unique; ++i) {
      for (size_t j = 0; j < i && unique; ++j) unique = key(i) != key(j);
    }
    if (unique) return true;
  }
  std::unordered_set<std::string_view> seen;
  std::vector<std::string_view> kept;
  for (size_t i = count; i-- > 0;) {
    if (seen.insert(key(i)).second) kept.push_back(field.entries[i]);
  }
  if (kept.size() == count) return true;
  std::reverse(kept.begin(), kept.end());
  field.entries = std::move(kept);
  field.column->put_text_end(row, first);
  for (const std::string_view entry : field.entries) {
    if (!map_entry(field, entry, row)) return false;
  }
  return true;
}

bool Walk::finish(MessagePlan& plan, int64_t row) {
  for (size_t word = 0; word < plan.wanted.size(); ++word) {
    uint64_t missing = plan.wanted[word] & ~plan.seen[word];
    while (missing != 0) {
      Field& field = plan.fields[word * 64 + static_cast<size_t>(__builtin_ctzll(missing))];
      missing &= missing - 1;
      if (!absent(field, row)) {
        under(field.name);
        return false;
      }
    }
  }
  for (const uint32_t index : plan.nested) {
    Field& field = plan.fields[index];
    if (plan.was_seen(index) && !finish(*field.message, row)) {
      under(field.name);
      return false;
    }
  }
  for (const uint32_t index : plan.jsons) {
    Field& field = plan.fields[index];
    if (plan.was_seen(index) && !put_json(field, *field.column, row)) {
      under(field.name);
      return false;
    }
  }
  for (const uint32_t index : plan.maps) {
    if (plan.was_seen(index) && !unique_keys(plan.fields[index], row)) {
      under(plan.fields[index].name);
      return false;
    }
  }
  return true;
}

bool Walk::absent(Field& field, int64_t row) {
  switch (field.absent) {
    case Absent::nothing: return true;
    case Absent::null: field.column->put_null(row); return true;
    case Absent::required:
      fail(ErrorCode::missing_required, nullptr, "the required field '" + field.name + "' is missing");
      return false;
    case Absent::empty: field.column->put_text_end(row, field.column->offsets[row]); return true;
    case Absent::message:
      field.message->reset();
      if (field.op == Op::message) field.column->valid[row] = 1;
      return finish(*field.message, row);
    case Absent::value: break;
  }
  Column& column = *field.column;
  if (column.width > 0) {
    column.valid[row] = 1;
    std::memcpy(column.values + row * column.width, field.default_bytes, static_cast<size_t>(column.width));
    return true;
  }
  return put_text(column, field.default_text, nullptr, row);
}

const char* Walk::fail(ErrorCode code, const char* at, std::string words) {
  error_->code = code;
  error_->message = std::move(words);
  error_->field.clear();
  error_->byte = at == nullptr ? -1 : at - payload_;
  return nullptr;
}

const char* Walk::fail_wire(WireError error, const char* at) {
  const bool deep = error == WireError::too_deep;
  return fail(deep ? ErrorCode::too_deep : ErrorCode::malformed, at, wire::wire_error_text(error));
}

// The varint at `at`, or the value of a fixed size, could not be read.
const char* Walk::fail_varint(const char* at, const char* end) {
  return fail_wire(end - at >= 10 ? WireError::varint_too_long : WireError::truncated, at);
}

const char* Walk::fail_wire_type(Field& field, uint32_t wire_type, const char* at) {
  if (wire_type > 5) return fail_wire(WireError::bad_wire_type, at);
  return fail(ErrorCode::wrong_type, at,
              "wire type " + std::to_string(wire_type) + ", expected " +
                  std::to_string(static_cast<int>(field.wire)) + " of " + field.type_text);
}

void Walk::under(const std::string& name) { error_->field.insert(0, "/" + pointer_token(name)); }

}  // namespace weir::protobuf
