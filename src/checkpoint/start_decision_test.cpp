#include "checkpoint/start_decision.h"

#include <gtest/gtest.h>

#include <map>

namespace weir {
namespace {

using A = StartAction;

StartFacts facts(bool manifest, int64_t manifest_epoch, int64_t table_epoch, bool positions, bool same_plan,
                 bool damaged) {
  StartFacts result;
  result.has_manifest = manifest;
  result.manifest_epoch = manifest_epoch;
  result.highest_table_epoch = table_epoch;
  result.tables_have_positions = positions;
  result.same_plan = same_plan;
  result.manifests_all_damaged = damaged;
  return result;
}

TEST(StartDecision, OfAPipelineThatNeverRan) {
  EXPECT_EQ(decide_start({}), A::fresh);
  EXPECT_EQ(decide_start(facts(false, 0, -1, true, true, false)), A::refuse_stateless);
}

TEST(StartDecision, OfTablesWithoutState) {
  // Epoch 0 is an epoch too.
  for (int64_t table : {0, 1, 7})
    EXPECT_EQ(decide_start(facts(false, 0, table, false, true, false)), A::refuse_lost);
}

// Every epoch of the tables around that of the manifest, told as a table.
TEST(StartDecision, OfAManifest) {
  for (int64_t manifest : {0, 1, 5}) {
    for (int64_t table = -1; table <= manifest + 3; ++table) {
      const A expected = table > manifest ? A::refuse_lost : A::restore;
      EXPECT_EQ(decide_start(facts(true, manifest, table, false, true, false)), expected)
          << manifest << table;
      const A changed = table > manifest ? A::refuse_lost : A::refuse_changed;
      EXPECT_EQ(decide_start(facts(true, manifest, table, false, false, false)), changed)
          << manifest << table;
    }
  }
}

// All 2 x 2 x 2 x 2 x 4 combinations: the rule of the header, stated once more as its consequences.
TEST(StartDecision, OfEveryCombination) {
  std::map<A, int> seen;
  for (bool manifest : {false, true}) {
    for (bool same : {false, true}) {
      for (bool damaged : {false, true}) {
        for (bool positions : {false, true}) {
          for (int64_t table : {-1, 4, 5, 6}) {
            const StartFacts given = facts(manifest, 5, table, positions, same, damaged);
            const A action = decide_start(given);
            ++seen[action];
            // Nothing goes on, in either way, where any fact speaks against it.
            const bool ahead = manifest ? table > 5 : table >= 0;
            const bool refused = damaged || positions || ahead || (manifest && !same);
            EXPECT_EQ(refused, action != A::fresh && action != A::restore);
            EXPECT_EQ(action == A::fresh, !refused && !manifest);
            EXPECT_EQ(action == A::restore, !refused && manifest);
            EXPECT_EQ(action == A::refuse_damaged, damaged);
            EXPECT_EQ(action == A::refuse_lost, !damaged && ahead);
            EXPECT_EQ(action == A::refuse_stateless, !damaged && !ahead && positions);
            EXPECT_EQ(start_words(action, given, "orders").empty(), !refused);
          }
        }
      }
    }
  }
  EXPECT_EQ(seen.size(), 6u);
}

TEST(StartDecision, SaysWhatIsWrongAndWhatHelps) {
  EXPECT_EQ(
      start_words(A::refuse_lost, facts(false, 0, 12, false, true, false), "orders"),
      "the tables of pipeline 'orders' hold checkpoint 12, and its state is gone: going on would count "
      "events "
      "twice or not at all. Bring the folder 'state.path' back; to begin anew on purpose, give the pipeline "
      "another name (SET 'pipeline.name') and its sinks other tables (docs/checkpoints.md)");
  EXPECT_NE(
      start_words(A::refuse_lost, facts(true, 11, 12, false, true, false), "orders").find("checkpoint 11"),
      std::string::npos);
  EXPECT_NE(
      start_words(A::refuse_changed, facts(true, 11, 12, false, true, false), "o").find("another query"),
      std::string::npos);
}

}  // namespace
}  // namespace weir
