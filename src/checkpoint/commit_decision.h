// What to do with a sealed cut, decided from facts alone: no I/O, no clock, so that exactly-once is tested
// without a lake.
//
// Invariants the decision keeps, whatever answers are lost and whoever else commits:
// - A table's stand (its txn version) of a partition never moves back, and never jumps over offsets that
// nobody wrote.
// - An authority moves only from a stand that equals the cut's start, in the very snapshot that is committed
// on. The commit
//   itself creates exactly the next version, so nothing can come between the decision and its effect.
// - Another table takes any start at or above its stand. Rows below the stand it had when it was opened were
// left out
//   by the runtime (`trimmed_below`), which is why such a range may begin below the stand.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace weir {

struct RangeFacts {
  int64_t from = 0;  // the cut's offsets [from, next)
  int64_t next = 0;
  std::optional<int64_t> stand;  // in the snapshot about to be committed on
  bool first_start =
      false;  // the table had no stand when the sink was opened, and we have committed none since
  std::optional<int64_t>
      trimmed_below;  // the stand when the sink was opened: rows below it are not in the cut
};

enum class LastAttempt { none, conflict, unknown };

struct CommitFacts {
  bool authority = false;
  bool snapshot_loaded = true;  // false: reloading failed, the stands say nothing
  std::vector<RangeFacts> ranges;
  LastAttempt last = LastAttempt::none;
  int attempts = 0;  // made so far, reloads that failed included
  int max_attempts = 1;
};

enum class CommitAction {
  commit,             // build version + 1 on this snapshot
  already_committed,  // the rows are in the table: by a commit whose answer was lost, or by another worker
  lost_ownership,     // drop uncommitted work, open and seek anew
  retry_later,        // wait, reload, decide again
  give_up,            // too many attempts; the outcome of the last one may be unknown
};

CommitAction decide_commit(const CommitFacts& facts);

// Whether this range has rows or a position to add: false when all of it was trimmed. Only ranges that move
// are written.
bool range_moves(const CommitFacts& facts, const RangeFacts& range);

const char* commit_action_name(CommitAction action);

}  // namespace weir
