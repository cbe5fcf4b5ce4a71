#include "sources/nats/ack_subject.h"

#include <array>
#include <charconv>

namespace weir {
namespace {

bool parse_number(std::string_view text, int64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::optional<AckSubject> parse_ack_subject(std::string_view subject) {
  constexpr std::string_view kPrefix = "$JS.ACK.";
  constexpr size_t kShort = 7;  // tokens behind the prefix
  constexpr size_t kLong = 9;
  if (subject.substr(0, kPrefix.size()) != kPrefix) return std::nullopt;
  subject.remove_prefix(kPrefix.size());
  std::array<std::string_view, kLong> tokens;
  size_t count = 0;
  while (count < kLong) {
    const size_t dot = subject.find('.');
    tokens[count++] = subject.substr(0, dot);
    if (dot == std::string_view::npos) break;
    subject.remove_prefix(dot + 1);
  }
  if (count != kShort && count != kLong) return std::nullopt;
  const size_t first = count - 4;
  AckSubject parsed;
  if (!parse_number(tokens[first], parsed.stream_sequence) ||
      !parse_number(tokens[first + 1], parsed.consumer_sequence) ||
      !parse_number(tokens[first + 2], parsed.timestamp_ns) ||
      !parse_number(tokens[first + 3], parsed.pending)) {
    return std::nullopt;
  }
  return parsed;
}

}  // namespace weir
