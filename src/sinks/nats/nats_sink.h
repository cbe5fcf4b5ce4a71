// Rows as messages of one JetStream stream, published side by side; a commit waits for every answer.
#pragma once

#include <memory>

#include "sinks/sink.h"

namespace weir {

// `context.options` were checked by the connector.
Result<std::unique_ptr<Sink>> create_nats_sink(SinkContext context);

// Reachable, allowed, and a stream there that takes the subject?
Status probe_nats_sink(const SinkContext& context);

}  // namespace weir
