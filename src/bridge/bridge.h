// DataFusion and delta-rs for the rest of Weir: RAII over the C ABI of rust/bridge.
//
// Only this folder includes weir_bridge.h. Everything that crosses is an Arrow C Data/Stream struct, an
// opaque handle, or UTF-8. All functions may be called from any thread; a handle is used by one thread at a
// time unless said otherwise.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/objects.h"
#include "base/status.h"
#include "bridge/stream_graph.h"

namespace weir::bridge {

// Storage options of object_store ("aws_endpoint", "aws_access_key_id", …); from storage_options(). Never
// logged.
using StorageOptions = std::map<std::string, std::string>;

// The user's s3.* values (endpoint, access-key, secret-key, region, path-style) -> storage options, with the
// AWS_* variables for what is absent. Plain http endpoints are allowed when they are given.
StorageOptions storage_options(const std::map<std::string, std::string>& s3);

// ---- planning
// ----------------------------------------------------------------------------------------------------

struct PlanTable {
  std::string name;
  std::shared_ptr<arrow::Schema> schema;  // physical and metadata columns
  // Computed columns: (name, expression) in `order`; the table's columns as seen by queries, in declared
  // order.
  std::vector<std::pair<std::string, std::string>> computed;
  std::vector<std::string> order;
  // Event time: the column of WATERMARK FOR, or empty. Window functions and interval joins need it.
  std::string time_column;
  bool changelog = false;  // its rows carry weights
  bool lookup = false;     // only read FOR SYSTEM_TIME AS OF
};

struct PlanView {
  std::string name;
  std::string query;
};

struct PlanRequest {
  std::vector<PlanTable> tables;
  std::vector<PlanView> views;
  std::string query;
  // The sink's declared columns, when it has some: the query's columns are matched by position and cast where
  // that loses nothing; anything else is an error that tells which CAST to write.
  std::shared_ptr<arrow::Schema> target;
};

// A planning error: the place within the query, when DataFusion knows it.
struct PlanError {
  Status status;
  int line = 0, column = 0;  // from 1, within the text that failed; 0: unknown
  std::string view;          // name of the view whose text failed; "" for the query itself
};

// A stateless chain (filter, project, unnest) from one source table to the query's output, compiled once.
// eval may be called by several threads at once.
class Fragment {
 public:
  virtual ~Fragment() = default;
  // `rows` has the source table's PlanTable::schema columns plus a last int32 column "_weir_row", which is
  // carried along: the result has the output columns, then "_weir_row". `now_us` is what now() and its
  // relatives give. invalid: an expression failed on some row (the caller bisects).
  virtual Result<std::shared_ptr<arrow::RecordBatch>> eval(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                           int64_t now_us) const = 0;
};

struct PlanBranch {
  std::string source;  // table name
  std::unique_ptr<Fragment> fragment;
};

// A stateless query is its branches (UNION ALL gives several, also over one source) and has no graph. A
// stateful one is its graph; the last node gives the query's rows, and `branches` has an entry without a
// fragment for each source that it scans.
struct StreamPlan {
  std::shared_ptr<arrow::Schema> schema;  // of the output, without "_weir_row"
  std::vector<PlanBranch> branches;
  std::vector<PlanNode> graph;
  std::vector<std::unique_ptr<Fragment>> fragments;  // of the graph's nodes
  bool changelog = false;                            // the output carries weights
  std::string tree_json;      // {"node": "union"|"fragment"|"source", …, "inputs": […]}, what explain prints
  bool deterministic = true;  // false: now(), random(), uuid() and the like are used
};

struct PlanResult {
  std::optional<StreamPlan> plan;
  PlanError error;  // set when there is no plan
};

PlanResult plan_query(const PlanRequest& request);

// ---- Delta
// -------------------------------------------------------------------------------------------------------

struct AddFile {
  std::string path;  // relative to the table
  int64_t size = 0;
  int64_t modified_ms = 0;
  std::vector<std::pair<std::string, std::optional<std::string>>>
      partition_values;    // Delta's serialisation; nullopt: null
  std::string stats_json;  // Delta's per-file statistics
};

struct DeltaCommit {
  std::vector<AddFile> adds;
  // Files that the commit takes away: paths of files() of the loaded snapshot. internal: one is not there.
  std::vector<std::string> removes;
  std::string merge_on;  // set: commitInfo names a MERGE on this, else a write that appends
  std::vector<std::pair<std::string, int64_t>> transactions;  // (appId, version); lastUpdated stays null
  std::string info_json = "{}";                               // merged into commitInfo
  std::shared_ptr<arrow::Schema>
      new_schema;  // set: the table's schema becomes this (added nullable columns only)
};

class DeltaTable {
 public:
  // not_found when there is no table; denied, unavailable as they come.
  static Result<std::unique_ptr<DeltaTable>> open(const std::string& uri, const StorageOptions& storage);
  // already_exists when another writer created it first.
  static Result<std::unique_ptr<DeltaTable>> create(const std::string& uri, const StorageOptions& storage,
                                                    const std::shared_ptr<arrow::Schema>& schema,
                                                    const std::vector<std::string>& partition_by,
                                                    const std::map<std::string, std::string>& properties);
  virtual ~DeltaTable() = default;
  virtual Status refresh() = 0;
  // Of the loaded snapshot:
  virtual int64_t version() const = 0;
  virtual Result<std::shared_ptr<arrow::Schema>> schema() const = 0;
  virtual std::vector<std::string> partition_columns() const = 0;
  // invalid: rewriting its files would lose something (deletion vectors, mapped columns, a change feed).
  virtual Result<std::vector<AddFile>> files() const = 0;
  virtual Result<std::optional<int64_t>> transaction_version(const std::string& app_id) const = 0;
  // Every (appId, version) of the snapshot whose appId starts with `prefix`.
  virtual Result<std::map<std::string, int64_t>> transactions(const std::string& prefix) const = 0;
  // Writes exactly version() + 1, without retries, and refreshes. conflict: that version exists already;
  // unavailable: the outcome is unknown. In both cases: refresh and compare transactions before deciding.
  // Writes a log checkpoint every 100 versions.
  virtual Result<int64_t> commit(const DeltaCommit& commit) = 0;
};

// ---- objects and queries
// -----------------------------------------------------------------------------------------

// s3:// roots; local ones are base/objects.h's.
Result<std::unique_ptr<ObjectStore>> open_s3_objects(const std::string& uri, const StorageOptions& storage);

struct QueryTable {
  std::string schema;  // "" or "errors"
  std::string name;
  std::string uri;  // of a Delta table
  StorageOptions storage;
};

// Runs any SQL over Delta tables; rows stream, bounded in memory.
Result<std::shared_ptr<arrow::RecordBatchReader>> query(const std::vector<QueryTable>& tables,
                                                        const std::string& sql);

// Names of the scalar functions that queries may use.
std::vector<std::string> scalar_functions();

}  // namespace weir::bridge
