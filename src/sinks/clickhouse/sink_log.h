// The log of a sink whose target cannot keep positions: intents, each durable before it is carried out.
//
// Objects below the sink's folder in state.path:
//   log.json         the incarnation, random; made put-if-absent at the first open. Lost state begins another
//   <seq>.entry      an intent (log_entry.h), made put-if-absent: who makes it owns that number
//   finished         the highest sequence number known to be carried out
//   <seq>.verdict    "split" or "void", made put-if-absent, once a server refused rows of the entry
//   <seq>.rows       split: the entry's rows as Arrow IPC; written before the verdict
//   <seq>.split.<n>  split: what was found out so far, one object a step
//   sealed/<id>      rows of a replay that wait for their entry
//
// Invariants, whoever races (several workers of a pipeline, replay beside `weir run`):
// - Numbers rise without gaps between entries that count. An entry counts when no higher one existed at the
//   moment its put succeeded: the put is followed by a listing, and one that landed in a hole that pruning
//   left (its writer slept through many entries) is taken back. Readers look at the highest alone.
// - Entry n+1 is made only after n is resolved: carried out, or void. So only the newest can be open,
//   and whoever finds it open finishes it before anything else. Two that finish it at once send the same
//   blocks under the same tokens, or follow the same verdict.
// - The newest entry holds all positions after it and before it, so older ones are needed by nobody.
// - `finished` is a hint that spares the newest entry a second INSERT. A late writer may move it back;
//   the server then drops the repeated block by its token.
// - `void` is decided only where none of the entry's rows can have been stored.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/objects.h"
#include "base/status.h"
#include "sinks/clickhouse/log_entry.h"

namespace weir {

enum class Verdict { none, split, voided };

class SinkLog {
 public:
  // Reads log.json, or makes it.
  static Result<std::unique_ptr<SinkLog>> open(std::unique_ptr<ObjectStore> objects);

  const std::string& incarnation() const { return incarnation_; }
  // This open made the log: nothing is known of what an earlier one wrote.
  bool is_new() const { return is_new_; }

  // Reads the newest entry and what became of it. Unless it was called since forget(), stands() and the
  // others must not be asked.
  Status load();
  void forget() { loaded_ = false; }
  bool loaded() const { return loaded_; }
  const std::map<std::string, int64_t>& stands() const { return stands_; }
  // The newest entry while it is neither carried out nor void; else null. Valid until the next append, load
  // or resolution.
  const LogEntry* open_entry() const { return open_.get(); }

  // Writes the entry, which has incarnation(), next_seq() and whole stands; it is the open one afterwards
  // when it has rows. conflict: another writer was first. After any failure the log must be loaded again.
  Status append(std::unique_ptr<LogEntry> entry);
  // The number that append() would use now.
  int64_t next_seq() const { return newest_ + 1; }

  // Looks whether another process has resolved the open entry since; cheap.
  Status look_again();
  // The open entry is carried out.
  Status finish(const LogEntry& entry);

  // What was decided for the entry; `wanted` when nothing was yet, by this very call.
  Result<Verdict> verdict(int64_t seq);
  Result<Verdict> decide(int64_t seq, Verdict wanted);
  // The open entry was decided to be void.
  void resolve_void();

  Status put_rows(int64_t seq, std::string_view ipc);
  Result<std::string> rows(int64_t seq);
  // One step of a bisection; steps() gives all in order.
  Status add_step(int64_t seq, std::string_view json);
  Result<std::vector<std::string>> steps(int64_t seq);

  ObjectStore& objects() { return *objects_; }

 private:
  explicit SinkLog(std::unique_ptr<ObjectStore> objects) : objects_(std::move(objects)) {}
  Result<int64_t> finished();
  void prune();

  std::unique_ptr<ObjectStore> objects_;
  std::string incarnation_;
  bool is_new_ = false;
  bool loaded_ = false;
  int64_t newest_ = 0;
  std::map<std::string, int64_t> stands_;
  std::unique_ptr<LogEntry> open_;
  int64_t steps_ = -1;               // of the open entry, written so far; -1: not known
  std::vector<std::string> listed_;  // by the last append: what prune looks at
};

// "000000000042.entry"
std::string entry_path(int64_t seq, const std::string& suffix);

}  // namespace weir
