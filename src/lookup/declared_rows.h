// What an outside table gives, as the columns that the file declares.
#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <string>

#include "base/status.h"

namespace weir {

// Columns by name (others are left out), cast to the declared types; one batch. invalid: a column is missing,
// a value does not fit, or a NOT NULL column has none. `what` names the table in messages.
Result<std::shared_ptr<arrow::RecordBatch>> declared_rows(const arrow::Table& table,
                                                          const std::shared_ptr<arrow::Schema>& schema,
                                                          const std::string& what);

}  // namespace weir
