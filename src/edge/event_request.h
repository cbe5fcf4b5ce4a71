// The body of POST /v1/events/{stream} as events: JSON, NDJSON, CloudEvents in its three HTTP modes, raw.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "edge/http_server.h"

namespace weir {

// What the events of a request may share.
struct EventEnvelope {
  std::string type;                                             // of the CloudEvent; "": it is none
  std::string headers;                                          // a JSON object of strings
  std::vector<std::pair<std::string, std::string>> attributes;  // the same, for routes
};

struct ReceivedEvent {
  std::string_view payload;
  std::optional<std::string_view> key;
  uint32_t envelope = 0;
};

// Views are into the request's body and head, or into this.
struct ReceivedEvents {
  std::vector<ReceivedEvent> events;
  std::vector<EventEnvelope> envelopes;
  std::list<std::string> owned;
};

struct EventLimits {
  int max_depth = 64;
  size_t max_events = 10'000;
  bool any_content = false;                  // takes what is no JSON as raw events
  std::vector<std::string> forward_headers;  // lower case: kept with each event
};

// The problem to answer, or nothing. The same event gives the same payload, key and headers in every mode.
// `body` is decoded (Content-Encoding). `head` and `body` outlive `out`.
std::optional<HttpAnswer> read_events(const HttpHead& head, std::string_view body, const EventLimits& limits,
                                      ReceivedEvents& out);

// "application/json; charset=utf-8" -> "application/json", in lower case.
std::string media_type(std::string_view content_type);

}  // namespace weir
