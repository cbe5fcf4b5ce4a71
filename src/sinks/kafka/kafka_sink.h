// Rows as messages of Kafka topics.
#pragma once

#include <memory>

#include "sinks/sink.h"

namespace weir {

Result<std::unique_ptr<Sink>> create_kafka_sink(SinkContext context);

// Reachable, allowed, and the topic there?
Status probe_kafka_sink(const SinkContext& context);

}  // namespace weir
