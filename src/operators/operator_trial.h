// For tests of operators: small batches, outputs kept, a snapshot written to a file and read back.
#pragma once

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/objects.h"
#include "operators/operator.h"

namespace weir {

// A row of every trial: two key columns, a time, a window, a number that tells it from all others.
struct TrialRow {
  std::optional<int64_t> key;
  std::optional<std::string> name;
  int64_t time_ms = 0;
  int64_t start_ms = 0, end_ms = 0;
  int64_t id = 0;
};

enum TrialColumn { kKey, kName, kTime, kStart, kEnd, kId, kTrialColumns };

inline std::shared_ptr<arrow::Schema> trial_schema(arrow::TimeUnit::type unit = arrow::TimeUnit::MILLI) {
  auto time = arrow::timestamp(unit);
  return arrow::schema({arrow::field("key", arrow::int64()), arrow::field("name", arrow::utf8()),
                        arrow::field("time", time), arrow::field("start", time, false),
                        arrow::field("end", time, false), arrow::field("id", arrow::int64(), false)});
}

inline std::shared_ptr<arrow::RecordBatch> trial_batch(const std::vector<TrialRow>& rows,
                                                       arrow::TimeUnit::type unit = arrow::TimeUnit::MILLI) {
  auto schema = trial_schema(unit);
  int64_t scale = unit == arrow::TimeUnit::MILLI ? 1 : unit == arrow::TimeUnit::MICRO ? 1000 : 1'000'000;
  arrow::Int64Builder keys, ids;
  arrow::StringBuilder names;
  arrow::TimestampBuilder times(schema->field(kTime)->type(), arrow::default_memory_pool());
  arrow::TimestampBuilder starts(schema->field(kTime)->type(), arrow::default_memory_pool());
  arrow::TimestampBuilder ends(schema->field(kTime)->type(), arrow::default_memory_pool());
  for (const TrialRow& row : rows) {
    EXPECT_TRUE((row.key ? keys.Append(*row.key) : keys.AppendNull()).ok());
    EXPECT_TRUE((row.name ? names.Append(*row.name) : names.AppendNull()).ok());
    EXPECT_TRUE(times.Append(row.time_ms * scale).ok());
    EXPECT_TRUE(starts.Append(row.start_ms * scale).ok());
    EXPECT_TRUE(ends.Append(row.end_ms * scale).ok());
    EXPECT_TRUE(ids.Append(row.id).ok());
  }
  return arrow::RecordBatch::Make(
      schema, static_cast<int64_t>(rows.size()),
      {*keys.Finish(), *names.Finish(), *times.Finish(), *starts.Finish(), *ends.Finish(), *ids.Finish()});
}

class TrialOutput final : public OperatorOutput {
 public:
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  std::vector<OperatorError> errors;

  Status emit(std::shared_ptr<arrow::RecordBatch> rows) override {
    EXPECT_TRUE(rows->ValidateFull().ok()) << rows->ValidateFull();
    EXPECT_GT(rows->num_rows(), 0);
    batches.push_back(std::move(rows));
    return {};
  }
  Status error(OperatorError error) override {
    EXPECT_EQ(error.row->num_rows(), 1);
    errors.push_back(std::move(error));
    return {};
  }
  int64_t value(size_t batch, int column, int64_t row) const {
    return static_cast<const arrow::Int64Array&>(*batches[batch]->column(column)).Value(row);
  }
  // (left id, right id), in the order in which they came.
  std::vector<std::pair<int64_t, int64_t>> pairs() const {
    std::vector<std::pair<int64_t, int64_t>> pairs;
    for (size_t b = 0; b < batches.size(); ++b) {
      for (int64_t row = 0; row < batches[b]->num_rows(); ++row) {
        pairs.emplace_back(value(b, kId, row), value(b, kTrialColumns + kId, row));
      }
    }
    return pairs;
  }
  size_t largest() const {
    size_t most = 0;
    for (const auto& batch : batches) most = std::max(most, static_cast<size_t>(batch->num_rows()));
    return most;
  }
};

// A plan of one node behind scans, and what its operator is made from.
struct Trial {
  bridge::StreamPlan plan;
  ManualClock clock{0};
  OperatorContext context;

  Trial(NodeKind kind, size_t inputs, arrow::TimeUnit::type unit = arrow::TimeUnit::MILLI) {
    plan.graph.resize(inputs + 1);
    std::vector<std::shared_ptr<arrow::Field>> fields;
    for (size_t i = 0; i < inputs; ++i) {
      plan.graph[i].schema = trial_schema(unit);
      plan.graph[i].detail = "scan " + std::to_string(i);
      for (const auto& field : plan.graph[i].schema->fields()) fields.push_back(field);
      node().inputs.push_back(static_cast<int>(i));
    }
    node().kind = kind;
    node().detail = "trial";
    for (WindowSpec* window : {&node().window, &node().right_window}) {
      window->assigner = WindowSpec::Assigner::attached;
      window->start_column = kStart;
      window->end_column = kEnd;
    }
    node().left_time = node().right_time = kTime;
    node().schema = arrow::schema(fields);
  }
  PlanNode& node() { return plan.graph.back(); }
  std::unique_ptr<Operator> make() {
    context.node = &node();
    context.plan = &plan;
    context.clock = &clock;
    auto made = create_operator(context);
    EXPECT_TRUE(made.ok()) << made.status().message();
    return std::move(*made);
  }
  // Writes the snapshot and gives it to a fresh operator.
  std::unique_ptr<Operator> restored(StateSnapshot& snapshot) {
    static std::atomic<int> number{0};
    auto folder = std::filesystem::temp_directory_path() /
                  ("weir-operators-" + std::to_string(::getpid()) + "-" + std::to_string(++number));
    std::unique_ptr<Operator> fresh = make();
    {
      auto objects = open_local_objects(folder.string());
      EXPECT_TRUE(objects.ok());
      auto file = (*objects)->open_writer("0.state");
      EXPECT_TRUE(file.ok());
      StateWriter writer(std::move(*file));
      Status written = snapshot.write(writer);
      EXPECT_TRUE(written.ok()) << written.message();
      EXPECT_TRUE(writer.close().ok());
      auto reader = StateReader::open(**objects, "0.state");
      EXPECT_TRUE(reader.ok()) << reader.status().message();
      Status read = fresh->restore(**reader);
      EXPECT_TRUE(read.ok()) << read.message();
      EXPECT_TRUE((*reader)->at_end());
    }
    std::filesystem::remove_all(folder);
    return fresh;
  }
};

}  // namespace weir
