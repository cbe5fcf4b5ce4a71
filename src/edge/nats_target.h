// NATS JetStream as an edge target: an event is stored when its PubAck has come.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "edge/edge_config.h"
#include "edge/event_target.h"
#include "edge/key_store.h"

namespace weir {

// The connection's options, and stream, subject, timeout.
std::vector<OptionSpec> nats_target_option_specs();

// `name` is how positions name it. A server that is away is no failure: publishes are `unavailable` until it
// is back. invalid or denied: options or credentials that cannot be used. `clock` outlives the target.
// `keys`: one store for all targets; null: an Idempotency-Key is worth as much as JetStream's duplicate
// window.
Result<std::unique_ptr<EventTarget>> open_nats_target(const EdgeTargetSpec& spec, const std::string& name,
                                                      const Clock& clock,
                                                      std::shared_ptr<KeyStore> keys = nullptr);

}  // namespace weir
