#include "formats/payload/cloud_event.h"

#include <simdjson.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "formats/base64.h"
#include "formats/excerpt.h"
#include "formats/payload/json_scan.h"

namespace weir::payload {
namespace {

constexpr size_t kMostAttributes = 256;
constexpr std::string_view kRequired[] = {"id", "source", "specversion", "type"};

bool fail(ErrorRecord& error, ErrorCode code, std::string message, std::string_view field = {}) {
  error.code = code;
  error.message = std::move(message);
  error.field = field.empty() ? "" : "/" + std::string(field);
  return false;
}

bool attribute_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  });
}

// "application/json; charset=utf-8", "text/json", "application/vnd.x+json"
bool is_json_type(std::string_view type) {
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  const auto ends_with = [&](std::string_view end) {
    // '/' and '+' have the bit that makes letters small
    return type.size() >= end.size() &&
           std::equal(end.rbegin(), end.rend(), type.rbegin(),
                      [](char a, char b) { return a == static_cast<char>(b | 0x20); });
  };
  return ends_with("/json") || ends_with("+json");
}

// What stands in one envelope while it is read.
struct Reading {
  CloudEvent& event;
  ErrorRecord& error;
  std::vector<std::string_view> names{};
  std::string_view data{};    // raw
  std::string_view base64{};  // raw, with quotes
  std::string text{};         // of an attribute
  std::string content_type{};
  bool found[std::size(kRequired)] = {};

  void put(std::string_view name, std::string_view before, std::string_view value, std::string_view after) {
    std::string& headers = event.headers;
    headers += headers.empty() ? "\"" : ",\"";
    if (name == "datacontenttype") {
      headers += "content-type";
    } else {
      headers.append("ce-").append(name);
    }
    headers.append("\":").append(before).append(value).append(after);
  }

  bool attribute(std::string_view name, std::string_view raw) {
    if (!attribute_name(name)) {
      return fail(error, ErrorCode::malformed,
                  "a CloudEvent's attributes are named with a-z and 0-9 only, found '" + excerpt(name) + "'");
    }
    if (raw == "null") return true;  // an attribute without a value is not there
    const auto required = std::find(std::begin(kRequired), std::end(kRequired), name);
    const bool nested = raw[0] == '{' || raw[0] == '[';
    if (nested || (raw[0] != '"' && required != std::end(kRequired))) {
      return fail(error, ErrorCode::malformed,
                  "the CloudEvent's attribute '" + std::string(name) + "' is " +
                      (nested ? "an object or an array, expected a string, a number or a boolean"
                              : excerpt(raw) + ", expected a string"),
                  name);
    }
    if (raw[0] != '"') {
      put(name, "\"", raw, "\"");
      return true;
    }
    text.clear();
    if (!unescape_json(raw, text)) return half_pair(name);
    if (required != std::end(kRequired)) {
      if (text.empty()) {
        return fail(error, ErrorCode::malformed,
                    "the CloudEvent's attribute '" + std::string(name) + "' is empty", name);
      }
      found[required - std::begin(kRequired)] = true;
      if (name == "specversion" && !text.starts_with("1.")) {
        return fail(error, ErrorCode::malformed,
                    "a CloudEvent of specversion '" + excerpt(text) + "', expected 1.0", name);
      }
    }
    if (name == "datacontenttype") content_type = text;
    put(name, "", raw, "");
    return true;
  }

  bool half_pair(std::string_view name) {
    return fail(error, ErrorCode::invalid_utf8, "half of a surrogate pair stands alone", name);
  }

  bool member(std::string_view name, std::string_view raw) {
    if (std::find(names.begin(), names.end(), name) != names.end()) {
      return fail(error, ErrorCode::duplicate_key, "the member is given twice", name);
    }
    if (names.size() >= kMostAttributes) {
      return fail(error, ErrorCode::too_large, "a CloudEvent of more than 256 attributes");
    }
    names.push_back(name);
    if (name == "data") {
      data = raw;
      return true;
    }
    if (name != "data_base64") return attribute(name, raw);
    if (raw[0] != '"') return fail(error, ErrorCode::malformed, "data_base64 is not a string", name);
    base64 = raw;
    return true;
  }

  bool finish() {
    for (size_t i = 0; i < std::size(kRequired); ++i) {
      if (found[i]) continue;
      return fail(error, ErrorCode::malformed,
                  "no CloudEvent: the attribute '" + std::string(kRequired[i]) + "' is missing, and no " +
                      "header ce-specversion tells of binary mode");
    }
    if (!data.empty() && !base64.empty()) {
      return fail(error, ErrorCode::malformed, "a CloudEvent with both data and data_base64");
    }
    event.data = data;
    const bool plain =
        !data.empty() && data[0] == '"' && !content_type.empty() && !is_json_type(content_type);
    if (base64.empty() && !plain) return true;
    // A text that is no JSON (XML, CSV) is the data without its quotes.
    if (plain && !unescape_json(data, event.text)) return half_pair("data");
    if (!base64.empty()) {
      text.clear();
      if (!unescape_json(base64, text)) return half_pair("data_base64");
      event.text.resize(text.size());
      const int64_t size = decode_base64(text, reinterpret_cast<uint8_t*>(event.text.data()));
      if (size < 0) return fail(error, ErrorCode::malformed, "data_base64 is not base64", "data_base64");
      event.text.resize(static_cast<size_t>(size));
    }
    event.data = event.text;
    return true;
  }
};

}  // namespace

bool read_cloud_event(std::string_view bytes, CloudEvent& event, ErrorRecord& error) {
  event.data = {};
  event.text.clear();
  event.headers.clear();
  if (!simdjson::validate_utf8(bytes.data(), bytes.size())) {
    return fail(error, ErrorCode::invalid_utf8, "the CloudEvent is not UTF-8");
  }
  Reading reading{event, error};
  JsonScan scan(bytes);
  std::string_view key, value;
  while (scan.next_member(key)) {
    key = key.substr(1, key.size() - 2);  // an escape in it is no attribute's name
    if (!scan.value(value)) break;
    if (!reading.member(key, value)) return false;
  }
  if (scan.at_end()) return reading.finish();
  fail(error, ErrorCode::malformed,
       std::string("no CloudEvent: ") +
           (scan.problem() != nullptr ? scan.problem() : "something stands behind the object"));
  error.byte = static_cast<int64_t>(scan.byte());
  return false;
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
