// The open tables of one set: its sinks, its error lake, and which of them says where to read on.
//
// Invariants:
// - Every sink is checked before any is opened: opening adds columns, and an incompatible change of the file
//   must be refused before the first table is altered. Then every sink gets its columns, then the new version
//   is recorded, then events are read: a crash in between is made good by doing it again.
// - The authority is the table that was it before (its mark); else one that remembers in the target itself,
//   before one that remembers in state.path; among those the one that commits least often, so that no
//   other table's interval is cut short by it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/objects.h"
#include "checkpoint/position_store.h"
#include "plan/pipeline_plan.h"
#include "runtime/set_runner.h"
#include "sinks/sink.h"

namespace weir {

using Stands = std::map<std::string, int64_t>;  // app id -> next offset

// Of a table's stands only those of source partitions: weir/<pipeline>/<source>/<partition>, without the
// marks of the plan, the authority, replay and refused rows.
Stands positions_in(const Stands& stands);

// Can the sink store what the file gives it? Changes nothing. invalid names the version of the columns that
// the sink was last opened with, and this file's.
Status check_sink(const PipelinePlan& plan, const SinkPlan& sink, const Clock& clock);
Status check_sinks(const PipelinePlan& plan, const SetPlan& set, const Clock& clock);

// The source of `set` that the epochs named `epochs` hold positions of; "" : none.
Result<std::string> source_in_epochs(ObjectStore& objects, const PipelinePlan& plan, const SetPlan& set,
                                     const std::string& epochs);

class SetTables {
 public:
  static Result<std::unique_ptr<SetTables>> open(const PipelinePlan& plan, const SetPlan& set,
                                                 const RunOptions& options);

  const std::vector<std::unique_ptr<Sink>>& sinks() const { return sinks_; }  // by SetPlan::sinks
  // By SetPlan::sources; null where the error lake is switched off.
  const std::vector<std::unique_ptr<Sink>>& error_sinks() const { return error_sinks_; }
  std::optional<size_t> authority() const { return authority_; }
  const std::vector<Stands>& sink_stands() const { return sink_stands_; }
  const std::vector<Stands>& error_stands() const { return error_stands_; }
  // Of a set that runs in epochs: no table is the authority, what they hold is told here, and positions come
  // from the checkpoint.
  const std::vector<Stands>& epoch_stands() const { return epoch_stands_; }  // by SetPlan::sinks
  const std::vector<Stands>& error_epoch_stands() const {
    return error_epoch_stands_;
  }  // by SetPlan::sources
  void set_positions(Stands positions) { positions_ = std::move(positions); }
  ObjectStore& state_objects() { return *state_objects_; }
  // Where to read on: the authority's positions, or those kept in state.path when there is no authority.
  const Stands& positions() const { return positions_; }
  // By SetPlan::sources: the number of the version of the source's columns.
  const std::vector<int32_t>& schema_versions() const { return schema_versions_; }
  // "table revenue", or "the state folder".
  std::string memory_name() const;
  // Keeps positions that no table remembers; does nothing when there is an authority.
  Status save_positions(const std::vector<Stands>& moved_by_source);

 private:
  SetTables(const PipelinePlan& plan, const SetPlan& set) : plan_(plan), set_(set) {}
  Status open_sinks(const RunOptions& options);
  Status record_schemas(const RunOptions& options);
  Status open_error_lake(const RunOptions& options);
  Status refuse_kept_state() const;
  void choose_authority();
  bool was_authority(size_t sink) const;
  Status load_positions();
  Status refuse_changed_plan() const;
  Status refuse_changed_plan(const std::string& table, const Stands& stands) const;

  const PipelinePlan& plan_;
  const SetPlan& set_;
  std::vector<std::unique_ptr<Sink>> sinks_;
  std::vector<std::unique_ptr<Sink>> error_sinks_;
  std::optional<size_t> authority_;
  std::vector<Stands> sink_stands_;
  std::vector<Stands> error_stands_;
  std::vector<Stands> epoch_stands_;
  std::vector<Stands> error_epoch_stands_;
  std::vector<int32_t> schema_versions_;
  Stands positions_;
  std::unique_ptr<ObjectStore> state_objects_;
  std::vector<PositionStore> stores_;  // by SetPlan::sources; empty: an authority remembers
};

}  // namespace weir
