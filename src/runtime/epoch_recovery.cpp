#include "runtime/epoch_recovery.h"

#include <algorithm>

namespace weir {
namespace {

Sink* find_target(const SetPlan& set, SetTables& tables, const std::string& name) {
  for (size_t i = 0; i < set.sinks.size(); ++i) {
    if (set.sinks[i]->name == name) return tables.sinks()[i].get();
  }
  for (size_t i = 0; i < set.sources.size(); ++i) {
    if (error_handle_name(set.sources[i]->table.name) == name) return tables.error_sinks()[i].get();
  }
  return nullptr;
}

StartFacts facts_of(const PipelinePlan& plan, const SetPlan& set, const SetTables& tables) {
  StartFacts facts;
  for (size_t i = 0; i < set.sinks.size(); ++i) {
    const Stands& stands = tables.epoch_stands()[i];
    if (!positions_in(stands).empty()) facts.tables_have_positions = true;
    const auto epoch = stands.find(epoch_app_id(plan.spec.name, set.sinks[i]->name));
    if (epoch != stands.end()) facts.highest_table_epoch = std::max(facts.highest_table_epoch, epoch->second);
  }
  for (size_t i = 0; i < set.sources.size(); ++i) {
    const Stands& stands = tables.error_epoch_stands()[i];
    const auto epoch = stands.find(error_epoch_app_id(plan.spec.name, set.sources[i]->table.name));
    if (epoch != stands.end()) facts.highest_table_epoch = std::max(facts.highest_table_epoch, epoch->second);
  }
  return facts;
}

// The newest whole epoch. One that a table holds already cannot be left out any more; of one that none holds
// every byte is read before its handles are committed, as long as an older one can still be taken instead.
Result<std::optional<EpochManifest>> find_whole(EpochStore& store, int64_t highest_table_epoch,
                                                std::vector<std::string>& skipped) {
  WEIR_ASSIGN(std::optional<EpochManifest> found, store.newest(skipped));
  while (found && found->epoch > highest_table_epoch) {
    Status whole = store.check(*found, true);
    if (whole.ok()) break;
    if (whole.code() != Code::invalid && whole.code() != Code::not_found) return whole;
    WEIR_ASSIGN(found, store.older_than(found->epoch, whole, skipped));
  }
  return found;
}

// Another set's epochs hold the position of a source that this one reads: the file has grouped its sources
// otherwise.
Status refuse_other_sets(const PipelinePlan& plan, const SetPlan& set, SetTables& tables) {
  const std::string own = epoch_set_name(set);
  WEIR_ASSIGN(const auto kept, sets_with_epochs(tables.state_objects(), plan.spec.name));
  for (const std::string& name : kept) {
    if (name == own) continue;
    WEIR_ASSIGN(const std::string source, source_in_epochs(tables.state_objects(), plan, set, name));
    if (source.empty()) continue;
    return Status::invalid(
        "the state of what '" + source + "' has given lies in the checkpoints of '" + name +
        "', which this file no longer reads first: its queries, or their order, have changed. "
        "Go on with the earlier file, or give this one another SET 'pipeline.name' and other "
        "tables");
  }
  return {};
}

}  // namespace

std::string epoch_set_name(const SetPlan& set) { return set.sources[0]->table.name; }

std::string epoch_app_id(const std::string& pipeline, const std::string& sink) {
  return "weir/" + pipeline + "/" + sink;
}

std::string error_epoch_app_id(const std::string& pipeline, const std::string& source) {
  return "weir/" + pipeline + "/" + source + "/_epoch";
}

std::string error_handle_name(const std::string& source) { return "errors/" + source; }

Status commit_handle(const SetPlan& set, SetTables& tables, const PreparedHandle& handle, int64_t epoch) {
  Sink* sink = find_target(set, tables, handle.sink);
  if (sink == nullptr || sink->transactional() == nullptr) {
    return Status::invalid("epoch " + std::to_string(epoch) + " has rows for '" + handle.sink +
                           "', which this file no longer writes: run the earlier version once");
  }
  auto committed =
      sink->transactional()->commit_persisted(handle.persisted, handle.app_id, epoch, handle.ledger);
  return committed.ok() ? Status() : committed.status().with_context("sink '" + handle.sink + "'");
}

Result<EpochStart> recover_epochs(const PipelinePlan& plan, const SetPlan& set, SetTables& tables,
                                  EpochStore& store, const RunOptions& options) {
  WEIR_TRY(refuse_other_sets(plan, set, tables));
  StartFacts facts = facts_of(plan, set, tables);
  std::vector<std::string> skipped;
  auto found = find_whole(store, facts.highest_table_epoch, skipped);
  for (const std::string& words : skipped) {
    if (options.log) options.log(words);
  }
  if (found.status().code() == Code::invalid) {
    facts.manifests_all_damaged = true;
  } else if (!found.ok()) {
    return found.status().with_context("the checkpoints");
  }
  EpochStart start;
  if (found.ok() && found->has_value()) {
    start.manifest = *std::move(*found);
    facts.has_manifest = true;
    facts.manifest_epoch = start.manifest->epoch;
    facts.same_plan = start.manifest->plan_hash == plan.stateful_hash(set);
  }
  const StartAction action = decide_start(facts);
  if (action == StartAction::refuse_damaged) {
    return Status::invalid(start_words(action, facts, plan.spec.name) + ": " + found.status().message());
  }
  if (action != StartAction::fresh && action != StartAction::restore) {
    return Status::invalid(start_words(action, facts, plan.spec.name));
  }
  WEIR_ASSIGN(start.next_epoch, store.next_epoch());
  if (!start.manifest) return start;
  for (const PreparedHandle& handle : start.manifest->prepared) {
    WEIR_TRY(commit_handle(set, tables, handle, start.manifest->epoch));
  }
  tables.set_positions(start.manifest->positions);
  return start;
}

}  // namespace weir
