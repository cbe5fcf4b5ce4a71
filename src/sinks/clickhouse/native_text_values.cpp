#include "sinks/clickhouse/native_text_values.h"

#include <cstring>

namespace weir {
namespace {

constexpr int kMaxJsonDepth = 500;  // below the server's own bound of 1000

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Four decimal numbers of up to three digits, most significant first.
bool parse_dotted(std::string_view text, uint8_t* out) {
  size_t at = 0;
  for (int part = 0; part < 4; ++part) {
    if (part > 0 && (at >= text.size() || text[at++] != '.')) return false;
    int value = 0, digits = 0;
    for (; at < text.size() && is_digit(text[at]) && digits < 4; ++at, ++digits) {
      value = value * 10 + (text[at] - '0');
    }
    if (digits == 0 || digits > 3 || value > 255) return false;
    out[part] = static_cast<uint8_t>(value);
  }
  return at == text.size();
}

// Finds the first byte where the text stops being JSON.
class JsonChecker {
 public:
  explicit JsonChecker(std::string_view text) : text_(text) {}

  std::string problem() {
    skip_space();
    if (at_ >= text_.size()) return "is empty, not a JSON object";
    if (text_[at_] != '{') return "is not a JSON object";
    if (!value(0)) return "is not JSON from byte " + std::to_string(at_) + " on";
    skip_space();
    if (at_ != text_.size()) return "has something behind its JSON object, at byte " + std::to_string(at_);
    return "";
  }

 private:
  void skip_space() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) {
      ++at_;
    }
  }
  bool accept(char c) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool word(std::string_view expected) {
    if (!text_.substr(at_).starts_with(expected)) return false;
    at_ += expected.size();
    return true;
  }
  bool value(int depth) {
    skip_space();
    if (at_ >= text_.size() || depth > kMaxJsonDepth) return false;
    switch (text_[at_]) {
      case '{': return object(depth);
      case '[': return array(depth);
      case '"': return string();
      case 't': return word("true");
      case 'f': return word("false");
      case 'n': return word("null");
      default: return number();
    }
  }
  bool object(int depth) {
    ++at_;
    if (accept('}')) return true;
    do {
      skip_space();
      if (at_ >= text_.size() || text_[at_] != '"' || !string()) return false;
      if (!accept(':') || !value(depth + 1)) return false;
    } while (accept(','));
    return accept('}');
  }
  bool array(int depth) {
    ++at_;
    if (accept(']')) return true;
    do {
      if (!value(depth + 1)) return false;
    } while (accept(','));
    return accept(']');
  }
  bool string() {
    for (++at_; at_ < text_.size(); ++at_) {
      char c = text_[at_];
      if (c == '"') {
        ++at_;
        return true;
      }
      if (static_cast<unsigned char>(c) < 0x20) return false;
      if (c != '\\') continue;
      if (++at_ >= text_.size()) return false;
      if (text_[at_] == 'u') {
        for (int i = 1; i <= 4; ++i) {
          if (at_ + i >= text_.size() || hex_digit(text_[at_ + i]) < 0) return false;
        }
        at_ += 4;
      } else if (std::strchr("\"\\/bfnrt", text_[at_]) == nullptr || text_[at_] == '\0') {
        return false;
      }
    }
    return false;
  }
  bool digits() {
    size_t start = at_;
    while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
    return at_ > start;
  }
  bool number() {
    if (text_[at_] == '-') ++at_;
    size_t start = at_;
    if (!digits()) return false;
    if (text_[start] == '0' && at_ - start > 1) return false;
    if (at_ < text_.size() && text_[at_] == '.') {
      ++at_;
      if (!digits()) return false;
    }
    if (at_ < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')) {
      ++at_;
      if (at_ < text_.size() && (text_[at_] == '+' || text_[at_] == '-')) ++at_;
      if (!digits()) return false;
    }
    return true;
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

bool parse_uuid(std::string_view text, uint8_t* out) {
  const bool hyphens = text.size() == 36;
  if (!hyphens && text.size() != 32) return false;
  size_t at = 0;
  int wrong = 0;
  for (int i = 0; i < 16; ++i) {
    if (hyphens && (i == 4 || i == 6 || i == 8 || i == 10)) wrong |= text[at++] != '-';
    int high = hex_digit(text[at]), low = hex_digit(text[at + 1]);
    at += 2;
    wrong |= (high | low) < 0;
    // Each half is a number in host order, so its bytes stand reversed.
    out[(i & 8) + 7 - (i & 7)] = static_cast<uint8_t>((high & 15) << 4 | (low & 15));
  }
  return wrong == 0;
}

bool parse_ipv4(std::string_view text, uint8_t* out) {
  uint8_t parts[4];
  if (!parse_dotted(text, parts)) return false;
  for (int i = 0; i < 4; ++i) out[i] = parts[3 - i];
  return true;
}

bool parse_ipv6(std::string_view text, uint8_t* out) {
  uint8_t bytes[16] = {};
  if (parse_dotted(text, bytes + 12)) {
    bytes[10] = bytes[11] = 0xFF;
    std::memcpy(out, bytes, sizeof bytes);
    return true;
  }
  int filled = 0, gap = -1;
  size_t at = 0;
  if (text.starts_with("::")) {
    gap = 0;
    at = 2;
  }
  while (at < text.size()) {
    if (filled > 14) return false;
    std::string_view rest = text.substr(at);
    // A dotted tail stands for the last four bytes.
    if (filled <= 12 && rest.find('.') != std::string_view::npos &&
        rest.find(':') == std::string_view::npos) {
      if (!parse_dotted(rest, bytes + filled)) return false;
      filled += 4;
      at = text.size();
      break;
    }
    int value = 0, digits = 0;
    for (; at < text.size() && digits < 5 && hex_digit(text[at]) >= 0; ++at, ++digits) {
      value = value << 4 | hex_digit(text[at]);
    }
    if (digits == 0 || digits > 4) return false;
    bytes[filled++] = static_cast<uint8_t>(value >> 8);
    bytes[filled++] = static_cast<uint8_t>(value);
    if (at == text.size()) break;
    if (text[at++] != ':') return false;
    if (at < text.size() && text[at] == ':') {
      if (gap >= 0) return false;
      gap = filled;
      ++at;
    } else if (at == text.size()) {
      return false;  // one colon at the end
    }
  }
  if (gap < 0 ? filled != 16 : filled > 14) return false;
  if (gap >= 0) {
    std::memmove(bytes + 16 - (filled - gap), bytes + gap, static_cast<size_t>(filled - gap));
    std::memset(bytes + gap, 0, static_cast<size_t>(16 - filled));
  }
  std::memcpy(out, bytes, sizeof bytes);
  return true;
}

std::string json_object_problem(std::string_view text) { return JsonChecker(text).problem(); }

}  // namespace weir
