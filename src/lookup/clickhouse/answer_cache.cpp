#include "lookup/clickhouse/answer_cache.h"

#include <utility>

namespace weir {

std::optional<CachedRows> AnswerCache::find(std::string_view key, int64_t now_us) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return std::nullopt;
  const Entries::iterator entry = found->second;
  if (keep_us_ > 0 && now_us - entry->written_us >= keep_us_) {
    erase(entry);
    return std::nullopt;
  }
  entries_.splice(entries_.begin(), entries_, entry);
  return entry->rows;
}

void AnswerCache::put(std::string_view key, CachedRows rows, int64_t now_us) {
  if (const auto found = by_key_.find(key); found != by_key_.end()) erase(found->second);
  entries_.push_front({std::string(key), std::move(rows), now_us});
  by_key_.emplace(entries_.front().key, entries_.begin());
  rows_ += weight(entries_.front());
  while (rows_ > max_rows_ && !entries_.empty()) erase(std::prev(entries_.end()));
}

void AnswerCache::erase(Entries::iterator entry) {
  rows_ -= weight(*entry);
  by_key_.erase(entry->key);
  entries_.erase(entry);
}

}  // namespace weir
