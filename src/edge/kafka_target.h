// Kafka as an edge target: an event is stored when all in-sync replicas have it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "edge/edge_config.h"
#include "edge/event_target.h"
#include "edge/key_store.h"

namespace weir {

// The cluster's options (properties.*), and topic, key, timeout.
std::vector<OptionSpec> kafka_target_option_specs();

// `name` is how positions name it. Connects in the background: publishes are `unavailable` while no broker
// answers. invalid: options that cannot be used. `clock` outlives the target. `keys`: one store for all
// targets; null: a repeated request is stored again.
Result<std::unique_ptr<EventTarget>> open_kafka_target(const EdgeTargetSpec& spec, const std::string& name,
                                                       const Clock& clock,
                                                       std::shared_ptr<KeyStore> keys = nullptr);

}  // namespace weir
