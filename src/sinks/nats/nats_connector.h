// Connector 'nats' as a sink: a message of a JetStream stream for each row.
#pragma once

#include "sinks/sink.h"

namespace weir {

SinkConnector nats_sink_connector();

}  // namespace weir
