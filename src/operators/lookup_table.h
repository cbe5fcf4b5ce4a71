// A table that rows are looked up in: what stands behind FOR SYSTEM_TIME AS OF.
//
// It is asked for whole batches, and answers with what it holds at that moment. Implementations are in
// src/lookup/. All members may be called from any thread.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"

namespace weir {

// Pairs: row left[i] of the keys matches row right[i] of `rows`. Ascending by left.
struct LookupMatches {
  std::vector<int32_t> left;
  std::vector<int32_t> right;
  std::shared_ptr<arrow::RecordBatch> rows;  // LookupTable::schema(); never null
};

class LookupTable {
 public:
  virtual ~LookupTable() = default;
  // The declared columns, in order.
  virtual const std::shared_ptr<arrow::Schema>& schema() const = 0;
  // The rows whose columns `columns` equal those of `keys`, which have the same types. A NULL matches
  // nothing. unavailable: the table cannot be reached now, after the retries that its options allow: the run
  // ends and starts anew.
  virtual Result<LookupMatches> lookup(const arrow::RecordBatch& keys,
                                       const std::vector<std::string>& columns) = 0;
};

}  // namespace weir
