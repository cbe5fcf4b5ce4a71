#include "formats/payload/cloud_event.h"

#include <algorithm>
#include <iterator>

#include "formats/base64.h"
#include "formats/excerpt.h"
#include "formats/json_text.h"

namespace weir::payload {
namespace {

constexpr size_t kMostAttributes = 256;
constexpr std::string_view kRequired[] = {"specversion", "id", "source", "type"};
constexpr std::string_view kOptional[] = {"datacontenttype", "dataschema", "subject", "time"};

bool fail(ErrorRecord& error, ErrorCode code, std::string message, std::string_view field = {}) {
  error.code = code;
  error.message = std::move(message);
  error.field = field.empty() ? "" : "/" + std::string(field);
  return false;
}

bool malformed(ErrorRecord& error, std::string_view name, const std::string& what) {
  return fail(error, ErrorCode::malformed, "the CloudEvent's '" + excerpt(name) + "' " + what, name);
}

bool twice(ErrorRecord& error, std::string_view name) {
  return fail(error, ErrorCode::duplicate_key, "the CloudEvent's '" + excerpt(name) + "' is given twice",
              name);
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_one_of(const std::string_view (&names)[4], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// Of what the header lines' order is made.
size_t rank(std::string_view name) {
  if (name == "datacontenttype") return 0;
  return 1 + static_cast<size_t>(std::find(std::begin(kRequired), std::end(kRequired), name) - kRequired);
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

// Where an attribute's value is not a string.
bool is_plain_value(std::string_view value) {
  if (value == "true" || value == "false") return true;
  return (value[0] == '-' || is_digit(value[0])) && std::all_of(value.begin() + 1, value.end(), is_digit);
}

// A valid JSON string with its quotes, decoded.
bool read_string(std::string_view name, std::string_view quoted, std::string& out, ErrorRecord& error) {
  if (append_json_unescaped(quoted.substr(1, quoted.size() - 2), out)) return true;
  return fail(error, ErrorCode::invalid_utf8, "half of a surrogate pair stands alone", name);
}

// The members `data` and `data_base64` as they are written; empty: not there.
struct Data {
  std::string_view json, base64;
};

bool read_attribute(std::string name, std::string_view value, CloudEvent& event, ErrorRecord& error) {
  if (!is_attribute_name(name)) {
    return fail(
        error, ErrorCode::malformed,
        "'" + excerpt(name) + "' is no attribute of a CloudEvent: lower-case letters and digits only");
  }
  if (value == "null") return true;  // an attribute without a value is not there
  if (event.attributes.size() >= kMostAttributes) {
    return fail(error, ErrorCode::too_large, "a CloudEvent of more than 256 attributes");
  }
  const bool extension = !is_one_of(kRequired, name) && !is_one_of(kOptional, name);
  CloudEvent::Attribute& made = event.attributes.emplace_back();
  made.name = std::move(name);
  if (value.front() == '"') return read_string(made.name, value, made.value, error);
  made.value = value;
  if (extension && is_plain_value(value)) return true;
  return malformed(error, made.name,
                   extension ? "must be a string, a boolean or an integer" : "must be a string");
}

bool read_data(const Data& data, CloudEvent& event, ErrorRecord& error) {
  if (!data.json.empty() && !data.base64.empty()) {
    return fail(error, ErrorCode::malformed, "the CloudEvent has both 'data' and 'data_base64'");
  }
  if (!data.base64.empty()) {
    if (data.base64.front() != '"') return malformed(error, "data_base64", "must be a string");
    std::string encoded;
    if (!read_string("data_base64", data.base64, encoded, error)) return false;
    event.text.resize(encoded.size());
    const int64_t size = decode_base64(encoded, reinterpret_cast<uint8_t*>(event.text.data()));
    if (size < 0) return malformed(error, "data_base64", "is no base64");
    event.text.resize(static_cast<size_t>(size));
    event.data = event.text;
    return true;
  }
  if (data.json.empty()) return true;
  const std::string* type = event.attribute("datacontenttype");
  if (type != nullptr && !is_json_type(*type) && data.json.front() == '"') {
    // A text that is no JSON (XML, CSV) is the data without its quotes.
    if (!read_string("data", data.json, event.text, error)) return false;
    event.data = event.text;
    return true;
  }
  event.data = data.json;
  // What holds data and names no type holds JSON; binary mode says so.
  if (type == nullptr) {
    event.attributes.insert(event.attributes.begin(),
                            CloudEvent::Attribute{"datacontenttype", "application/json"});
  }
  return true;
}

}  // namespace

const std::string* CloudEvent::attribute(std::string_view name) const {
  for (const Attribute& each : attributes) {
    if (each.name == name) return &each.value;
  }
  return nullptr;
}

bool is_attribute_name(std::string_view name) {
  return !name.empty() &&
         std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || is_digit(c); });
}

bool check_attributes(CloudEvent& event, ErrorRecord& error) {
  auto& attributes = event.attributes;
  std::sort(attributes.begin(), attributes.end(), [](const auto& one, const auto& other) {
    const size_t a = rank(one.name), b = rank(other.name);
    return a != b ? a < b : one.name < other.name;
  });
  const auto same =
      std::adjacent_find(attributes.begin(), attributes.end(),
                         [](const auto& one, const auto& other) { return one.name == other.name; });
  if (same != attributes.end()) return twice(error, same->name);
  for (const std::string_view name : kRequired) {
    if (event.attribute(name) != nullptr) continue;
    return fail(error, ErrorCode::malformed, "the CloudEvent has no '" + std::string(name) + "'", name);
  }
  for (const auto& [name, value] : attributes) {
    if (value.empty() && (is_one_of(kRequired, name) || is_one_of(kOptional, name))) {
      return malformed(error, name, "is empty");
    }
    if (name == "specversion" && value != "1.0") {
      return fail(error, ErrorCode::malformed,
                  "CloudEvents specversion '" + excerpt(value) + "' is not known, only 1.0 is", name);
    }
    if (name == "time" && !is_timestamp(value)) {
      return malformed(error, name, "is no RFC 3339 timestamp: '" + excerpt(value) + "'");
    }
    if (has_control(value)) return malformed(error, name, "holds a control character");
  }
  return true;
}

bool read_cloud_event(std::string_view text, CloudEvent& event, ErrorRecord& error) {
  event.attributes.clear();
  event.data = {};
  event.text.clear();
  Data data;
  bool good = true, has_json = false, has_base64 = false;
  const bool object = for_each_member(text, [&](std::string_view raw_name, std::string_view value) {
    std::string name = json_unescaped(raw_name);
    if (name == "data" || name == "data_base64") {
      const bool json = name == "data";
      bool& there = json ? has_json : has_base64;
      good = !there || twice(error, name);
      there = true;
      if (json || value != "null") (json ? data.json : data.base64) = value;
    } else {
      good = read_attribute(std::move(name), value, event, error);
    }
    return good;
  });
  if (!object) return fail(error, ErrorCode::malformed, "a CloudEvent must be a JSON object");
  return good && check_attributes(event, error) && read_data(data, event, error);
}

bool is_binary_mode(std::string_view headers) {
  for (size_t at = headers.find("\"ce"); at != std::string_view::npos; at = headers.find("\"ce", at + 1)) {
    const std::string_view rest = headers.substr(at + 3);
    if (rest.empty() || (rest[0] != '-' && rest[0] != '_') || !rest.substr(1).starts_with("specversion\"")) {
      continue;
    }
    const size_t colon = rest.find_first_not_of(" \t\r\n", 13);
    if (colon != std::string_view::npos && rest[colon] == ':') return true;
  }
  return false;
}

}  // namespace weir::payload
