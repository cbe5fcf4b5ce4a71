// GROUP BY keys without a window: rows -> a changelog of each key's aggregates.
//
// For each batch and each key that it touches: the former result with -1 and the new one with +1; nothing
// when they are equal, and only the new one for a new key. With a TTL, a key that no row has touched for
// about so long (up to an eighth more, by the Clock) is forgotten silently: its next row begins anew.
#pragma once

#include <memory>

#include "operators/operator.h"

namespace weir {

Result<std::unique_ptr<Operator>> make_group_aggregate(const OperatorContext& context);

}  // namespace weir
