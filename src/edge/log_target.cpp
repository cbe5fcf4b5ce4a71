#include "edge/log_target.h"

#include <atomic>
#include <cstdint>
#include <utility>

namespace weir {
namespace {

class LogTarget final : public EventTarget {
 public:
  LogTarget(std::string name, std::shared_ptr<LogWriter> writer)
      : name_(std::move(name)), writer_(std::move(writer)), partitions_(writer_->info().partitions) {}

  const std::string& name() const override { return name_; }
  Status reserve(int64_t bytes) override { return writer_->reserve(bytes); }

  void publish(std::vector<EdgeEvent> events, RequestKey key,
               std::function<void(Result<std::vector<EdgePosition>>)> done) override {
    // Before the key is moved: it decides where events without one of their own go.
    std::vector<LogPart> parts = parts_of(events, key);
    writer_->append(std::move(parts), LogKey{std::move(key.key), key.fingerprint},
                    [done = std::move(done), name = name_](Result<std::vector<LogAppended>> appended) {
                      if (!appended.ok()) return done(appended.status());
                      std::vector<EdgePosition> positions;
                      positions.reserve(appended->size());
                      for (const LogAppended& part : *appended) {
                        positions.push_back(
                            {name, part.partition, part.first, part.last - part.first + 1, part.repeated});
                      }
                      done(std::move(positions));
                    });
  }

 private:
  int partition_of(std::string_view key) const {
    return static_cast<int>(stable_hash(key) % static_cast<uint64_t>(partitions_));
  }

  std::vector<LogPart> parts_of(const std::vector<EdgeEvent>& events, const RequestKey& key) {
    int keyless = 0;
    if (partitions_ > 1) {
      keyless = key.key.empty() ? static_cast<int>(turn_.fetch_add(1, std::memory_order_relaxed) %
                                                   static_cast<uint64_t>(partitions_))
                                : partition_of(key.key);
    }
    std::vector<LogPart> parts;
    std::vector<int> part_of(static_cast<size_t>(partitions_), -1);
    for (const EdgeEvent& event : events) {
      int partition = partitions_ > 1 && event.key ? partition_of(*event.key) : keyless;
      int& part = part_of[static_cast<size_t>(partition)];
      if (part < 0) {
        part = static_cast<int>(parts.size());
        parts.push_back({partition, {}});
        if (partitions_ == 1) parts.back().records.reserve(events.size());
      }
      parts[static_cast<size_t>(part)].records.push_back(
          {event.payload, event.key, event.headers, event.subject, event.timestamp_us});
    }
    return parts;
  }

  const std::string name_;
  const std::shared_ptr<LogWriter> writer_;
  const int partitions_;
  std::atomic<uint64_t> turn_{0};
};

}  // namespace

uint64_t stable_hash(std::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325;
  for (char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash ^ hash >> 32;  // the low bits of FNV alone are weak
}

std::unique_ptr<EventTarget> make_log_target(std::string name, std::shared_ptr<LogWriter> writer) {
  return std::make_unique<LogTarget>(std::move(name), std::move(writer));
}

}  // namespace weir
