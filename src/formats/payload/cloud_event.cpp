#include "formats/payload/cloud_event.h"

#include <simdjson.h>

#include <algorithm>
#include <vector>

#include "formats/base64.h"
#include "schema/event_batch.h"

namespace weir::payload {
namespace {

namespace ondemand = simdjson::ondemand;
static_assert(simdjson::SIMDJSON_PADDING <= EventBatch::kPadding);

constexpr size_t kMostAttributes = 256;
constexpr std::string_view kRequired[] = {"id", "source", "specversion", "type"};

bool fail(ErrorRecord& error, ErrorCode code, std::string message, std::string_view field = {}) {
  error.code = code;
  error.message = std::move(message);
  error.field = field.empty() ? "" : "/" + std::string(field);
  return false;
}

bool syntax(ErrorRecord& error, simdjson::error_code code) {
  return fail(error, ErrorCode::malformed,
              std::string("the CloudEvent is no JSON: ") + simdjson::error_message(code));
}

bool attribute_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  });
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.remove_suffix(1);
  return text;
}

// "application/json; charset=utf-8", "text/json", "application/vnd.x+json"
bool is_json_type(std::string_view type) {
  type = trimmed(type.substr(0, type.find(';')));
  const auto ends_with = [&](std::string_view end) {
    return type.size() >= end.size() &&
           std::equal(end.begin(), end.end(), type.end() - static_cast<std::ptrdiff_t>(end.size()),
                      [](char a, char b) { return a == (b | 0x20); });
  };
  // '/' and '+' have the bit that makes letters small
  return ends_with("/json") || ends_with("+json");
}

}  // namespace

struct CloudEventReader::Parser {
  ondemand::parser parser;
  std::vector<std::string_view> names;  // of the current event's attributes
};

CloudEventReader::CloudEventReader() : parser_(std::make_unique<Parser>()) {}
CloudEventReader::~CloudEventReader() = default;

namespace {

// What stands in one envelope while it is read.
struct Reading {
  CloudEvent& event;
  ErrorRecord& error;
  std::vector<std::string_view>& names;
  std::string_view data{};  // raw
  bool has_data = false, data_is_string = false;
  std::string_view base64{};  // raw, with quotes
  std::string content_type{};
  bool found[std::size(kRequired)] = {};

  bool put(std::string_view name, std::string_view quoted) {
    std::string& headers = event.headers;
    headers += headers.empty() ? "\"" : ",\"";
    if (name == "datacontenttype") {
      headers += "content-type";
    } else {
      headers.append("ce-").append(name);
    }
    headers.append("\":").append(quoted);
    return true;
  }

  bool attribute(std::string_view name, ondemand::value& value) {
    if (!attribute_name(name)) {
      return fail(error, ErrorCode::malformed,
                  "a CloudEvent's attributes are named with a-z and 0-9 only, found '" +
                      std::string(name.substr(0, 40)) + "'");
    }
    ondemand::json_type type;
    if (auto code = value.type().get(type)) return syntax(error, code);
    const std::string_view token = trimmed(value.raw_json_token());
    if (type == ondemand::json_type::null) {
      bool null = false;
      if (auto code = value.is_null().get(null)) return syntax(error, code);
      return true;  // an attribute without a value is not there
    }
    const auto required = std::find(std::begin(kRequired), std::end(kRequired), name);
    if (type == ondemand::json_type::string) {
      std::string_view text;
      if (auto code = value.get_string().get(text)) return syntax(error, code);
      if (required != std::end(kRequired)) {
        if (text.empty()) {
          return fail(error, ErrorCode::malformed,
                      "the CloudEvent's attribute '" + std::string(name) + "' is empty", name);
        }
        found[required - std::begin(kRequired)] = true;
        if (name == "specversion" && !text.starts_with("1.")) {
          return fail(error, ErrorCode::malformed,
                      "a CloudEvent of specversion '" + std::string(text.substr(0, 20)) + "', expected 1.0",
                      name);
        }
      }
      if (name == "datacontenttype") content_type = text;
      return put(name, token);
    }
    const bool scalar = type == ondemand::json_type::boolean || type == ondemand::json_type::number;
    if (required != std::end(kRequired) || !scalar) {
      return fail(error, ErrorCode::malformed,
                  "the CloudEvent's attribute '" + std::string(name) + "' is " +
                      (scalar ? std::string(token.substr(0, 40)) : "an object or an array") +
                      (scalar ? ", expected a string" : ", expected a string, a number or a boolean"),
                  name);
    }
    bool boolean = false;
    double number = 0;
    const auto code =
        type == ondemand::json_type::boolean ? value.get_bool().get(boolean) : value.get_double().get(number);
    if (code != simdjson::SUCCESS) return syntax(error, code);
    return put(name, "\"" + std::string(token) + "\"");
  }

