// readers/<name>.json: how far each registered reader is.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/status.h"

namespace weir {

// What all registered readers have passed, by partition: the lowest of their positions. A reader that never
// marked a partition has passed nothing of it.
struct ConsumedMarks {
  bool any = false;  // whether there is a reader
  std::map<int, int64_t> lowest;
};
Result<ConsumedMarks> consumed_marks(const std::string& folder, const std::string& stream);

}  // namespace weir
