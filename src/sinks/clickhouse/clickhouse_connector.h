// The 'clickhouse' sink connector: options, checks, probe.
#pragma once

#include "sinks/sink.h"

namespace weir {

SinkConnector clickhouse_connector();

}  // namespace weir
