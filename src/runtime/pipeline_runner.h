// Runs one pipeline: claims its name, then all of its sets at the same time.
#pragma once

#include <atomic>

#include "base/status.h"
#include "plan/pipeline_plan.h"
#include "runtime/set_runner.h"

namespace weir {

// already_exists when another process of this machine runs a pipeline of that name on the same state folder.
// (Over s3:// state, and between machines, the authority rule keeps the data exact without a lock.)
Status run_pipeline(const PipelinePlan& plan, const RunOptions& options, PipelineStats& stats,
                    const std::atomic<bool>& stop);

}  // namespace weir
