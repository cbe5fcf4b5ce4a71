// Messages on their way to a JetStream stream, not yet answered: a bounded number of messages and bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "clients/nats_connection.h"
#include "config/options.h"

namespace weir {

struct RowPlace {
  int64_t batch = 0;
  int64_t row = 0;
};

struct PublishWindowSettings {
  std::string stream;
  size_t most_messages = 4000;
  int64_t most_bytes = 32 << 20;
  int64_t ack_timeout_ms = 10'000;
  const Clock* clock = nullptr;
  // A message is answered for: stored, or refused for `message`, which is the server's words.
  std::function<void(RowPlace)> stored;
  std::function<void(RowPlace, std::string message)> refused;
};

// Used by one thread. After a failure it is given up: what was on its way is unknown.
class PublishWindow {
 public:
  static Result<std::unique_ptr<PublishWindow>> open(const Options& options, PublishWindowSettings settings);
  ~PublishWindow();

  NatsConnection& connection() { return *connection_; }

  // Sends; waits for answers while the window is full. `headers` and `payload` are copied. A message that the
  // server's limits do not admit is refused at once.
  Status publish(const std::string& subject, std::string_view payload,
                 const std::vector<std::pair<std::string, std::string>>& headers, RowPlace place);
  // Takes the answers that are there.
  Status receive();
  // Waits until nothing is on its way.
  Status finish();
  int64_t duplicates() const { return duplicates_; }

 private:
  struct Slot {
    RowPlace place;
    int64_t bytes = 0;
    bool busy = false;
  };

  explicit PublishWindow(PublishWindowSettings settings) : settings_(std::move(settings)) {}
  Status subscribe();
  Status wait();
  Status check_health();
  Status take(natsMsg* answer);

  PublishWindowSettings settings_;
  std::unique_ptr<NatsConnection> connection_;
  NatsSubscription subscription_;
  std::string inbox_;  // an answer's subject is "<inbox>.<slot>"
  std::vector<Slot> slots_;
  std::vector<size_t> free_;
  int64_t bytes_ = 0;
  int64_t duplicates_ = 0;
  uint64_t reconnects_ = 0;
  int64_t last_heard_ns_ = 0;
};

}  // namespace weir
