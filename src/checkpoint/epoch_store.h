// Epochs of one stateful set: what a restart needs to go on, written once, whole or not at all.
//
// Below the state root, in `<pipeline>/checkpoints/<set>/`:
//   <epoch, 12 digits>/<node>-<share>.state   state of one operator instance (state/state_file.h)
//   <epoch, 12 digits>/spool-<sink>.rows      rows that a sink has taken but not yet prepared (state files
//   too) <epoch, 12 digits>.json                   the manifest, put-if-absent and last: without it the epoch
//   never was
// A manifest names every file with its size and CRC-32C, and is itself closed by a CRC line. A reader refuses
// a format version that it does not know.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/objects.h"
#include "base/status.h"

namespace weir {

struct StateFile {
  std::string path;  // relative to the set's folder
  int64_t size = 0;
};

// What a sink has prepared at this epoch: committed with (app id, epoch), again and again until it is done.
struct PreparedHandle {
  std::string sink;
  std::string app_id;     // weir/<pipeline>/<sink>
  std::string persisted;  // TransactionalSink::persist
  std::string ledger;     // JSON
};

struct EpochManifest {
  int64_t epoch = 0;
  int64_t created_us = 0;
  int64_t plan_hash = 0;                      // of the stateful part: state of another query is refused
  int32_t parallelism = 1;                    // shares that the keys were split into
  bool ended = false;                         // the final watermark has passed: the input was bounded
  std::map<std::string, int64_t> positions;   // weir/<pipeline>/<source>/<partition> -> next offset
  std::map<std::string, int64_t> watermarks;  // the same keys -> the partition's watermark, microseconds
  std::map<std::string, int64_t> merged;      // source -> its merged watermark
  std::map<std::string, int64_t> sequences;   // insert -> rows emitted so far: the next output offset
  std::map<std::string, StateFile> states;    // "<node>-<share>" -> file
  std::map<std::string, std::vector<StateFile>> spools;  // sink -> rows since its last prepare, oldest first
  std::map<std::string, int64_t> prepared_epochs;        // sink -> the epoch of its last prepare
  std::vector<PreparedHandle> prepared;                  // of this epoch
};

// One line of `weir checkpoints list`.
struct EpochSummary {
  int64_t epoch = 0;
  int64_t created_us = 0;
  int64_t bytes = 0;    // of state and spools
  std::string problem;  // "" : whole; else what is wrong with it, in words
};

// One thread at a time, except open_writer's results, which are written by other threads.
class EpochStore {
 public:
  // `objects` (the state root) outlives the store.
  EpochStore(ObjectStore& objects, const std::string& pipeline, const std::string& set);

  // The newest epoch whose manifest and files are all there and undamaged; nothing when there never was one.
  // Newer ones that are damaged are told to `skipped`, in words for the log. invalid: there are manifests,
  // and none is whole: nothing may start from scratch then.
  Result<std::optional<EpochManifest>> newest(std::vector<std::string>& skipped);
  Result<EpochManifest> load(int64_t epoch);                             // checks the files too
  std::string state_path(int64_t epoch, const std::string& name) const;  // below the state root
  Result<std::unique_ptr<ObjectWriter>> open_writer(int64_t epoch, const std::string& name);
  // Durable when it returns. already_exists: another process runs this pipeline.
  Status write(const EpochManifest& manifest);
  // Removes epochs older than the newest `keep`, files that no kept manifest names, and leftovers of epochs
  // that were never finished.
  Status prune(size_t keep);
  Result<std::vector<EpochSummary>> list();

 private:
  ObjectStore& objects_;
  std::string folder_;
};

// The sets of a pipeline that have epochs.
Result<std::vector<std::string>> sets_with_epochs(ObjectStore& objects, const std::string& pipeline);

// What a start does, from facts alone.
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
StartAction decide_start(const StartFacts& facts);

}  // namespace weir
