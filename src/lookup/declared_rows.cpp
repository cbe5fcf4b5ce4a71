#include "lookup/declared_rows.h"

#include <arrow/array.h>
#include <arrow/array/concatenate.h>
#include <arrow/array/util.h>
#include <arrow/chunked_array.h>
#include <arrow/compute/cast.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <arrow/type.h>

#include "config/data_type.h"

namespace weir {

Result<std::shared_ptr<arrow::RecordBatch>> declared_rows(const arrow::Table& table,
                                                          const std::shared_ptr<arrow::Schema>& schema,
                                                          const std::string& what) {
  arrow::ArrayVector columns;
  for (const auto& field : schema->fields()) {
    const auto found = table.GetColumnByName(field->name());
    if (found == nullptr) return Status::invalid(what + " has no column '" + field->name() + "'");
    arrow::ArrayVector chunks;
    for (const auto& chunk : found->chunks()) {
      if (chunk->type()->Equals(*field->type())) {
        chunks.push_back(chunk);
        continue;
      }
      arrow::compute::CastOptions options;
      options.allow_time_truncate = true;  // TIMESTAMP(3) of a column with microseconds
      auto cast = arrow::compute::Cast(*chunk, field->type(), options);
      if (!cast.ok()) {
        return Status::invalid(what + ": column '" + field->name() + "' is " + chunk->type()->ToString() +
                               " and does not fit " + sql_type(*field->type()) + ": " +
                               cast.status().message());
      }
      chunks.push_back(*cast);
    }
    auto whole = chunks.empty() ? arrow::MakeEmptyArray(field->type()) : arrow::Concatenate(chunks);
    if (!whole.ok()) return Status(Code::exhausted, what + ": " + whole.status().message());
    if (!field->nullable() && (*whole)->null_count() != 0) {
      return Status::invalid(what + ": column '" + field->name() + "' is declared NOT NULL and has a NULL");
    }
    columns.push_back(*whole);
  }
  return arrow::RecordBatch::Make(schema, table.num_rows(), std::move(columns));
}

}  // namespace weir
