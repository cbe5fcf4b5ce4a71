// lookup_join: each row against the rows that a table holds for its key at that moment (FOR SYSTEM_TIME AS
// OF).
//
// Inner, or left outer: a row without a match comes once, with NULLs. It keeps no state: the table is not
// ours, and a run that is restored asks it again, so rows that are read again after a crash may meet a later
// table.
#pragma once

#include <memory>

#include "operators/operator.h"

namespace weir {

Result<std::unique_ptr<Operator>> create_lookup_join(const OperatorContext& context);

}  // namespace weir
