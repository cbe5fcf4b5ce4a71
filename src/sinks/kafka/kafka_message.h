// The sink's options that say which columns make a message.
#pragma once

#include "config/options.h"
#include "sinks/message_columns.h"

namespace weir {

inline MessageColumnNames kafka_message_columns(const Options& options) {
  MessageColumnNames names;
  names.target = options.string("topic.from-column");
  names.headers = options.string("headers.column");
  names.timestamp = options.string("timestamp.column");
  names.key = options.string("key.fields");
  names.value_without_key = options.string("value.fields-include") != "ALL";
  names.raw = options.string("value.format") == "raw";
  return names;
}

}  // namespace weir
