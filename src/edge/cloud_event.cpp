#include "edge/cloud_event.h"

#include <algorithm>
#include <array>

#include "edge/event_request.h"
#include "edge/json_text.h"

namespace weir {
namespace {

constexpr std::array<std::string_view, 4> kRequired{"specversion", "id", "source", "type"};
constexpr std::array<std::string_view, 4> kOptional{"datacontenttype", "dataschema", "subject", "time"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_attribute_name(std::string_view name) {
  return !name.empty() &&
         std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || is_digit(c); });
}

// RFC 3339: 2026-11-21T19:57:19.123Z
bool is_timestamp(std::string_view text) {
  static constexpr std::string_view kShape = "dddd-dd-ddTdd:dd:dd";
  if (text.size() < kShape.size() + 1) return false;
  for (size_t i = 0; i < kShape.size(); ++i) {
    char c = text[i];
    bool fits = kShape[i] == 'd' ? is_digit(c) : (kShape[i] == 'T' ? c == 'T' || c == 't' : c == kShape[i]);
    if (!fits) return false;
  }
  const auto two = [&](size_t at) { return (text[at] - '0') * 10 + text[at + 1] - '0'; };
  if (two(5) < 1 || two(5) > 12 || two(8) < 1 || two(8) > 31) return false;
  if (two(11) > 23 || two(14) > 59 || two(17) > 60) return false;
  text.remove_prefix(kShape.size());
  if (text.front() == '.') {
    size_t end = 1;
    while (end < text.size() && is_digit(text[end])) ++end;
    if (end == 1) return false;
    text.remove_prefix(end);
  }
  if (text == "Z" || text == "z") return true;
  return text.size() == 6 && (text[0] == '+' || text[0] == '-') && is_digit(text[1]) && is_digit(text[2]) &&
         text[3] == ':' && is_digit(text[4]) && is_digit(text[5]);
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

CloudEventFault check_attributes(const std::map<std::string, std::string>& attributes) {
  for (std::string_view name : kRequired) {
    auto found = attributes.find(std::string(name));
    if (found == attributes.end()) return "the CloudEvent has no '" + std::string(name) + "'";
    if (found->second.empty()) return "the CloudEvent's '" + std::string(name) + "' is empty";
  }
  const std::string& version = attributes.at("specversion");
  if (version != "1.0") return "CloudEvents specversion '" + version + "' is not known, only 1.0 is";
  for (std::string_view name : kOptional) {
    auto found = attributes.find(std::string(name));
    if (found != attributes.end() && found->second.empty()) {
      return "the CloudEvent's '" + std::string(name) + "' is empty";
    }
  }
  auto time = attributes.find("time");
  if (time != attributes.end() && !is_timestamp(time->second)) {
    return "the CloudEvent's 'time' is no RFC 3339 timestamp: '" + time->second + "'";
  }
  for (const auto& [name, value] : attributes) {
    if (has_control(value)) return "the CloudEvent's '" + name + "' holds a control character";
  }
  return std::nullopt;
}

// HTTP binding 3.1.3.2: quotes and percent signs are undone.
std::string header_decoded(std::string_view value) {
  std::string unquoted;
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
    for (size_t i = 1; i + 1 < value.size(); ++i) {
      if (value[i] == '\\' && i + 2 < value.size()) ++i;
      unquoted += value[i];
    }
    value = unquoted;
  }
  const auto hex = [](char c) {
    return is_digit(c) ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
  };
  std::string out;
  for (size_t i = 0; i < value.size(); ++i) {
    int high = value[i] == '%' && i + 2 < value.size() ? hex(value[i + 1]) : -1;
    int low = high >= 0 ? hex(value[i + 2]) : -1;
    if (low >= 0) {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += value[i];
    }
  }
  return out;
}

std::optional<std::string> base64_decoded(std::string_view text) {
  const auto digit = [](char c) -> int {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (is_digit(c)) return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
  };
  if (text.size() % 4 != 0) return std::nullopt;
  size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  std::string out;
  out.reserve(text.size() / 4 * 3);
  uint32_t bits = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    int value = i >= text.size() - padding ? 0 : digit(text[i]);
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(value);
    if (i % 4 != 3) continue;
    for (int shift : {16, 8, 0}) out += static_cast<char>(bits >> shift);
    bits = 0;
  }
  out.resize(out.size() - padding);
  return out;
}

