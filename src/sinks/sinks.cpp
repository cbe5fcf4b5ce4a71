#include "sinks/sinks.h"

#include "sinks/clickhouse/clickhouse_connector.h"
#include "sinks/console/console_sinks.h"
#include "sinks/delta/delta_connector.h"
#include "sinks/kafka/kafka_connector.h"
#include "sinks/nats/nats_connector.h"

namespace weir {

const std::vector<SinkConnector>& all_sinks() {
  static const std::vector<SinkConnector> connectors = {
      delta_connector(),     clickhouse_connector(), kafka_sink_connector(),
      nats_sink_connector(), print_connector(),      blackhole_connector(),
  };
  return connectors;
}

}  // namespace weir
