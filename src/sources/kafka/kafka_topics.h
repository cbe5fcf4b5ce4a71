// Which topics a Kafka source reads, and what its kept positions say of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "clients/kafka_client.h"
#include "sources/kafka/partition_id.h"

namespace weir {

struct KafkaTopicChoice {
  std::vector<std::string> topics;
  std::string pattern;              // instead of `topics`: a POSIX extended expression for the whole name
  std::vector<int32_t> partitions;  // only these of each topic; empty: all
};

// "a;b" and "0,2" as the options give them.
Result<KafkaTopicChoice> parse_kafka_topic_choice(const std::string& topics, const std::string& pattern,
                                                  const std::string& partitions);

// For rd_kafka_subscribe.
std::vector<std::string> kafka_subscription(const KafkaTopicChoice& choice);

// The topics that are there now, in a stable order. not_found when a named one is missing.
Result<std::vector<KafkaTopicInfo>> find_kafka_topics(KafkaClient& client, const KafkaTopicChoice& choice);

// The partitions of those topics that are to be read. invalid when 'scan.partitions' names one that none has.
Result<std::vector<KafkaPartitionId>> kafka_partitions(const std::vector<KafkaTopicInfo>& topics,
                                                       const KafkaTopicChoice& choice);

// Whether each kept position still belongs to a log that is there: invalid names the one that is gone or was
// created anew.
Status check_known_kafka_partitions(KafkaClient& client, const std::vector<KafkaTopicInfo>& topics,
                                    const std::vector<std::string>& known);

}  // namespace weir
