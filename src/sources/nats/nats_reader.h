// One subject filter of a stream as a partition, read through a pull consumer that is made anew at our own
// position.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "config/options.h"
#include "sources/nats/nats_connection.h"
#include "sources/source.h"

namespace weir {

struct NatsReaderSettings {
  Options options;
  std::string filter;      // ">" for the whole stream
  std::string consumer;    // its durable name
  int64_t created_ns = 0;  // the stream's creation time in the partition's id
  bool once = false;
  size_t batch_rows = 8192;
  const Clock* clock = nullptr;
};

// Opens at `stored`, or where scan.startup.mode says. invalid when that position is gone or ahead of the
// stream.
Result<std::unique_ptr<PartitionReader>> open_nats_reader(NatsReaderSettings settings,
                                                          std::optional<int64_t> stored);

}  // namespace weir
