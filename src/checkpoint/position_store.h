// Positions of sets whose sinks remember nothing (print, blackhole): at least once, said so by `weir check`.
//
// The object `<pipeline>/positions/<source>.json` below the state root, replaced as a whole. One a source,
// since each source belongs to one set, and sets run side by side:
//   {"format": "weir-positions", "version": 1, "positions": {"weir/<pipeline>/<source>/<partition>": next,
//   …}}
// A reader refuses a version that it does not know.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/objects.h"
#include "base/status.h"

namespace weir {

// One thread at a time. `objects` (the state root) outlives the store.
class PositionStore {
 public:
  PositionStore(ObjectStore& objects, const std::string& pipeline, const std::string& source);

  // Empty when nothing was stored yet; invalid when the object is damaged or newer than this binary.
  Result<std::map<std::string, int64_t>> load();
  // Durable when it returns. Positions of app ids that are not given stay as they are.
  Status save(const std::map<std::string, int64_t>& moved);

 private:
  ObjectStore& objects_;
  std::string path_;
};

}  // namespace weir
