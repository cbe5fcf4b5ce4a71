#include "edge/event_request.h"

#include <algorithm>
#include <cstring>

#include "edge/cloud_event.h"
#include "formats/json_text.h"

namespace weir {
namespace {

constexpr std::string_view kJsonType = "application/json";

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// Where `offset` of `body` lies: line and byte from 1.
HttpAnswer fault_at(std::string_view body, size_t offset, const std::string& reason) {
  offset = std::min(offset, body.size());
  std::string_view before = body.substr(0, offset);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t line_start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  const size_t byte = offset - line_start + 1;
  return problem(400, "Malformed body",
                 "line " + std::to_string(line) + ", byte " + std::to_string(byte) + ": " + reason,
                 "\"line\":" + std::to_string(line) + ",\"byte\":" + std::to_string(byte) +
                     ",\"reason\":" + json_quoted(reason));
}

HttpAnswer unsupported(const std::string& type, bool any_content) {
  std::string detail = type.empty() ? "the request has no Content-Type" : "'" + type + "' is not taken here";
  if (!any_content) {
    detail +=
        "; send application/json, application/x-ndjson, application/cloudevents+json or "
        "application/cloudevents-batch+json, or set content = \"any\" for this stream";
  }
  HttpAnswer answer = problem(415, "Unsupported content type", detail);
  answer.headers.emplace_back("Accept",
                              "application/json, application/x-ndjson, application/cloudevents+json, "
                              "application/cloudevents-batch+json");
  return answer;
}

bool is_lines_type(std::string_view type) {
  return type == "application/x-ndjson" || type == "application/ndjson" || type == "application/jsonl" ||
         type == "application/x-jsonlines" || type == "application/jsonlines";
}

// False for a charset that is not UTF-8 (or its part, ASCII).
bool is_utf8_charset(std::string_view content_type) {
  std::string text(content_type);
  std::transform(text.begin(), text.end(), text.begin(), lower);
  size_t at = text.find("charset=");
  if (at == std::string::npos) return true;
  std::string_view value = std::string_view(text).substr(at + 8);
  if (value.starts_with('"')) value.remove_prefix(1);
  return value.starts_with("utf-8") || value.starts_with("utf8") || value.starts_with("us-ascii");
}

class Reader {
 public:
  Reader(const HttpHead& head, std::string_view body, const EventLimits& limits, ReceivedEvents& out)
      : head_(head), body_(body), limits_(limits), out_(out) {
    for (const std::string& name : limits.forward_headers) {
      std::string_view value = head.header(name);
      if (!value.empty()) forwarded_.emplace_back(name, value);
    }
    std::sort(forwarded_.begin(), forwarded_.end());
    std::string_view key = head.header("weir-key");
    if (!key.empty()) key_ = key;
  }

  std::optional<HttpAnswer> read() {
    std::string_view content_type = head_.header("content-type");
    const std::string type = media_type(content_type);
    if (!is_utf8_charset(content_type) && (is_json_type(type) || is_lines_type(type))) {
      return problem(415, "Unsupported charset", "JSON is taken as UTF-8 only");
    }
    if (type == "application/cloudevents+json") return structured();
    if (type == "application/cloudevents-batch+json") return batch();
    if (type.starts_with("application/cloudevents")) return unsupported(type, false);
    if (is_binary_cloud_event(head_)) return binary();
    if (is_lines_type(type)) return lines();
    if (is_json_type(type) || (type.empty() && !limits_.any_content)) return document();
    if (!limits_.any_content) return unsupported(type, false);
    add_envelope("", std::string(content_type), {});
    return add(body_);
  }

 private:
  std::optional<HttpAnswer> add(std::string_view payload) {
    if (out_.events.size() >= limits_.max_events) {
      return problem(413, "Too many events",
                     "at most " + std::to_string(limits_.max_events) + " events a request are taken",
                     "\"max-events\":" + std::to_string(limits_.max_events));
    }
    auto envelope = static_cast<uint32_t>(out_.envelopes.size() - 1);
    out_.events.push_back({payload, key_, envelope});
    return std::nullopt;
  }

  // Canonical, so that every mode of the same event gives the same bytes: what CloudEvent's order is, then
  // forwarded headers by name. `content_type`: of what is no CloudEvent.
  void add_envelope(std::string type, std::string content_type,
                    const std::vector<payload::CloudEvent::Attribute>& attributes) {
    EventEnvelope& envelope = out_.envelopes.emplace_back();
    envelope.type = std::move(type);
    auto& list = envelope.attributes;
    if (!content_type.empty()) list.emplace_back("content-type", std::move(content_type));
    for (const auto& attribute : attributes) list.emplace_back(attribute.header(), attribute.value);
    list.insert(list.end(), forwarded_.begin(), forwarded_.end());
    std::string& headers = envelope.headers;
    headers = '{';
    for (const auto& [name, value] : list) {
      if (headers.size() > 1) headers += ',';
      append_json_quoted(name, headers);
      headers += ':';
      append_json_quoted(value, headers);
    }
    headers += '}';
  }

