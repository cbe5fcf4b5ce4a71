// Connector 'kafka' as a sink: every row a message, at least once.
#pragma once

#include "sinks/sink.h"

namespace weir {

SinkConnector kafka_sink_connector();

}  // namespace weir
