// Connector 'generator': rows drawn from the table's schema and a seed, for demos, tests and benchmarks.
#pragma once

#include "sources/source.h"

namespace weir {

// Partition p of n holds the rows p, p + n, p + 2n …; the offset counts within the partition.
SourceConnector generator_connector();

}  // namespace weir
