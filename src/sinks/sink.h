// batches -> prepared (bytes durable, nothing visible) -> committed (visible, with positions, at once).
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
#include "config/options.h"
#include "config/pipeline_spec.h"

namespace weir {

// Hidden last columns of every batch that a sink gets: utf8 and int64. A batch from a source is of one
// partition, in offset order, and names the source in the metadata of the partition's field ("source").
inline constexpr const char* kPartitionColumn = "_weir_partition";
inline constexpr const char* kOffsetColumn = "_weir_offset";

// A last int8 column behind those two in the batches of a changelog: +1 insert, -1 retract. Only sinks that
// take_changelog ever see it.
inline constexpr const char* kWeightColumn = "_weir_weight";

// Behind kWeightColumn where a sink gave its rows versions: rows that it refuses keep theirs when they are
// replayed.
inline constexpr const char* kVersionColumn = "_weir_version";

// "weir/<pipeline>/_plan": see CommitRequest::plan_hash.
inline std::string plan_app_id(const std::string& pipeline) { return "weir/" + pipeline + "/_plan"; }
// "weir/<pipeline>/_authority": version 1 in the table whose positions count, 0 in the others, so that a
// table that is added to the file later never takes that part.
inline std::string authority_app_id(const std::string& pipeline) {
  return "weir/" + pipeline + "/_authority";
}

// "weir/<pipeline>/<source>/_ahead/<partition>": told by sinks of Memory::parts instead of a position: some
// of their tables may hold the partition up to there.
inline std::string ahead_app_id(const std::string& app_id) {
  const size_t source_end = app_id.find('/', app_id.find('/', app_id.find('/') + 1) + 1);
  return app_id.substr(0, source_end) + "/_ahead" + app_id.substr(source_end);
}

// What one commit covers of one source partition: offsets [from, next).
struct PartitionRange {
  std::string app_id;  // weir/<pipeline>/<source>/<partition>
  int64_t from = 0;
  int64_t next = 0;
};

// read = kept + filtered + errored; `emitted` rows came of the kept events (more when UNNEST fans out).
struct LedgerEntry {
  std::string insert;  // the sink's name, with "#2" for a second INSERT into it
  std::string app_id;
  int64_t from = 0, next = 0;
  int64_t read = 0, kept = 0, filtered = 0, errored = 0, emitted = 0;
};

struct CommitRequest {
  // Stored with the commit as the version of the txn plan_app_id(pipeline): which plan made these rows.
  int64_t plan_hash = 0;
  std::vector<PartitionRange> ranges;  // one for every partition that the cut moved
  std::vector<LedgerEntry> ledger;
  bool authority = false;  // the stand of each range must equal its `from` in the snapshot committed on
};

// Rows that are on their way and not visible: the result of Sink::seal.
class SealedRows {
 public:
  virtual ~SealedRows() = default;
  int64_t rows = 0;
  int64_t bytes = 0;
};

// Where a sink's positions survive.
enum class Memory {
  none,    // nowhere: at least once
  parts,   // in each of the tables behind it by itself: exact, but none speaks for all, so no authority
  state,   // in a log of its own below state.path
  target,  // in the table itself: preferred as a set's authority
};

class TransactionalSink;

// One table's sink. append, full and seal are called by one thread; commit by another, one at a time and in
// seal order.
class Sink {
 public:
  virtual ~Sink() = default;
  // Opens or creates the target, finishes what a former run left between its intent and its end, and adds
  // the columns that the target lacks, so that no row comes before its column. Returns its stand (next
  // offset) for each app id below `app_prefix` ("weir/<pipeline>/") that it holds a position of. Called
  // again, it drops everything uncommitted and opens anew.
  virtual Result<std::map<std::string, int64_t>> open(const std::string& app_prefix) = 0;
  // Rows with the table's columns in order, then kPartitionColumn and kOffsetColumn; of a changelog also
  // kWeightColumn, and kVersionColumn (int64) when replay brings rows that were refused.
  virtual Status append(const std::shared_ptr<arrow::RecordBatch>& rows) = 0;
  // What was appended since the last seal is as much as one commit should carry: the caller seals early.
  virtual bool full() const = 0;
  // Ends what was appended so far and starts anew. For Delta its bytes are durable when it returns;
  // ClickHouse makes them durable in commit, before the INSERT.
  virtual Result<std::unique_ptr<SealedRows>> seal() = 0;
  // Makes `sealed` visible together with the positions, exactly once: idempotent under lost answers. conflict
  // and unavailable are handled inside with a bounded number of attempts; lost_ownership: another worker
  // moved the positions.
  virtual Status commit(const SealedRows& sealed, const CommitRequest& request) = 0;
  // After open. `state` and `target` can be an authority.
  virtual Memory memory() const = 0;
  // `this` when the sink takes part in replay's protocol, else null (replay into it is at least once).
  virtual TransactionalSink* transactional() = 0;
};

// What replay needs: sealed rows that outlive the process, made visible under one transaction.
class TransactionalSink : public Sink {
 public:
  // A description (JSON text) from which commit_persisted can make `sealed` visible in another process; the
  // bytes it names are durable when this returns.
  virtual Result<std::string> persist(const SealedRows& sealed) = 0;
  // Makes them visible under (app_id, version), unless the target holds that version or a later one already.
  // True: this call did it; false: it had been done. `ledger_json` is kept where the target can.
  virtual Result<bool> commit_persisted(const std::string& persisted, const std::string& app_id,
                                        int64_t version, const std::string& ledger_json) = 0;
  TransactionalSink* transactional() final { return this; }
};

// Rows that the target refused, found one by one.
struct RefusedRows {
  std::string log_id;                // tells apart logs whose sequences begin anew (the state was lost)
  int64_t sequence = 0;              // of the commit that they were in; rises with each of one log
  std::vector<std::string> app_ids;  // of that commit's ranges, or replay's one app id
  std::shared_ptr<arrow::RecordBatch> rows;  // as appended, the hidden columns included
  std::vector<std::string> messages;         // by row: the target's words
};

struct SinkContext {
  std::string pipeline;
  std::string table;                      // its name in the file, for messages
  std::shared_ptr<arrow::Schema> schema;  // the rows' columns, without the hidden two
  std::vector<std::string> primary_key;   // as declared; may be empty
  bool changelog = false;                 // its rows carry weights
  Options options;
  std::map<std::string, std::string> storage;  // s3.* of options and settings, resolved
  const Clock* clock = nullptr;
  // Objects that survive this process, of this sink alone: <state.path>/<pipeline>/sinks/<table>/. Not set
  // for checks.
  std::function<Result<std::unique_ptr<ObjectStore>>()> open_state;
  // Puts rows into the error lake, durably and once per (sink, log_id, sequence), however often it is called
  // with the same. The source is acknowledged past them only after that. Not set for checks.
  std::function<Status(const RefusedRows&)> store_refused;
  std::function<void(const std::string&)> log;  // one line for the operator; may be empty. Never a secret
};

struct SinkConnector {
  std::string name;
  std::string summary;
  std::vector<OptionSpec> options;
  std::function<Result<std::unique_ptr<Sink>>(SinkContext)> create;
  // Checks `context.schema` against what the connector can store and, when the target is reachable, against
  // the target; changes nothing. Called for every sink before any is opened, so that an incompatible change
  // is refused before the first table is altered.
  std::function<Status(const SinkContext&)> check;
  // `weir check --connect`.
  std::function<Status(const SinkContext&)> probe;
  bool takes_changelog = false;   // it applies retractions, by kWeightColumn
  bool changelog_by_key = false;  // and does it by the table's primary key and the position in one source
  // What this sink promises under these options and why, one line, for `weir check` and docs/guarantees.md:
  // "exactly once: …" or "at least once: …".
  std::function<std::string(const Options&)> guarantee;
};

}  // namespace weir
