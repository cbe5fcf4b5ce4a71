// Idempotency keys of a stream that are still remembered, and where their records lie. Used by one thread.
// Bounded by time and, by its owner's asking has_room(), by number and bytes: what is remembered is never
// forgotten early.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "log/log_writer.h"

namespace weir {

struct KeyPart {
  int partition = 0;
  int64_t first = 0;
  int64_t last = 0;
};

struct KeyEntry {
  uint64_t fingerprint = 0;
  int64_t timestamp_us = INT64_MIN;  // of its newest frame
  std::vector<KeyPart> parts;

  const KeyPart* part(int partition) const {
    for (const KeyPart& candidate : parts) {
      if (candidate.partition == partition) return &candidate;
    }
    return nullptr;
  }
};

class KeyWindow {
 public:
  KeyWindow(std::chrono::seconds window, size_t most_keys, size_t most_bytes)
      : window_us_(std::chrono::microseconds(window).count()),
        most_keys_(most_keys),
        most_bytes_(most_bytes) {}

  bool remembers(int64_t timestamp_us, int64_t now_us) const { return now_us - timestamp_us < window_us_; }
  // Null when the key was never used or is forgotten by `now_us`.
  const KeyEntry* find(std::string_view key, int64_t now_us) const;
  // For one more key that is not there yet.
  bool has_room(std::string_view key) const {
    return entries_.size() < most_keys_ && bytes_ + bytes_of(key) <= most_bytes_;
  }
  // A frame with this key. Frames may come in any order when a log is opened: the newer one counts when the
  // key has been used for different requests.
  void add(std::string_view key, uint64_t fingerprint, int64_t timestamp_us, KeyPart part);
  // Forgets what is too old.
  void expire(int64_t now_us);
  // After the last add() of an open.
  void sort();

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  using Entries = std::unordered_map<std::string, KeyEntry, Hash, std::equal_to<>>;

  // About what an entry costs, with its place in a segment's summary.
  static size_t bytes_of(std::string_view key) { return 200 + 2 * key.size(); }

  int64_t window_us_;
  size_t most_keys_;
  size_t most_bytes_;
  size_t bytes_ = 0;
  Entries entries_;
  // Times of frames and their keys, which stay where they are in entries_.
  std::deque<std::pair<int64_t, const std::string*>> times_;
};

}  // namespace weir
