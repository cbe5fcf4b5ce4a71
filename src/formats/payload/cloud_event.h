// CloudEvents 1.0: what an event says of itself, the rules for it in every mode, and the JSON format
// (structured mode).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "schema/error_record.h"

namespace weir::payload {

struct CloudEvent {
  struct Attribute {
    std::string name;  // without "ce-"
    std::string value;

    // "ce-id"; datacontenttype is "content-type", as in binary mode.
    std::string header() const { return name == "datacontenttype" ? "content-type" : "ce-" + name; }
  };

  // Once checked, in an order of their own: datacontenttype, the four that must be there, the others by name.
  // So every mode of an event gives the same headers.
  std::vector<Attribute> attributes;
  std::string_view data;  // a slice of the event's own bytes, or of `text`. Not there: empty
  std::string text;       // data that had to be made: of data_base64, or of a string that is no JSON

  const std::string* attribute(std::string_view name) const;  // null: it has none
};

bool is_attribute_name(std::string_view name);

// Puts the attributes in order. False: they are not those of a CloudEvent 1.0, `error` has code, message and
// field.
bool check_attributes(CloudEvent& event, ErrorRecord& error);

// `text`: valid JSON in UTF-8; it outlives `event`, which is overwritten. False: as above.
bool read_cloud_event(std::string_view text, CloudEvent& event, ErrorRecord& error);

// Whether the headers (a JSON object as text) say that the payload is a CloudEvent's data already: binary
// mode, with ce-specversion (HTTP, NATS) or ce_specversion (Kafka).
bool is_binary_mode(std::string_view headers);

}  // namespace weir::payload
