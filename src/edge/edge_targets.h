// The targets of a configuration by name: opened once, streams of the log also on first use.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "edge/edge_config.h"
#include "edge/event_target.h"
#include "edge/key_store.h"
#include "edge/publish.h"
#include "log/log_writer.h"

namespace weir {

inline constexpr const char* kUnroutedTarget = "log:_unrouted";

// <data>/log
std::string edge_log_folder(const EdgeConfig& config);

// Thread-safe.
class EdgeTargets final : public TargetSet {
 public:
  static constexpr size_t kMostLogStreams = 256;  // made on first use, beside the declared ones

  // Opens what streams and routes name. Both arguments outlive the result.
  static Result<std::unique_ptr<EdgeTargets>> open(const EdgeConfig& config, const Clock& clock);

  EventTarget* find(const std::string& name) const override;
  Result<EventTarget*> open_target(const std::string& name) override;

  // Retention of every open stream of the log. Called now and then.
  Status retain();
  // Streams that are open, with their writers.
  std::vector<std::pair<std::string, std::shared_ptr<LogWriter>>> log_writers() const;

 private:
  EdgeTargets(const EdgeConfig& config, const Clock& clock) : config_(config), clock_(clock) {}
  Result<std::unique_ptr<EventTarget>> open_log(const std::string& stream);
  Result<std::unique_ptr<EventTarget>> open_broker(const std::string& name);

  const EdgeConfig& config_;
  const Clock& clock_;
  std::mutex opening_;
  std::shared_ptr<KeyStore> keys_;  // shared by the broker targets
  mutable std::shared_mutex mutex_;
  std::map<std::string, std::shared_ptr<LogWriter>> writers_;
  std::map<std::string, std::unique_ptr<EventTarget>> targets_;
};

}  // namespace weir
