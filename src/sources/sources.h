// Every source connector of this binary.
#pragma once

#include <vector>

#include "sources/source.h"

namespace weir {

// One line a connector, in sources.cpp.
const std::vector<SourceConnector>& all_sources();

}  // namespace weir
