// The topics that Flink writes into.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/status.h"
#include "config/options.h"

namespace weir {

struct FlinkTopicState {
  bool created = false;
  int64_t records = 0;  // that stand in it already, those of open and aborted transactions included
};

// Makes the topic on the cluster of a Kafka table's options when it is missing.
Result<FlinkTopicState> ensure_topic(const Options& cluster, const std::string& topic, int partitions,
                                     std::chrono::milliseconds timeout);

}  // namespace weir
