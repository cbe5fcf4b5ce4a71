// Connector 'kafka' as a source: all partitions of some topics, or this worker's share of them in a group.
#pragma once

#include "sources/source.h"

namespace weir {

// A partition's id is "<topic>:<topic id>/<partition>", offsets are Kafka's.
SourceConnector kafka_source_connector();

}  // namespace weir
