// The schema registry inside `weir serve`, under /registry: docs/registry.md.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "edge/http_server.h"

namespace weir {

struct RegistryApiSettings {
  std::string folder;               // of the embedded log
  std::vector<std::string> tokens;  // secret; empty: everybody may do everything
};

// Thread-safe. Lives until no call of its route is under way: longer than the HttpServer.
class RegistryApi {
 public:
  virtual ~RegistryApi() = default;
  // Reads every schema back. already_exists: another process has this folder's registry. `clock` outlives it.
  static Result<std::unique_ptr<RegistryApi>> open(RegistryApiSettings settings, const Clock& clock);
  // Prefix "/registry". Refers to this object.
  virtual HttpRoute route() = 0;
};

}  // namespace weir
