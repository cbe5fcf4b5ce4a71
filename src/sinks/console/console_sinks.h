// 'print' and 'blackhole': sinks without a memory, at least once.
#pragma once

#include <ostream>

#include "sinks/sink.h"

namespace weir {

// One JSON object a row on standard output, without the hidden columns.
SinkConnector print_connector();
// Counts and forgets: for measuring what comes before it.
SinkConnector blackhole_connector();

// `out` outlives the sink. `limit` < 0: no limit.
std::unique_ptr<Sink> make_print_sink(std::ostream& out, std::string prefix, int64_t limit);
std::unique_ptr<Sink> make_blackhole_sink();

}  // namespace weir
