#include "formats/json_text.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <bit>
#include <cstdint>

namespace weir {
namespace {

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// How many bytes of a string's inside follow that need no second look: ASCII, not '"', '\\' or a control.
size_t plain_bytes(const char* at, const char* end) {
  const char* begin = at;
#if defined(__AVX2__)
  const __m256i quote = _mm256_set1_epi8('"'), backslash = _mm256_set1_epi8('\\'),
                last = _mm256_set1_epi8(0x1F);
  for (; end - at >= 32; at += 32) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    const __m256i special =
        _mm256_or_si256(_mm256_or_si256(_mm256_cmpeq_epi8(bytes, quote), _mm256_cmpeq_epi8(bytes, backslash)),
                        _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, last), bytes));
    // A byte above ASCII has its top bit set already.
    const auto mask = static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_or_si256(special, bytes)));
    if (mask != 0) return static_cast<size_t>(at - begin) + static_cast<size_t>(std::countr_zero(mask));
  }
#endif
  while (at < end && static_cast<unsigned char>(*at) >= 0x20 && static_cast<unsigned char>(*at) < 0x80 &&
         *at != '"' && *at != '\\') {
    ++at;
  }
  return static_cast<size_t>(at - begin);
}

// RFC 8259, by hand and without recursion: says where a text stops being JSON. Not simdjson: Arrow's library
// exports another version of it, and its parsers are classes with virtual members.
class FaultFinder {
 public:
  FaultFinder(std::string_view text, int max_depth) : text_(text), max_depth_(max_depth) {}

  std::optional<JsonFault> find() {
    if (text_.starts_with("\xEF\xBB\xBF")) return JsonFault{0, "a byte order mark stands before the JSON"};
    skip_space();
    if (at_ == text_.size()) return JsonFault{at_, "there is no JSON value"};
    if (!document()) return JsonFault{fault_at_, reason_};
    skip_space();
    if (at_ != text_.size()) return JsonFault{at_, "something follows the JSON value"};
    return std::nullopt;
  }

 private:
  bool fail(size_t at, std::string reason) {
    fault_at_ = at;
    reason_ = std::move(reason);
    return false;
  }
  bool at_end() const { return at_ == text_.size(); }
  void skip_space() {
    while (!at_end() && is_space(text_[at_])) ++at_;
  }
  bool cut_off() { return fail(at_, "the JSON is cut off"); }

  // `open_` holds the containers that surround the place.
  bool document() {
    while (true) {
      skip_space();
      if (at_end()) return cut_off();
      char c = text_[at_];
      if (c == '{' || c == '[') {
        if (static_cast<int>(open_.size()) >= max_depth_) {
          return fail(at_, "it is nested more than " + std::to_string(max_depth_) + " levels deep");
        }
        open_ += c;
        ++at_;
        skip_space();
        if (!at_end() && text_[at_] == (c == '{' ? '}' : ']')) {
          ++at_;
          open_.pop_back();
        } else {
          if (c == '{' && !member_name()) return false;
          continue;
        }
      } else if (!scalar()) {
        return false;
      }
      if (!close_or_go_on()) return false;
      if (open_.empty()) return true;
    }
  }

  // Behind a value: closes what ends here, or stands before the next value.
  bool close_or_go_on() {
    while (!open_.empty()) {
      skip_space();
      if (at_end()) return cut_off();
      const bool object = open_.back() == '{';
      char c = text_[at_];
      if (c == ',') {
        ++at_;
        skip_space();
        return !object || member_name();
      }
      if (c != (object ? '}' : ']')) {
        return fail(at_, object ? "expected ',' or '}' behind a member" : "expected ',' or ']' in an array");
      }
      ++at_;
      open_.pop_back();
    }
    return true;
  }

  bool member_name() {
    skip_space();
    if (at_end()) return cut_off();
    if (text_[at_] != '"') return fail(at_, "expected a member's name in double quotes");
    if (!string()) return false;
    skip_space();
    if (at_end()) return cut_off();
    if (text_[at_] != ':') return fail(at_, "expected ':' behind a member's name");
    ++at_;
    return true;
  }

  bool scalar() {
    char c = text_[at_];
    if (c == '"') return string();
    if (c == '-' || is_digit(c)) return number();
    for (std::string_view word : {"true", "false", "null"}) {
      if (text_.substr(at_, word.size()) == word) {
        at_ += word.size();
        return true;
      }
    }
    return fail(at_, "expected a JSON value");
  }

