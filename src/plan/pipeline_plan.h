// A pipeline ready to run: every option validated, every query compiled, every sink's schema known. No I/O
// has happened, but for the schemas (files, registry) of formats that have one of their own.
#pragma once

#include <arrow/type_fwd.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "bridge/bridge.h"
#include "config/pipeline_spec.h"
#include "plan/error_budget_plan.h"
#include "plan/event_time_plan.h"
#include "plan/lookup_plan.h"
#include "plan/registry.h"

namespace weir {

struct CheckPlan {
  std::vector<CheckSpec> checks;               // in the order of the fragment's output columns
  std::unique_ptr<bridge::Fragment> fragment;  // source rows -> one boolean a check; null: no checks
};

struct SourcePlan {
  TableSpec table;
  const SourceConnector* connector = nullptr;
  const FormatInfo* format = nullptr;
  Options options;  // of the connector and of its format, and of the error budget
  ErrorBudgetPlan error_budget;
  EventTimePlan event_time;
  std::vector<ColumnSpec> physical;  // decoded from the payload, in declared order
  std::vector<ColumnSpec> metadata;  // in declared order
  std::shared_ptr<arrow::Schema>
      schema;  // physical and metadata columns in declared order, then "_weir_row" int32
  CheckPlan checks;
  std::shared_ptr<SchemaLookup> schemas;  // shared by the decoders
  std::string schema_name;                // of the columns, where the format described them; else ""
  int32_t schema_version = 0;
  bool columns_described = false;
  std::vector<CheckSpec> described_checks;
  bool follows_schema = true;  // a later version is worth planning anew, where the columns were described
  bool changelog = false;      // its rows carry weights

  // What a decoder is made from; this plan must outlive the call.
  FormatContext format_context() const;
};

struct SinkPlan {
  std::string name;
  const SinkConnector* connector = nullptr;
  Options options;
  std::shared_ptr<arrow::Schema> schema;
  std::vector<int> max_lengths;  // by column of a declared schema: of VARCHAR(n), in characters; -1: none
  std::vector<std::string> primary_key;
  bool changelog = false;                      // a changelog is written into it: the rows carry weights
  std::map<std::string, std::string> storage;  // s3.* of the table over those of SET
  Location location;
};

struct InsertPlan {
  std::string label;  // the sink's name, "#2" appended for a second INSERT into it, …
  SinkPlan* sink = nullptr;
  bridge::StreamPlan plan;
  std::vector<int> column_of_sink;   // for each sink column the query's column, or -1: null
  std::vector<std::string> lookups;  // the tables that it reads FOR SYSTEM_TIME AS OF, each once
  Location location;

  bool stateful() const { return !plan.graph.empty(); }
};

// INSERTs that share a source or a sink: read once, committed and recovered together.
struct SetPlan {
  std::vector<SourcePlan*> sources;
  std::vector<SinkPlan*> sinks;
  std::vector<InsertPlan*> inserts;

  // One of its INSERTs keeps state: the set runs in epochs (runtime/epoch_runner.h).
  bool stateful() const;
};

struct PipelinePlan {
  PipelineSpec spec;
  std::vector<std::unique_ptr<SourcePlan>> sources;  // only those that an INSERT reads
  std::vector<std::unique_ptr<LookupPlan>> lookups;  // read FOR SYSTEM_TIME AS OF
  std::vector<std::unique_ptr<SinkPlan>> sinks;
  std::vector<std::unique_ptr<InsertPlan>> inserts;
  std::vector<SetPlan> sets;
  std::map<std::string, std::string> storage;  // s3.* of SET

  // Of one sink: its own option or, without one, pipeline.commit-interval or the connector's default, the
  // shorter.
  std::chrono::milliseconds commit_interval(const SinkPlan& sink) const;
  // Equal for files that make the same rows and errors of the same events: columns, CHECKs, format options,
  // views and queries go in; names of servers, paths, intervals and comments do not. Never negative.
  int64_t hash() const;
  // Equal for files whose stateful INSERTs of this set may go on from the same state: it does not change with
  // INSERTs beside them, columns that they do not read, comments, or what DataFusion calls things. Never
  // negative.
  int64_t stateful_hash(const SetPlan& set) const;
  // Rises when a registry tells a later version of a schema that columns were derived from: the sum of them.
  int64_t schema_versions() const;
  const SourcePlan* source(const std::string& name) const;
  const LookupPlan* lookup(const std::string& name) const;  // null: it is none
};

// Problems go to `diagnostics`; the plan is usable only when there is none.
std::unique_ptr<PipelinePlan> plan_pipeline(PipelineSpec spec, const Registry& registry,
                                            Diagnostics& diagnostics);

// What `weir explain` prints: a tree, or JSON.
std::string explain_text(const PipelinePlan& plan);
std::string explain_json(const PipelinePlan& plan);

}  // namespace weir
