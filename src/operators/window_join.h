// Inner join of rows of the same window (start and end) on both sides.
//
// Rows are collected by window end; when the window is complete (watermark >= end - tick, or for windows of
// processing time, the clock reached its end), the smaller side is indexed, the larger one is run against it,
// and both are dropped. Without keys: every pair of the window, which the condition may narrow.
#pragma once

#include <memory>

#include "operators/operator.h"

namespace weir {

Result<std::unique_ptr<Operator>> create_window_join(const OperatorContext& context);

}  // namespace weir
