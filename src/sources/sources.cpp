#include "sources/sources.h"

#include "sources/file/file_source.h"
#include "sources/generator/generator_source.h"
#include "sources/kafka/kafka_source.h"
#include "sources/log/log_source.h"
#include "sources/nats/nats_source.h"

namespace weir {

const std::vector<SourceConnector>& all_sources() {
  static const std::vector<SourceConnector> sources = {
      nats_connector(), kafka_source_connector(), http_connector(), file_connector(), generator_connector(),
  };
  return sources;
}

}  // namespace weir
