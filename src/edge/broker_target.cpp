#include "edge/broker_target.h"

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "base/crash_point.h"

namespace weir {
namespace {

using Done = std::function<void(Result<std::vector<EdgePosition>>)>;

// Counts what is under way, and waits for its end.
class UnderWay {
 public:
  void begin() {
    std::lock_guard lock(mutex_);
    ++count_;
  }
  void end() {
    std::lock_guard lock(mutex_);
    if (--count_ == 0) none_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    none_.wait(lock, [this] { return count_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable none_;
  int64_t count_ = 0;
};

class BrokerTarget final : public EventTarget {
 public:
  BrokerTarget(std::unique_ptr<Broker> broker, std::shared_ptr<KeyStore> keys)
      : name_(broker->name()), broker_(std::move(broker)), keys_(std::move(keys)) {}
  // Requests that are noted as begun reach the broker; the broker answers what is in flight; then those
  // notes end.
  ~BrokerTarget() override {
    begun_.wait();
    broker_.reset();
    done_.wait();
  }

  const std::string& name() const override { return name_; }
  Status reserve(int64_t bytes) override { return broker_->reserve(bytes); }
  void publish(std::vector<EdgeEvent> events, RequestKey key, Done done) override;

 private:
  // A request under a key that is being stored; repeats wait for its end.
  struct Flight {
    uint64_t fingerprint;
    std::vector<Done> repeats;
  };
  enum class Turn { send, wait, answer, refuse };

  Turn take(const RequestKey& key, Done& done, std::optional<KnownRequest>& known);
  void send(std::vector<EdgeEvent> events, const RequestKey& key, std::vector<StoredEvent> stored, Done done);
  void sent(const RequestKey& key, BrokerAnswer answer, const Done& done);
  // Answers the request and those that repeated it meanwhile.
  void finish(const RequestKey& key, const Status& status, const std::vector<StoredEvent>& stored,
              const Done& done);

  const std::string name_;
  std::unique_ptr<Broker> broker_;
  std::shared_ptr<KeyStore> keys_;
  UnderWay begun_, done_;
  std::mutex mutex_;
  std::map<std::string, Flight> flights_;       // under mutex_
  std::map<std::string, KnownRequest> unsure_;  // stored, and the note of it failed; under mutex_
};

// What to do with a request under a key; `send` makes it the flight of that key.
BrokerTarget::Turn BrokerTarget::take(const RequestKey& key, Done& done, std::optional<KnownRequest>& known) {
  std::lock_guard lock(mutex_);
  if (const auto flight = flights_.find(key.key); flight != flights_.end()) {
    if (flight->second.fingerprint != key.fingerprint) return Turn::refuse;
    flight->second.repeats.push_back(std::move(done));
    return Turn::wait;
  }
  known = keys_->find(key.key);
  if (const auto unsure = unsure_.find(key.key); unsure != unsure_.end()) known = unsure->second;
  if (known && known->fingerprint != key.fingerprint) return Turn::refuse;
  if (known && known->done) return Turn::answer;
  flights_.emplace(key.key, Flight{key.fingerprint, {}});
  return Turn::send;
}

void BrokerTarget::publish(std::vector<EdgeEvent> events, RequestKey key, Done done) {
  if (key.key.empty() || keys_ == nullptr) {
    const std::string text = key.key;
    return broker_->send(std::move(events), text, {},
                         [this, done = std::move(done)](const BrokerAnswer& answer) {
                           if (!answer.status.ok()) return done(answer.status);
                           done(positions_of(name_, answer.stored));
                         });
  }
  key.key = name_ + " " + key.key;
  std::optional<KnownRequest> known;
  switch (take(key, done, known)) {
    case Turn::wait: return;
    case Turn::refuse:
      return done(Status(Code::already_exists, "this Idempotency-Key belongs to another request"));
    case Turn::answer: {
      std::vector<EdgePosition> positions = positions_of(name_, known->events);
      for (EdgePosition& position : positions) position.repeated = true;
      return done(std::move(positions));
    }
    case Turn::send: break;
  }
  if (known) {
    if (known->events.size() != events.size()) known->events.clear();
    return send(std::move(events), key, std::move(known->events), std::move(done));
  }
  auto shared = std::make_shared<std::vector<EdgeEvent>>(std::move(events));
  begun_.begin();
  keys_->note(key.key, {key.fingerprint, false, {}},
              [this, shared, key, done = std::move(done)](const Status& status) {
                crash_point("edge.after_begun");
                if (status.ok()) {
                  send(std::move(*shared), key, {}, done);
                } else {
                  finish(key, status, {}, done);
                }
                begun_.end();
              });
}

void BrokerTarget::send(std::vector<EdgeEvent> events, const RequestKey& key, std::vector<StoredEvent> stored,
                        Done done) {
  broker_->send(
      std::move(events), key.key.substr(name_.size() + 1), std::move(stored),
      [this, key, done = std::move(done)](BrokerAnswer answer) { sent(key, std::move(answer), done); });
}

void BrokerTarget::sent(const RequestKey& key, BrokerAnswer answer, const Done& done) {
  crash_point("edge.before_done");
  // Also after a failure: a repeat sends only what is missing.
  KnownRequest known{key.fingerprint, answer.status.ok(), answer.stored};
  auto shared = std::make_shared<BrokerAnswer>(std::move(answer));
  done_.begin();
  keys_->note(key.key, known, [this, key, known, shared, done](const Status& noted) {
    {
      std::lock_guard lock(mutex_);
      if (noted.ok()) {
        unsure_.erase(key.key);
      } else if (unsure_.size() < 10'000) {
        unsure_[key.key] = {known.fingerprint, false, known.events};
      }
    }
    Status status = shared->status;
    if (status.ok() && !noted.ok()) {
      status = Status::unavailable(
          "the events are stored, but not that this key is done: repeat the request. " + noted.message());
    }
    finish(key, status, shared->stored, done);
    done_.end();
  });
}

void BrokerTarget::finish(const RequestKey& key, const Status& status, const std::vector<StoredEvent>& stored,
                          const Done& done) {
  std::vector<Done> repeats;
  {
    std::lock_guard lock(mutex_);
    const auto flight = flights_.find(key.key);
    repeats = std::move(flight->second.repeats);
    flights_.erase(flight);
  }
  if (!status.ok()) {
    done(status);
    for (const Done& repeat : repeats) repeat(status);
    return;
  }
  std::vector<EdgePosition> positions = positions_of(name_, stored);
  done(positions);
  for (EdgePosition& position : positions) position.repeated = true;
  for (const Done& repeat : repeats) repeat(positions);
}

}  // namespace

std::vector<EdgePosition> positions_of(const std::string& target, const std::vector<StoredEvent>& events) {
  std::vector<EdgePosition> positions;
  std::map<int32_t, size_t> newest;  // by partition: its last position
  for (const StoredEvent& event : events) {
    const auto found = newest.find(event.partition);
    if (found != newest.end()) {
      EdgePosition& last = positions[found->second];
      if (last.first + last.count == event.offset && last.repeated == event.repeated) {
        ++last.count;
        continue;
      }
    }
    newest[event.partition] = positions.size();
    positions.push_back({target, event.partition, event.offset, 1, event.repeated});
  }
  return positions;
}

std::unique_ptr<EventTarget> make_broker_target(std::unique_ptr<Broker> broker,
                                                std::shared_ptr<KeyStore> keys) {
  return std::make_unique<BrokerTarget>(std::move(broker), std::move(keys));
}

}  // namespace weir
