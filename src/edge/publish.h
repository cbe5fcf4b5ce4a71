// One request's events into all the targets they are routed to.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "edge/event_target.h"
#include "edge/work_pool.h"

namespace weir {

// Targets by name. Thread-safe; a target lives as long as the set.
class TargetSet {
 public:
  virtual ~TargetSet() = default;
  // Null: not opened so far. Does not block.
  virtual EventTarget* find(const std::string& name) const = 0;
  // Opens it where needed. exhausted: too many are open.
  virtual Result<EventTarget*> open_target(const std::string& name) = 0;
};

// What goes to one target.
struct Parcel {
  std::string target;
  std::vector<EdgeEvent> events;
};

// Reserves room in every target before the first is given anything. `done` is called once, with the positions
// of all parcels: exhausted, when nothing was stored; already_exists, when the key is another request's;
// invalid, when a target refused an event; unavailable, when some may be stored. `opener` runs what blocks.
void publish_parcels(TargetSet& targets, WorkPool& opener, std::vector<Parcel> parcels, RequestKey key,
                     std::function<void(Result<std::vector<EdgePosition>>)> done);

}  // namespace weir