  std::optional<HttpAnswer> document() {
    if (auto fault = find_json_fault(body_, limits_.max_depth))
      return fault_at(body_, fault->offset, fault->reason);
    add_envelope("", std::string(kJsonType), {});
    return add(trim_json_space(body_));
  }

  std::optional<HttpAnswer> lines() {
    add_envelope("", std::string(kJsonType), {});
    const char* at = body_.data();
    const char* end = at + body_.size();
    while (at < end) {
      const void* newline = std::memchr(at, '\n', static_cast<size_t>(end - at));
      const char* line_end = newline == nullptr ? end : static_cast<const char*>(newline);
      std::string_view line = trim_json_space({at, static_cast<size_t>(line_end - at)});
      at = line_end + 1;
      if (line.empty()) continue;
      if (auto fault = find_json_fault(line, limits_.max_depth)) {
        return fault_at(body_, static_cast<size_t>(line.data() - body_.data()) + fault->offset,
                        fault->reason);
      }
      if (auto refused = add(line)) return refused;
    }
    return std::nullopt;
  }

  std::optional<HttpAnswer> binary() {
    payload::CloudEvent event;
    if (auto fault = read_binary_cloud_event(head_, body_, event)) {
      return problem(400, "Malformed CloudEvent", *fault);
    }
    return add_cloud_event(event, 0);
  }

  std::optional<HttpAnswer> structured() {
    if (auto fault = find_json_fault(body_, limits_.max_depth))
      return fault_at(body_, fault->offset, fault->reason);
    return add_structured(body_);
  }

  std::optional<HttpAnswer> batch() {
    if (auto fault = find_json_fault(body_, limits_.max_depth))
      return fault_at(body_, fault->offset, fault->reason);
    std::optional<HttpAnswer> refused;
    bool array = for_each_element(body_, [&](std::string_view element) {
      refused = add_structured(element);
      return !refused;
    });
    if (!array) return fault_at(body_, 0, "a batch of CloudEvents must be a JSON array");
    return refused;
  }

  std::optional<HttpAnswer> add_structured(std::string_view text) {
    const auto offset = static_cast<size_t>(trim_json_space(text).data() - body_.data());
    payload::CloudEvent event;
    ErrorRecord error;
    if (!payload::read_cloud_event(text, event, error)) return fault_at(body_, offset, error.message);
    if (!event.text.empty()) event.data = out_.owned.emplace_back(std::move(event.text));
    return add_cloud_event(event, offset);
  }

  std::optional<HttpAnswer> add_cloud_event(const payload::CloudEvent& event, size_t offset) {
    const std::string* given = event.attribute("datacontenttype");
    const std::string_view content_type = given == nullptr ? std::string_view() : *given;
    std::string_view data = event.data;
    if (is_json_type(content_type) && !data.empty()) {
      // Slices of a structured event were checked with it; decoded base64 and a binary body were not.
      if (!within(data) || data.data() == body_.data()) {
        auto fault = find_json_fault(data, limits_.max_depth);
        if (fault && within(data)) return fault_at(body_, fault->offset, fault->reason);
        if (fault) return fault_at(body_, offset, "data_base64 is no JSON: " + fault->reason);
      }
      data = trim_json_space(data);
      if (!is_utf8_charset(content_type)) {
        return problem(415, "Unsupported charset", "JSON is taken as UTF-8 only");
      }
    } else if (!data.empty() && !limits_.any_content) {
      return problem(415, "Unsupported content type",
                     "the CloudEvent's data has " +
                         (given == nullptr ? std::string("no datacontenttype and is no JSON")
                                           : "the datacontenttype '" + *given + "'") +
                         ", and this stream takes JSON only; set content = \"any\" for it");
    }
    std::optional<std::string_view> request_key = key_;
    if (const std::string* key = event.attribute("partitionkey"); key != nullptr) {
      key_ = out_.owned.emplace_back(*key);
    }
    add_envelope(*event.attribute("type"), "", event.attributes);
    auto refused = add(data);
    key_ = request_key;
    return refused;
  }

  bool within(std::string_view data) const {
    return data.data() >= body_.data() && data.data() <= body_.data() + body_.size();
  }

  const HttpHead& head_;
  const std::string_view body_;
  const EventLimits& limits_;
  ReceivedEvents& out_;
  std::vector<std::pair<std::string, std::string>> forwarded_;
  std::optional<std::string_view> key_;
};

}  // namespace

std::string media_type(std::string_view content_type) {
  std::string type(trim_json_space(content_type.substr(0, content_type.find(';'))));
  std::transform(type.begin(), type.end(), type.begin(), lower);
  return type;
}

std::optional<HttpAnswer> read_events(const HttpHead& head, std::string_view body, const EventLimits& limits,
                                      ReceivedEvents& out) {
  return Reader(head, body, limits, out).read();
}

}  // namespace weir
