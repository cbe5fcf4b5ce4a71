// What a JetStream server answers to a publish.
#pragma once

#include <string>
#include <string_view>

namespace weir {

struct PublishAnswer {
  enum class Kind {
    stored,
    duplicate,  // the stream has a message of that id: dropped, and fine
    too_large,  // about this message alone: no later attempt can help
    not_now,    // the server could not store it; it may later
    never,      // the stream takes no message at all
    foreign,    // no answer of a JetStream server
  };
  Kind kind = Kind::foreign;
  std::string message;  // the server's words, where it refused
  std::string stream;
};

PublishAnswer parse_publish_answer(std::string_view json);

}  // namespace weir
