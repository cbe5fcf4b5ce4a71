// Connector 'nats': a JetStream stream, whole or cut into partitions by subject filters; or, with 'delivery'
// = 'core', what is published on a subject (core_source.h).
#pragma once

#include "sources/source.h"

namespace weir {

// A partition's id is "<stream>@<creation time, ns>/<filter>", offsets are stream sequences.
SourceConnector nats_connector();

}  // namespace weir
