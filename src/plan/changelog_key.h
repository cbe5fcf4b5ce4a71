// Which columns of a query's output tell the rows of its changelog apart: what a sink's PRIMARY KEY must be.
#pragma once

#include <string>

namespace weir {

struct InsertPlan;

// Why the PRIMARY KEY of the sink of `insert`, a changelog by key, would make one row of several; "" when it
// is the key of the query's GROUP BY, or when no GROUP BY made the changelog.
std::string changelog_key_refusal(const InsertPlan& insert);

}  // namespace weir
