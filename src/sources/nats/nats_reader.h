// One subject filter of a stream as a partition, read through a pull consumer that is made anew at our own
// position.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "clients/nats_connection.h"
#include "config/options.h"
#include "sources/source.h"

namespace weir {

struct NatsReaderSettings {
  Options options;
  std::string filter;      // ">" for the whole stream
  std::string consumer;    // its durable name; see nats_consumer.h
  int64_t created_ns = 0;  // the stream's creation time in the partition's id
  bool once = false;
  bool sample = false;  // nothing is acknowledged, and the consumer goes with the reader
  size_t batch_rows = 8192;
  const Clock* clock = nullptr;
  // Where several workers share the partitions: whether this one is ours at this moment. A reader that has
  // lost its partition gives no events and leaves the consumer, which is another's by then, alone.
  std::function<bool()> holds;
  // There too, on a stream that acknowledgements empty: the position is gone. Was it so already when the
  // reader before this one stood there? If not, another worker may have committed and acknowledged in the
  // meantime.
  std::function<bool(int64_t position)> gone_before;
};

// Work queues and streams with interest retention can be read exactly once only by acknowledging after the
// commit, and a work queue only from its beginning. invalid: the options say otherwise.
Status check_retention(const Options& options, const jsStreamInfo& stream);

// Opens at `stored`, or where scan.startup.mode says. invalid when that position is gone or ahead of the
// stream; lost_ownership where another worker may have moved on, see gone_before.
Result<std::unique_ptr<PartitionReader>> open_nats_reader(NatsReaderSettings settings,
                                                          std::optional<int64_t> stored);

}  // namespace weir
