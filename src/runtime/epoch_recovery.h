// Where a set that keeps state goes on: its tables opened, its newest whole epoch found and finished.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/epoch_store.h"
#include "runtime/set_tables.h"

namespace weir {

std::string epoch_set_name(const SetPlan& set);  // of its folder below checkpoints/
std::string epoch_app_id(const std::string& pipeline, const std::string& sink);
std::string error_epoch_app_id(const std::string& pipeline, const std::string& source);
// The name that error lakes have among the handles.
std::string error_handle_name(const std::string& source);

struct EpochStart {
  std::optional<EpochManifest> manifest;  // to restore from; nothing: a first start
  int64_t next_epoch = 1;
};

// Decides by decide_start, then commits what the manifest's epoch had prepared, again where it was done
// already. The tables' positions become the manifest's.
Result<EpochStart> recover_epochs(const PipelinePlan& plan, const SetPlan& set, SetTables& tables,
                                  EpochStore& store, const RunOptions& options);

// Commits one handle to the sink or error lake that it names.
Status commit_handle(const SetPlan& set, SetTables& tables, const PreparedHandle& handle, int64_t epoch);

}  // namespace weir