  bool string() {
    const size_t begin = at_++;
    while (true) {
      at_ += plain_bytes(text_.data() + at_, text_.data() + text_.size());
      if (at_end()) break;
      auto c = static_cast<unsigned char>(text_[at_]);
      if (c == '"') {
        ++at_;
        return true;
      }
      if (c < 0x20) return fail(at_, "a control character in a string must be escaped");
      if (c == '\\') {
        if (!escape()) return false;
      } else {
        size_t length = utf8_length(text_.substr(at_));
        if (length == 0) return fail(at_, "this is not UTF-8");
        at_ += length;
      }
    }
    return fail(begin, "a string is not closed");
  }

  bool escape() {
    const size_t begin = at_++;
    if (at_end()) return fail(begin, "a string is not closed");
    char c = text_[at_++];
    if (std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos) return true;
    if (c != 'u') return fail(begin, "an unknown escape in a string");
    for (int i = 0; i < 4; ++i, ++at_) {
      if (at_end() || hex_digit(text_[at_]) < 0) return fail(begin, "\\u needs four hex digits");
    }
    return true;
  }

  bool digits() {
    const size_t begin = at_;
    while (!at_end() && is_digit(text_[at_])) ++at_;
    return at_ > begin || fail(at_, "a number lacks a digit");
  }
  bool number() {
    if (text_[at_] == '-') ++at_;
    const size_t begin = at_;
    if (!digits()) return false;
    if (text_[begin] == '0' && at_ > begin + 1) return fail(begin, "a number begins with a needless 0");
    if (!at_end() && text_[at_] == '.') {
      ++at_;
      if (!digits()) return false;
    }
    if (!at_end() && (text_[at_] == 'e' || text_[at_] == 'E')) {
      ++at_;
      if (!at_end() && (text_[at_] == '+' || text_[at_] == '-')) ++at_;
      if (!digits()) return false;
    }
    return true;
  }

  std::string_view text_;
  const int max_depth_;
  size_t at_ = 0;
  std::string open_;
  size_t fault_at_ = 0;
  std::string reason_;
};

// Behind the string that begins at `at`.
size_t behind_string(std::string_view text, size_t at) {
  for (++at; at < text.size(); ++at) {
    at += plain_bytes(text.data() + at, text.data() + text.size());
    if (at >= text.size() || text[at] == '"') break;
    if (text[at] == '\\') ++at;
  }
  return std::min(at + 1, text.size());
}

// Behind the value that begins at `at`, in valid JSON.
size_t behind_value(std::string_view text, size_t at) {
  int depth = 0;
  while (at < text.size()) {
    char c = text[at];
    if (c == '"') {
      at = behind_string(text, at);
    } else if (c == '{' || c == '[') {
      ++depth;
      ++at;
      continue;
    } else if (c == '}' || c == ']') {
      --depth;
      ++at;
    } else if (depth > 0 && (is_space(c) || c == ',' || c == ':')) {
      ++at;
      continue;
    } else {
      while (at < text.size() && !is_space(text[at]) &&
             std::string_view(",:]}").find(text[at]) == std::string_view::npos) {
        ++at;
      }
    }
    if (depth <= 0) return at;
  }
  return at;
}

size_t behind_space(std::string_view text, size_t at) {
  while (at < text.size() && is_space(text[at])) ++at;
  return at;
}

void append_utf8(uint32_t code, std::string& out) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