// An attribute's value as text; nothing with words in `fault`. JSON null: as if it were not there.
bool attribute_text(std::string_view name, std::string_view value, std::string& text,
                    CloudEventFault& fault) {
  const bool extension = std::find(kRequired.begin(), kRequired.end(), name) == kRequired.end() &&
                         std::find(kOptional.begin(), kOptional.end(), name) == kOptional.end();
  if (value.front() == '"') {
    text = json_unescaped(value.substr(1, value.size() - 2));
    return true;
  }
  const bool boolean = value == "true" || value == "false";
  const bool integer =
      (value[0] == '-' || is_digit(value[0])) && std::all_of(value.begin() + 1, value.end(), is_digit);
  if (extension && (boolean || integer)) {
    text = value;
    return true;
  }
  fault = "the CloudEvent's '" + std::string(name) +
          (extension ? "' must be a string, a boolean or an integer" : "' must be a string");
  return false;
}

struct StructuredData {
  std::string_view json, base64;
  bool has_json = false, has_base64 = false;
};

CloudEventFault take_data(const StructuredData& data, CloudEvent& out, std::list<std::string>& owned) {
  if (data.has_json && data.has_base64) return "the CloudEvent has both 'data' and 'data_base64'";
  if (data.has_base64) {
    if (data.base64.front() != '"') return "the CloudEvent's 'data_base64' must be a string";
    auto decoded = base64_decoded(json_unescaped(data.base64.substr(1, data.base64.size() - 2)));
    if (!decoded) return "the CloudEvent's 'data_base64' is no base64";
    owned.push_back(*std::move(decoded));
    out.data = owned.back();
    return std::nullopt;
  }
  if (!data.has_json) return std::nullopt;
  auto type = out.attributes.find("datacontenttype");
  const bool json = type == out.attributes.end() || is_json_type(media_type(type->second));
  if (!json && data.json.front() == '"') {
    owned.push_back(json_unescaped(data.json.substr(1, data.json.size() - 2)));
    out.data = owned.back();
  } else {
    out.data = data.json;
    // What holds data and names no type holds JSON; binary mode says so.
    if (type == out.attributes.end()) out.attributes["datacontenttype"] = "application/json";
  }
  return std::nullopt;
}

}  // namespace

bool is_binary_cloud_event(const HttpHead& head) {
  return std::any_of(head.headers.begin(), head.headers.end(), [](const auto& header) {
    const std::string& name = header.first;
    return name.starts_with("ce-") &&
           std::find(kRequired.begin(), kRequired.end(), std::string_view(name).substr(3)) != kRequired.end();
  });
}

CloudEventFault read_binary_cloud_event(const HttpHead& head, std::string_view body, CloudEvent& out) {
  for (const auto& [header, value] : head.headers) {
    if (!header.starts_with("ce-")) continue;
    std::string name = header.substr(3);
    if (!is_attribute_name(name) || name == "data" || name == "datacontenttype") {
      return "'" + header + "' is no header of a CloudEvent";
    }
    std::string decoded = header_decoded(value);
    if (!is_utf8(decoded)) return "the header '" + header + "' is not UTF-8";
    if (!out.attributes.emplace(name, std::move(decoded)).second) return "'" + header + "' is given twice";
  }
  if (std::string_view type = head.header("content-type"); !type.empty()) {
    out.attributes["datacontenttype"] = type;
  }
  out.data = body;
  return check_attributes(out.attributes);
}

CloudEventFault read_structured_cloud_event(std::string_view text, CloudEvent& out,
                                            std::list<std::string>& owned) {
  CloudEventFault fault;
  StructuredData data;
  bool object = for_each_member(text, [&](std::string_view raw_name, std::string_view value) {
    std::string name = json_unescaped(raw_name);
    if (name == "data" || name == "data_base64") {
      const bool json = name == "data";
      bool& there = json ? data.has_json : data.has_base64;
      if (there) fault = "the CloudEvent's '" + name + "' is given twice";
      there = json || value != "null";
      (json ? data.json : data.base64) = value;
      return !fault;
    }
    if (!is_attribute_name(name)) {
      fault = "'" + name + "' is no attribute of a CloudEvent: lower-case letters and digits only";
      return false;
    }
    if (value == "null") return true;
    std::string attribute;
    if (!attribute_text(name, value, attribute, fault)) return false;
    if (!out.attributes.emplace(name, std::move(attribute)).second) {
      fault = "the CloudEvent's '" + name + "' is given twice";
    }
    return !fault;
  });
  if (!object) return "a CloudEvent must be a JSON object";
  if (fault) return fault;
  if (fault = check_attributes(out.attributes); fault) return fault;
  return take_data(data, out, owned);
}

}  // namespace weir
