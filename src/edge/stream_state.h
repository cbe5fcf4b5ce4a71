// What the edge knows of a stream while it runs: limits, tokens, rates, counts.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>

#include "edge/bearer_tokens.h"
#include "edge/edge_config.h"
#include "edge/event_request.h"
#include "edge/rate_limit.h"

namespace weir {

struct StreamState {
  // `declared` may be null: the server's limits.
  StreamState(std::string name, const EdgeConfig& config, const EdgeStream* declared);

  void count_answer(int status);

  const std::string name;
  const BearerTokens tokens;
  EventLimits limits;
  int64_t max_body = 0;
  RateLimit event_rate, byte_rate;

  static constexpr std::array<int, 12> kStatuses{200, 202, 400, 401, 405, 413, 415, 422, 429, 500, 503, 0};
  std::array<std::atomic<int64_t>, kStatuses.size()> answers{};  // the last: any other status
  std::atomic<int64_t> events{0}, bytes{0}, unrouted{0}, in_flight{0};
};

// Thread-safe. States live as long as this.
class StreamStates {
 public:
  static constexpr size_t kMostUndeclared = 1000;

  explicit StreamStates(const EdgeConfig& config);
  // That of a stream which has none of its own is shared: "(other)".
  StreamState& find(std::string_view stream);
  // Gives an undeclared stream a state of its own, while there are not too many.
  StreamState& make(std::string_view stream);
  std::string metrics() const;

 private:
  const EdgeConfig& config_;
  mutable std::shared_mutex mutex_;
  std::map<std::string, std::unique_ptr<StreamState>, std::less<>> states_;
  StreamState other_;
};

}  // namespace weir
