// The body of a request to /v1/events: the first byte picks the content type, the second the stream's options
// and the Content-Encoding. Whatever is taken must be whole: JSON that is JSON, headers that are an object.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "edge/content_encoding.h"
#include "edge/event_request.h"
#include "edge/http_head.h"
#include "formats/json_text.h"

namespace {

constexpr const char* kTypes[] = {"application/json",
                                  "application/x-ndjson",
                                  "application/cloudevents+json",
                                  "application/cloudevents-batch+json",
                                  "application/json",  // a binary CloudEvent
                                  "text/plain",
                                  ""};

void expect(bool condition, const char* words) {
  if (condition) return;
  std::fprintf(stderr, "%s\n", words);
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const size_t type = data[0] % std::size(kTypes);
  weir::EventLimits limits;
  limits.max_depth = 16;
  limits.max_events = 1000;
  limits.any_content = (data[1] & 1) != 0;
  weir::HttpHead head;
  if (kTypes[type][0] != '\0') head.headers.emplace_back("content-type", kTypes[type]);
  std::string body(reinterpret_cast<const char*>(data) + 2, size - 2);
  weir::parse_target("/" + body.substr(0, 200), head).ok();
  if (type == 4) {
    const std::string id = body.substr(0, body.find('\n'));
    head.headers.insert(head.headers.end(),
                        {{"ce-specversion", "1.0"}, {"ce-id", id}, {"ce-source", "s"}, {"ce-type", "t"}});
    body.erase(0, id.size() + 1);
  }
  if ((data[1] & 6) != 0) {
    std::string decoded;
    if (weir::decode_body((data[1] & 2) != 0 ? "gzip" : "zstd", body, 1 << 16, decoded)) return 0;
    body = std::move(decoded);
  }
  weir::ReceivedEvents events;
  if (auto refused = weir::read_events(head, body, limits, events)) {
    expect(!weir::find_json_fault(refused->body, 8), "a problem is no JSON");
    expect(refused->status >= 400 && refused->status < 500, "a body is no server's failure");
    return 0;
  }
  for (const weir::ReceivedEvent& event : events.events) {
    const weir::EventEnvelope& envelope = events.envelopes.at(event.envelope);
    expect(!weir::find_json_fault(envelope.headers, 1), "headers are no object of strings");
    bool json = false;
    for (const auto& [name, value] : envelope.attributes) {
      json = json || (name == "content-type" && weir::is_json_type(weir::media_type(value)));
    }
    if (!json || event.payload.empty()) continue;
    expect(!weir::find_json_fault(event.payload, limits.max_depth), "a payload is no JSON");
  }
  return 0;
}