// The four hex digits at `at`, or -1.
int32_t code_unit(std::string_view text, size_t at) {
  if (at + 4 > text.size()) return -1;
  int32_t unit = 0;
  for (size_t i = at; i < at + 4; ++i) {
    int digit = hex_digit(text[i]);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

}  // namespace

std::optional<JsonFault> find_json_fault(std::string_view text, int max_depth) {
  return FaultFinder(text, max_depth).find();
}

std::string_view trim_json_space(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

bool for_each_member(std::string_view text,
                     const std::function<bool(std::string_view, std::string_view)>& member) {
  size_t at = behind_space(text, 0);
  if (at >= text.size() || text[at] != '{') return false;
  at = behind_space(text, at + 1);
  while (at < text.size() && text[at] == '"') {
    const size_t name_end = behind_string(text, at);
    std::string_view name = text.substr(at + 1, name_end - at - 2);
    at = behind_space(text, behind_space(text, name_end) + 1);
    const size_t end = behind_value(text, at);
    if (end <= at) return true;
    if (!member(name, text.substr(at, end - at))) return true;
    at = behind_space(text, end);
    if (at < text.size() && text[at] == ',') at = behind_space(text, at + 1);
  }
  return true;
}

bool for_each_element(std::string_view text, const std::function<bool(std::string_view)>& element) {
  size_t at = behind_space(text, 0);
  if (at >= text.size() || text[at] != '[') return false;
  at = behind_space(text, at + 1);
  while (at < text.size() && text[at] != ']') {
    const size_t end = behind_value(text, at);
    if (end <= at) return true;
    if (!element(text.substr(at, end - at))) return true;
    at = behind_space(text, end);
    if (at < text.size() && text[at] == ',') at = behind_space(text, at + 1);
  }
  return true;
}

bool append_json_unescaped(std::string_view inside, std::string& out) {
  bool whole = true;
  for (size_t at = 0; at < inside.size(); ++at) {
    if (inside[at] != '\\' || at + 1 >= inside.size()) {
      out += inside[at];
      continue;
    }
    switch (char c = inside[++at]; c) {
      case 'b': out += '\b'; break;
      case 'f': out += '\f'; break;
      case 'n': out += '\n'; break;
      case 'r': out += '\r'; break;
      case 't': out += '\t'; break;
      case 'u': {
        int32_t unit = code_unit(inside, at + 1);
        if (unit < 0) return false;
        at += 4;
        uint32_t code = static_cast<uint32_t>(unit);
        if (code >= 0xD800 && code < 0xDC00 && inside.substr(at + 1, 2) == "\\u") {
          int32_t low = code_unit(inside, at + 3);
          if (low >= 0xDC00 && low < 0xE000) {
            code = 0x10000 + ((code - 0xD800) << 10) + (static_cast<uint32_t>(low) - 0xDC00);
            at += 6;
          }
        }
        const bool half = code >= 0xD800 && code < 0xE000;
        append_utf8(half ? 0xFFFD : code, out);
        whole = whole && !half;
        break;
      }
      default: out += c;
    }
  }
  return whole;
}

std::string json_unescaped(std::string_view inside) {
  std::string out;
  out.reserve(inside.size());
  append_json_unescaped(inside, out);
  return out;
}

void append_json_quoted(std::string_view text, std::string& out) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  size_t done = 0;  // up to here it is in `out`
  for (size_t at = 0; at < text.size();) {
    auto c = static_cast<unsigned char>(text[at]);
    if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
      ++at;
      continue;
    }
    size_t length = c >= 0x80 ? utf8_length(text.substr(at)) : 0;
    if (length != 0) {
      at += length;
      continue;
    }
    out.append(text.substr(done, at - done));
    if (c >= 0x80) {
      out += "\xEF\xBF\xBD";
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else {
      out += "\\u00";
      out += kHex[c >> 4];
      out += kHex[c & 15];
    }
    done = ++at;
  }
  out.append(text.substr(done));
  out += '"';
}

std::string json_quoted(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 2);
  append_json_quoted(text, out);
  return out;
}

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_json_type(std::string_view content_type) {
  const std::string_view type = trim_json_space(content_type.substr(0, content_type.find(';')));
  const auto ends_with = [&](std::string_view end) {
    // '/' and '+' have the bit that makes letters small
    return type.size() >= end.size() &&
           std::equal(end.rbegin(), end.rend(), type.rbegin(),
                      [](char a, char b) { return a == static_cast<char>(b | 0x20); });
  };
  return ends_with("/json") || ends_with("+json");
}

size_t utf8_length(std::string_view text) {
  const auto at = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto trails = [&](size_t count) {
    if (text.size() <= count) return false;
    for (size_t i = 1; i <= count; ++i) {
      if ((at(i) & 0xC0) != 0x80) return false;
    }
    return true;
  };
  unsigned char first = at(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF && trails(1)) return 2;
  if ((first & 0xF0) == 0xE0 && trails(2)) {
    bool overlong = first == 0xE0 && at(1) < 0xA0, surrogate = first == 0xED && at(1) >= 0xA0;
    return overlong || surrogate ? 0 : 3;
  }
  if (first >= 0xF0 && first <= 0xF4 && trails(3)) {
    bool overlong = first == 0xF0 && at(1) < 0x90, beyond = first == 0xF4 && at(1) >= 0x90;
    return overlong || beyond ? 0 : 4;
  }
  return 0;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace weir
