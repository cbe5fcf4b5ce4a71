// How the members of one object (the event itself, or a ROW column) are found.
//
// Producers write the same keys in the same order. Each key that was seen remembers which key followed it
// last time; that one is compared first, with one vector instruction, and only a surprise is hashed.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "formats/column.h"
#include "formats/scan.h"

namespace weir::json {

using columns::Column;
using columns::GrowingBytes;
using columns::Kind;

struct Slot {
  // "key": as a compact producer writes it; predicted_size 0 is never predicted.
  alignas(32) char pattern[32] = {};
  uint32_t predicted_size = 0;
  uint32_t mask = 0;
  std::string long_pattern;  // all of it where it does not fit in 32 bytes
  std::string key;           // as it is called, without quotes or escapes
  Column* column = nullptr;  // null: a field that the table does not have
  uint64_t stamp = 0;        // of the object it was seen in last
  Slot* next = nullptr;      // what followed it last time

  // Reads 32 bytes, which the batch's padding covers; of a longer key more only when they lie before `end`.
  bool matches(const char* at, const char* end) const {
    return predicted_size != 0 && same_bytes_32(at, pattern, mask) &&
           (predicted_size <= 32 ||
            (at + predicted_size <= end && std::memcmp(at, long_pattern.data(), predicted_size) == 0));
  }
};

struct ObjectPlan final : columns::FormatPlan {
  ObjectPlan(const std::vector<std::string>& names, const std::vector<Column*>& columns);
  ObjectPlan(const ObjectPlan&) = delete;
  ObjectPlan& operator=(const ObjectPlan&) = delete;

  // The slot of a key, remembered from now on if there is still room for it; null otherwise.
  Slot* find(std::string_view key);
  // For keys without a slot: false when the current object had it before.
  bool first_seen(std::string_view key) {
    if (overflow_stamp_ != stamp) overflow_.clear();
    overflow_stamp_ = stamp;
    return overflow_.emplace(key).second;
  }

  uint64_t stamp = 0;  // of the current object
  Slot start;          // its `next` is the first key
  std::vector<Slot*> fields;

  // Of a column of kind row, once plan_rows() has seen it.
  static ObjectPlan& of(const Column& row) { return static_cast<ObjectPlan&>(*row.plan); }

 private:
  static constexpr size_t kMaxUnknown = 256;
  static constexpr size_t kMaxKeyBytes = 256;
  Slot* add(std::string_view key, Column* column);

  std::deque<Slot> slots_;
  std::unordered_map<std::string_view, Slot*> by_key_;
  std::unordered_set<std::string> overflow_;
  uint64_t overflow_stamp_ = 0;
};

// Gives every row in `column` its plan; invalid when JSON has no form for a type. `path` names the column.
Status plan_rows(const std::string& path, Column& column);

}  // namespace weir::json
