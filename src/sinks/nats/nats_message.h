// The sink's options that say which columns make a message.
#pragma once

#include "config/options.h"
#include "sinks/message_columns.h"

namespace weir {

inline MessageColumnNames nats_message_columns(const Options& options) {
  MessageColumnNames names;
  names.target_word = "subject";
  names.target = options.string("subject.from-column");
  names.headers = options.string("headers.column");
  names.raw = options.string("value.format") == "raw";
  return names;
}

}  // namespace weir
