// Pairs of rows -> a join's output: keys that were compared by hash only are compared, the condition is
// evaluated, batches are emitted.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "operators/join_condition.h"
#include "operators/operator.h"
#include "state/key_encoder.h"
#include "state/row_chunks.h"

namespace weir {

// The inputs' schemas. invalid: an input is a changelog, or the key columns' types are not pairwise equal.
struct JoinInputs {
  std::shared_ptr<arrow::Schema> left, right;
};
Result<JoinInputs> join_inputs(const OperatorContext& context);

class JoinOutput {
 public:
  // compare_keys: the pairs' keys have equal hashes, and may differ.
  static Result<std::unique_ptr<JoinOutput>> create(const OperatorContext& context,
                                                    const std::vector<int>& left_keys,
                                                    const std::vector<int>& right_keys, bool compare_keys);
  // At most batch_rows pairs. A pair on which the condition fails is told to out.error.
  Status write(const RowChunks& left, const RowRef* left_rows, const RowChunks& right,
               const RowRef* right_rows, size_t count, OperatorOutput& out);

 private:
  explicit JoinOutput(const OperatorContext& context);
  // The rows of `passing_`.
  Result<std::shared_ptr<arrow::RecordBatch>> pick(const std::shared_ptr<arrow::RecordBatch>& rows);

  std::shared_ptr<arrow::Schema> schema_;
  JoinCondition condition_;
  std::unique_ptr<KeyEncoder> left_encoder_, right_encoder_;  // null: not compared
  EncodedKeys left_encoded_, right_encoded_;
  std::vector<uint8_t> passes_;
  std::vector<RowRef> passing_;
  RowChunks picked_;
};

}  // namespace weir
