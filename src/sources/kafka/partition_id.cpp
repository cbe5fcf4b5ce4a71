#include "sources/kafka/partition_id.h"

#include <charconv>

namespace weir {

std::optional<KafkaPartitionId> parse_kafka_partition_id(std::string_view text) {
  const size_t colon = text.find(':');  // neither a topic's name nor its id holds ':' or '/'
  const size_t slash = text.rfind('/');
  if (colon == std::string_view::npos || slash == std::string_view::npos || slash < colon || colon == 0) {
    return std::nullopt;
  }
  KafkaPartitionId id;
  id.topic = text.substr(0, colon);
  id.topic_id = text.substr(colon + 1, slash - colon - 1);
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + slash + 1, end, id.partition);
  if (error != std::errc() || stop != end || id.partition < 0 || id.topic_id.empty()) return std::nullopt;
  return id;
}

}  // namespace weir
