// Every sink connector of this binary.
#pragma once

#include <vector>

#include "sinks/sink.h"

namespace weir {

// One line a connector, in sinks.cpp.
const std::vector<SinkConnector>& all_sinks();

}  // namespace weir
