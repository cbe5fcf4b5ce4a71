// ORDER BY columns of a batch -> keys that compare as the rows do: a smaller key comes first.
//
// Numbers compare by value (floats by IEEE 754's total order, every NaN above all numbers), texts by their
// bytes, FALSE before TRUE; NULLs where the SortColumn says.
#pragma once

#include <arrow/type_fwd.h>

#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "bridge/stream_graph.h"

namespace weir {

// Of one column of at most 8 bytes.
struct ShortSortKey {
  uint8_t rank = 0;  // where a NULL stands
  uint64_t value = 0;
  auto operator<=>(const ShortSortKey&) const = default;
};

class SortKeys {
 public:
  // invalid: a column that has no order, by name.
  static Result<SortKeys> create(std::shared_ptr<arrow::Schema> schema, std::vector<SortColumn> order);
  bool is_short() const { return short_; }
  // The keys of a batch: of these two, the one that is_short() tells. Both expire with the next call.
  void encode(const arrow::RecordBatch& rows);
  const ShortSortKey& short_key(size_t row) const { return short_keys_[row]; }
  std::string_view long_key(size_t row) const {
    return {bytes_.data() + ends_[row], ends_[row + 1] - ends_[row]};
  }

 private:
  std::shared_ptr<arrow::Schema> schema_;
  std::vector<SortColumn> order_;
  bool short_ = false;
  std::vector<ShortSortKey> short_keys_;
  std::string bytes_;
  std::vector<size_t> ends_;  // rows + 1
};

}  // namespace weir
