// CloudEvents 1.0: attributes as HTTP headers (binary mode) or in a JSON object (structured mode).
#pragma once

#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "edge/http_server.h"

namespace weir {

struct CloudEvent {
  std::map<std::string, std::string> attributes;  // without "ce-"; datacontenttype among them
  std::string_view data;                          // bytes; a slice of the input, or of `owned`
};

// Words when it is no CloudEvent 1.0, else nothing.
using CloudEventFault = std::optional<std::string>;

// True when any of the attributes that a CloudEvent must have is among the headers.
bool is_binary_cloud_event(const HttpHead& head);
CloudEventFault read_binary_cloud_event(const HttpHead& head, std::string_view body, CloudEvent& out);

// `text` is valid JSON.
CloudEventFault read_structured_cloud_event(std::string_view text, CloudEvent& out,
                                            std::list<std::string>& owned);

}  // namespace weir
