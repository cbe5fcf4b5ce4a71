// A stream of the embedded log as an edge target.
#pragma once

#include <memory>
#include <string>

#include "edge/event_target.h"
#include "log/log_writer.h"

namespace weir {

// The partition is a hash of the event's key. Events without one stay together: in the partition of the
// request's key, else in turn. `name`: "log:orders". Whoever retains and measures shares the writer.
std::unique_ptr<EventTarget> make_log_target(std::string name, std::shared_ptr<LogWriter> writer);

// FNV-1a: the same in every version, as keys stay in their partitions.
uint64_t stable_hash(std::string_view bytes);

}  // namespace weir
