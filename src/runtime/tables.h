// Where a pipeline's tables and state lie, and how their sinks are made.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/objects.h"
#include "base/status.h"
#include "bridge/bridge.h"
#include "plan/pipeline_plan.h"
#include "sinks/sink.h"

namespace weir {

// For checks: without state and error lake.
SinkContext sink_context(const PipelinePlan& plan, const SinkPlan& sink, const Clock& clock);
// The error lake's table of one source, and the pipeline's table of resolutions.
SinkContext error_sink_context(const PipelinePlan& plan, const SourcePlan& source, const Clock& clock);
SinkContext resolution_sink_context(const PipelinePlan& plan, const Clock& clock);
// Sinks that run. `plan`, `sink` and `clock` outlive them; `log` may be empty.
Result<std::unique_ptr<Sink>> create_sink(const PipelinePlan& plan, const SinkPlan& sink, const Clock& clock,
                                          const std::function<void(const std::string&)>& log);
Result<std::unique_ptr<Sink>> create_error_sink(const PipelinePlan& plan, const SourcePlan& source,
                                                const Clock& clock);
Result<std::unique_ptr<Sink>> create_resolution_sink(const PipelinePlan& plan, const Clock& clock);

// Objects below state.path, and below error-lake.path; local or s3://.
Result<std::unique_ptr<ObjectStore>> open_state_objects(const PipelinePlan& plan);
Result<std::unique_ptr<ObjectStore>> open_error_objects(const PipelinePlan& plan);

// Tables for queries: the Delta sinks by name, errors.<source> and errors._resolved.
std::vector<bridge::QueryTable> query_tables(const PipelinePlan& plan);

}  // namespace weir
