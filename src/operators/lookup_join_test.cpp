#include "operators/lookup_join.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/json/from_string.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <map>

#include "operators/lookup_table.h"

namespace weir {
namespace {

std::shared_ptr<arrow::RecordBatch> rows_of(const std::shared_ptr<arrow::Schema>& schema,
                                            const std::string& json) {
  auto rows = arrow::json::ArrayFromJSONString(arrow::struct_(schema->fields()), json);
  EXPECT_TRUE(rows.ok()) << rows.status().ToString();
  return *arrow::RecordBatch::FromStructArray(*rows);
}

// Matches by one int64 key, in the order of its rows.
class FakeTable final : public LookupTable {
 public:
  explicit FakeTable(std::shared_ptr<arrow::RecordBatch> rows)
      : schema_(rows->schema()), rows_(std::move(rows)) {}
  const std::shared_ptr<arrow::Schema>& schema() const override { return schema_; }
  Result<LookupMatches> lookup(const arrow::RecordBatch& keys,
                               const std::vector<std::string>& columns) override {
    asked_.push_back(columns);
    if (!failure_.ok()) return failure_;
    const auto& wanted = static_cast<const arrow::Int64Array&>(*keys.column(0));
    const auto& known = static_cast<const arrow::Int64Array&>(*rows_->GetColumnByName(columns[0]));
    LookupMatches matches;
    matches.rows = rows_;
    for (int64_t i = 0; i < wanted.length(); ++i) {
      for (int64_t j = 0; j < known.length(); ++j) {
        if (wanted.IsNull(i) || wanted.Value(i) != known.Value(j)) continue;
        matches.left.push_back(static_cast<int32_t>(i));
        matches.right.push_back(static_cast<int32_t>(j));
      }
    }
    return matches;
  }
  std::shared_ptr<arrow::Schema> schema_;
  std::shared_ptr<arrow::RecordBatch> rows_;
  std::vector<std::vector<std::string>> asked_;
  Status failure_;
};

// limit >= amount; fails on an amount of 13.
class FakeCondition final : public bridge::Fragment {
 public:
  Result<std::shared_ptr<arrow::RecordBatch>> eval(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                   int64_t) const override {
    const auto& amounts = static_cast<const arrow::Int64Array&>(*rows->GetColumnByName("amount"));
    const auto& limits = static_cast<const arrow::Int64Array&>(*rows->GetColumnByName("limit"));
    arrow::BooleanBuilder builder;
    for (int64_t i = 0; i < rows->num_rows(); ++i) {
      if (amounts.Value(i) == 13) return Status::invalid("thirteen");
      EXPECT_TRUE(
          (limits.IsNull(i) ? builder.AppendNull() : builder.Append(limits.Value(i) >= amounts.Value(i)))
              .ok());
    }
    return arrow::RecordBatch::Make(arrow::schema({arrow::field("condition", arrow::boolean()),
                                                   arrow::field("_weir_row", arrow::int32())}),
                                    rows->num_rows(), {*builder.Finish(), rows->columns().back()});
  }
};

class Collected final : public OperatorOutput {
 public:
  Status emit(std::shared_ptr<arrow::RecordBatch> rows) override {
    for (int64_t row = 0; row < rows->num_rows(); ++row) {
      std::string line;
      for (const auto& column : rows->columns())
        line += (line.empty() ? "" : " ") + column->GetScalar(row).ValueOrDie()->ToString();
      lines.push_back(line);
    }
    sizes.push_back(rows->num_rows());
    schema = rows->schema();
    return {};
  }
  Status error(OperatorError error) override {
    errors.push_back(error.message + ": " + error.row->column(0)->GetScalar(0).ValueOrDie()->ToString());
    EXPECT_EQ(error.row->num_rows(), 1);
    return {};
  }
  std::vector<std::string> lines, errors;
  std::vector<int64_t> sizes;
  std::shared_ptr<arrow::Schema> schema;
};

class LookupJoinTest : public ::testing::Test {
 protected:
  void SetUp() override {
    left_ = arrow::schema({arrow::field("event", arrow::utf8()), arrow::field("amount", arrow::int64()),
                           arrow::field("customer", arrow::int64())});
    right_ = arrow::schema({arrow::field("id", arrow::int64()), arrow::field("name", arrow::utf8()),
                            arrow::field("limit", arrow::int64())});
    table_ = std::make_shared<FakeTable>(
        rows_of(right_, R"([[1,"ada",10],[2,"bob",20],[2,"bea",5],[3,"cy",null]])"));
    plan_.graph.resize(2);
    plan_.graph[0].schema = left_;
    PlanNode& node = plan_.graph[1];
    node.kind = NodeKind::lookup_join;
    node.inputs = {0};
    node.source = "customers";
    node.detail = "customers on id";
    node.left_keys = {2};
    node.right_keys = {1};
    // Without 'id's neighbour order: the planner may take columns of the table by name.
    node.schema = arrow::schema({left_->field(0), left_->field(1), left_->field(2), right_->field(1),
                                 right_->field(0), right_->field(2)});
    context_.node = &node;
    context_.plan = &plan_;
    context_.clock = &clock_;
    context_.open_lookup = [this]() -> Result<std::shared_ptr<LookupTable>> {
      return std::shared_ptr<LookupTable>(table_);
    };
  }
  void with_condition() {
    plan_.fragments.push_back(std::make_unique<FakeCondition>());
    plan_.graph[1].condition = 0;
  }
  Status run(const std::string& json) {
    auto join = create_lookup_join(context_);
    if (!join.ok()) return join.status();
    return (*join)->process(0, rows_of(left_, json), out_);
  }

