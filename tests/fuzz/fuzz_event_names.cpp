// Names that an event gives itself: whatever it says, a subject has no wildcard, blank or empty token and is
// none of the server's own, a topic has only what Kafka takes. The input's first line is the type, the next
// the subject, the rest the headers as JSON.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "edge/event_text.h"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

bool has_byte(const std::string& text, bool (*bad)(unsigned char)) {
  for (const char c : text) {
    if (bad(static_cast<unsigned char>(c))) return true;
  }
  return false;
}

void check_subject(const std::string& name) {
  require(!name.empty() && name.size() <= 1024);
  require(!has_byte(name, [](unsigned char c) { return c <= ' ' || c == 0x7F || c == '*' || c == '>'; }));
  require(name.front() != '.' && name.back() != '.' && name.find("..") == std::string::npos);
  require(!name.starts_with("$") && !name.starts_with("_INBOX"));
}

void check_topic(const std::string& name) {
  require(!name.empty() && name.size() <= 249 && name != "." && name != "..");
  require(name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
          std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const char* const kTemplates[] = {"{type}", "{subject}", "{stream}.{type}", "in.{subject}.{type}"};
  const std::string text(reinterpret_cast<const char*>(data), size);
  const size_t first = std::min(text.find('\n'), text.size());
  const size_t second = std::min(text.find('\n', std::min(first + 1, text.size())), text.size());
  const std::string type = text.substr(0, first);
  const std::string subject = second > first ? text.substr(first + 1, second - first - 1) : "";
  const std::string json = second < text.size() ? text.substr(second + 1) : "";

  weir::EventHeaders reader;
  auto headers = reader.parse(json);
  headers.insert(headers.begin(), {{"ce-type", type}, {"ce-subject", subject}});
  weir::EdgeEvent event;
  event.subject = type.empty() ? std::string_view("s") : type;
  for (const char* name : kTemplates) {
    const auto as_subject = weir::NameTemplate::parse(name, weir::NameKind::subject);
    const auto as_topic = weir::NameTemplate::parse(name, weir::NameKind::topic);
    require(as_subject.ok() && as_topic.ok());
    if (const auto made = as_subject->name(event, headers); made.ok()) check_subject(*made);
    if (const auto made = as_topic->name(event, headers); made.ok()) check_topic(*made);
  }
  for (auto kind : {weir::NameKind::subject, weir::NameKind::topic, weir::NameKind::text}) {
    const auto made = weir::NameTemplate::parse(type, kind);
    if (made.ok() && kind == weir::NameKind::subject) {
      if (const auto name = made->name(event, headers); name.ok()) check_subject(*name);
    }
  }
  require(weir::event_id("t", "", 0, "place", type, headers).empty() ||
          weir::event_id("t", "", 0, "place", type, headers).starts_with("t ce:"));
  return 0;
}
