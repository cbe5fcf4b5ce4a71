#include "operators/lookup_join.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <utility>

#include "operators/join_condition.h"
#include "operators/lookup_table.h"

namespace weir {
namespace {

constexpr int32_t kNoMatch = -1;

// Stateless, but a restore must still find its section.
class NothingKept final : public StateSnapshot {
 public:
  Status write(StateWriter& writer) override { return writer.section("lookup_join", 1); }
};

struct Pairs {
  std::vector<int32_t> left, right;  // right: kNoMatch where there is none
};

// `begin` … `end` of `indexes`; kNoMatch becomes NULL.
std::shared_ptr<arrow::Int32Array> index_array(const std::vector<int32_t>& indexes, size_t begin,
                                               size_t end) {
  const auto length = static_cast<int64_t>(end - begin);
  std::vector<int32_t> values(indexes.begin() + static_cast<ptrdiff_t>(begin),
                              indexes.begin() + static_cast<ptrdiff_t>(end));
  std::shared_ptr<arrow::Buffer> valid;
  if (std::find(values.begin(), values.end(), kNoMatch) != values.end()) {
    std::vector<uint8_t> bits((values.size() + 7) / 8, 0);
    for (size_t i = 0; i < values.size(); ++i) {
      if (values[i] != kNoMatch) bits[i / 8] = static_cast<uint8_t>(bits[i / 8] | (1U << (i % 8)));
    }
    valid = arrow::Buffer::FromVector(std::move(bits));
  }
  return std::make_shared<arrow::Int32Array>(length, arrow::Buffer::FromVector(std::move(values)), valid);
}

class LookupJoin final : public Operator {
 public:
  static Result<std::unique_ptr<Operator>> create(const OperatorContext& context) {
    const PlanNode& node = *context.node;
    WEIR_CHECK(node.inputs.size() == 1, "a lookup join has one input");
    WEIR_CHECK(node.left_keys.size() == node.right_keys.size() && !node.left_keys.empty(),
               "a lookup's keys come in pairs");
    if (!context.open_lookup) return Status::internal(node.detail + ": nothing opens '" + node.source + "'");
    auto table = context.open_lookup();
    if (!table.ok()) return table.status();
    std::unique_ptr<LookupJoin> join(new LookupJoin(context, *std::move(table)));
    WEIR_TRY(join->match_columns());
    return std::unique_ptr<Operator>(std::move(join));
  }

  Status process(size_t, const std::shared_ptr<arrow::RecordBatch>& rows, OperatorOutput& out) override {
    if (rows->num_rows() == 0) return {};
    arrow::ArrayVector key_columns;
    for (int column : node_.left_keys) key_columns.push_back(rows->column(column));
    auto keys = arrow::RecordBatch::Make(key_schema_, rows->num_rows(), std::move(key_columns));
    auto found = table_->lookup(*keys, key_names_);
    if (!found.ok()) return found.status().with_context("looking up '" + node_.source + "'");
    Pairs pairs{std::move(found->left), std::move(found->right)};
    std::vector<uint8_t> settled(static_cast<size_t>(rows->num_rows()), 0);
    if (condition_.present()) {
      WEIR_TRY(keep_passing(*rows, *found->rows, pairs, settled, out));
    } else {
      for (const int32_t row : pairs.left) settled[static_cast<size_t>(row)] = 1;
    }
    if (node_.left_outer) pairs = with_unmatched(pairs, settled);
    for (size_t begin = 0; begin < pairs.left.size(); begin += batch_rows_) {
      const size_t end = std::min(begin + batch_rows_, pairs.left.size());
      WEIR_ASSIGN(auto joined, join(*rows, *found->rows, pairs, begin, end, true));
      WEIR_TRY(out.emit(std::move(joined)));
    }
    return {};
  }

  Status advance(int64_t, OperatorOutput&) override { return {}; }
  Result<std::unique_ptr<StateSnapshot>> snapshot() override {
    return std::unique_ptr<StateSnapshot>(new NothingKept());
  }
  Status restore(StateReader& reader) override { return reader.section("lookup_join", 1).status(); }
  int64_t state_bytes() const override { return 0; }

 private:
  LookupJoin(const OperatorContext& context, std::shared_ptr<LookupTable> table)
      : node_(*context.node),
        left_(context.plan->graph[static_cast<size_t>(node_.inputs[0])].schema),
        table_(std::move(table)),
        condition_(context),
        batch_rows_(std::max<size_t>(context.batch_rows, 1)) {}

  // The node's right columns are the table's, by name; it may have more.
  Status match_columns() {
    const int left_columns = left_->num_fields();
    for (int i = left_columns; i < node_.schema->num_fields(); ++i) {
      const arrow::Field& field = *node_.schema->field(i);
      const int column = table_->schema()->GetFieldIndex(field.name());
      if (column < 0 || !table_->schema()->field(column)->type()->Equals(*field.type())) {
        return Status::internal(node_.detail + ": '" + node_.source + "' does not give '" + field.name() +
                                "' as " + field.type()->ToString());
      }
      right_columns_.push_back(column);
    }
    arrow::FieldVector fields;
    for (size_t i = 0; i < node_.left_keys.size(); ++i) {
      const arrow::Field& left = *left_->field(node_.left_keys[i]);
      const arrow::Field& right = *node_.schema->field(left_columns + node_.right_keys[i]);
      if (!left.type()->Equals(*right.type())) {
        return Status::invalid(node_.detail + ": '" + left.name() + "' is " + left.type()->ToString() +
                               ", '" + right.name() + "' is " + right.type()->ToString() +
                               "; CAST one of them");
      }
      key_names_.push_back(right.name());
      fields.push_back(arrow::field(right.name(), right.type()));
    }
    key_schema_ = arrow::schema(std::move(fields));
    return {};
  }

