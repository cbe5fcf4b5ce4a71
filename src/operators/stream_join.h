// Joins of rows as they come: inner joins of two streams, both sides kept.
//
// interval_join: left_time - right_time lies in [lower, upper]. A row is kept as long as the watermark lets a
// partner of it still come. Both time columns survive in the output, and a new row's partner may be older by
// up to max(-lower, upper): so much does the output watermark stay behind.
//
// join: no bound but state_ttl_us, by processing time: a row is kept for at least that long after it came,
// and at most an eighth of it longer. 0: for ever.
#pragma once

#include <memory>

#include "operators/operator.h"

namespace weir {

Result<std::unique_ptr<Operator>> create_stream_join(const OperatorContext& context);

}  // namespace weir
