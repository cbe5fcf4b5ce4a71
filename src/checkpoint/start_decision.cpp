#include "checkpoint/start_decision.h"

namespace weir {

StartAction decide_start(const StartFacts& facts) {
  if (facts.manifests_all_damaged) return StartAction::refuse_damaged;
  const int64_t known = facts.has_manifest ? facts.manifest_epoch : -1;
  if (facts.highest_table_epoch > known) return StartAction::refuse_lost;
  if (facts.tables_have_positions) return StartAction::refuse_stateless;
  if (!facts.has_manifest) return StartAction::fresh;
  return facts.same_plan ? StartAction::restore : StartAction::refuse_changed;
}

std::string start_words(StartAction action, const StartFacts& facts, const std::string& pipeline) {
  const std::string anew =
      "; to begin anew on purpose, give the pipeline another name (SET 'pipeline.name') and its sinks other "
      "tables "
      "(docs/checkpoints.md)";
  switch (action) {
    case StartAction::fresh:
    case StartAction::restore: return "";
    case StartAction::refuse_changed:
      return "the state of pipeline '" + pipeline + "' belongs to another query: checkpoint " +
             std::to_string(facts.manifest_epoch) +
             " was written by a file whose stateful part differs from this one. Run the former file" + anew;
    case StartAction::refuse_lost:
      if (!facts.has_manifest)
        return "the tables of pipeline '" + pipeline + "' hold checkpoint " +
               std::to_string(facts.highest_table_epoch) +
               ", and its state is gone: going on would count events twice or not at all. Bring the folder "
               "'state.path' back" +
               anew;
      return "the tables of pipeline '" + pipeline + "' hold checkpoint " +
             std::to_string(facts.highest_table_epoch) +
             ", the newest state that is whole is of checkpoint " + std::to_string(facts.manifest_epoch) +
             ": going on would write again what they hold. Bring the newer state back" + anew;
    case StartAction::refuse_damaged:
      return "no checkpoint of pipeline '" + pipeline +
             "' is whole (`weir checkpoints list` says why). Bring 'state.path' back from a copy" + anew;
    case StartAction::refuse_stateless:
      return "the tables of pipeline '" + pipeline +
             "' were filled by a run without state, which knows nothing of the events in open windows and "
             "joins" +
             anew;
  }
  return "";
}

}  // namespace weir
