// Runs one set of INSERTs of which some keep state: workers -> router -> tasks -> collector -> sinks, in
// epochs.
//
// Invariants:
// - The router (one thread) decides the order: what it has passed on before a barrier is in that epoch on
// every way
//   to every operator and sink, nothing else is.
// - A row is late or not by the merged watermark at the moment when the router passes it on; operators never
// see one
//   whose window has closed.
// - An epoch is its manifest (checkpoint/epoch_store.h): positions, operators' state, rows that sinks have
// not
//   prepared yet, handles of those that they have. It is written once all of that is durable, and before any
//   handle is committed. Handles are committed again after every restart, idempotent by (app id, epoch).
// - Sinks that cannot prepare (kafka, nats, print) commit before the manifest: at least once.
// - One epoch is on its way at a time; rows of the next already flow.
// - On any failure everything after the newest whole manifest is dropped and made again.
#pragma once

#include <atomic>

#include "runtime/set_runner.h"
#include "runtime/set_state.h"

namespace weir {

// One attempt. `again`: the share of a group changed, or nothing but time is needed: another attempt follows.
Status run_epochs(const PipelinePlan& plan, const SetPlan& set, const RunOptions& options,
                  PipelineStats& stats, const std::atomic<bool>& stop, Sources& sources, Budgets& budgets,
                  bool& again);

}  // namespace weir
