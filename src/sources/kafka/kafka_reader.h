// One Kafka partition, fetched into a queue of its own.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "clients/kafka_client.h"
#include "sources/kafka/partition_id.h"
#include "sources/source.h"

namespace weir {

struct KafkaReaderSettings {
  std::shared_ptr<KafkaClient> client;  // one connection for all readers of a source, gone with the last
  KafkaPartitionId id;
  bool committed = true;         // isolation.level is read_committed
  bool once = false;             // end at the end offset of now
  bool skip_tombstones = false;  // else a null payload arrives as absent
  bool continue_on_gap = false;  // go on at the log's start when retention has removed the next event
  size_t batch_rows = 8192;
  size_t batch_bytes = 4 << 20;  // about the most in one batch, unless one event is larger
  const Clock* clock = nullptr;
  // Tells of every acknowledged position; may be empty.
  std::function<void(const KafkaPartitionId&, int64_t next)> acknowledged;
};

// Where to begin. A negative offset is RD_KAFKA_OFFSET_BEGINNING or _END.
struct KafkaStart {
  int64_t offset = RD_KAFKA_OFFSET_BEGINNING;
  // The position is told as a first, empty range, so that it is kept although nothing was read: the same
  // words in the file would mean another place after a restart.
  bool keep = false;
  bool stored = false;  // the offset is a kept position, or one that the user wrote
};

Result<std::unique_ptr<PartitionReader>> open_kafka_reader(KafkaReaderSettings settings, KafkaStart start);

}  // namespace weir
