// Delta's per-file statistics: {"numRecords", "minValues", "maxValues", "nullCount"}, nested structs as
// nested objects.
//
// Source: the Delta protocol, "Per-file Statistics". Minimum and maximum come from the Parquet footer; what
// Parquet cannot tell (NaN, nulls of lists and maps) is collected from the arrays. A bound that would not be
// exact is widened (long strings) or left out, never guessed.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace parquet {
class FileMetaData;
}

namespace weir {

// What the footer lacks, gathered batch by batch.
class ArrayFacts {
 public:
  explicit ArrayFacts(const std::shared_ptr<arrow::Schema>& schema);
  void add(const arrow::RecordBatch& rows);

  bool has_nan(const std::string& dotted_path) const { return nan_.count(dotted_path) != 0; }
  int64_t null_count(int top_level_column) const { return nulls_[static_cast<size_t>(top_level_column)]; }

 private:
  std::vector<int64_t> nulls_;  // by top-level column
  std::set<std::string> nan_;   // leaf paths outside lists and maps
};

std::string delta_statistics(const parquet::FileMetaData& footer, const arrow::Schema& schema,
                             const ArrayFacts& facts, int leaf_columns);

// A prefix of at most 32 characters that is not greater than `text`.
std::string truncated_minimum(std::string_view text);
// At most 32 characters and not less than `text` in UTF-8 order; "" when there is none.
std::string truncated_maximum(std::string_view text);

}  // namespace weir
