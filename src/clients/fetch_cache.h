// What was fetched from a server, kept by key: one request in flight for each key, the others wait for it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/clock.h"
#include "base/status.h"

namespace weir {

// Thread-safe. Of more than `most` keys the least recently used one goes.
template <typename Value>
class FetchCache {
 public:
  using Fetch = std::function<Result<Value>()>;
  static constexpr std::chrono::nanoseconds kForEver = std::chrono::nanoseconds::max();

  FetchCache(size_t most, const Clock& clock) : most_(most), clock_(clock) {}

  // A value lives for `lifetime`, a not_found for one second, another failure for nobody but those who waited
  // for it. While the server is away (unavailable), a value that is past its time goes on serving.
  // `fetch` must not ask for the same key.
  Result<Value> get(const std::string& key, std::chrono::nanoseconds lifetime, const Fetch& fetch) {
    std::unique_lock lock(mutex_);
    Entry& entry = touch(key);
    if (entry.flight == nullptr && clock_.monotonic_ns() < entry.until_ns) return *entry.result;
    if (const std::shared_ptr<Flight> flight = entry.flight) {
      landed_.wait(lock, [&] { return flight->result.has_value(); });
      return *flight->result;
    }
    const auto flight = std::make_shared<Flight>();
    entry.flight = flight;
    lock.unlock();
    Result<Value> fetched = fetch();
    lock.lock();
    land(key, *flight, std::move(fetched), lifetime);
    return *flight->result;
  }

  void put(const std::string& key, Value value) {
    std::lock_guard lock(mutex_);
    Entry& entry = touch(key);
    entry.result = std::move(value);
    entry.until_ns = INT64_MAX;
  }

  // Forgets what is kept under keys that begin so, also what is being fetched now: the next who asks gets
  // what was fetched after this call.
  void drop(std::string_view prefix) {
    std::lock_guard lock(mutex_);
    for (auto& [key, entry] : entries_) {
      if (!key.starts_with(prefix)) continue;
      entry.flight = nullptr;
      entry.result.reset();
      entry.until_ns = INT64_MIN;
    }
  }

 private:
  struct Flight {
    std::optional<Result<Value>> result;
  };
  struct Entry {
    std::shared_ptr<Flight> flight;       // those who wait hold it, too
    std::optional<Result<Value>> result;  // a value or not_found
    int64_t until_ns = INT64_MIN;         // for which `result` holds
    std::list<std::string>::iterator place;
  };

  Entry& touch(const std::string& key) {
    const auto [found, is_new] = entries_.try_emplace(key);
    if (!is_new) {
      order_.splice(order_.begin(), order_, found->second.place);
      return found->second;
    }
    order_.push_front(key);
    found->second.place = order_.begin();
    for (auto oldest = std::prev(order_.end()); entries_.size() > most_ && oldest != order_.begin();) {
      const auto before = std::prev(oldest);
      const auto entry = entries_.find(*oldest);
      if (entry->second.flight == nullptr) {
        entries_.erase(entry);
        order_.erase(oldest);
      }
      oldest = before;
    }
    return entries_.at(key);
  }

  void land(const std::string& key, Flight& flight, Result<Value> fetched,
            std::chrono::nanoseconds lifetime) {
    const auto found = entries_.find(key);
    if (found == entries_.end() || found->second.flight.get() != &flight) {  // dropped meanwhile
      flight.result = std::move(fetched);
      landed_.notify_all();
      return;
    }
    Entry& entry = found->second;
    const int64_t now_ns = clock_.monotonic_ns();
    const int64_t until_ns = lifetime == kForEver ? INT64_MAX : now_ns + lifetime.count();
    entry.flight = nullptr;
    if (fetched.ok()) {
      entry.result = std::move(fetched);
      entry.until_ns = until_ns;
    } else if (fetched.status().code() == Code::not_found) {
      entry.result = std::move(fetched);
      entry.until_ns = now_ns + 1'000'000'000;
    } else if (fetched.status().code() == Code::unavailable && entry.result && entry.result->ok()) {
      entry.until_ns = until_ns;
    } else {
      flight.result = std::move(fetched);
      landed_.notify_all();
      return;
    }
    flight.result = entry.result;
    landed_.notify_all();
  }

  const size_t most_;
  const Clock& clock_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable landed_;
  std::unordered_map<std::string, Entry> entries_;
  std::list<std::string> order_;  // keys, the most recently used first
};

}  // namespace weir
