// Idempotency keys of requests to brokers, remembered for 24 hours and over restarts.
//
// The embedded log remembers its own keys; NATS and Kafka do not (or not for so long), so what a request
// under a key came to is kept in the log's stream `_keys`: noted as begun before anything is sent, and as
// done, with all positions, before the request is answered.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"

namespace weir {

inline constexpr const char* kKeyStream = "_keys";

// Where one event of a request came to lie.
struct StoredEvent {
  int32_t partition = -1;  // -1: it is not known to be stored
  int64_t offset = -1;
  bool repeated = false;  // the broker had it already

  bool stored() const { return partition >= 0; }
};

struct KnownRequest {
  uint64_t fingerprint = 0;
  bool done = false;
  std::vector<StoredEvent> events;  // in the request's order; empty while nothing is known
};

// Thread-safe.
class KeyStore {
 public:
  virtual ~KeyStore() = default;
  static constexpr size_t kMostKeys = 10'000'000;  // about 1 GB

  // `folder`: of the embedded log's streams. `clock` outlives the store. Reads what is noted there.
  static Result<std::shared_ptr<KeyStore>> open(const std::string& folder, const Clock& clock,
                                                std::chrono::seconds window = std::chrono::hours(24),
                                                size_t most = kMostKeys);

  virtual std::optional<KnownRequest> find(std::string_view key) = 0;
  // `answer` is called once, from any thread, when the note is durable. exhausted: the disk is full, or
  // `most` keys are remembered already.
  virtual void note(std::string key, KnownRequest request, std::function<void(Status)> answer) = 0;
  // Lets go of old notes on disk. Called now and then by the owner, from no callback.
  virtual Status retain() = 0;
};

}  // namespace weir
