// Answers of a lookup by key, the latest used ones: 'lookup.cache' = 'PARTIAL'.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace weir {

// The rows of one key: [begin, begin + count) of a batch that several keys share.
struct CachedRows {
  std::shared_ptr<arrow::RecordBatch> batch;
  int64_t begin = 0;
  int64_t count = 0;
};

// Bounded by rows; a key without rows counts as one.
class AnswerCache {
 public:
  // `keep_us`: 0: until it is pushed out.
  AnswerCache(int64_t max_rows, int64_t keep_us) : max_rows_(max_rows), keep_us_(keep_us) {}
  std::optional<CachedRows> find(std::string_view key, int64_t now_us);
  void put(std::string_view key, CachedRows rows, int64_t now_us);
  int64_t rows() const { return rows_; }

 private:
  struct Entry {
    std::string key;
    CachedRows rows;
    int64_t written_us = 0;
  };
  using Entries = std::list<Entry>;
  static int64_t weight(const Entry& entry) { return entry.rows.count > 0 ? entry.rows.count : 1; }
  void erase(Entries::iterator entry);

  int64_t max_rows_, keep_us_;
  Entries entries_;                                                 // the latest used first
  std::unordered_map<std::string_view, Entries::iterator> by_key_;  // keys lie in entries_
  int64_t rows_ = 0;
};

}  // namespace weir
