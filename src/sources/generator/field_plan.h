// How one value is drawn and written, compiled from its type and its options.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/status.h"

namespace weir {

// SplitMix64 (Steele, Lea, Flood 2014): one multiplication chain a number, any start state is good.
class RowRandom {
 public:
  explicit RowRandom(uint64_t state) : state_(state) {}
  uint64_t next() {
    uint64_t z = state_ += 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
  }
  // In [0, bound), bound > 0.
  uint64_t below(uint64_t bound) {
    return static_cast<uint64_t>(static_cast<unsigned __int128>(next()) * bound >> 64);
  }
  // In [0, 1).
  double share() { return static_cast<double>(next() >> 11) * 0x1p-53; }

 private:
  uint64_t state_;
};

struct RowTime {
  int64_t row;
  int64_t time_us;
};

struct FieldPlan {
  enum class Kind { boolean, integer, decimal, real, text, base64, date, time, timestamp, list, map, row };

  std::string name;
  std::string key;  // "\"name\":", escaped
  Kind kind = Kind::text;
  bool nullable = true;
  bool sequence = false;  // follows the row number instead of being drawn
  bool zoned = false;     // of timestamps: written with Z
  int bits = 64;          // of integers
  int precision = 38;     // of decimals
  int scale = 0;          // digits behind the point: decimals and reals
  int64_t min = 0;        // in units of the last digit
  int64_t max = 0;
  size_t length = 12;               // of text
  std::vector<std::string> values;  // JSON literals to choose from
  std::vector<FieldPlan> children;
};

// `path`: dotted name in `options`; what it uses is erased from `unused`.
Result<FieldPlan> plan_field(const std::string& path, const arrow::Field& field,
                             const std::map<std::string, std::string>& options,
                             std::map<std::string, std::string>& unused);

void append_value(const FieldPlan& plan, const RowTime& at, double null_share, RowRandom& random,
                  std::string& out);

// "2026-01-01T00:00:00.000000", without zone.
void append_timestamp(int64_t time_us, std::string& out);

}  // namespace weir
