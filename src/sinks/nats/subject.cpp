#include "sinks/nats/subject.h"

#include <algorithm>
#include <string>

namespace weir {
namespace {

// Cuts the first token off `rest`; `more` says whether one follows.
std::string_view next_token(std::string_view& rest, bool& more) {
  const size_t dot = rest.find('.');
  more = dot != std::string_view::npos;
  const std::string_view token = rest.substr(0, dot);
  rest = more ? rest.substr(dot + 1) : std::string_view();
  return token;
}

}  // namespace

Status check_subject(std::string_view subject) {
  const std::string shown = "the subject '" + std::string(subject.substr(0, 200)) + "' ";
  if (std::any_of(subject.begin(), subject.end(), [](char c) { return c >= 0 && (c <= ' ' || c == 0x7F); })) {
    return Status::invalid(shown + "holds white space or a control character");
  }
  std::string_view rest = subject;
  for (bool more = true; more;) {
    const std::string_view token = next_token(rest, more);
    if (token.empty()) return Status::invalid(shown + "has an empty token: write words separated by dots");
    if (token == "*" || token == ">") {
      return Status::invalid(shown + "has a wildcard: a message is published on one subject");
    }
  }
  return {};
}

bool takes_subject(std::string_view filter, std::string_view subject) {
  bool more_filter = true;
  bool more_subject = true;
  while (more_filter && more_subject) {
    const std::string_view wanted = next_token(filter, more_filter);
    if (wanted == ">" && !more_filter) return true;
    const std::string_view token = next_token(subject, more_subject);
    if (wanted != "*" && wanted != token) return false;
  }
  return !more_filter && !more_subject;
}

}  // namespace weir
