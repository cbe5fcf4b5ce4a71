// What a Delta table can store of a query's columns, and whether they fit a table that exists.
#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"

namespace weir {

// `schema` as a Delta table has it: timestamps in microseconds, view and large types as the plain ones.
// invalid with every column that cannot be stored and the CAST that helps. `table` is for messages.
Result<std::shared_ptr<arrow::Schema>> storable_schema(const std::string& table, const arrow::Schema& schema);

// The same type for storage; zones, list item names, metadata and nested nullability aside.
bool same_type(const arrow::DataType& a, const arrow::DataType& b);

struct SchemaMatch {
  // The table's schema with the query's new columns (nullable) at its end; null when the table has all of
  // them.
  std::shared_ptr<arrow::Schema> evolved;
  std::vector<std::string> added;
  std::vector<std::string> not_null;  // columns of the query that the table requires
};

// `wanted` is storable. Columns are matched by name. invalid, with every problem, when a type differs, a NOT
// NULL column of the table is missing, or a column would have to be added and `add_columns` is false.
Result<SchemaMatch> match_schema(const std::string& table, const arrow::Schema& wanted,
                                 const std::shared_ptr<arrow::Schema>& existing, bool add_columns);

}  // namespace weir
