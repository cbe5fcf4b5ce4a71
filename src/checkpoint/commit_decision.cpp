#include "checkpoint/commit_decision.h"

#include <algorithm>

namespace weir {
namespace {

enum class RangeState { ready, done, foreign };

RangeState authority_state(const RangeFacts& range) {
  if (!range.stand) return range.first_start ? RangeState::ready : RangeState::foreign;
  if (*range.stand == range.next) return RangeState::done;
  return *range.stand == range.from ? RangeState::ready : RangeState::foreign;
}

RangeState follower_state(const RangeFacts& range) {
  if (!range.stand) return range.trimmed_below ? RangeState::foreign : RangeState::ready;
  if (*range.stand >= range.next) return RangeState::done;
  int64_t start = std::max(range.from, range.trimmed_below.value_or(range.from));
  // Below what was trimmed: the stand moved back, the table was replaced.
  if (range.trimmed_below && *range.stand < *range.trimmed_below) return RangeState::foreign;
  return *range.stand <= start ? RangeState::ready : RangeState::foreign;
}

}  // namespace

bool range_moves(const CommitFacts& facts, const RangeFacts& range) {
  if (facts.authority) return true;
  return !range.trimmed_below || range.next > *range.trimmed_below;
}

CommitAction decide_commit(const CommitFacts& facts) {
  bool exhausted = facts.attempts >= facts.max_attempts;
  if (!facts.snapshot_loaded) return exhausted ? CommitAction::give_up : CommitAction::retry_later;
  size_t ready = 0, done = 0;
  for (const RangeFacts& range : facts.ranges) {
    if (!range_moves(facts, range)) continue;
    RangeState state = facts.authority ? authority_state(range) : follower_state(range);
    if (state == RangeState::foreign) return CommitAction::lost_ownership;
    (state == RangeState::ready ? ready : done) += 1;
  }
  if (ready == 0) return CommitAction::already_committed;
  // A commit is atomic over its ranges: half of them done means that somebody else did them.
  if (done != 0) return CommitAction::lost_ownership;
  return exhausted ? CommitAction::give_up : CommitAction::commit;
}

const char* commit_action_name(CommitAction action) {
  switch (action) {
    case CommitAction::commit: return "commit";
    case CommitAction::already_committed: return "already_committed";
    case CommitAction::lost_ownership: return "lost_ownership";
    case CommitAction::retry_later: return "retry_later";
    case CommitAction::give_up: return "give_up";
  }
  return "?";
}

}  // namespace weir
