#include "cli/payload_excerpt.h"

#include <algorithm>
#include <cstdio>

namespace weir {
namespace {

// Bytes of the UTF-8 sequence that starts at `at`; 0 when it is not a valid one (overlong forms are not told
// apart).
size_t sequence_length(std::string_view bytes, size_t at) {
  auto first = static_cast<unsigned char>(bytes[at]);
  size_t length = first < 0x80                    ? 1
                  : first >= 0xC2 && first < 0xE0 ? 2
                  : first >= 0xE0 && first < 0xF0 ? 3
                  : first >= 0xF0 && first < 0xF5 ? 4
                                                  : 0;
  if (length == 0 || at + length > bytes.size()) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((static_cast<unsigned char>(bytes[at + i]) & 0xC0) != 0x80) return 0;
  }
  return length;
}

// Appends one printable unit at `at`; gives [bytes taken, columns used].
std::pair<size_t, size_t> append_unit(std::string_view bytes, size_t at, std::string& out) {
  size_t length = sequence_length(bytes, at);
  auto byte = static_cast<unsigned char>(bytes[at]);
  if (length == 0 || byte < 0x20 || byte == 0x7F) {
    char text[8];
    std::snprintf(text, sizeof text, "\\x%02x", byte);
    out += text;
    return {1, 4};
  }
  out += bytes.substr(at, length);
  return {length, 1};
}

}  // namespace

std::string printable(std::string_view bytes) {
  std::string out;
  for (size_t at = 0; at < bytes.size();) at += append_unit(bytes, at, out).first;
  return out;
}

std::string payload_excerpt(std::string_view payload, int64_t at, size_t width) {
  if (payload.empty()) return "  (empty)";
  const bool has_place = at >= 0;
  size_t place = has_place ? std::min(static_cast<size_t>(at), payload.size()) : 0;
  size_t begin = payload.rfind('\n', place == 0 ? 0 : place - 1);
  begin = begin == std::string_view::npos || begin >= place ? 0 : begin + 1;
  const size_t line_start = begin;
  if (place - begin > width / 2) begin = place - width / 2;
  while (begin > 0 && (static_cast<unsigned char>(payload[begin]) & 0xC0) == 0x80) --begin;
  const bool cut = begin != line_start;
  std::string line = cut ? "…" : "";
  size_t columns = cut ? 1 : 0;
  size_t caret = columns;
  size_t i = begin;
  for (; i < payload.size() && payload[i] != '\n' && columns < width;) {
    if (i <= place) caret = columns;
    auto [taken, used] = append_unit(payload, i, line);
    i += taken;
    columns += used;
    if (i <= place) caret = columns;
  }
  if (i < payload.size()) line += "…";
  std::string out = "  " + line;
  if (has_place) out += "\n  " + std::string(caret, ' ') + "^";
  return out;
}

}  // namespace weir
