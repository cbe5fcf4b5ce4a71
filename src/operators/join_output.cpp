#include "operators/join_output.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <string>

#include "state/row_keys.h"

namespace weir {

Result<JoinInputs> join_inputs(const OperatorContext& context) {
  const PlanNode& node = *context.node;
  WEIR_CHECK(node.inputs.size() == 2, "a join has two inputs");
  JoinInputs inputs;
  for (int input : node.inputs) {
    const PlanNode& from = context.plan->graph[input];
    if (from.changelog) {
      return Status::invalid(
          node.detail + ": a side of it changes rows that it gave before (" + from.detail +
          "); joins of changing rows are not supported. Join before aggregating, or aggregate "
          "over a window");
    }
    (inputs.left ? inputs.right : inputs.left) = from.schema;
  }
  WEIR_CHECK(node.left_keys.size() == node.right_keys.size(), "a join's keys come in pairs");
  for (size_t i = 0; i < node.left_keys.size(); ++i) {
    const arrow::Field& left = *inputs.left->field(node.left_keys[i]);
    const arrow::Field& right = *inputs.right->field(node.right_keys[i]);
    if (!left.type()->Equals(*right.type())) {
      return Status::invalid(node.detail + ": '" + left.name() + "' is " + left.type()->ToString() + ", '" +
                             right.name() + "' is " + right.type()->ToString() + "; CAST one of them");
    }
  }
  return inputs;
}

JoinOutput::JoinOutput(const OperatorContext& context)
    : schema_(context.node->schema), condition_(context), picked_(context.node->schema) {}

Result<std::unique_ptr<JoinOutput>> JoinOutput::create(const OperatorContext& context,
                                                       const std::vector<int>& left_keys,
                                                       const std::vector<int>& right_keys,
                                                       bool compare_keys) {
  WEIR_ASSIGN(JoinInputs inputs, join_inputs(context));
  std::unique_ptr<JoinOutput> output(new JoinOutput(context));
  if (!compare_keys) return output;
  auto schema = as_nullable(*context.node->schema);
  std::vector<int> right = right_keys;
  for (int& column : right) column += inputs.left->num_fields();
  WEIR_ASSIGN(auto left_encoder, KeyEncoder::create(*schema, left_keys));
  WEIR_ASSIGN(auto right_encoder, KeyEncoder::create(*schema, std::move(right)));
  output->left_encoder_ = std::make_unique<KeyEncoder>(std::move(left_encoder));
  output->right_encoder_ = std::make_unique<KeyEncoder>(std::move(right_encoder));
  return output;
}

Status JoinOutput::write(const RowChunks& left, const RowRef* left_rows, const RowChunks& right,
                         const RowRef* right_rows, size_t count, OperatorOutput& out) {
  if (count == 0) return {};
  std::vector<std::shared_ptr<arrow::Array>> columns;
  columns.reserve(schema_->num_fields());
  WEIR_TRY(left.gather(left_rows, count, columns));
  WEIR_TRY(right.gather(right_rows, count, columns));
  auto rows = arrow::RecordBatch::Make(schema_, static_cast<int64_t>(count), std::move(columns));
  if (left_encoder_) {
    left_encoder_->encode(*rows, left_encoded_);
    right_encoder_->encode(*rows, right_encoded_);
    passing_.clear();
    for (size_t row = 0; row < count; ++row) {
      if (left_encoded_.key(row) == right_encoded_.key(row)) passing_.push_back(static_cast<RowRef>(row));
    }
    WEIR_ASSIGN(rows, pick(rows));
  }
  if (condition_.present() && rows->num_rows() > 0) {
    WEIR_TRY(condition_.evaluate(rows, passes_, out));
    passing_.clear();
    for (size_t row = 0; row < passes_.size(); ++row) {
      if (passes_[row] == 1) passing_.push_back(static_cast<RowRef>(row));
    }
    WEIR_ASSIGN(rows, pick(rows));
  }
  return rows->num_rows() == 0 ? Status() : out.emit(std::move(rows));
}

Result<std::shared_ptr<arrow::RecordBatch>> JoinOutput::pick(
    const std::shared_ptr<arrow::RecordBatch>& rows) {
  if (passing_.size() == static_cast<size_t>(rows->num_rows())) return rows;
  picked_.assign(rows);
  return picked_.gather(passing_.data(), passing_.size());
}

}  // namespace weir
