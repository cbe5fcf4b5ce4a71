// `weir serve`: the HTTP edge, the embedded log and the registry as one server.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "edge/edge_config.h"

namespace weir {

// "127.0.0.1:7080", "[::1]:7080", "localhost:0".
struct ListenAddress {
  std::string host;
  int port = 0;
  bool loopback = false;
};
Result<ListenAddress> parse_listen_address(const std::string& text);

// "localhost", "::1", "127.…".
bool is_loopback_host(const std::string& host);

// invalid, in words, when the listener is reached from beyond this machine and something is open to
// everybody.
Status check_exposure(const EdgeConfig& config, const ListenAddress& address);

class EdgeServer {
 public:
  virtual ~EdgeServer() = default;
  // Listens when it returns. `config` and `clock` outlive it. `log` gets lines for the operator.
  static Result<std::unique_ptr<EdgeServer>> start(const EdgeConfig& config, const Clock& clock,
                                                   std::function<void(const std::string&)> log);
  // "http://127.0.0.1:7080", with the real port.
  virtual std::string url() const = 0;
  // Retention and the like, until `stop`; then drains: requests in flight are answered, no new ones taken.
  virtual void run(const std::atomic<bool>& stop) = 0;
};

}  // namespace weir
