// CloudEvents 1.0 in binary mode: attributes as HTTP headers. The rules of every mode: formats/payload.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "edge/http_server.h"
#include "formats/payload/cloud_event.h"

namespace weir {

// Words when it is no CloudEvent 1.0, else nothing.
using CloudEventFault = std::optional<std::string>;

// True when any of the attributes that a CloudEvent must have is among the headers.
bool is_binary_cloud_event(const HttpHead& head);
CloudEventFault read_binary_cloud_event(const HttpHead& head, std::string_view body,
                                        payload::CloudEvent& out);

}  // namespace weir
