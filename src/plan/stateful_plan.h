// What the state of a query asks of its file: a bound, and a sink that takes what comes out.
#pragma once

#include <string>
#include <vector>

#include "bridge/bridge.h"
#include "config/options.h"
#include "config/pipeline_spec.h"
#include "config/source_text.h"

namespace weir {

struct InsertPlan;

// Refuses windows without number, and state that nothing bounds, at its place in the query, unless a TTL is
// set or it is allowed. With
// 'pipeline.allowed-lateness' the nodes from a window aggregate on become changelogs; what cannot read one is
// refused.
void check_state(bridge::StreamPlan& plan, const InsertSpec& insert, const Options& settings,
                 Diagnostics& diagnostics);

// Why a changelog does not go into the sink of `insert`.
std::string changelog_refusal(const InsertPlan& insert);

// Names of the keys of the last aggregate: what tells the rows of its changelog apart.
std::vector<std::string> group_keys(const bridge::StreamPlan& plan);

}  // namespace weir
