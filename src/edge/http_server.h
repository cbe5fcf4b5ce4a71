// HTTP/1.1 (and HTTPS) in: accepts, bounds and hands over whole requests.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace weir {

struct HttpHead {
  std::string method;
  std::string path;                                          // percent-decoded; never holds ".." or NUL
  std::vector<std::pair<std::string, std::string>> query;    // decoded, in order
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string remote;                                        // address of the client

  // "" when it is not there.
  std::string_view header(std::string_view lower_case_name) const;
  const std::string* parameter(std::string_view name) const;
};

struct HttpCall {
  HttpHead head;
  std::string body;
};

struct HttpAnswer {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

// RFC 9457: {"type": "about:blank", "title", "status", "detail", …}; `extra` is a JSON object's inside or "".
HttpAnswer problem(int status, std::string_view title, std::string_view detail, std::string_view extra = "");

// 405 with the header Allow: "GET, HEAD".
HttpAnswer method_not_allowed(std::string_view allowed);

// To be called once, from any thread. Dropped without a call, the client is answered 500.
using HttpRespond = std::function<void(HttpAnswer)>;

struct HttpRoute {
  std::string prefix;  // the longest that fits counts: "/v1/events/"
  int64_t max_body_bytes = 1 << 20;
  // Looks at the head before the body is read: an answer refuses the request. May be empty. Any thread.
  std::function<std::optional<HttpAnswer>(const HttpHead&)> admit;
  // The bound of this request's body, where it depends on the head. May be empty: max_body_bytes. Any thread.
  std::function<int64_t(const HttpHead&)> max_body;
  // The call stays valid until `respond` was called. Must not block: what waits answers later. Any thread.
  std::function<void(std::shared_ptr<const HttpCall>, HttpRespond)> handle;
};

// For handlers that block: a HttpRoute::handle that runs `answer` on `threads` threads of its own, which end
// when the last copy of the result is gone; 503 when `waiting` calls wait already.
std::function<void(std::shared_ptr<const HttpCall>, HttpRespond)> blocking(
    std::function<HttpAnswer(const HttpCall&)> answer, int threads = 2, size_t waiting = 256);

struct HttpServerSettings {
  std::string host = "127.0.0.1";
  int port = 7080;  // 0: a free one
  int threads = 2;
  int max_connections = 4096;                      // more are answered 503 and closed
  int64_t max_held_bytes = 256 << 20;              // of bodies that are not answered yet; more: 503
  std::chrono::milliseconds head_timeout{10'000};  // for a request's head, from its first byte
  std::chrono::milliseconds body_timeout{30'000};  // for its body
  std::chrono::milliseconds idle_timeout{60'000};  // between requests
  std::string tls_cert_file, tls_key_file;         // PEM; both or none
  // Looks at every head before its route does. May be empty. Any thread.
  std::function<std::optional<HttpAnswer>(const HttpHead&)> admit;
};

class HttpServer {
 public:
  virtual ~HttpServer() = default;
  // Listens when it returns. `unavailable` when the address is taken; invalid for TLS files that cannot be
  // used.
  static Result<std::unique_ptr<HttpServer>> start(HttpServerSettings settings,
                                                   std::vector<HttpRoute> routes);
  virtual int port() const = 0;
  // Accepts nothing new, lets requests in flight end (at most `grace`), and closes.
  virtual void stop(std::chrono::milliseconds grace) = 0;
};

}  // namespace weir
