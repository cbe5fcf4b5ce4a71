#include "formats/payload/json_scan.h"

#include <cstdint>

namespace weir::payload {
namespace {

constexpr int kDeepest = 1024;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  const char small = static_cast<char>(c | 0x20);
  return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

// Of four digits that were checked.
uint32_t hex_unit(const char* at) {
  uint32_t unit = 0;
  for (int i = 0; i < 4; ++i) unit = unit << 4 | static_cast<uint32_t>(hex_digit(at[i]));
  return unit;
}

void append_utf8(uint32_t point, std::string& text) {
  const int more = point < 0x80 ? 0 : point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
  static constexpr uint8_t kLead[] = {0, 0xC0, 0xE0, 0xF0};
  text += static_cast<char>(kLead[more] | point >> (6 * more));
  for (int i = more - 1; i >= 0; --i) text += static_cast<char>(0x80 | (point >> (6 * i) & 0x3F));
}

}  // namespace

void JsonScan::skip_space() {
  while (at_ < end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
}

bool JsonScan::fail(const char* problem) {
  if (problem_ == nullptr) problem_ = problem;
  return false;
}

bool JsonScan::at_end() {
  skip_space();
  return problem_ == nullptr && at_ == end_;
}

bool JsonScan::next_member(std::string_view& key) {
  if (problem_ != nullptr) return false;
  skip_space();
  if (!opened_) {
    if (at_ == end_ || *at_ != '{') return fail("not a JSON object");
    ++at_;
    skip_space();
    opened_ = true;
    if (at_ < end_ && *at_ == '}') {
      ++at_;
      return false;
    }
  } else {
    if (at_ == end_) return fail("it ends before a closing brace");
    if (*at_ == '}') {
      ++at_;
      return false;
    }
    if (*at_ != ',') return fail("expected ',' or '}'");
    ++at_;
    skip_space();
  }
  const char* const begin = at_;
  if (!skip_string()) return false;
  key = {begin, static_cast<size_t>(at_ - begin)};
  skip_space();
  if (at_ == end_ || *at_ != ':') return fail("expected ':'");
  ++at_;
  return true;
}

bool JsonScan::value(std::string_view& raw) {
  if (problem_ != nullptr) return false;
  skip_space();
  const char* const begin = at_;
  if (!skip_value(1)) return false;
  raw = {begin, static_cast<size_t>(at_ - begin)};
  return true;
}

bool JsonScan::skip_value(int depth) {
  if (at_ == end_) return fail("it ends before a value");
  if (depth > kDeepest) return fail("nested more than 1024 deep");
  const char open = *at_;
  if (open == '"') return skip_string();
  if (open == 't') return skip_word("true");
  if (open == 'f') return skip_word("false");
  if (open == 'n') return skip_word("null");
  if (open != '{' && open != '[') return skip_number();
  const char close = open == '{' ? '}' : ']';
  ++at_;
  skip_space();
  if (at_ < end_ && *at_ == close) {
    ++at_;
    return true;
  }
  for (;;) {
    if (open == '{') {
      if (!skip_string()) return false;
      skip_space();
      if (at_ == end_ || *at_ != ':') return fail("expected ':'");
      ++at_;
      skip_space();
    }
    if (!skip_value(depth + 1)) return false;
    skip_space();
    if (at_ == end_) return fail("it ends before a closing bracket");
    const char c = *at_++;
    if (c == close) return true;
    if (c != ',') return fail("expected ',' or a closing bracket");
    skip_space();
  }
}

bool JsonScan::skip_string() {
  if (at_ == end_ || *at_ != '"') return fail("expected a string");
  for (++at_; at_ < end_; ++at_) {
    if (*at_ == '"') {
      ++at_;
      return true;
    }
    if (static_cast<uint8_t>(*at_) < 0x20) return fail("a control character in a string");
    if (*at_ != '\\') continue;
    if (++at_ == end_) break;
    if (*at_ == 'u') {
      if (end_ - at_ < 5) break;
      for (int i = 1; i <= 4; ++i) {
        if (hex_digit(at_[i]) < 0) return fail("expected four hexadecimal digits after \\u");
      }
      at_ += 4;
    } else if (std::string_view("\"\\/bfnrt").find(*at_) == std::string_view::npos) {
      return fail("an escape that does not exist");
    }
  }
  at_ = end_;
  return fail("it ends inside a string");
}

bool JsonScan::skip_number() {
  const auto digits = [this] {
    const char* const begin = at_;
    while (at_ < end_ && is_digit(*at_)) ++at_;
    return at_ - begin;
  };
  if (at_ < end_ && *at_ == '-') ++at_;
  const bool zero = at_ < end_ && *at_ == '0';
  const auto count = digits();
  if (count == 0 || (zero && count > 1)) return fail("expected a value");
  if (at_ < end_ && *at_ == '.') {
    ++at_;
    if (digits() == 0) return fail("expected a digit");
  }
  if (at_ < end_ && (*at_ | 0x20) == 'e') {
    ++at_;
    if (at_ < end_ && (*at_ == '+' || *at_ == '-')) ++at_;
    if (digits() == 0) return fail("expected a digit");
  }
  return true;
}

bool JsonScan::skip_word(std::string_view word) {
  if (!std::string_view(at_, static_cast<size_t>(end_ - at_)).starts_with(word)) {
    return fail("expected a value");
  }
  at_ += word.size();
  return true;
}

bool unescape_json(std::string_view quoted, std::string& text) {
  static constexpr std::string_view kFrom = "\"\\/bfnrt";
  static constexpr std::string_view kTo = "\"\\/\b\f\n\r\t";
  for (size_t i = 1; i + 1 < quoted.size(); ++i) {
    if (quoted[i] != '\\') {
      text += quoted[i];
      continue;
    }
    ++i;
    if (quoted[i] != 'u') {
      text += kTo[kFrom.find(quoted[i])];
      continue;
    }
    uint32_t point = hex_unit(quoted.data() + i + 1);
    i += 4;
    if (point >= 0xD800 && point <= 0xDFFF) {
      const bool pair =
          point < 0xDC00 && i + 7 < quoted.size() && quoted[i + 1] == '\\' && quoted[i + 2] == 'u';
      const uint32_t low = pair ? hex_unit(quoted.data() + i + 3) : 0;
      if (low < 0xDC00 || low > 0xDFFF) return false;
      point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
      i += 6;
    }
    append_utf8(point, text);
  }
  return true;
}

}  // namespace weir::payload