  // Pairs on which the condition is true stay. A left row with a pair that failed is settled too: it is an
  // error, and does not come again as one without a match.
  Status keep_passing(const arrow::RecordBatch& rows, const arrow::RecordBatch& found, Pairs& pairs,
                      std::vector<uint8_t>& settled, OperatorOutput& out) {
    Pairs kept;
    for (size_t begin = 0; begin < pairs.left.size(); begin += batch_rows_) {
      const size_t end = std::min(begin + batch_rows_, pairs.left.size());
      WEIR_ASSIGN(auto candidates, join(rows, found, pairs, begin, end, false));
      WEIR_TRY(condition_.evaluate(candidates, passes_, out));
      for (size_t i = begin; i < end; ++i) {
        const uint8_t passes = passes_[i - begin];
        if (passes != 0) settled[static_cast<size_t>(pairs.left[i])] = 1;
        if (passes != 1) continue;
        kept.left.push_back(pairs.left[i]);
        kept.right.push_back(pairs.right[i]);
      }
    }
    pairs = std::move(kept);
    return {};
  }

  static Pairs with_unmatched(const Pairs& pairs, const std::vector<uint8_t>& settled) {
    Pairs all;
    size_t at = 0;
    for (size_t row = 0; row < settled.size(); ++row) {
      for (; at < pairs.left.size() && pairs.left[at] == static_cast<int32_t>(row); ++at) {
        all.left.push_back(pairs.left[at]);
        all.right.push_back(pairs.right[at]);
      }
      if (settled[row] != 0) continue;
      all.left.push_back(static_cast<int32_t>(row));
      all.right.push_back(kNoMatch);
    }
    return all;
  }

  Result<std::shared_ptr<arrow::Array>> take(const std::shared_ptr<arrow::Array>& column,
                                             const std::shared_ptr<arrow::Int32Array>& indexes) const {
    auto taken = arrow::compute::Take(arrow::Datum(column), arrow::Datum(indexes),
                                      arrow::compute::TakeOptions::NoBoundsCheck());
    if (!taken.ok()) return Status::internal(node_.detail + ": " + taken.status().ToString());
    return taken->make_array();
  }

  // Pairs [begin, end) as rows of the node's schema; with the weights of a changelog behind them.
  Result<std::shared_ptr<arrow::RecordBatch>> join(const arrow::RecordBatch& rows,
                                                   const arrow::RecordBatch& found, const Pairs& pairs,
                                                   size_t begin, size_t end, bool with_weights) const {
    const auto left = index_array(pairs.left, begin, end);
    const auto right = index_array(pairs.right, begin, end);
    const auto count = static_cast<int64_t>(end - begin);
    // Mostly each row has one match: then the left side is as it was.
    bool in_place = true;
    for (size_t i = begin; i < end && in_place; ++i)
      in_place = pairs.left[i] == pairs.left[begin] + static_cast<int32_t>(i - begin);
    auto left_column = [&](int column) -> Result<std::shared_ptr<arrow::Array>> {
      if (in_place) return rows.column(column)->Slice(pairs.left[begin], count);
      return take(rows.column(column), left);
    };
    arrow::ArrayVector columns;
    for (int i = 0; i < left_->num_fields(); ++i) {
      WEIR_ASSIGN(auto column, left_column(i));
      columns.push_back(std::move(column));
    }
    for (const int column : right_columns_) {
      WEIR_ASSIGN(auto taken, take(found.column(column), right));
      columns.push_back(std::move(taken));
    }
    auto schema = node_.schema;
    if (with_weights && rows.num_columns() > left_->num_fields()) {
      WEIR_ASSIGN(auto weights, left_column(left_->num_fields()));
      columns.push_back(std::move(weights));
      auto fields = schema->fields();
      fields.push_back(rows.schema()->field(left_->num_fields()));
      schema = arrow::schema(std::move(fields));
    }
    return arrow::RecordBatch::Make(std::move(schema), count, std::move(columns));
  }

  const PlanNode& node_;
  std::shared_ptr<arrow::Schema> left_;
  std::shared_ptr<LookupTable> table_;
  JoinCondition condition_;
  size_t batch_rows_;
  std::vector<int> right_columns_;  // of the table's schema
  std::vector<std::string> key_names_;
  std::shared_ptr<arrow::Schema> key_schema_;
  std::vector<uint8_t> passes_;
};

}  // namespace

Result<std::unique_ptr<Operator>> create_lookup_join(const OperatorContext& context) {
  return LookupJoin::create(context);
}

}  // namespace weir
