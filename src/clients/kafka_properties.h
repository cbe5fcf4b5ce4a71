// 'properties.*' of a Kafka table: librdkafka's names, Java's where they map, and words for those that do
// not.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "config/options.h"

namespace weir {

using KafkaProperties = std::vector<std::pair<std::string, std::string>>;

// The options that a Kafka source and sink share: how the cluster is reached. The wildcard takes every
// property of librdkafka; those that hold a secret are declared one by one.
std::vector<OptionSpec> kafka_connection_options();

// The user's properties as librdkafka names them. invalid, with what to write instead, for a property that
// Weir decides itself or that only exists in Java.
Result<KafkaProperties> kafka_properties(const Options& options);

// Whether a value of this librdkafka property must never be shown.
bool kafka_property_is_secret(const std::string& name);

}  // namespace weir
