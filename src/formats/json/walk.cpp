#include "formats/json/walk.h"

#include <simdjson.h>

#include <algorithm>
#include <limits>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>

#include "formats/number.h"
#include "formats/scan.h"
#include "schema/event_batch.h"

namespace weir::json {
namespace {

constexpr double kPowersOfTen[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
constexpr int64_t kMaxElements = 1 << 30;
constexpr int64_t kFewEntries = 16;

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

// The digits at `*at` as a number; only right when there are at most 19 of them.
inline uint64_t take_digits(const char** at) {
  const char* p = *at;
  uint64_t value = 0;
  uint32_t eight;
  while (eight_digits(p, &eight)) {
    value = value * 100000000 + eight;
    p += 8;
  }
  while (is_digit(*p)) value = value * 10 + static_cast<uint64_t>(*p++ - '0');
  *at = p;
  return value;
}

}  // namespace

Walk::Walk(Settings settings) : settings_(std::move(settings)) {}

// Every loop below stops at the '}' that ends the payload, or at the first NUL of a padded copy: only strings
// and closed objects can reach past the end, and check for it.
bool Walk::read_event(ObjectPlan& root, Column* rest, std::string_view payload, int64_t row,
                      ErrorRecord* error) {
  error_ = error;
  error->field.clear();
  depth_ = 1;
  begin_ = payload.data();
  end_ = begin_ + payload.size();
  if (static_cast<int64_t>(payload.size()) > settings_.max_size) {
    return fail(ErrorCode::too_large, nullptr,
                std::to_string(payload.size()) + " bytes, json.max-size is " +
                    std::to_string(settings_.max_size)) != nullptr;
  }
  if (!is_ascii(begin_, payload.size()) && !simdjson::validate_utf8(begin_, payload.size())) {
    return fail(ErrorCode::invalid_utf8, begin_ + first_invalid_utf8(payload), "not UTF-8") != nullptr;
  }
  while (end_ > begin_ && is_space(end_[-1])) --end_;
  if (end_ == begin_) return fail(ErrorCode::malformed, nullptr, "empty payload") != nullptr;
  if (end_[-1] != '}') {
    padded_.assign(begin_, static_cast<size_t>(end_ - begin_));
    padded_.append(EventBatch::kPadding, '\0');
    end_ = padded_.data() + (end_ - begin_);
    begin_ = padded_.data();
  }
  const char* at = skip_space(begin_);
  rest_.clear();
  if (*at != '{') {
    depth_ = 0;
    const char* after = skip_value(at);
    if (after == nullptr) return false;
    if (after < end_ && skip_space(after) < end_) {
      return fail_syntax(skip_space(after), "the end of the payload") != nullptr;
    }
    return fail(ErrorCode::wrong_type, at, "expected a JSON object, found " + describe(at)) != nullptr;
  }
  at = object(root, at, row, true);
  if (at == nullptr) return false;
  if (at < end_) return fail_syntax(skip_space(at), "the end of the payload") != nullptr;
  if (rest != nullptr) {
    return put_rest(*rest, row);
  }
  return true;
}

bool Walk::put_rest(Column& column, int64_t row) {
  if (rest_.empty()) {
    column.put_null(row);
    return true;
  }
  std::string object;
  for (const RestMember& member : rest_) {
    object += object.empty() ? '{' : ',';
    object.append(member.raw_key).append(1, ':').append(member.raw_value);
  }
  object += '}';
  const int64_t begin = column.offsets[row];
  const int64_t end = begin + static_cast<int64_t>(object.size());
  if (!column.data.grow_to(end)) return fail(ErrorCode::too_large, nullptr, "the batch is full") != nullptr;
  std::memcpy(column.data.data + begin, object.data(), object.size());
  column.put_text_end(row, end);
  return true;
}

const char* Walk::object(ObjectPlan& plan, const char* at, int64_t row, bool is_root) {
  const char* brace = at;
  const uint64_t stamp = ++plan.stamp;
  size_t found = 0;
  Slot* previous = &plan.start;
  at = skip_space(at + 1);
  if (*at == '}') {
    ++at;
  } else {
    for (;;) {
      const char* key = at;
      Slot* slot = previous->next;
      std::string_view overflow_key;
      if (slot->matches(at, end_)) {
        at += slot->predicted_size;
      } else if (slot->next->matches(at, end_)) {  // an optional field is absent
        slot = slot->next;
        at += slot->predicted_size;
      } else {
        slot = surprising_key(plan, &at, &overflow_key);
        if (at == nullptr) return nullptr;
        if (slot != nullptr) previous->next = slot;
      }
      at = skip_space(at);
      if (slot != nullptr && slot->column != nullptr && slot->stamp != stamp) {
        slot->stamp = stamp;
        ++found;
        at = value(*slot->column, at, row);
        if (at == nullptr) {
          under(slot->key);
          return nullptr;
        }
      } else if (slot != nullptr) {
        at = member(plan, slot, key, at, row, is_root);
        if (at == nullptr) return nullptr;
      } else {
        const bool again = !plan.first_seen(overflow_key);
        if (again && settings_.duplicate_keys == DuplicateKeys::reject) {
          const std::string name(overflow_key);
          fail(ErrorCode::duplicate_key, key, "the key is given twice");
          under(name);
          return nullptr;
        }
        at = unknown_member(overflow_key, again, key, at, is_root);
        if (at == nullptr) return nullptr;
      }
      if (slot != nullptr) previous = slot;
      at = skip_space(at);
      if (*at == ',') {
        at = skip_space(at + 1);
      } else if (*at == '}') {
        ++at;
        break;
      } else {
        return fail_syntax(at, "',' or '}'");
      }
    }
  }
  if (found != plan.fields.size() && !fill_missing(plan, brace, row)) return nullptr;
  return at;
}

// A key that the table does not have, or one that this object had before.
const char* Walk::member(ObjectPlan& plan, Slot* slot, const char* key, const char* at, int64_t row,
                         bool is_root) {
  const bool again = slot->stamp == plan.stamp;
  slot->stamp = plan.stamp;
  if (again) {
    if (settings_.duplicate_keys == DuplicateKeys::reject) {
      fail(ErrorCode::duplicate_key, key, "the key is given twice");
      under(slot->key);
      return nullptr;
    }
    if (slot->column != nullptr) {
      const bool last = settings_.duplicate_keys == DuplicateKeys::last;
      at = last ? value(*slot->column, at, row) : skip_value(at);
      if (at == nullptr) under(slot->key);
      return at;
    }
  }
  return unknown_member(slot->key, again, key, at, is_root);
}

const char* Walk::unknown_member(std::string_view key, bool again, const char* key_at, const char* at,
                                 bool is_root) {
  // `key` may lie in the scratch that is used again below.
  const bool keep = is_root && settings_.unknown_fields == UnknownFields::keep;
  std::string name;
  if (keep || settings_.unknown_fields == UnknownFields::reject) name = key;
  if (settings_.unknown_fields == UnknownFields::reject) {
    fail(ErrorCode::unknown_field, key_at, "the table has no such column");
    under(name);
    return nullptr;
  }
  const char* after = skip_value(at);
  if (after == nullptr) {
    string_view_of(key_at + 1, &key);
    under(key);
    return nullptr;
  }
  if (!keep) return after;
  const std::string_view raw_value(at, static_cast<size_t>(after - at));
  if (again) {
    if (settings_.duplicate_keys == DuplicateKeys::first) return after;
    for (RestMember& member : rest_) {
      if (member.key == name) member.raw_value = raw_value;
    }
    return after;
  }
  const std::string_view raw_key(key_at, static_cast<size_t>(skip_string(key_at + 1) - key_at));
  rest_.push_back({std::move(name), raw_key, raw_value});
  return after;
}

// Reads a key that was not expected here, and its colon.
Slot* Walk::surprising_key(ObjectPlan& plan, const char** at, std::string_view* key) {
  const char* p = *at;
  if (*p != '"') {
    *at = fail_syntax(p, "a key");
    return nullptr;
  }
  p = string_view_of(p + 1, key);
  if (p != nullptr) {
    p = skip_space(p);
    p = *p == ':' ? p + 1 : fail_syntax(p, "':'");
  }
  *at = p;
  return p == nullptr ? nullptr : plan.find(*key);
}

bool Walk::fill_missing(ObjectPlan& plan, const char* brace, int64_t row) {
  for (const Slot* slot : plan.fields) {
    if (slot->stamp == plan.stamp) continue;
    if (!slot->column->nullable) {
      fail(ErrorCode::missing_required, brace, "the field is missing, and its column is NOT NULL");
      under(slot->key);
      return false;
    }
    slot->column->put_null(row);
  }
  return true;
}

const char* Walk::value(Column& column, const char* at, int64_t row) {
  switch (column.kind) {
    case Kind::boolean: return boolean(column, at, row);
    case Kind::int8: return integer<int8_t>(column, at, row);
    case Kind::int16: return integer<int16_t>(column, at, row);
    case Kind::int32: return integer<int32_t>(column, at, row);
    case Kind::int64: return integer<int64_t>(column, at, row);
    case Kind::float32: return number(column, at, row);
    case Kind::float64: return float64(column, at, row);
    case Kind::decimal: return decimal(column, at, row);
    case Kind::text: return text(column, at, row);
    case Kind::binary: return binary(column, at, row);
    case Kind::date: return date(column, at, row);
    case Kind::time32:
    case Kind::time64: return time(column, at, row);
    case Kind::timestamp: return timestamp(column, at, row);
    case Kind::list: return list(column, at, row);
    case Kind::map: return map(column, at, row);
    case Kind::row: {
      if (*at != '{') return other(column, at, row);
      if (++depth_ > settings_.max_depth) return fail(ErrorCode::too_deep, at, "nested too deeply");
      column.valid[row] = 1;
      at = object(ObjectPlan::of(column), at, row, false);
      --depth_;
      if (at != nullptr && at >= end_) return fail_syntax(at, "',' or '}'");
      return at;
    }
  }
  return nullptr;
}

const char* Walk::list(Column& column, const char* at, int64_t row) {
  if (*at != '[') return other(column, at, row);
  if (++depth_ > settings_.max_depth) return fail(ErrorCode::too_deep, at, "nested too deeply");
  Column& element = *column.children[0];
  const int64_t begin = column.offsets[row];
  int64_t next = begin;
  at = skip_space(at + 1);
  if (*at == ']') {
    ++at;
  } else {
    for (;;) {
      if (next >= kMaxElements) return fail(ErrorCode::too_large, at, "the batch is full");
      element.reserve_rows(next + 1);
      at = value(element, at, next);
      if (at == nullptr) {
        under(next - begin);
        return nullptr;
      }
      ++next;
      at = skip_space(at);
      if (*at == ',') {
        at = skip_space(at + 1);
      } else if (*at == ']') {
        ++at;
        break;
      } else {
        return fail_syntax(at, "',' or ']'");
      }
    }
  }
  --depth_;
  column.put_text_end(row, next);
  return at;
}

const char* Walk::map(Column& column, const char* at, int64_t row) {
  if (*at != '{') return other(column, at, row);
  if (++depth_ > settings_.max_depth) return fail(ErrorCode::too_deep, at, "nested too deeply");
  at = map_entries(column, at, row);
  --depth_;
  if (at != nullptr && at >= end_) return fail_syntax(at, "',' or '}'");
  return at;
}

const char* Walk::map_entries(Column& column, const char* at, int64_t row) {
  Column& keys = *column.children[0];
  Column& values = *column.children[1];
  const int64_t begin = column.offsets[row];
  int64_t next = begin;
  std::unordered_map<std::string, const char*> last_of;  // only when the last of a key's values counts
  std::unordered_set<std::string> many;                  // only for maps of many entries
  const bool last = settings_.duplicate_keys == DuplicateKeys::last;
  bool counting = last;
  const char* const first = skip_space(at + 1);
  at = first;
  if (*at == '}') {
    column.put_text_end(row, begin);
    return at + 1;
  }
  for (;;) {
    const char* const key_at = at;
    if (*at != '"') return fail_syntax(at, "a key");
    std::string_view key;
    at = string_view_of(at + 1, &key);
    if (at == nullptr) return nullptr;
    at = skip_space(at);
    if (*at != ':') return fail_syntax(at, "':'");
    at = skip_space(at + 1);
    bool wanted = !counting;
    if (counting) {
      last_of[std::string(key)] = key_at;
    } else if (last) {
      wanted = last_of.at(std::string(key)) == key_at;
    } else {
      bool seen = false;
      if (next - begin >= kFewEntries || keys.kind != Kind::text) {
        if (many.empty() && keys.kind == Kind::text) {
          for (int64_t i = begin; i < next; ++i) {
            many.emplace(reinterpret_cast<const char*>(keys.data.data) + keys.offsets[i],
                         static_cast<size_t>(keys.offsets[i + 1] - keys.offsets[i]));
          }
        }
        seen = !many.emplace(key == "-0" ? "0" : key).second;
      } else {
        for (int64_t i = begin; i < next && !seen; ++i) {
          seen = key == std::string_view(reinterpret_cast<const char*>(keys.data.data) + keys.offsets[i],
                                         static_cast<size_t>(keys.offsets[i + 1] - keys.offsets[i]));
        }
      }
      if (seen && settings_.duplicate_keys == DuplicateKeys::reject) {
        const std::string name(key);
        fail(ErrorCode::duplicate_key, key_at, "the key is given twice");
        under(name);
        return nullptr;
      }
      wanted = !seen;
    }
    if (wanted) {
      if (next >= kMaxElements) return fail(ErrorCode::too_large, at, "the batch is full");
      keys.reserve_rows(next + 1);
      values.reserve_rows(next + 1);
      if (!map_key(keys, key, key_at, next)) return nullptr;
      at = value(values, at, next);
      ++next;
    } else {
      at = skip_value(at);
    }
    if (at == nullptr) {
      std::string_view again;
      string_view_of(key_at + 1, &again);
      under(again);
      return nullptr;
    }
    at = skip_space(at);
    if (*at == ',') {
      at = skip_space(at + 1);
    } else if (*at == '}') {
      if (!counting) break;
      counting = false;
      at = first;
    } else {
      return fail_syntax(at, "',' or '}'");
    }
  }
  column.put_text_end(row, next);
  return at + 1;
}

bool Walk::map_key(Column& keys, std::string_view key, const char* at, int64_t row) {
  if (keys.kind == Kind::text) {
    const int64_t begin = keys.offsets[row];
    const int64_t end = begin + static_cast<int64_t>(key.size());
    if (!keys.data.grow_to(end)) return fail(ErrorCode::too_large, at, "the batch is full") != nullptr;
    std::memcpy(keys.data.data + begin, key.data(), key.size());
    keys.put_text_end(row, end);
    const auto points = std::count_if(key.begin(), key.end(), [](char c) { return (c & 0xC0) != 0x80; });
    if (keys.max_length < 0 || points <= keys.max_length) return true;
    fail(ErrorCode::out_of_range, at, "the key is longer than " + keys.type_text);
    return false;
  }
  const std::string token(key);
  const char* stop = number_end(token.c_str());
  __int128 number = 0;
  if (stop != token.c_str() + token.size() || token.find_first_of(".eE") != std::string::npos) {
    return fail(ErrorCode::wrong_type, at,
                "expected a key of " + keys.type_text + ", found " + describe(at)) != nullptr;
  }
  if (exact_decimal(token, 38, 0, &number) != NumberOutcome::ok) number = static_cast<__int128>(1) << 100;
  return put_integer(keys, number, at, at, row) != nullptr;
}

template <typename T>
inline const char* Walk::integer(Column& column, const char* at, int64_t row) {
  const char* p = at;
  const bool negative = *p == '-';
  p += negative;
  const char* digits = p;
  const uint64_t magnitude = take_digits(&p);
  const int64_t count = p - digits;
  if (count == 0 || count > 18 || (*digits == '0' && count > 1) || *p == '.' || (*p | 0x20) == 'e') {
    return number(column, at, row);
  }
  const int64_t result = negative ? -static_cast<int64_t>(magnitude) : static_cast<int64_t>(magnitude);
  if (sizeof(T) < 8 && result != static_cast<T>(result)) return number(column, at, row);
  column.put(row, static_cast<T>(result));
  return p;
}

const char* Walk::float64(Column& column, const char* at, int64_t row) {
  const char* p = at;
  const bool negative = *p == '-';
  p += negative;
  const char* digits = p;
  uint64_t mantissa = take_digits(&p);
  int64_t count = p - digits;
  if (count == 0 || count > 19 || (*digits == '0' && count > 1)) return number(column, at, row);
  int64_t fraction = 0;
  if (*p == '.') {
    const char* point = ++p;
    const uint64_t more = take_digits(&p);
    fraction = p - point;
    count += fraction;
    if (fraction == 0 || count > 19) return number(column, at, row);
    static constexpr uint64_t kPowers[] = {1ull,
                                           10ull,
                                           100ull,
                                           1000ull,
                                           10000ull,
                                           100000ull,
                                           1000000ull,
                                           10000000ull,
                                           100000000ull,
                                           1000000000ull,
                                           10000000000ull,
                                           100000000000ull,
                                           1000000000000ull,
                                           10000000000000ull,
                                           100000000000000ull,
                                           1000000000000000ull,
                                           10000000000000000ull,
                                           100000000000000000ull,
                                           1000000000000000000ull};
    mantissa = mantissa * kPowers[fraction] + more;
  }
  if ((*p | 0x20) == 'e') return number(column, at, row);
  double result;
  if (mantissa <= (1ull << 53)) {
    // Both are exact, so that one division rounds correctly (W. D. Clinger).
    result = static_cast<double>(mantissa) / kPowersOfTen[fraction];
    if (negative) result = -result;
  } else if (to_float64({at, static_cast<size_t>(p - at)}, &result) != NumberOutcome::ok) {
    return number(column, at, row);
  }
  column.put(row, result);
  return p;
}

const char* Walk::boolean(Column& column, const char* at, int64_t row) {
  uint32_t word;
  std::memcpy(&word, at, 4);
  if (word == 0x65757274u) {  // "true"
    column.put(row, uint8_t{1});
    return at + 4;
  }
  if (word == 0x736c6166u && at[4] == 'e') {  // "fals"
    column.put(row, uint8_t{0});
    return at + 5;
  }
  return other(column, at, row);
}

const char* Walk::text(Column& column, const char* at, int64_t row) {
  if (*at != '"') return other(column, at, row);
  const int64_t begin = column.offsets[row];
  int64_t size = begin;
  const char* after = read_string(at + 1, column.data, &size);
  if (after == nullptr) return nullptr;
  column.put_text_end(row, size);
  if (column.max_length >= 0 && size - begin > column.max_length) {
    const uint8_t* bytes = column.data.data;
    const auto points =
        std::count_if(bytes + begin, bytes + size, [](uint8_t c) { return (c & 0xC0) != 0x80; });
    if (points > column.max_length) {
      return fail(ErrorCode::out_of_range, at,
                  std::to_string(points) + " characters do not fit into " + column.type_text);
    }
  }
  if (!settings_.null_literals.empty() && size - begin >= 0) {
    const std::string_view content(reinterpret_cast<const char*>(column.data.data) + begin,
                                   static_cast<size_t>(size - begin));
    if (is_null_literal(content)) return other(column, at, row);
  }
  return after;
}

const char* Walk::read_string(const char* at, GrowingBytes& out, int64_t* size) {
  int64_t written = *size;
  for (;;) {
    if (out.capacity - written < 64 && !out.grow_to(written + 64)) {
      return fail(ErrorCode::too_large, at, "the batch is full");
    }
    const uint32_t special = special_bytes_32<true>(at, out.data + written);
    if (special == 0) {
      at += 32;
      written += 32;
      if (at >= end_) return fail_syntax(end_, "the end of the string");
      continue;
    }
    const int plain = __builtin_ctz(special);
    at += plain;
    written += plain;
    if (at >= end_) return fail_syntax(end_, "the end of the string");
    if (*at == '"') {
      *size = written;
      return at + 1;
    }
    if (*at != '\\') return fail(ErrorCode::malformed, at, "a control character in a string");
    at = unescape(at, out.data + written, &written);
    if (at == nullptr) return nullptr;
  }
}

const char* Walk::string_view_of(const char* at, std::string_view* text) {
  const char* const begin = at;
  for (;;) {
    const uint32_t special = special_bytes_32<false>(at, nullptr);
    at += special == 0 ? 32 : __builtin_ctz(special);
    if (at >= end_) return fail_syntax(end_, "the end of the string");
    if (special == 0) continue;
    if (*at == '"') {
      *text = {begin, static_cast<size_t>(at - begin)};
      return at + 1;
    }
    int64_t size = 0;
    at = read_string(begin, scratch_, &size);
    // Readers of numbers and times look one byte further.
    if (at != nullptr) scratch_.data[size] = 0;
    *text = {reinterpret_cast<const char*>(scratch_.data), at == nullptr ? 0 : static_cast<size_t>(size)};
    return at;
  }
}

const char* Walk::skip_string(const char* at) {
  for (;;) {
    const uint32_t special = special_bytes_32<false>(at, nullptr);
    at += special == 0 ? 32 : __builtin_ctz(special);
    if (at >= end_) return fail_syntax(end_, "the end of the string");
    if (special == 0) continue;
    if (*at == '"') return at + 1;
    if (*at != '\\') return fail(ErrorCode::malformed, at, "a control character in a string");
    uint8_t unused[8];
    int64_t written = 0;
    at = unescape(at, unused, &written);
    if (at == nullptr) return nullptr;
  }
}

const char* Walk::skip_value(const char* at) {
  open_.clear();
  for (;;) {
    const char c = *at;
    if (c == '{' || c == '[') {
      open_.push_back(c);
      if (depth_ + static_cast<int>(open_.size()) > settings_.max_depth) {
        return fail(ErrorCode::too_deep, at, "nested too deeply");
      }
      at = skip_space(at + 1);
      if (*at == (c == '{' ? '}' : ']')) {
        ++at;
        open_.pop_back();
      } else if (c == '[') {
        continue;
      } else {
        goto key;
      }
    } else if (c == '"') {
      at = skip_string(at + 1);
      if (at == nullptr) return nullptr;
    } else if (c == '-' || is_digit(c)) {
      const char* after = number_end(at);
      if (after == nullptr) return fail_syntax(at, "a number");
      at = after;
    } else if (std::memcmp(at, "true", 4) == 0 || std::memcmp(at, "null", 4) == 0) {
      at += 4;
    } else if (std::memcmp(at, "false", 5) == 0) {
      at += 5;
    } else {
      return fail_syntax(at, "a value");
    }
    for (;;) {  // after a value
      if (open_.empty()) return at;
      if (at >= end_) return fail_syntax(end_, "a closing bracket");
      at = skip_space(at);
      if (*at == ',') break;
      if (*at != (open_.back() == '{' ? '}' : ']')) {
        return fail_syntax(at, open_.back() == '{' ? "',' or '}'" : "',' or ']'");
      }
      ++at;
      open_.pop_back();
    }
    at = skip_space(at + 1);
    if (open_.back() == '[') continue;
  key:
    if (*at != '"') return fail_syntax(at, "a key");
    at = skip_string(at + 1);
    if (at == nullptr) return nullptr;
    at = skip_space(at);
    if (*at != ':') return fail_syntax(at, "':'");
    at = skip_space(at + 1);
  }
}

}  // namespace weir::json