  bool member(std::string_view name, ondemand::value& value) {
    if (name != "data" && name != "data_base64") {
      if (names.size() >= kMostAttributes) {
        return fail(error, ErrorCode::too_large, "a CloudEvent of more than 256 attributes");
      }
      if (std::find(names.begin(), names.end(), name) != names.end()) {
        return fail(error, ErrorCode::duplicate_key, "the attribute is given twice", name);
      }
      names.push_back(name);
      return attribute(name, value);
    }
    const bool raw = name == "data";
    if (raw ? has_data : !base64.empty()) {
      return fail(error, ErrorCode::duplicate_key, "the member is given twice", name);
    }
    ondemand::json_type type;
    if (auto code = value.type().get(type)) return syntax(error, code);
    if (!raw) {
      base64 = trimmed(value.raw_json_token());
      if (type != ondemand::json_type::string) {
        return fail(error, ErrorCode::malformed, "data_base64 is not a string", name);
      }
      return true;
    }
    has_data = true;
    data_is_string = type == ondemand::json_type::string;
    simdjson::error_code code = simdjson::SUCCESS;
    if (type == ondemand::json_type::object) {
      ondemand::object object;
      code = value.get_object().get(object);
      if (code == simdjson::SUCCESS) code = object.raw_json().get(data);
    } else if (type == ondemand::json_type::array) {
      ondemand::array array;
      code = value.get_array().get(array);
      if (code == simdjson::SUCCESS) code = array.raw_json().get(data);
    } else {
      data = value.raw_json_token();
    }
    data = trimmed(data);
    return code == simdjson::SUCCESS || syntax(error, code);
  }

  bool finish() {
    for (size_t i = 0; i < std::size(kRequired); ++i) {
      if (found[i]) continue;
      return fail(error, ErrorCode::malformed,
                  "no CloudEvent: the attribute '" + std::string(kRequired[i]) + "' is missing, and no " +
                      "header ce-specversion tells of binary mode");
    }
    if (has_data && !base64.empty()) {
      return fail(error, ErrorCode::malformed, "a CloudEvent with both data and data_base64");
    }
    event.data = data;
    if (!base64.empty()) return decode();
    if (data_is_string && !content_type.empty() && !is_json_type(content_type)) return unquote();
    return true;
  }

  bool decode() {
    std::string text;  // JSON may escape what base64 needs only as "\/"
    for (size_t i = 1; i + 1 < base64.size(); ++i) {
      if (base64[i] != '\\' || base64[i + 1] != '/') text += base64[i];
    }
    event.text.resize(text.size());
    const int64_t size = decode_base64(text, reinterpret_cast<uint8_t*>(event.text.data()));
    if (size < 0) return fail(error, ErrorCode::malformed, "data_base64 is not base64", "data_base64");
    event.text.resize(static_cast<size_t>(size));
    event.data = event.text;
    return true;
  }

  // A text that is no JSON (XML, CSV) is the data without its quotes.
  bool unquote() {
    const simdjson::padded_string copy(data);
    ondemand::parser parser;
    ondemand::document document;
    std::string_view content;
    if (auto code = parser.iterate(copy).get(document)) return syntax(error, code);
    if (auto code = document.get_string().get(content)) return syntax(error, code);
    event.text = content;
    event.data = event.text;
    return true;
  }
};

}  // namespace

bool CloudEventReader::read(std::string_view bytes, CloudEvent& event, ErrorRecord& error) {
  if (parse(bytes, event, error)) return true;
  if (!simdjson::validate_utf8(bytes.data(), bytes.size())) {
    return fail(error, ErrorCode::invalid_utf8, "the CloudEvent is not UTF-8");
  }
  return false;
}

bool CloudEventReader::parse(std::string_view bytes, CloudEvent& event, ErrorRecord& error) {
  event.data = {};
  event.text.clear();
  event.headers.clear();
  parser_->names.clear();
  Reading reading{event, error, parser_->names};
  ondemand::document document;
  const simdjson::padded_string_view padded(bytes.data(), bytes.size(), bytes.size() + EventBatch::kPadding);
  if (auto code = parser_->parser.iterate(padded).get(document)) return syntax(error, code);
  ondemand::object members;
  if (document.get_object().get(members) != simdjson::SUCCESS) {
    return fail(error, ErrorCode::malformed, "no CloudEvent: not a JSON object");
  }
  for (auto next : members) {
    ondemand::field field;
    if (auto code = std::move(next).get(field)) return syntax(error, code);
    ondemand::value value = field.value();
    std::string_view name;
    if (auto code = field.unescaped_key().get(name)) return syntax(error, code);
    if (!reading.member(name, value)) return false;
  }
  const char* behind = nullptr;
  if (document.current_location().get(behind) != simdjson::OUT_OF_BOUNDS)
    return fail(error, ErrorCode::malformed, "something stands behind the CloudEvent");
  return reading.finish();
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
