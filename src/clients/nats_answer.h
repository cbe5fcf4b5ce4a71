// What a JetStream server answers to a publish.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

struct PublishAnswer {
  enum class Kind {
    stored,
    duplicate,  // the stream has a message of that id: dropped, and fine
    too_large,  // about this message alone: no later attempt can help
    full,       // nothing is stored for want of room; it may be later
    not_now,    // the server could not store it; it may later
    never,      // the stream takes no message at all
    foreign,    // no answer of a JetStream server
  };
  Kind kind = Kind::foreign;
  std::string message;  // the server's words, where it refused
  std::string stream;
  int64_t sequence = 0;  // where it is stored, from 1

  bool is_stored() const { return kind == Kind::stored || kind == Kind::duplicate; }
};

// Takes any bytes: whoever listens on the subject may answer, too.
PublishAnswer parse_publish_answer(std::string_view json);

}  // namespace weir
