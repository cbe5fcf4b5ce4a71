// Brings stored errors back through today's file, exactly once, also when interrupted, run twice or run by
// two processes.
//
// Protocol (docs/decisions/0004): unresolved errors are processed in batches. A batch's rows are sealed
// (durable, invisible) for every table, the error lake and `_resolved`; a manifest that names them all is
// then written put-if-absent as <error-lake.path>/<pipeline>/_replay/<source>/<seq>.json; then every table
// commits its files with the txn (weir/<pipeline>/<source>/_replay, seq), `_resolved` last. A txn at or above
// seq means: done. Whoever finds an unfinished newest manifest finishes it before anything else, so sequence
// numbers complete in order.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "plan/pipeline_plan.h"
#include "runtime/error_query.h"

namespace weir {

struct ReplayCounts {
  int64_t replayed = 0;
  int64_t resolved = 0;
  int64_t failed = 0;  // again: they stay unresolved, with the new reason in errors._resolved
};

// `late` and `future` errors and those of INSERTs that the file no longer has stay unresolved.
Result<ReplayCounts> replay_errors(const PipelinePlan& plan, const ErrorFilter& filter, const Clock& clock,
                                   const std::function<void(const std::string&)>& log);

}  // namespace weir
