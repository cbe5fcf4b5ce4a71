#include "operators/join_condition.h"

#include <arrow/array/array_primitive.h>
#include <arrow/buffer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <numeric>
#include <utility>

namespace weir {

JoinCondition::JoinCondition(const OperatorContext& context)
    : clock_(context.clock), schema_(context.node->schema) {
  if (context.node->condition < 0) return;
  fragment_ = context.plan->fragments[static_cast<size_t>(context.node->condition)].get();
  auto fields = schema_->fields();
  fields.push_back(arrow::field("_weir_row", arrow::int32(), false));
  numbered_ = arrow::schema(std::move(fields));
}

Status JoinCondition::evaluate(const std::shared_ptr<arrow::RecordBatch>& pairs, std::vector<uint8_t>& passes,
                               OperatorOutput& out) {
  passes.assign(static_cast<size_t>(pairs->num_rows()), 0);
  if (pairs->num_rows() == 0) return {};
  std::vector<int32_t> numbers(passes.size());
  std::iota(numbers.begin(), numbers.end(), 0);
  auto columns = pairs->columns();
  columns.push_back(
      std::make_shared<arrow::Int32Array>(pairs->num_rows(), arrow::Buffer::FromVector(std::move(numbers))));
  return evaluate_numbered(arrow::RecordBatch::Make(numbered_, pairs->num_rows(), std::move(columns)), passes,
                           out);
}

// Where it fails for a batch, halves of it are tried, down to the pair.
Status JoinCondition::evaluate_numbered(const std::shared_ptr<arrow::RecordBatch>& pairs,
                                        std::vector<uint8_t>& passes, OperatorOutput& out) {
  auto result = fragment_->eval(pairs, clock_->now_us());
  if (result.ok()) {
    const arrow::RecordBatch& answers = **result;
    if (answers.num_columns() != 2 || answers.column(0)->type_id() != arrow::Type::BOOL ||
        answers.column(1)->type_id() != arrow::Type::INT32) {
      return Status::internal("a join's condition gives " + answers.schema()->ToString() +
                              " where a BOOLEAN and _weir_row were expected");
    }
    const auto& truths = static_cast<const arrow::BooleanArray&>(*answers.column(0));
    const auto& numbers = static_cast<const arrow::Int32Array&>(*answers.column(1));
    for (int64_t i = 0; i < answers.num_rows(); ++i) {
      if (truths.IsValid(i) && truths.Value(i)) passes[static_cast<size_t>(numbers.Value(i))] = 1;
    }
    return {};
  }
  if (result.status().code() != Code::invalid) return result.status();
  if (pairs->num_rows() == 1) {
    const auto& numbers = static_cast<const arrow::Int32Array&>(*pairs->columns().back());
    passes[static_cast<size_t>(numbers.Value(0))] = kFailed;
    auto visible = pairs->columns();
    visible.pop_back();
    return out.error({arrow::RecordBatch::Make(schema_, 1, std::move(visible)), result.status().message()});
  }
  const int64_t half = pairs->num_rows() / 2;
  WEIR_TRY(evaluate_numbered(pairs->Slice(0, half), passes, out));
  return evaluate_numbered(pairs->Slice(half), passes, out);
}

}  // namespace weir
