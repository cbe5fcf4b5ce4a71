// Cuts a batch by the values of its partition columns, in one pass, without boxing a row.
#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"

namespace weir {

struct PartitionSlice {
  std::vector<std::optional<std::string>> values;  // by partition column, in Delta's serialisation
  std::shared_ptr<arrow::RecordBatch> rows;        // without the partition columns, in their order
};

// `partition_columns`: indexes into the batch. Rows keep their order within a slice; a batch with one value
// is not copied.
Result<std::vector<PartitionSlice>> split_by_partition(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                       const std::vector<int>& partition_columns);

}  // namespace weir