  std::shared_ptr<arrow::Schema> left_, right_;
  std::shared_ptr<FakeTable> table_;
  bridge::StreamPlan plan_;
  ManualClock clock_{1'700'000'000'000'000};
  OperatorContext context_;
  Collected out_;
};

constexpr const char* kEvents = R"([["a",1,2],["b",2,9],["c",7,1],["d",3,null],["e",4,3]])";

TEST_F(LookupJoinTest, InnerGivesEveryMatch) {
  ASSERT_TRUE(run(kEvents).ok());
  EXPECT_EQ(out_.lines, (std::vector<std::string>{"a 1 2 bob 2 20", "a 1 2 bea 2 5", "c 7 1 ada 1 10",
                                                  "e 4 3 cy 3 null"}));
  EXPECT_EQ(table_->asked_, (std::vector<std::vector<std::string>>{{"id"}}));
}

TEST_F(LookupJoinTest, LeftOuterKeepsRowsWithoutAMatch) {
  plan_.graph[1].left_outer = true;
  context_.batch_rows = 2;
  ASSERT_TRUE(run(kEvents).ok());
  EXPECT_EQ(out_.lines,
            (std::vector<std::string>{"a 1 2 bob 2 20", "a 1 2 bea 2 5", "b 2 9 null null null",
                                      "c 7 1 ada 1 10", "d 3 null null null null", "e 4 3 cy 3 null"}));
  EXPECT_EQ(out_.sizes, (std::vector<int64_t>{2, 2, 2}));
}

TEST_F(LookupJoinTest, ConditionDecidesWhatAMatchIs) {
  with_condition();
  ASSERT_TRUE(run(R"([["a",6,2],["b",30,2],["c",13,1],["d",1,3],["e",1,2]])").ok());
  EXPECT_EQ(out_.lines, (std::vector<std::string>{"a 6 2 bob 2 20", "e 1 2 bob 2 20", "e 1 2 bea 2 5"}));
  EXPECT_EQ(out_.errors, std::vector<std::string>{"thirteen: c"});
}

TEST_F(LookupJoinTest, LeftOuterWithAConditionTellsErrorsOnce) {
  with_condition();
  plan_.graph[1].left_outer = true;
  ASSERT_TRUE(run(R"([["a",6,2],["b",30,2],["c",13,1],["d",1,3]])").ok());
  EXPECT_EQ(out_.lines,
            (std::vector<std::string>{"a 6 2 bob 2 20", "b 30 2 null null null", "d 1 3 null null null"}));
  EXPECT_EQ(out_.errors, std::vector<std::string>{"thirteen: c"});
}

TEST_F(LookupJoinTest, WeightsOfAChangelogStay) {
  auto join = create_lookup_join(context_);
  ASSERT_TRUE(join.ok());
  auto weighted = *left_->AddField(3, arrow::field("_weir_weight", arrow::int8()));
  ASSERT_TRUE((*join)->process(0, rows_of(weighted, R"([["a",1,2,-1],["c",7,1,1]])"), out_).ok());
  EXPECT_EQ(out_.lines,
            (std::vector<std::string>{"a 1 2 bob 2 20 -1", "a 1 2 bea 2 5 -1", "c 7 1 ada 1 10 1"}));
  EXPECT_EQ(out_.schema->field(6)->name(), "_weir_weight");
}

TEST_F(LookupJoinTest, UnavailableTableEndsTheRunWithWords) {
  table_->failure_ = Status::unavailable("no route to host");
  const Status status = run(kEvents);
  EXPECT_EQ(status.code(), Code::unavailable);
  EXPECT_NE(status.message().find("looking up 'customers'"), std::string::npos) << status.message();
  EXPECT_TRUE(out_.lines.empty());
}

TEST_F(LookupJoinTest, NothingIsKept) {
  auto join = create_lookup_join(context_);
  ASSERT_TRUE(join.ok());
  EXPECT_EQ((*join)->state_bytes(), 0);
  EXPECT_EQ((*join)->output_watermark(42), 42);
  EXPECT_TRUE((*join)->snapshot().ok());
}

TEST_F(LookupJoinTest, KeysOfOtherTypesAreRefused) {
  plan_.graph[1].left_keys = {0};
  EXPECT_EQ(create_lookup_join(context_).status().code(), Code::invalid);
}

}  // namespace
}  // namespace weir
