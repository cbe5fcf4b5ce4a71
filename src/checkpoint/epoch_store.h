// Epochs of one stateful set: what a restart needs to go on, written once, whole or not at all.
//
// Below the state root, in `<pipeline>/checkpoints/<set>/`:
//   <epoch, 12 digits>/<run>-<node>-<share>.state   state of one operator instance (state/state_file.h)
//   <epoch, 12 digits>/<run>-spool-<sink>.rows      rows that a sink has taken but not yet prepared (state
//                                                   files too)
//   <epoch, 12 digits>.json                         the manifest, put-if-absent and last: without it the
//   epoch
//                                                   never was
// <run> is 8 digits that every EpochStore draws for itself, so that a process that was thought dead never
// overwrites a file that a manifest names. A manifest names every file with its size and CRC-32C, and is
// itself closed by a CRC line. A reader refuses a format version that it does not know.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/objects.h"
#include "base/status.h"
#include "checkpoint/epoch_manifest.h"
#include "checkpoint/start_decision.h"

namespace weir {

// One line of `weir checkpoints list`.
struct EpochSummary {
  int64_t epoch = 0;
  int64_t created_us = 0;
  int64_t bytes = 0;    // of state and spools
  std::string problem;  // "" : whole; else what is wrong with it, in words
};

// One thread at a time, except open_writer's results, which are written by other threads.
//
// "Whole" means: the manifest's checksum holds, and each file that it names has its size and ends in its
// checksum. The blocks within are not read for that (there may be gigabytes): StateReader checks them at
// restore, and a runner that finds one damaged asks for the next older epoch by older_than().
class EpochStore {
 public:
  // `objects` (the state root) outlives the store.
  EpochStore(ObjectStore& objects, const std::string& pipeline, const std::string& set);

  // The newest whole epoch; nothing when there never was one. Newer ones that are damaged are told to
  // `skipped`, in words for the log. invalid: there are manifests, and none is whole, or the newest that can
  // be read is of a newer Weir: nothing may start from scratch then.
  Result<std::optional<EpochManifest>> newest(std::vector<std::string>& skipped);
  // The newest whole one before `epoch`, which turned out to be damaged while it was read (`why`, told to
  // `skipped` too); prune counts that no longer. invalid: there is none.
  Result<EpochManifest> older_than(int64_t epoch, const Status& why, std::vector<std::string>& skipped);
  // The number that no manifest has had yet, damaged ones included; 1 at first.
  Result<int64_t> next_epoch();
  // Checks the files too. not_found: no such epoch.
  Result<EpochManifest> load(int64_t epoch);
  // Without a look at its files.
  Result<EpochManifest> manifest(int64_t epoch);
  // Whether the files that it names are whole; `content`: also every block of them.
  Status check(const EpochManifest& manifest, bool content = false);

  // `name` is "<node>-<share>.state" or "spool-<sink>.rows"; what a path cannot have is written as %XX.
  std::string relative_path(int64_t epoch, const std::string& name) const;  // for StateFile::path
  std::string state_path(int64_t epoch, const std::string& name) const;     // below the state root
  std::string object_path(const StateFile& file) const;                     // for StateReader::open
  // Writes what relative_path(epoch, name) names.
  Result<std::unique_ptr<ObjectWriter>> open_writer(int64_t epoch, const std::string& name);
  // Durable when it returns. already_exists: another process runs this pipeline.
  Status write(EpochManifest manifest);
  // Removes epochs older than the newest `keep` (at least 1), files that no kept manifest names, and
  // leftovers of epochs that were never finished. What belongs to epochs above the newest manifest is in the
  // making and stays, and so do manifests that cannot be read as long as they are newer than one that is
  // kept.
  Status prune(size_t keep);
  Result<std::vector<EpochSummary>> list();  // oldest first

 private:
  struct Listing;
  std::string unusable(int64_t epoch, const Status& why) const;
  Result<Listing> listing();
  Result<EpochManifest> read(int64_t epoch, bool& newer);
  Result<std::optional<EpochManifest>> newest_below(int64_t bound, std::vector<std::string>& skipped);

  ObjectStore& objects_;
  std::string name_;    // of pipeline and set, for messages
  std::string folder_;  // below the state root
  std::string run_;
  std::set<int64_t> damaged_;                 // found so by this store
  std::map<int64_t, EpochManifest> written_;  // manifests that were read or written: what prune asks for
};

// The sets of a pipeline that have epochs.
Result<std::vector<std::string>> sets_with_epochs(ObjectStore& objects, const std::string& pipeline);

}  // namespace weir
