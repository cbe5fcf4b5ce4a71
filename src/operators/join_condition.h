// The rest of a join's ON clause, over pairs of rows whose keys are equal already.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "operators/operator.h"

namespace weir {

class JoinCondition {
 public:
  explicit JoinCondition(
      const OperatorContext& context);  // of the node's `condition`; what it names outlives this
  bool present() const { return fragment_ != nullptr; }
  // `pairs` has the node's schema. passes[i]: 1 for a pair on which the condition is true, 0 where it is
  // false or NULL, kFailed where it cannot be told: such a pair was told to out.error.
  static constexpr uint8_t kFailed = 2;
  Status evaluate(const std::shared_ptr<arrow::RecordBatch>& pairs, std::vector<uint8_t>& passes,
                  OperatorOutput& out);

 private:
  Status evaluate_numbered(const std::shared_ptr<arrow::RecordBatch>& pairs, std::vector<uint8_t>& passes,
                           OperatorOutput& out);

  const bridge::Fragment* fragment_ = nullptr;
  const Clock* clock_ = nullptr;
  std::shared_ptr<arrow::Schema> schema_;    // of the pairs
  std::shared_ptr<arrow::Schema> numbered_;  // and _weir_row
};

}  // namespace weir
