#include "runtime/set_tables.h"

#include <arrow/type.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "checkpoint/epoch_store.h"
#include "config/data_type.h"
#include "runtime/tables.h"
#include "schema/schema_history.h"

namespace weir {
namespace {

std::vector<SchemaColumn> columns_of(const SinkPlan& sink) {
  std::vector<SchemaColumn> columns;
  for (const auto& field : sink.schema->fields()) {
    columns.push_back({field->name(), sql_type(*field->type()), field->nullable()});
  }
  return columns;
}

// " (version 3 of its columns, since …, against this file's version 4: …)"; empty when there is no earlier
// version, or it cannot be read: these are only words.
std::string version_words(const PipelinePlan& plan, const SinkPlan& sink) {
  const std::string root = plan.spec.settings.string("state.path");
  std::error_code error;
  if (!root.starts_with("s3://") && !std::filesystem::exists(root + "/" + plan.spec.name, error)) return "";
  auto objects = open_state_objects(plan);
  if (!objects.ok()) return "";
  auto last = SchemaHistory(**objects, plan.spec.name, sink.name).newest();
  if (!last.ok() || last->number == 0) return "";
  std::string changes;
  for (const std::string& change : schema_changes(last->columns, columns_of(sink))) {
    changes += (changes.empty() ? "" : "; ") + change;
  }
  if (changes.empty()) return "";
  return " (version " + std::to_string(last->number) + " of its columns, since " + last->since +
         ", against this file's version " + std::to_string(last->number + 1) + ": " + changes + ")";
}

}  // namespace

Stands positions_in(const Stands& stands) {
  Stands positions;
  for (const auto& [app_id, next] : stands) {
    size_t source = app_id.find('/', app_id.find('/') + 1) + 1;
    size_t partition = app_id.find('/', source);
    if (partition == std::string::npos || app_id.compare(partition, 2, "/_") == 0) continue;
    positions[app_id] = next;
  }
  return positions;
}

Result<std::unique_ptr<SetTables>> SetTables::open(const PipelinePlan& plan, const SetPlan& set,
                                                   const RunOptions& options) {
  std::unique_ptr<SetTables> tables(new SetTables(plan, set));
  WEIR_ASSIGN(tables->state_objects_, open_state_objects(plan));
  WEIR_TRY(check_sinks(plan, set, *options.clock));
  WEIR_TRY(tables->open_sinks(options));
  WEIR_TRY(tables->record_schemas(options));
  if (set.stateful()) {
    WEIR_TRY(tables->open_error_lake(options));
    tables->epoch_stands_ = std::exchange(tables->sink_stands_, std::vector<Stands>(set.sinks.size()));
    tables->error_epoch_stands_ =
        std::exchange(tables->error_stands_, std::vector<Stands>(set.sources.size()));
    return tables;
  }
  WEIR_TRY(tables->refuse_kept_state());
  tables->choose_authority();
  WEIR_TRY(tables->open_error_lake(options));
  WEIR_TRY(tables->load_positions());
  WEIR_TRY(tables->refuse_changed_plan());
  return tables;
}

Status check_sink(const PipelinePlan& plan, const SinkPlan& sink, const Clock& clock) {
  if (!sink.connector->check) return {};
  Status checked = sink.connector->check(sink_context(plan, sink, clock));
  if (checked.code() != Code::invalid) return checked;
  return Status::invalid(checked.message() + version_words(plan, sink));
}

Status check_sinks(const PipelinePlan& plan, const SetPlan& set, const Clock& clock) {
  for (const SinkPlan* sink : set.sinks) {
    Status checked = check_sink(plan, *sink, clock);
    if (!checked.ok()) return checked.with_context("sink '" + sink->name + "'");
  }
  return {};
}

Result<std::string> source_in_epochs(ObjectStore& objects, const PipelinePlan& plan, const SetPlan& set,
                                     const std::string& epochs) {
  EpochStore store(objects, plan.spec.name, epochs);
  std::vector<std::string> skipped;
  auto newest = store.newest(skipped);
  // Damaged epochs say nothing of what they read; then the name does, which is a source's.
  const bool readable = newest.ok() && newest->has_value();
  if (!readable && newest.status().code() != Code::invalid && !newest.ok()) return newest.status();
  for (const SourcePlan* source : set.sources) {
    const std::string& name = source->table.name;
    if (name == epochs) return name;
    if (!readable) continue;
    const std::string prefix = "weir/" + plan.spec.name + "/" + name + "/";
    const auto position = (*newest)->positions.lower_bound(prefix);
    if (position != (*newest)->positions.end() && position->first.starts_with(prefix)) return name;
  }
  return std::string();
}

Status SetTables::record_schemas(const RunOptions& options) {
  for (const SinkPlan* sink : set_.sinks) {
    SchemaHistory history(*state_objects_, plan_.spec.name, sink->name);
    WEIR_TRY(history.record(columns_of(*sink), options.clock->now_us()).status());
  }
  for (const SourcePlan* source : set_.sources) {
    std::vector<SchemaColumn> columns;
    for (const ColumnSpec& column : source->physical) {
      columns.push_back({column.name, column.type.text, column.nullable});
    }
    SchemaHistory history(*state_objects_, plan_.spec.name, source->table.name);
    WEIR_ASSIGN(int32_t number, history.record(columns, options.clock->now_us()));
    schema_versions_.push_back(number);
  }
  return {};
}

Status SetTables::open_sinks(const RunOptions& options) {
  for (const SinkPlan* plan : set_.sinks) {
    WEIR_ASSIGN(auto sink, create_sink(plan_, *plan, *options.clock, options.log));
    auto stands = sink->open("weir/" + plan_.spec.name + "/");
    if (!stands.ok()) return stands.status().with_context("sink '" + plan->name + "'");
    sink_stands_.push_back(*std::move(stands));
    sinks_.push_back(std::move(sink));
  }
  return {};
}

Status SetTables::open_error_lake(const RunOptions& options) {
  const std::string prefix = "weir/" + plan_.spec.name + "/";
  error_stands_.resize(set_.sources.size());
  error_sinks_.resize(set_.sources.size());
  if (!plan_.spec.settings.boolean("error-lake.enabled")) return {};
  for (size_t i = 0; i < set_.sources.size(); ++i) {
    WEIR_ASSIGN(error_sinks_[i], create_error_sink(plan_, *set_.sources[i], *options.clock));
    auto stands = error_sinks_[i]->open(prefix);
    if (!stands.ok()) return stands.status().with_context("error lake");
    error_stands_[i] = *std::move(stands);
  }
  // There from the start, so that queries over the error lake can always join it.
  WEIR_ASSIGN(auto resolutions, create_resolution_sink(plan_, *options.clock));
  auto opened = resolutions->open(prefix);
  return opened.ok() ? Status() : opened.status().with_context("error lake");
}

// What ran with state has its positions in its epochs: a run from the tables' positions would read everything
// again.
Status SetTables::refuse_kept_state() const {
  WEIR_ASSIGN(const auto kept, sets_with_epochs(*state_objects_, plan_.spec.name));
  for (const std::string& name : kept) {
    WEIR_ASSIGN(const std::string source, source_in_epochs(*state_objects_, plan_, set_, name));
    if (source.empty()) continue;
    return Status::invalid(
        "'" + source +
        "' was read by queries that kept state, and its positions are in their checkpoints; this "
        "file keeps none: give it another SET 'pipeline.name' and other tables, or go on with the "
        "earlier queries (weir checkpoints list)");
  }
  return {};
}

void SetTables::choose_authority() {
  auto rank = [&](size_t i) {
    return std::make_tuple(was_authority(i), sinks_[i]->memory() == Memory::target,
                           plan_.commit_interval(*set_.sinks[i]));
  };
  for (size_t i = 0; i < sinks_.size(); ++i) {
    const Memory memory = sinks_[i]->memory();
    if (memory != Memory::state && memory != Memory::target) continue;
    if (!authority_ || rank(i) > rank(*authority_)) authority_ = i;
  }
}

bool SetTables::was_authority(size_t sink) const {
  auto mark = sink_stands_[sink].find(authority_app_id(plan_.spec.name));
  return mark != sink_stands_[sink].end() && mark->second == 1;
}

Status SetTables::load_positions() {
  if (authority_) {
    positions_ = positions_in(sink_stands_[*authority_]);
    // A source that the authority has never read, because its set was joined to this one since, goes on where
    // the authority of that set stands.
    for (size_t i = 0; i < sinks_.size(); ++i) {
      if (was_authority(i)) positions_.merge(positions_in(sink_stands_[i]));
    }
    return {};
  }
  for (const SourcePlan* source : set_.sources) {
    stores_.emplace_back(*state_objects_, plan_.spec.name, source->table.name);
    WEIR_ASSIGN(auto stored, stores_.back().load());
    positions_.merge(stored);
  }
  return {};
}

Status SetTables::save_positions(const std::vector<Stands>& moved_by_source) {
  for (size_t i = 0; i < stores_.size(); ++i) {
    if (!moved_by_source[i].empty()) WEIR_TRY(stores_[i].save(moved_by_source[i]));
  }
  return {};
}

std::string SetTables::memory_name() const {
  return authority_ ? "table " + set_.sinks[*authority_]->name : "the state folder";
}

// A table that is ahead of the authority was committed just before a crash. The window between them is read
// again and trimmed for that table, which is only right when the same file makes the same rows and errors
// of it.
Status SetTables::refuse_changed_plan() const {
  if (plan_.spec.settings.string("pipeline.on-changed-plan") == "continue") return {};
  // Without either nothing is exactly once anyway.
  const bool exact = authority_ || std::any_of(sinks_.begin(), sinks_.end(), [](const auto& sink) {
                       return sink->memory() == Memory::parts;
                     });
  if (!exact) return {};
  for (size_t i = 0; i < sink_stands_.size(); ++i) {
    WEIR_TRY(refuse_changed_plan("table '" + set_.sinks[i]->name + "'", sink_stands_[i]));
  }
  for (size_t i = 0; i < error_stands_.size(); ++i) {
    WEIR_TRY(
        refuse_changed_plan("the error lake of '" + set_.sources[i]->table.name + "'", error_stands_[i]));
  }
  return {};
}

Status SetTables::refuse_changed_plan(const std::string& table, const Stands& stands) const {
  const std::string& pipeline = plan_.spec.name;
  auto mark = stands.find(plan_app_id(pipeline));
  if (mark == stands.end() || mark->second == plan_.hash()) return {};
  for (const SourcePlan* source : set_.sources) {
    const std::string prefix = "weir/" + pipeline + "/" + source->table.name + "/";
    for (const auto& [told, next] : stands) {
      std::string app_id = told;
      if (size_t ahead = app_id.find("/_ahead/"); ahead != std::string::npos) app_id.erase(ahead, 7);
      if (!app_id.starts_with(prefix) || positions_in({{app_id, next}}).empty()) continue;
      auto stand = positions_.find(app_id);
      if (stand != positions_.end() && stand->second >= next) continue;
      // Where several work, another one may be between two of its commits just now: look again.
      const bool several = plan_.spec.settings.string("pipeline.workers") == "several";
      return Status(
          several ? Code::conflict : Code::invalid,
          "the last run ended inside a commit (" + table + " holds " + source->table.name + " up to " +
              std::to_string(next) + ", " + memory_name() + " up to " +
              (stand == positions_.end() ? std::string("nothing") : std::to_string(stand->second)) +
              "), and the file's columns, CHECKs or queries have changed since: run the earlier version once "
              "(weir run --once), then this one. SET 'pipeline.on-changed-plan' = 'continue' goes on "
              "regardless: events "
              "between the two positions may then be in both the lake and the error lake, or in neither");
    }
  }
  return {};
}

}  // namespace weir
