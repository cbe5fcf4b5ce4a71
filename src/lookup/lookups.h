// Every connector of this binary whose tables can be looked up.
#pragma once

#include <vector>

#include "plan/lookup_connector.h"

namespace weir {

// One line a connector, in lookups.cpp.
const std::vector<LookupConnector>& all_lookups();

}  // namespace weir
