// For tests of operators: rows of one schema, an output that keeps what comes, a graph of one node.
#pragma once

#include <arrow/array/array_binary.h>
#include <arrow/array/array_decimal.h>
#include <arrow/array/array_nested.h>
#include <arrow/array/array_primitive.h>
#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_decimal.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/array/builder_time.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/decimal.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/objects.h"
#include "operators/operator.h"

namespace weir::harness {

inline constexpr int64_t kMs = 1000;
enum Column { kKey, kTime, kNumber, kText, kTaken, kDecimal, kName, kStart, kEnd, kReal };

struct Row {
  std::optional<int64_t> key;
  int64_t time_ms = 0;
  std::optional<int64_t> number;
  std::optional<std::string> text;
  std::optional<bool> taken;
  std::optional<int64_t> cents;
  std::string name;
  int64_t start_ms = 0, end_ms = 0;
  std::optional<double> real;
};

inline std::shared_ptr<arrow::Schema> row_schema() {
  auto ms = arrow::timestamp(arrow::TimeUnit::MILLI);
  return arrow::schema({arrow::field("key", arrow::int64()), arrow::field("time", ms, false),
                        arrow::field("number", arrow::int64()), arrow::field("text", arrow::utf8()),
                        arrow::field("taken", arrow::boolean()),
                        arrow::field("cents", arrow::decimal128(10, 2)),
                        arrow::field("name", arrow::utf8(), false), arrow::field("start", ms, false),
                        arrow::field("end", ms, false), arrow::field("real", arrow::float64())});
}

inline std::shared_ptr<arrow::RecordBatch> batch_of(const std::vector<Row>& rows) {
  auto pool = arrow::default_memory_pool();
  auto ms = arrow::timestamp(arrow::TimeUnit::MILLI);
  arrow::Int64Builder key, number;
  arrow::TimestampBuilder time(ms, pool), start(ms, pool), end(ms, pool);
  arrow::StringBuilder text, name;
  arrow::BooleanBuilder taken;
  arrow::Decimal128Builder cents(arrow::decimal128(10, 2));
  arrow::DoubleBuilder real;
  auto add = [](auto& builder, const auto& value) {
    EXPECT_TRUE((value ? builder.Append(*value) : builder.AppendNull()).ok());
  };
  for (const Row& row : rows) {
    add(key, row.key);
    EXPECT_TRUE(time.Append(row.time_ms).ok());
    add(number, row.number);
    add(text, row.text);
    add(taken, row.taken);
    EXPECT_TRUE((row.cents ? cents.Append(arrow::Decimal128(*row.cents)) : cents.AppendNull()).ok());
    EXPECT_TRUE(name.Append(row.name).ok());
    EXPECT_TRUE(start.Append(row.start_ms).ok());
    EXPECT_TRUE(end.Append(row.end_ms).ok());
    add(real, row.real);
  }
  return arrow::RecordBatch::Make(
      row_schema(), static_cast<int64_t>(rows.size()),
      {*key.Finish(), *time.Finish(), *number.Finish(), *text.Finish(), *taken.Finish(), *cents.Finish(),
       *name.Finish(), *start.Finish(), *end.Finish(), *real.Finish()});
}

// A value as text; lists and texts joined by ',' with their parts in order of the alphabet when `sorted`.
inline std::string value_text(const arrow::Array& column, int64_t row, bool sorted) {
  auto join = [sorted](std::vector<std::string> parts) {
    if (sorted) std::sort(parts.begin(), parts.end());
    std::string joined;
    for (const std::string& part : parts) joined += (joined.empty() ? "" : ",") + part;
    return joined;
  };
  if (column.IsNull(row)) return "null";
  switch (column.type_id()) {
    case arrow::Type::BOOL:
      return static_cast<const arrow::BooleanArray&>(column).Value(row) ? "true" : "false";
    case arrow::Type::INT8: return std::to_string(static_cast<const arrow::Int8Array&>(column).Value(row));
    case arrow::Type::TIMESTAMP:
    case arrow::Type::INT64:
      return std::to_string(*column.data()->GetValues<int64_t>(1, column.offset() + row));
    case arrow::Type::UINT64:
      return std::to_string(static_cast<const arrow::UInt64Array&>(column).Value(row));
    case arrow::Type::FLOAT:
    case arrow::Type::DOUBLE: {
      char text[40];
      double value = column.type_id() == arrow::Type::DOUBLE
                         ? static_cast<const arrow::DoubleArray&>(column).Value(row)
                         : static_cast<double>(static_cast<const arrow::FloatArray&>(column).Value(row));
      std::snprintf(text, sizeof text, "%.10g", value);
      return text;
    }
    case arrow::Type::DECIMAL128: return static_cast<const arrow::Decimal128Array&>(column).FormatValue(row);
    case arrow::Type::STRING:
    case arrow::Type::LARGE_STRING: {
      std::string text(column.type_id() == arrow::Type::STRING
                           ? static_cast<const arrow::StringArray&>(column).GetView(row)
                           : static_cast<const arrow::LargeStringArray&>(column).GetView(row));
      if (!sorted) return text;
      std::vector<std::string> parts(1);
      for (char c : text) {
        if (c == ',') {
          parts.emplace_back();
        } else {
          parts.back() += c;
        }
      }
      return join(std::move(parts));
    }
    case arrow::Type::LIST: {
      const auto& list = static_cast<const arrow::ListArray&>(column);
      std::vector<std::string> parts;
      for (int64_t i = list.value_offset(row); i < list.value_offset(row + 1); ++i) {
        parts.push_back(value_text(*list.values(), i, sorted));
      }
      return join(std::move(parts));
    }
    default: return "unexpected type " + column.type()->ToString();
  }
}

inline std::string row_text(const arrow::RecordBatch& rows, int64_t row, int columns, bool sorted = false) {
  std::string text;
  for (int i = 0; i < columns; ++i) text += (i == 0 ? "" : "|") + value_text(*rows.column(i), row, sorted);
  return text;
}

class Output final : public OperatorOutput {
 public:
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  Status emit(std::shared_ptr<arrow::RecordBatch> rows) override {
    EXPECT_GT(rows->num_rows(), 0);
    EXPECT_TRUE(rows->ValidateFull().ok()) << rows->ValidateFull().ToString();
    batches.push_back(std::move(rows));
    return {};
  }
  Status error(OperatorError error) override {
    ADD_FAILURE() << error.message;
    return {};
  }
  // Everything so far, and forgets it.
  std::vector<std::string> take(bool sorted = false) {
    std::vector<std::string> texts;
    for (const auto& batch : batches) {
      for (int64_t i = 0; i < batch->num_rows(); ++i) {
        texts.push_back(row_text(*batch, i, batch->num_columns(), sorted));
      }
    }
    batches.clear();
    return texts;
  }
};

inline AggregateCall call(const std::string& function, std::vector<int> arguments,
                          std::shared_ptr<arrow::DataType> type) {
  AggregateCall made;
  made.function = function;
  made.arguments = std::move(arguments);
  made.type = std::move(type);
  return made;
}
inline AggregateCall distinct(AggregateCall made) {
  made.distinct = true;
  return made;
}
inline AggregateCall filtered(AggregateCall made) {
  made.filter = kTaken;
  return made;
}

class MemoryObject final : public ObjectWriter {
 public:
  explicit MemoryObject(std::string& bytes) : bytes_(bytes) {}
  Status write(std::string_view bytes) override {
    bytes_ += bytes;
    return {};
  }
  Status close() override { return {}; }

