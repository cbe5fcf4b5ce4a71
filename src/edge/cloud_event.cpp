#include "edge/cloud_event.h"

#include <algorithm>

#include "formats/json_text.h"

namespace weir {
namespace {

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
  std::string out;
  for (size_t i = 0; i < value.size(); ++i) {
    int high = value[i] == '%' && i + 2 < value.size() ? hex_digit(value[i + 1]) : -1;
    int low = high >= 0 ? hex_digit(value[i + 2]) : -1;
    if (low >= 0) {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += value[i];
    }
  }
  return out;
}

}  // namespace

bool is_binary_cloud_event(const HttpHead& head) {
  return std::any_of(head.headers.begin(), head.headers.end(), [](const auto& header) {
    const std::string& name = header.first;
    return name == "ce-specversion" || name == "ce-id" || name == "ce-source" || name == "ce-type";
  });
}

CloudEventFault read_binary_cloud_event(const HttpHead& head, std::string_view body,
                                        payload::CloudEvent& out) {
  for (const auto& [header, value] : head.headers) {
    if (!header.starts_with("ce-")) continue;
    std::string name = header.substr(3);
    if (!payload::is_attribute_name(name) || name == "data" || name == "datacontenttype") {
      return "'" + header + "' is no header of a CloudEvent";
    }
    std::string decoded = header_decoded(value);
    if (!is_utf8(decoded)) return "the header '" + header + "' is not UTF-8";
    out.attributes.push_back({std::move(name), std::move(decoded)});
  }
  if (std::string_view type = head.header("content-type"); !type.empty()) {
    out.attributes.push_back({"datacontenttype", std::string(type)});
  }
  out.data = body;
  ErrorRecord error;
  if (!payload::check_attributes(out, error)) return error.message;
  return std::nullopt;
}

}  // namespace weir
