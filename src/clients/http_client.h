// HTTP and HTTPS requests over kept-alive connections.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace weir {

struct HttpRequest {
  std::string method = "GET";
  std::string url;                                           // http:// or https://, without a user
  std::vector<std::pair<std::string, std::string>> headers;  // may hold secrets: never shown
  std::vector<std::string_view> body;                        // sent one after the other; must outlive send()
};

struct HttpResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

struct HttpSettings {
  std::chrono::milliseconds connect_timeout{5000};
  std::chrono::milliseconds request_timeout{30000};  // from the first byte sent to the last received
  int64_t max_answer_bytes = 64 << 20;
  std::string ca_file;    // PEM; empty: the system's
  std::string cert_file;  // PEM of the client, with key_file
  std::string key_file;
  bool verify = true;  // of the server's certificate and name
};

// The seam to the network; tests put in their own. Not safe for two threads at once.
class HttpClient {
 public:
  virtual ~HttpClient() = default;
  // Any answer of the server is ok, whatever its status says. unavailable: no whole answer came, and whether
  // the request took effect is unknown; invalid: the URL or a TLS file cannot be used; denied: TLS refused.
  virtual Result<HttpResponse> send(const HttpRequest& request) = 0;
};

Result<std::unique_ptr<HttpClient>> open_http_client(const HttpSettings& settings);

// "a%20b": for values in a URL's query.
std::string url_encoded(std::string_view text);

}  // namespace weir
