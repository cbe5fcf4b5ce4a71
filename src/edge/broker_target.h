// A broker as an edge target: what NATS and Kafka share, idempotency included.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "edge/event_target.h"
#include "edge/key_store.h"

namespace weir {

// What became of the events of one send: `stored` has an entry for each, also when `status` has failed.
struct BrokerAnswer {
  std::vector<StoredEvent> stored;
  Status status;
};

// The broker itself. Thread-safe.
class Broker {
 public:
  virtual ~Broker() = default;  // answers what is in flight
  virtual const std::string& name() const = 0;
  virtual Status reserve(int64_t bytes) = 0;
  // Sends the events that `stored` (empty, or one entry an event) does not hold yet, in order, each
  // with its event_id() of event_text.h. `answer` is called once.
  virtual void send(std::vector<EdgeEvent> events, const std::string& key, std::vector<StoredEvent> stored,
                    std::function<void(BrokerAnswer)> answer) = 0;
};

// `keys` may be null: then a key is only worth what the broker itself remembers.
std::unique_ptr<EventTarget> make_broker_target(std::unique_ptr<Broker> broker,
                                                std::shared_ptr<KeyStore> keys);

// Neighbours in one partition become one position.
std::vector<EdgePosition> positions_of(const std::string& target, const std::vector<StoredEvent>& events);

}  // namespace weir
