// The statements that ask a ClickHouse table for rows, and their answers.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "clients/clickhouse_connection.h"

namespace weir {

class LookupQuery {
 public:
  // `database`.`table`; the columns of `schema` by name. invalid: a type that has no form there.
  static Result<LookupQuery> create(const std::string& database, const std::string& table,
                                    std::shared_ptr<arrow::Schema> schema);
  std::string whole() const;
  // The rows whose columns equal those of `keys` in one of `rows`, none of them NULL. Takes as many as fit
  // into a statement of about `max_bytes`, at least one; `taken` tells how many.
  Result<std::string> for_keys(const arrow::RecordBatch& keys, const std::vector<uint32_t>& rows,
                               size_t first, size_t max_keys, size_t max_bytes, size_t& taken) const;
  Result<std::shared_ptr<arrow::RecordBatch>> rows(const std::string& answer) const;

 private:
  LookupQuery() = default;
  std::shared_ptr<arrow::Schema> schema_;
  std::string select_;  // SELECT … FROM …
  std::string name_;
};

// One value as a literal of a statement.
Result<std::string> key_literal(const arrow::Array& values, int64_t row);

}  // namespace weir
