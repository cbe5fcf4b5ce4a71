// Where the edge puts routed events: a stream of the embedded log, NATS or Kafka.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace weir {

// Views stay valid until the publish is answered.
struct EdgeEvent {
  std::string_view payload;
  std::optional<std::string_view> key;  // decides the partition
  std::string_view subject;             // the CloudEvents type, else the stream's name
  std::string_view headers;             // a JSON object of strings: content-type, ce-*, forwarded ones
  int64_t timestamp_us = 0;
};

// Where events came to lie: `count` of them from `first` on (offset or sequence), both in one partition.
struct EdgePosition {
  std::string target;  // "log:orders", "nats:ORDERS", "kafka:orders"
  int partition = 0;
  int64_t first = 0;
  int64_t count = 0;
  bool repeated = false;
};

struct RequestKey {
  std::string key;           // the Idempotency-Key, made unique to the stream; "": none
  uint64_t fingerprint = 0;  // of the request
};

// Thread-safe.
class EventTarget {
 public:
  virtual ~EventTarget() = default;
  virtual const std::string& name() const = 0;  // as in EdgePosition::target
  // Refuses early what could not be stored whole (exhausted: a full disk or queue). Nothing is stored yet.
  virtual Status reserve(int64_t bytes) = 0;
  // `done` is called once, when all events are durable there (fsync, PubAck, acks=all) or one could not be:
  // unavailable (some may be stored: say so), exhausted (none is), already_exists (the key belongs to another
  // request), invalid (too large for the target). Two calls with the same key store the events once, as far
  // as the target can: docs/edge.md says how far.
  virtual void publish(std::vector<EdgeEvent> events, RequestKey key,
                       std::function<void(Result<std::vector<EdgePosition>>)> done) = 0;
};

}  // namespace weir
