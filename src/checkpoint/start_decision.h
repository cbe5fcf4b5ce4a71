// What a start of a stateful set does, from facts alone: no I/O here.
#pragma once

#include <cstdint>
#include <string>

namespace weir {

struct StartFacts {
  bool has_manifest = false;
  bool same_plan = true;  // the manifest's plan hash is this file's
  bool manifests_all_damaged = false;
  int64_t manifest_epoch = 0;
  int64_t highest_table_epoch = -1;    // of the sinks' txns under this pipeline's epoch app ids; -1: none
  bool tables_have_positions = false;  // of a stateless past of this pipeline
};

enum class StartAction {
  fresh,             // nothing was ever done
  restore,           // commit the manifest's handles again, restore, seek
  refuse_changed,    // the state belongs to another query
  refuse_lost,       // a table holds an epoch, the state is gone (or older than the table)
  refuse_damaged,    // no manifest is whole
  refuse_stateless,  // the tables hold positions of a stateless run
};

// The first of these that holds: all manifests are damaged; a table is ahead of the state; the tables have
// positions of a stateless run (whose events the state does not know); the query is another one.
StartAction decide_start(const StartFacts& facts);

// Why a start is refused and what can be done about it, for the pipeline's last line; "" for fresh and
// restore.
std::string start_words(StartAction action, const StartFacts& facts, const std::string& pipeline);

}  // namespace weir
