// Which target an event goes to: [[route]] entries in order, the first that fits wins.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "edge/edge_config.h"
#include "edge/event_request.h"

namespace weir {

// What routes look at.
struct RouteFacts {
  std::string_view stream;
  const EventEnvelope* envelope = nullptr;
  std::string_view subject;        // the CloudEvents type, else the stream
  const HttpHead* head = nullptr;  // of the request; null when a stored event is routed again
};

class Router {
 public:
  explicit Router(const EdgeConfig& config);

  // "log:orders", "nats:main"; nothing: no route fits, and the stream is not declared.
  std::optional<std::string> route(const RouteFacts& facts) const;
  // Any stream name is taken: the configuration declares none.
  bool takes_any_stream() const { return any_stream_; }

 private:
  struct Route {
    std::string stream, type, subject;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string to;
  };
  bool fits(const Route& route, const RouteFacts& facts) const;

  std::vector<Route> routes_;
  std::set<std::string, std::less<>> streams_;
  bool any_stream_ = false;
};

// '*' stands for any text, also none.
bool glob_fits(std::string_view pattern, std::string_view text);
// NATS: tokens between dots, '*' for one token, '>' at the end for one or more.
bool subject_fits(std::string_view pattern, std::string_view subject);

}  // namespace weir
