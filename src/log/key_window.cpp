#include "log/key_window.h"

#include <algorithm>

namespace weir {

const KeyEntry* KeyWindow::find(std::string_view key, int64_t now_us) const {
  const auto found = entries_.find(key);
  if (found == entries_.end() || !remembers(found->second.timestamp_us, now_us)) return nullptr;
  return &found->second;
}

void KeyWindow::add(std::string_view key, uint64_t fingerprint, int64_t timestamp_us, KeyPart part) {
  auto found = entries_.find(key);
  if (found == entries_.end()) {
    found = entries_.emplace(std::string(key), KeyEntry()).first;
    bytes_ += bytes_of(key);
  }
  KeyEntry& entry = found->second;
  const bool other = entry.fingerprint != fingerprint || (timestamp_us - entry.timestamp_us >= window_us_) ||
                     (entry.timestamp_us - timestamp_us >= window_us_);
  if (!entry.parts.empty() && other) {
    if (timestamp_us < entry.timestamp_us) return;
    entry.parts.clear();
  }
  entry.fingerprint = fingerprint;
  // One place in times_ for each newer frame of a key, none for others: an entry goes with its last place.
  if (timestamp_us > entry.timestamp_us) {
    entry.timestamp_us = timestamp_us;
    times_.emplace_back(timestamp_us, &found->first);
  }
  for (KeyPart& there : entry.parts) {
    if (there.partition != part.partition) continue;
    if (part.first > there.first) there = part;
    return;
  }
  entry.parts.push_back(part);
}

void KeyWindow::expire(int64_t now_us) {
  while (!times_.empty() && !remembers(times_.front().first, now_us)) {
    const auto [timestamp_us, key] = times_.front();
    times_.pop_front();
    const auto found = entries_.find(*key);
    if (found->second.timestamp_us > timestamp_us) continue;
    bytes_ -= bytes_of(found->first);
    entries_.erase(found);
  }
}

void KeyWindow::sort() { std::sort(times_.begin(), times_.end()); }

}  // namespace weir
