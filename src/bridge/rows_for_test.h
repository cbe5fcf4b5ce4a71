// Record batches from JSON lines and back to text, for this folder's tests.
#pragma once

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/json/from_string.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/type.h>

#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace weir::bridge {

// A batch of `schema` with one JSON object a row, and the row's number as "_weir_row".
inline std::shared_ptr<arrow::RecordBatch> rows_of(const std::shared_ptr<arrow::Schema>& schema,
                                                   const std::vector<std::string>& lines) {
  std::string text = "[";
  for (const auto& line : lines) text += (text.size() > 1 ? "," : "") + line;
  auto rows = arrow::json::ArrayFromJSONString(arrow::struct_(schema->fields()), text + "]").ValueOrDie();
  auto columns = std::static_pointer_cast<arrow::StructArray>(rows)->fields();
  arrow::Int32Builder numbers;
  for (size_t i = 0; i < lines.size(); ++i) (void)numbers.Append(static_cast<int32_t>(i));
  columns.push_back(numbers.Finish().ValueOrDie());
  auto fields = schema->fields();
  fields.push_back(arrow::field("_weir_row", arrow::int32(), false));
  return arrow::RecordBatch::Make(arrow::schema(fields), static_cast<int64_t>(lines.size()), columns);
}

// "[1, "text", null]"
inline std::string text_of_row(const arrow::RecordBatch& batch, int64_t row, int columns) {
  std::string text = "[";
  for (int column = 0; column < columns; ++column) {
    auto value = batch.column(column)->GetScalar(row).ValueOrDie();
    if (column > 0) text += ", ";
    if (!value->is_valid) {
      text += "null";
    } else if (value->type->id() == arrow::Type::STRING) {
      text += "\"" + value->ToString() + "\"";
    } else if (value->type->id() == arrow::Type::DOUBLE) {
      std::ostringstream number;
      number << static_cast<const arrow::DoubleScalar&>(*value).value;
      text += number.str();
    } else {
      text += value->ToString();
    }
  }
  return text + "]";
}

// Each row with "_weir_row" in front: "3:[…]".
inline std::vector<std::string> text_of(const arrow::RecordBatch& batch) {
  std::vector<std::string> rows;
  const int last = batch.num_columns() - 1;
  for (int64_t row = 0; row < batch.num_rows(); ++row) {
    rows.push_back(batch.column(last)->GetScalar(row).ValueOrDie()->ToString() + ":" +
                   text_of_row(batch, row, last));
  }
  return rows;
}

}  // namespace weir::bridge
