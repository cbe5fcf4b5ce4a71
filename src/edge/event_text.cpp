#include "edge/event_text.h"

#include <cstdint>
#include <cstdio>

#include "base/text.h"
#include "edge/log_target.h"
#include "formats/json_text.h"

namespace weir {
namespace {

constexpr size_t kLongestSubject = 1024;  // NATS' control line ends at 4096, the id takes its share
constexpr size_t kLongestTopic = 249;
constexpr int kMostDepth = 8;  // of headers: an object of strings

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

// One value as part of a subject: dots stay, but no token is empty, and no system subject comes of it.
void append_subject(std::string_view value, std::string& out) {
  if (value.empty()) {
    out += '_';
    return;
  }
  const bool at_start = out.empty();
  const size_t begin = out.size();
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '.') {
      if (out.empty() || out.back() == '.') out += '_';
      out += '.';
    } else if (byte <= ' ' || byte == 0x7F || c == '*' || c == '>' || c == '$' || c == '/' || c == '\\') {
      out += '_';
    } else {
      out += c;
    }
  }
  if (out.back() == '.') out += '_';
  if (at_start && out[begin] == '_') out[begin] = '-';  // "_INBOX." and the like are the server's
}

void append_topic(std::string_view value, std::string& out) {
  for (const char c : value) out += is_plain(c) || c == '.' ? c : '_';
  if (value.empty()) out += '_';
}

Status unusable(std::string_view text, const char* why) {
  return Status::invalid("'" + std::string(text) + "' " + why);
}

Status check_literal(std::string_view whole, std::string_view text, NameKind kind) {
  if (kind == NameKind::text) return {};
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (kind == NameKind::topic && !is_plain(c) && c != '.') {
      return unusable(whole, "can be no topic: letters, digits, '.', '_' and '-' only");
    }
    if (kind == NameKind::subject && (byte <= ' ' || byte == 0x7F || c == '*' || c == '>')) {
      return unusable(whole, "can be no subject to publish to: no blanks, '*' or '>'");
    }
  }
  return {};
}

}  // namespace

struct EventHeaders::State {
  std::vector<std::pair<std::string, std::string>> headers;
};

EventHeaders::EventHeaders() : state_(std::make_unique<State>()) {}
EventHeaders::~EventHeaders() = default;

const std::vector<std::pair<std::string, std::string>>& EventHeaders::parse(std::string_view json) {
  auto& headers = state_->headers;
  headers.clear();
  if (json.size() <= 2 || find_json_fault(json, kMostDepth)) return headers;
  for_each_member(json, [&](std::string_view name, std::string_view value) {
    if (value.front() == '"') {
      headers.emplace_back(json_unescaped(name), json_unescaped(value.substr(1, value.size() - 2)));
    }
    return true;
  });
  return headers;
}

std::string_view header_value(const std::vector<std::pair<std::string, std::string>>& headers,
                              std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

Result<NameTemplate> NameTemplate::parse(std::string_view text, NameKind kind) {
  NameTemplate result;
  result.kind_ = kind;
  size_t at = 0;
  while (at < text.size()) {
    const size_t open = text.find('{', at);
    const std::string_view literal =
        text.substr(at, open == std::string_view::npos ? std::string_view::npos : open - at);
    if (!literal.empty()) {
      WEIR_TRY(check_literal(text, literal, kind));
      result.parts_.push_back({Field::literal, std::string(literal)});
    }
    if (open == std::string_view::npos) break;
    const size_t close = text.find('}', open);
    if (close == std::string_view::npos) return unusable(text, "has a '{' without its '}'");
    const std::string name(text.substr(open + 1, close - open - 1));
    if (name != "stream" && name != "type" && name != "subject") {
      return Status::invalid("'" + std::string(text) + "': there is no {" + name +
                             "}; write {stream}, {type} or {subject}." +
                             suggestion(name, {"stream", "type", "subject"}));
    }
    result.parts_.push_back(
        {name == "stream" ? Field::stream : (name == "type" ? Field::type : Field::subject), ""});
    at = close + 1;
  }
  if (kind == NameKind::subject) {
    std::string sample;
    for (const Part& part : result.parts_) sample += part.field == Field::literal ? part.text : "x";
    if (sample.empty() || sample.front() == '.' || sample.back() == '.' ||
        sample.find("..") != std::string::npos) {
      return unusable(text, "can be no subject: every part between dots needs a text");
    }
    if (sample.front() == '$' || sample.starts_with("_INBOX")) {
      return unusable(text, "is one of the server's own subjects");
    }
  }
  return result;
}

Result<std::string> NameTemplate::name(
    const EdgeEvent& event, const std::vector<std::pair<std::string, std::string>>& headers) const {
  std::string out;
  for (const Part& part : parts_) {
    if (part.field == Field::literal) {
      out += part.text;
      continue;
    }
    std::string_view value;
    if (part.field == Field::stream) value = header_value(headers, "weir-stream");
    if (part.field == Field::type) value = header_value(headers, "ce-type");
    if (part.field == Field::subject) value = header_value(headers, "ce-subject");
    if (value.empty() && part.field != Field::subject) value = event.subject;
    switch (kind_) {
      case NameKind::subject: append_subject(value, out); break;
      case NameKind::topic: append_topic(value, out); break;
      case NameKind::text: out += value; break;
    }
  }
  const size_t longest = kind_ == NameKind::topic ? kLongestTopic : kLongestSubject;
  if (kind_ != NameKind::text && out.size() > longest) {
    return Status::invalid("the event's type or subject is too long for a name of at most " +
                           std::to_string(longest) + " bytes");
  }
  if (kind_ == NameKind::topic && (out == "." || out == "..")) out = "_";
  return out;
}

std::string event_id(std::string_view target, std::string_view key, size_t index, std::string_view place,
                     std::string_view payload,
                     const std::vector<std::pair<std::string, std::string>>& headers) {
  const auto hex = [](std::string_view text) {
    char digits[17];
    std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(stable_hash(text)));
    return std::string(digits);
  };
  std::string id(target);
  if (!key.empty()) {
    return id.append(" ").append(key).append(":" + std::to_string(index) + ":" + hex(payload));
  }
  const std::string_view source = header_value(headers, "ce-source");
  const std::string_view ce_id = header_value(headers, "ce-id");
  if (source.empty() || ce_id.empty()) return "";
  // No stream's name holds a blank.
  const std::string where = std::string(header_value(headers, "weir-stream")).append(" ").append(place);
  return id.append(" ce:").append(source).append(" ").append(ce_id).append(":" + hex(where) + hex(payload));
}

}  // namespace weir
