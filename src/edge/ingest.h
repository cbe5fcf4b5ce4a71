// POST /v1/events/{stream}: authenticates, limits, checks, routes, and answers when the events are durable.
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "edge/edge_config.h"
#include "edge/http_server.h"
#include "edge/publish.h"

namespace weir {

struct IngestSettings {
  // No token, no request: for a listener that others reach. Streams without a token of their own or of the
  // server are then closed.
  bool tokens_needed = false;
};

class Ingest {
 public:
  virtual ~Ingest() = default;
  // All arguments outlive the result, and the result outlives the server that has its route.
  static std::unique_ptr<Ingest> create(const EdgeConfig& config, TargetSet& targets, const Clock& clock,
                                        IngestSettings settings = {});

  virtual HttpRoute route() = 0;
  // Prometheus text: requests by stream and status, events, bytes, in flight.
  virtual std::string metrics() const = 0;
};

}  // namespace weir
