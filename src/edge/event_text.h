// Names made of what an event says of itself: subjects, topics, keys, ids; and its headers one by one.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "edge/event_target.h"

namespace weir {

// Reads the headers of events; keeps buffers between calls. One thread.
class EventHeaders {
 public:
  EventHeaders();
  ~EventHeaders();
  // Of one event; a text that is no JSON object of strings gives none. Valid until the next call.
  const std::vector<std::pair<std::string, std::string>>& parse(std::string_view json);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// "" when it is not there. `name` in lower case.
std::string_view header_value(const std::vector<std::pair<std::string, std::string>>& headers,
                              std::string_view name);

// What a broker lets be part of a name.
enum class NameKind {
  subject,  // NATS: tokens between dots, no wildcard, blank or system subject
  topic,    // Kafka: letters, digits, '.', '_', '-'
  text,     // as it is
};

// "orders.{type}": {stream}, {type} and {subject} are replaced by what the event says, made safe: whatever
// could change the meaning of the name becomes '_'.
class NameTemplate {
 public:
  // invalid: an unknown placeholder, or a text that can be no name.
  static Result<NameTemplate> parse(std::string_view text, NameKind kind);
  // invalid: the name became too long.
  Result<std::string> name(const EdgeEvent& event,
                           const std::vector<std::pair<std::string, std::string>>& headers) const;

 private:
  enum class Field { literal, stream, type, subject };
  struct Part {
    Field field = Field::literal;
    std::string text;
  };
  std::vector<Part> parts_;
  NameKind kind_ = NameKind::text;
};

// The id by which a broker knows a repeat of one event: "<target> <key>:<index>:<hash of the payload>", or
// "<target> ce:<source> <id>:<hash>" without a key, where the hash is of the edge's stream, of `place` (the
// subject or topic that it is published to) and of the payload; "": it has none. The hashes: another event
// must never be taken for this one, nor one event in two places for a repeat.
std::string event_id(std::string_view target, std::string_view key, size_t index, std::string_view place,
                     std::string_view payload,
                     const std::vector<std::pair<std::string, std::string>>& headers);

}  // namespace weir
