// "<topic>:<topic id>/<partition>": what a position in Kafka belongs to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir {

struct KafkaPartitionId {
  std::string topic;
  std::string topic_id;
  int32_t partition = 0;

  std::string text() const { return topic + ":" + topic_id + "/" + std::to_string(partition); }
};

std::optional<KafkaPartitionId> parse_kafka_partition_id(std::string_view text);

}  // namespace weir
