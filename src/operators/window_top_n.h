// The first `limit` rows of each window and partition by an order: ROW_NUMBER() OVER (PARTITION BY
// window_start, window_end, … ORDER BY …) <= limit. Rows that compare equal keep the order in which they
// came.
//
// Only rows that are among the first so far are kept: a heap for each group, the worst of them on top. A
// group's rows come out in the order of their rank when the window is complete.
#pragma once

#include <memory>

#include "operators/operator.h"

namespace weir {

Result<std::unique_ptr<Operator>> create_window_top_n(const OperatorContext& context);

}  // namespace weir
