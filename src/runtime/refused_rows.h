// Rows that a sink's target refused -> the error lake, exactly once.
#pragma once

#include "base/clock.h"
#include "base/status.h"
#include "plan/pipeline_plan.h"
#include "sinks/sink.h"

namespace weir {

// Puts them into the error lake of their sources as `sink_refused`, with the row as JSON for a payload
// (payload_kind 'row'). One commit a source under the txn (weir/<pipeline>/<source>/_reject/<sink>/<log>,
// sequence): called again with the same, it does nothing. Any thread.
Status store_refused_rows(const PipelinePlan& plan, const std::string& sink, const RefusedRows& refused,
                          const Clock& clock);

}  // namespace weir
