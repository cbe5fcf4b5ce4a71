#include "runtime/output_rows.h"

#include <arrow/array.h>
#include <arrow/array/util.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>

#include <algorithm>

#include "runtime/rows.h"
#include "sinks/sink.h"

namespace weir {
namespace {

// Unicode code points of valid UTF-8.
int64_t characters(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; });
}

}  // namespace

void check_columns(const InsertPlan& insert, const arrow::RecordBatch& rows,
                   const std::function<void(int64_t row, std::string message)>& fail) {
  const arrow::Schema& schema = *insert.sink->schema;
  for (int c = 0; c < schema.num_fields(); ++c) {
    const int from = insert.column_of_sink[c];
    if (schema.field(c)->nullable() || from < 0 || rows.column(from)->null_count() == 0) continue;
    for (int64_t i = 0; i < rows.num_rows(); ++i) {
      if (!rows.column(from)->IsNull(i)) continue;
      fail(i,
           "NULL for the NOT NULL column '" + schema.field(c)->name() + "' of '" + insert.sink->name + "'");
    }
  }
  for (int c = 0; c < static_cast<int>(insert.sink->max_lengths.size()); ++c) {
    const int most = insert.sink->max_lengths[static_cast<size_t>(c)];
    const int from = insert.column_of_sink[c];
    if (most < 0 || from < 0) continue;
    const auto& text = static_cast<const arrow::StringArray&>(*rows.column(from));
    for (int64_t i = 0; i < rows.num_rows(); ++i) {
      if (text.IsNull(i) || characters(text.GetView(i)) <= most) continue;
      fail(i, std::to_string(characters(text.GetView(i))) + " characters do not fit into the column '" +
                  schema.field(c)->name() + "' of '" + insert.sink->name + "', VARCHAR(" +
                  std::to_string(most) + ")");
    }
  }
}

Result<arrow::ArrayVector> sink_columns(const InsertPlan& insert, const arrow::RecordBatch& rows) {
  const arrow::Schema& schema = *insert.sink->schema;
  arrow::ArrayVector columns;
  for (int c = 0; c < schema.num_fields(); ++c) {
    const int from = insert.column_of_sink[c];
    if (from >= 0) {
      columns.push_back(rows.column(from));
      continue;
    }
    auto nulls = arrow::MakeArrayOfNull(schema.field(c)->type(), rows.num_rows());
    if (!nulls.ok()) return arrow_status(nulls.status());
    columns.push_back(*nulls);
  }
  return columns;
}

std::shared_ptr<arrow::Schema> sink_rows_schema(const arrow::Schema& columns, const std::string& source,
                                                bool changelog) {
  arrow::FieldVector fields = columns.fields();
  fields.push_back(
      arrow::field(kPartitionColumn, arrow::utf8(), false, arrow::key_value_metadata({"source"}, {source})));
  fields.push_back(arrow::field(kOffsetColumn, arrow::int64(), false));
  if (changelog) fields.push_back(arrow::field(kWeightColumn, arrow::int8(), false));
  return arrow::schema(std::move(fields));
}

}  // namespace weir
