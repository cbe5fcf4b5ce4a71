// One stream, many Delta tables: `path` holds {column} names, and each row goes to the table that its values
// name. Tables are made on demand, up to a bound; rows for further ones go to the overflow table.
//
// Invariants:
// - Which values have a table of their own is decided once, by whoever puts the next `tables/<n>.json` into
//   the sink's state, before the first row goes there: rows that are read again after a crash, by another
//   worker or by replay, go where they went.
// - When the bound was raised, rows of a value that now gets a table may be in the overflow table already:
//   those below the stand that it had then. The decision keeps that stand, and the new table begins there.
// - Each table keeps its own positions and takes only rows at or above them: it trims row by row, since the
//   tables of one cut are not committed at once. So this sink is exact, but is no authority.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/objects.h"
#include "sinks/delta/delta_sink.h"
#include "sinks/sink.h"

namespace weir {

struct DeltaTablesSettings {
  DeltaSinkSettings each;            // `uri` with {column} in it
  std::vector<std::string> columns;  // of the uri, in order; columns of the schema
  int max_tables = 100;              // the overflow table not counted
  std::string overflow = "_other";   // what stands for a {column} there
};

// Names in braces, in order: "s3://lake/{tenant}/{type}" -> tenant, type. invalid: a brace without its pair.
Result<std::vector<std::string>> columns_in_path(const std::string& path);

class DeltaTables final : public TransactionalSink {
 public:
  // `open_state` as in SinkContext.
  DeltaTables(DeltaTablesSettings settings, DeltaAccess access,
              std::function<Result<std::unique_ptr<ObjectStore>>()> open_state);
  ~DeltaTables() override;

  Result<std::map<std::string, int64_t>> open(const std::string& app_prefix) override;
  Status append(const std::shared_ptr<arrow::RecordBatch>& rows) override;
  bool full() const override { return false; }
  Result<std::unique_ptr<SealedRows>> seal() override;
  Status commit(const SealedRows& sealed, const CommitRequest& request) override;
  Memory memory() const override { return Memory::parts; }
  Result<std::string> persist(const SealedRows& sealed) override;
  Result<bool> commit_persisted(const std::string& persisted, const std::string& app_id, int64_t version,
                                const std::string& ledger_json) override;

 private:
  struct Table {
    std::unique_ptr<DeltaSink> sink;
    std::map<std::string, int64_t> stands;  // when it was opened
    bool has_rows = false;                  // since the last seal
  };
  struct Sealed;

  Result<std::string> table_of(const std::vector<std::optional<std::string>>& values);
  struct Assigned {
    std::map<std::string, int64_t> floor;  // the overflow table's stands when it was decided
  };
  Result<std::map<std::string, int64_t>> load_ahead();
  Status keep_ahead(const CommitRequest& request);
  Status load_assigned();
  Result<bool> assign(const std::string& uri);
  std::string uri_of(const std::function<std::string(size_t)>& part) const;
  Result<Table*> table(const std::string& key);
  Status append_to(Table& table, const std::shared_ptr<arrow::RecordBatch>& rows);

  DeltaTablesSettings settings_;
  DeltaAccess access_;
  std::function<Result<std::unique_ptr<ObjectStore>>()> open_state_;
  std::unique_ptr<ObjectStore> state_;
  std::string app_prefix_;
  std::map<std::string, Assigned> assigned_;        // by uri: tables of their own
  std::map<std::string, int64_t> overflow_stands_;  // when this sink was opened
  std::map<std::string, Table> tables_;             // open ones, by uri
  std::mutex mutex_;                                // of tables_: the appending and the committing thread
};

}  // namespace weir
