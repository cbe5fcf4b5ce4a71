// What one epoch consists of, and its text: readable JSON, then a line with the CRC-32C of all before it
// (docs/formats/state.md).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace weir {

struct StateFile {
  std::string path;  // relative to the set's folder: EpochStore::relative_path
  int64_t size = 0;
  uint32_t crc = 0;  // StateWriter::crc(). 0: EpochStore::write looks it up in the file's last bytes
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

  std::vector<const StateFile*> files() const;  // states and spools; valid as long as the manifest
  int64_t bytes() const;                        // of all files
};

// invalid: a text in it is not UTF-8.
Result<std::string> encode_manifest(const EpochManifest& manifest);

// invalid, with the words "damaged": anything but what encode_manifest gave; or, with `newer` set, a whole
// manifest of a format version that this Weir does not know. `name` is for messages.
Result<EpochManifest> parse_manifest(std::string_view text, const std::string& name, bool& newer);

}  // namespace weir
