#include "sources/nats/ack_subject.h"

#include <algorithm>
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

void AckTemplate::subject(int64_t stream_sequence, int64_t consumer_sequence, std::string& out) const {
  out = head;
  out += "1.";
  out += std::to_string(stream_sequence);
  out += '.';
  out += std::to_string(consumer_sequence);
  out += ".0.0";
  out += tail;
}

AckTemplate ack_template(std::string_view subject) {
  const auto dots = std::count(subject.begin(), subject.end(), '.');
  const int before = dots == 8 ? 4 : 6;  // "$JS.ACK" and either stream, consumer or domain, account and those
  const auto end_of = [&](int tokens) {
    size_t end = 0;
    for (int i = 0; i < tokens && end != std::string_view::npos; ++i) end = subject.find('.', end) + 1;
    return end;
  };
  AckTemplate made;
  made.head = subject.substr(0, end_of(before));
  if (dots > before + 4) made.tail = subject.substr(end_of(before + 5) - 1);
  return made;
}

}  // namespace weir
