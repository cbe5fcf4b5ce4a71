// Runs one set of INSERTs: partition tasks -> one queue -> collector -> sink lanes -> commits.
//
// Invariants:
// - A unit is what one partition task made of offsets [from, next): rows for every INSERT, error rows,
//   ledger counts. It is appended wholly or not at all, and a cut falls between units; so every cut is
//   consistent over all sinks.
// - Units of one partition reach the collector in offset order without overlap or gap.
// - Per cut the error lake and the other sinks commit first, the authority last; only then are sources
// acknowledged.
// - On any failure everything uncommitted is dropped, and the next attempt starts at the authority's stand.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "plan/pipeline_plan.h"
#include "runtime/pipeline_stats.h"

namespace weir {

struct RunOptions {
  bool once = false;
  const Clock* clock = nullptr;
  std::function<void(const std::string&)> log;  // one line, without newline; never a secret
};

Result<std::unique_ptr<Source>> create_source(const PipelinePlan& plan, const SourcePlan& source,
                                              const RunOptions& options);

// Runs until the input ends, `stop` is set (drains first) or the pipeline cannot go on. Transient failures
// are retried with back-off, visible in stats.state().
Status run_set(const PipelinePlan& plan, const SetPlan& set, const RunOptions& options, PipelineStats& stats,
               const std::atomic<bool>& stop);

}  // namespace weir
