// A Delta table as a sink: Parquet files beside decoding, one commit a cut, positions in the same commit.
//
// Invariants:
// - A file is written once under a name nobody else has, and becomes visible only by a commit that names it.
// Folders are never
//   listed. Files of a cut that was dropped stay behind unseen, until vacuum.
// - Every commit carries a txn for each range; decide_commit (checkpoint/) says from the snapshot whether it
// may be made.
// - A changelog is sealed as its net change: files with the new rows, and the keys of all changes. The commit
//   takes the former rows of those keys away, by rewriting the files that hold them, on its very snapshot.
// - The table handle is used by open, then by commit and commit_transaction only: append and seal touch files
// alone.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/objects.h"
#include "base/status.h"
#include "bridge/bridge.h"
#include "checkpoint/commit_decision.h"
#include "sinks/delta/changed_rows.h"
#include "sinks/delta/parquet_writer.h"
#include "sinks/sink.h"

namespace weir {

// Files that wait for their commit. Survives a restart as JSON: what replay writes into its manifest.
class DeltaSealedRows final : public SealedRows {
 public:
  std::vector<bridge::AddFile> adds;
  // Of a changelog: an object beside the table's files with the keys of all changes (Arrow IPC), whose rows
  // leave the table in the commit that brings `adds`. "": nothing changed.
  std::string changed_keys;
  int64_t deletes = 0;

  std::string to_json() const;
  static Result<std::unique_ptr<DeltaSealedRows>> from_json(const std::string& text);
};

// The way to tables and objects; tests put in their own.
struct DeltaAccess {
  std::function<Result<std::unique_ptr<bridge::DeltaTable>>(const std::string& uri)> open;
  std::function<Result<std::unique_ptr<bridge::DeltaTable>>(
      const std::string& uri, const std::shared_ptr<arrow::Schema>& schema,
      const std::vector<std::string>& partition_by, const std::map<std::string, std::string>& properties)>
      create;
  std::function<Result<std::unique_ptr<ObjectStore>>(const std::string& uri)> objects;
};

struct DeltaSinkSettings {
  std::string pipeline;
  std::string table;                       // its name in the file, for messages
  std::string uri;                         // absolute folder or s3://
  std::shared_ptr<arrow::Schema> schema;   // the query's columns
  std::vector<std::string> partition_by;   // empty: as the table is, or not partitioned
  std::vector<std::string> changelog_key;  // its rows are a changelog, applied by this key; empty: appended
  bool positions = true;                   // keep _weir_partition and _weir_offset
  bool add_columns = true;
  int64_t target_file_bytes = 128 << 20;
  int64_t changelog_bytes = 256 << 20;  // changes that one commit holds in memory: full() beyond it
  int64_t buffer_bytes = 32 << 20;      // Arrow bytes in open row groups, over all files
  int max_open_files = 64;
  int max_attempts = 20;
  ParquetOptions parquet;
  std::map<std::string, std::string> properties;
  const Clock* clock = nullptr;
};

class DeltaSink final : public TransactionalSink {
 public:
  DeltaSink(DeltaSinkSettings settings, DeltaAccess access);
  ~DeltaSink() override;

  Result<std::map<std::string, int64_t>> open(const std::string& app_prefix) override;
  Status append(const std::shared_ptr<arrow::RecordBatch>& rows) override;
  Result<std::unique_ptr<SealedRows>> seal() override;
  Status commit(const SealedRows& sealed, const CommitRequest& request) override;
  bool full() const override { return changes_ != nullptr && changes_->bytes() >= settings_.changelog_bytes; }
  Memory memory() const override { return Memory::target; }
  Result<std::string> persist(const SealedRows& sealed) override;
  Result<bool> commit_persisted(const std::string& persisted, const std::string& app_id, int64_t version,
                                const std::string& ledger_json) override;

  // Replay's protocol. Commits `sealed` under the single txn (app_id, version), unless the table holds that
  // version or a later one already. True: this call made it visible; false: it had been done. `ledger_json`
  // goes into commitInfo.
  Result<bool> commit_transaction(const SealedRows& sealed, const std::string& app_id, int64_t version,
                                  const std::string& ledger_json);

  // Creates nothing: `invalid` when the table exists and does not fit, ok when it fits or does not exist.
  Status check_table();
  // As check_table, and a file can be written below the table's path.
  Status probe();

 private:
  struct OpenFile;

  Result<std::shared_ptr<arrow::Schema>> wanted_schema() const;
  Status open_table();
  Status match_table();
  Status add_missing_columns();
  Status prepare_columns();
  Result<std::shared_ptr<arrow::RecordBatch>> storable_rows(const arrow::RecordBatch& rows) const;
  Status write_rows(const std::shared_ptr<arrow::RecordBatch>& storable);
  Status append_changes(const arrow::RecordBatch& rows);
  Status seal_changes(DeltaSealedRows& sealed);
  Status merge_into(const DeltaSealedRows& sealed, bridge::DeltaCommit& commit) const;
  void drop_changed_keys(const DeltaSealedRows& sealed) const;
  Status refuse_table_of_changelog() const;
  Status write_slice(const std::vector<std::optional<std::string>>& values,
                     const std::shared_ptr<arrow::RecordBatch>& rows);
  Result<OpenFile*> file_for(const std::vector<std::optional<std::string>>& values);
  Status bound_memory();
  Status close_file(const std::string& key);
  Status run_attempts(CommitFacts facts, const std::function<Result<CommitAction>(CommitFacts&)>& decide,
                      const bridge::DeltaCommit& commit, const DeltaSealedRows* sealed, bool authority,
                      bool& committed);
  Status fill_stands(const CommitRequest& request, CommitFacts& facts) const;

  DeltaSinkSettings settings_;
  DeltaAccess access_;
  std::unique_ptr<ObjectStore> objects_;

  // Of the table, after open: used by the committing thread.
  std::unique_ptr<bridge::DeltaTable> handle_;
  std::shared_ptr<arrow::Schema> pending_schema_;  // what the table lacks, with what it has
  std::map<std::string, int64_t> stands_at_open_;
  std::map<std::string, bool> committed_here_;  // app ids that this sink has moved since open

  // Of the files, after open: used by the appending thread.
  std::shared_ptr<arrow::Schema> row_schema_;   // storable, as appended
  std::shared_ptr<arrow::Schema> file_schema_;  // row_schema_ without partition columns
  std::vector<std::string> partition_names_;
  std::vector<int> partition_columns_;                           // indexes into row_schema_
  std::vector<int> required_columns_;                            // NOT NULL in the table
  KeyColumns key_columns_;                                       // of a changelog; fixed by open
  std::unique_ptr<ChangedRows> changes_;                         // of a changelog, since the last seal
  std::map<std::string, std::unique_ptr<OpenFile>> open_files_;  // by folder
  std::vector<bridge::AddFile> finished_;
  int64_t sealed_rows_ = 0;
  uint64_t uses_ = 0;
};

}  // namespace weir