 private:
  std::string& bytes_;
};

inline std::string write_down(StateSnapshot& snapshot) {
  std::string bytes;
  StateWriter writer(std::make_unique<MemoryObject>(bytes));
  Status written = snapshot.write(writer);
  EXPECT_TRUE(written.ok()) << written.message();
  EXPECT_TRUE(writer.close().ok());
  return bytes;
}

// A node over row_schema() and what its operator needs.
struct OneNode {
  bridge::StreamPlan plan;
  ManualClock clock{0};
  int64_t ttl_us = 0;
  int64_t lateness_us = 0;
  size_t batch_rows = 8192;

  OneNode(NodeKind kind, std::vector<int> keys, std::vector<AggregateCall> calls) {
    plan.graph.resize(2);
    plan.graph[0].schema = row_schema();
    PlanNode& made = plan.graph[1];
    made.kind = kind;
    made.inputs = {0};
    made.keys = std::move(keys);
    made.aggregates = std::move(calls);
  }
  PlanNode& node() { return plan.graph[1]; }

  OperatorContext context() {
    arrow::FieldVector fields;
    for (int key : node().keys) fields.push_back(row_schema()->field(key));
    for (size_t i = 0; i < node().window_columns.size(); ++i) {
      fields.push_back(arrow::field("w" + std::to_string(i), arrow::timestamp(arrow::TimeUnit::MILLI)));
    }
    for (const AggregateCall& each : node().aggregates) fields.push_back(arrow::field("a", each.type));
    node().schema = arrow::schema(fields);
    OperatorContext made;
    made.node = &node();
    made.plan = &plan;
    made.clock = &clock;
    made.state_ttl_us = ttl_us;
    made.allowed_lateness_us = lateness_us;
    made.batch_rows = batch_rows;
    return made;
  }
};

}  // namespace weir::harness
