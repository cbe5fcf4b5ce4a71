// Structured-mode CloudEvents: one JSON object that holds an event's attributes and its data (CloudEvents
// JSON format 1.0).
#pragma once

#include <string>
#include <string_view>

#include "schema/error_record.h"

namespace weir::payload {

struct CloudEvent {
  // The data: a slice of the event's own bytes (a JSON value as it stands there), or of `text`. Not there:
  // empty.
  std::string_view data;
  std::string text;  // data that had to be made: of data_base64, or of a string that is no JSON
  // The attributes as members of a JSON object, without braces: "ce-id":"1","ce-type":"t". datacontenttype
  // is "content-type", as in binary mode.
  std::string headers;
};

// False: `error` has code, message, field and byte. `event` is overwritten.
bool read_cloud_event(std::string_view bytes, CloudEvent& event, ErrorRecord& error);

// Whether the headers (a JSON object as text) say that the payload is a CloudEvent's data already: binary
// mode, with ce-specversion (HTTP, NATS) or ce_specversion (Kafka).
bool is_binary_mode(std::string_view headers);

}  // namespace weir::payload
