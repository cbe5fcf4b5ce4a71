#include "plan/pipeline_plan.h"

#include <arrow/type.h>

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <optional>
#include <set>

#include "base/text.h"
#include "config/lexer.h"
#include "config/query_text.h"
#include "plan/changelog_key.h"
#include "plan/stateful_plan.h"

namespace weir {
namespace {

std::shared_ptr<arrow::Field> field_of(const ColumnSpec& column) {
  return arrow::field(column.name, column.type.arrow, column.nullable);
}

class Planner {
 public:
  Planner(PipelineSpec spec, const Registry& registry, Diagnostics& diagnostics)
      : registry_(registry), diagnostics_(diagnostics), plan_(std::make_unique<PipelinePlan>()) {
    plan_->spec = std::move(spec);
    plan_->storage = plan_->spec.settings.with_prefix("s3.");
  }

  std::unique_ptr<PipelinePlan> run() {
    for (const ViewSpec& view : plan_->spec.views) note_lookups(view.query);
    for (const InsertSpec& insert : plan_->spec.inserts) note_lookups(insert.query);
    for (TableSpec& table : plan_->spec.tables) plan_table(table);
    if (diagnostics_.has_errors()) return nullptr;
    for (const ViewSpec& view : plan_->spec.views) {
      if (auto refusal = refuse_unsupported(view.query, view.query_location)) {
        diagnostics_.error(refusal->location, refusal->message);
      }
      request_.views.push_back({view.name, portable_query(view.query)});
    }
    for (const InsertSpec& insert : plan_->spec.inserts) plan_insert(insert);
    if (diagnostics_.has_errors()) return nullptr;
    for (auto& source : plan_->sources) plan_checks(*source);
    for (auto& source : plan_->sources) plan_watermark(*source);
    if (diagnostics_.has_errors()) return nullptr;
    refuse_changelogs();
    if (diagnostics_.has_errors()) return nullptr;
    drop_unread_sources();
    group_into_sets();
    refuse_shared_state();
    return std::move(plan_);
  }

 private:
  void note_lookups(const std::string& query) {
    for (std::string& table : looked_up_tables(query)) looked_up_.insert(std::move(table));
  }

  void plan_table(TableSpec& table) {
    if (looked_up_.count(table.name) > 0) return plan_lookup(table);
    const SourceConnector* source = registry_.source(table.connector);
    const SinkConnector* sink = registry_.sink(table.connector);
    // Of a connector that is both (kafka), the table is what the INSERTs make of it.
    const bool written = std::any_of(plan_->spec.inserts.begin(), plan_->spec.inserts.end(),
                                     [&](const InsertSpec& insert) { return insert.table == table.name; });
    if (source != nullptr && (sink == nullptr || !written)) {
      plan_source(table, *source);
    } else if (sink != nullptr) {
      plan_sink(table, *sink);
    } else {
      diagnostics_.error(table.connector_location,
                         "unknown connector '" + table.connector + "'." +
                             suggestion(table.connector, registry_.connector_names()) +
                             " `weir connectors` lists them all.");
    }
  }

  void plan_source(TableSpec& table, const SourceConnector& connector) {
    if (table.name.find('/') != std::string::npos || table.name.front() == '_' || table.name.front() == '.') {
      diagnostics_.error(table.location,
                         "the source name '" + table.name +
                             "' does not serve as a folder of the error lake: leave out '/', and a '_' or "
                             "'.' at the beginning");
      return;
    }
    auto source = std::make_unique<SourcePlan>();
    source->connector = &connector;
    if (!read_options(*source, table) || !describe_columns(*source, table)) return;
    // A changelog format with an option "<format>.as" may also give plain rows.
    const std::string as = source->format->name + ".as";
    source->changelog = source->format->changelog && source->options.string(as) == "changelog";
    source->table = table;
    bridge::PlanTable planned;
    planned.name = table.name;
    arrow::FieldVector fields;
    for (const ColumnSpec& column : table.columns) {
      planned.order.push_back(column.name);
      if (column.kind == ColumnKind::computed) {
        planned.computed.emplace_back(column.name, portable_query(column.expression));
        continue;
      }
      fields.push_back(field_of(column));
      (column.kind == ColumnKind::physical ? source->physical : source->metadata).push_back(column);
    }
    planned.schema = arrow::schema(fields);
    fields.push_back(arrow::field("_weir_row", arrow::int32(), false));
    source->schema = arrow::schema(fields);
    if (!diagnostics_.has_errors()) {
      auto decoder = source->format->create(source->format_context());
      if (!decoder.ok()) diagnostics_.error(table.location, decoder.status());
    }
    bridge::PlanRequest request;
    request.tables.emplace_back();
    request.tables.back().name = planned.name;
    request.tables.back().schema = planned.schema;
    std::map<std::string, std::shared_ptr<arrow::DataType>> computed;
    for (const ColumnSpec& column : table.columns) {
      if (column.kind != ColumnKind::computed) continue;
      auto one = plan_expression(request, table.name, column.expression, column.expression_location);
      if (one) computed[column.name] = one->schema->field(0)->type();
    }
    check_time_attribute(table, computed);
    planned.changelog = source->changelog;
    planned.time_column = table.watermark_column;
    request_.tables.push_back(std::move(planned));
    plan_->sources.push_back(std::move(source));
  }

  // Before the queries: what they say of windows over another column is not what is wrong.
  void check_time_attribute(const TableSpec& table,
                            const std::map<std::string, std::shared_ptr<arrow::DataType>>& computed) {
    for (const ColumnSpec& column : table.columns) {
      if (column.name != table.watermark_column) continue;
      const auto found = computed.find(column.name);
      const bool declared = column.kind != ColumnKind::computed;
      if (!declared && found == computed.end()) return;  // said already
      const auto& type = declared ? column.type.arrow : found->second;
      const bool time = type->id() == arrow::Type::TIMESTAMP;
      if (time && static_cast<const arrow::TimestampType&>(*type).unit() != arrow::TimeUnit::NANO) return;
      diagnostics_.error(table.watermark_location,
                         "the column '" + column.name + "' of WATERMARK FOR is " +
                             (declared ? column.type.text : type->ToString()) +
                             ", expected TIMESTAMP(p) or TIMESTAMP_LTZ(p): a time attribute has at most 6 "
                             "digits" +
                             (time ? "" : "; a computed column may make one of it, as TO_TIMESTAMP does"));
    }
  }

  // A table that is read FOR SYSTEM_TIME AS OF: its columns are declared, its rows are no events.
  void plan_lookup(const TableSpec& table) {
    bridge::PlanTable planned;
    planned.name = table.name;
    planned.lookup = true;
    arrow::FieldVector fields;
    for (const ColumnSpec& column : table.columns) {
      if (column.kind == ColumnKind::physical) {
        fields.push_back(field_of(column));
        continue;
      }
      diagnostics_.error(column.location, "column '" + column.name + "' of '" + table.name +
                                              "' is not physical: a table that is looked up has its own "
                                              "columns only");
    }
    if (fields.empty()) {
      diagnostics_.error(table.location, "'" + table.name +
                                             "' is looked up (FOR SYSTEM_TIME AS OF): declare its columns, "
                                             "for instance (id BIGINT, name STRING)");
    }
    planned.schema = arrow::schema(fields);
    if (auto lookup = make_lookup_plan(table, registry_, plan_->storage, diagnostics_))
      plan_->lookups.push_back(std::move(lookup));
    request_.tables.push_back(std::move(planned));
  }

  // The format, then every option of connector, format, registry, payload and error budget.
  bool read_options(SourcePlan& source, const TableSpec& table) {
    std::vector<OptionSpec> specs = source.connector->options;
    std::vector<std::string> format_names;
    for (const FormatInfo& format : registry_.formats) format_names.push_back(format.name);
    specs.push_back(option("format", OptionType::string, "json", "how the event's bytes are decoded"));
    auto format_value = table.options.find("format");
    std::string format_name = format_value == table.options.end() ? "json" : format_value->second.text;
    source.format = registry_.format(format_name);
    if (source.format == nullptr) {
      diagnostics_.error(format_value->second.location,
                         "unknown format '" + format_name + "'." + suggestion(format_name, format_names));
      return false;
    }
    const auto add = [&](const std::vector<OptionSpec>& more) {
      specs.insert(specs.end(), more.begin(), more.end());
    };
    add(source.format->options);
    if (source.format->uses_registry) add(registry_.schemas.options);
    add(registry_.payloads.options);
    add(error_budget_option_specs());
    add(event_time_option_specs());
    const size_t problems = diagnostics_.entries().size();
    source.options =
        validate_options("connector '" + source.connector->name + "' with format '" + format_name + "'",
                         specs, table.options, table.location, diagnostics_);
    if (diagnostics_.entries().size() > problems) return false;
    const Status payloads = registry_.payloads.check(source.options);
    if (!payloads.ok()) diagnostics_.error(table.location, payloads.message());
    source.error_budget = plan_error_budget(source.options, plan_->spec.settings, diagnostics_);
    plan_event_time_options(source.options, source.event_time);
    return diagnostics_.entries().size() == problems;
  }

  // A table without physical columns takes those that its format's schema describes, in front of its own.
  bool describe_columns(SourcePlan& source, TableSpec& table) {
    const std::string folder = std::filesystem::path(plan_->spec.file).parent_path().string();
    auto schemas = registry_.schemas.create(source.options, folder);
    if (!schemas.ok()) {
      diagnostics_.error(table.location, schemas.status());
      return false;
    }
    source.schemas = *std::move(schemas);
    const bool declared =
        std::any_of(table.columns.begin(), table.columns.end(),
                    [](const ColumnSpec& column) { return column.kind == ColumnKind::physical; });
    if (declared) return true;
    std::string hint =
        "write the event's fields as a column list, for instance (id BIGINT NOT NULL, name STRING)";
    Result<DescribedTable> described = Status::invalid(hint);
    if (source.format->describe) {
      source.columns_described = true;
      source.table = table;
      described = source.format->describe(source.format_context());
    }
    if (!described.ok()) {
      diagnostics_.error(table.location, described.status().with_context("the source table '" + table.name +
                                                                         "' has no columns"));
      return false;
    }
    for (ColumnSpec& column : described->columns) {
      column.location = table.location;
      for (const ColumnSpec& own : table.columns) {
        if (own.name != column.name) continue;
        diagnostics_.error(own.location, "column '" + own.name + "' is a column of the schema too (" +
                                             described->schema_name + "): give this one another name");
        return false;
      }
    }
    for (CheckSpec& check : described->checks) check.location = table.location;
    table.columns.insert(table.columns.begin(), described->columns.begin(), described->columns.end());
    table.checks.insert(table.checks.begin(), described->checks.begin(), described->checks.end());
    source.described_checks = described->checks;
    source.schema_name = described->schema_name;
    source.schema_version = described->schema_version;
    return true;
  }

  // An expression over a table's columns by itself, so that what is wrong is told at its place.
  std::optional<bridge::StreamPlan> plan_expression(bridge::PlanRequest& request, const std::string& table,
                                                    const std::string& expression, const Location& location) {
    const std::string select = "SELECT (";
    request.query = select + portable_query(expression) + ") AS c FROM \"" + table + "\"";
    bridge::PlanResult result = bridge::plan_query(request);
    if (result.plan) return std::move(result.plan);
    if (result.error.line == 1) {
      result.error.column = std::max(1, result.error.column - static_cast<int>(select.size()));
    }
    report(result.error, expression, location);
    return std::nullopt;
  }

  void plan_sink(const TableSpec& table, const SinkConnector& connector) {
    auto sink = std::make_unique<SinkPlan>();
    sink->name = table.name;
    sink->connector = &connector;
    sink->location = table.location;
    sink->primary_key = table.primary_key;
    sink->options = validate_options("connector '" + connector.name + "'", connector.options, table.options,
                                     table.location, diagnostics_);
    sink->storage = plan_->storage;
    for (auto& [name, value] : sink->options.with_prefix("s3.")) sink->storage[name] = value;
    arrow::FieldVector fields;
    for (const ColumnSpec& column : table.columns) {
      if (column.kind != ColumnKind::physical) {
        diagnostics_.error(column.location,
                           "column '" + column.name + "' of the sink '" + table.name +
                               "' is not physical: METADATA and computed columns belong to sources");
        continue;
      }
      fields.push_back(field_of(column));
      const bool text = column.type.arrow->id() == arrow::Type::STRING;
      sink->max_lengths.push_back(text ? column.type.max_length : -1);
    }
    if (!fields.empty()) sink->schema = arrow::schema(fields);
    refuse_shared_place(*sink);
    plan_->sinks.push_back(std::move(sink));
  }

  // Two sinks on one table would each take the positions that the other commits for its own: rows are lost.
  void refuse_shared_place(const SinkPlan& sink) {
    const std::string place = place_of(sink);
    if (place.empty()) return;
    for (const auto& other : plan_->sinks) {
      if (place_of(*other) != place) continue;
      diagnostics_.error(sink.location, "'" + sink.name + "' and '" + other->name + "' are both at '" +
                                            place +
                                            "': declare the table once and write several INSERT INTO it");
    }
  }

  // Equal for two spellings of one path; empty for sinks without one.
  static std::string place_of(const SinkPlan& sink) {
    auto path = sink.options.values().find("path");
    if (path == sink.options.values().end()) return "";
    std::string place = path->second.text;
    if (place.starts_with("file://")) place = place.substr(7);
    if (place.find("://") == std::string::npos) {
      std::error_code error;
      auto absolute = std::filesystem::weakly_canonical(std::filesystem::absolute(place, error), error);
      if (!error) place = absolute.string();
    }
    while (place.size() > 1 && place.back() == '/') place.pop_back();
    return place;
  }

  SinkPlan* find_sink(const std::string& name) {
    for (auto& sink : plan_->sinks) {
      if (sink->name == name) return sink.get();
    }
    return nullptr;
  }

  // Tells where a planning error lies: in the INSERT's query, or in the text of a view.
  void report(const bridge::PlanError& error, const std::string& query, const Location& query_location) {
    const std::string* text = &query;
    Location location = query_location;
    for (const ViewSpec& view : plan_->spec.views) {
      if (view.name != error.view) continue;
      text = &view.query;
      location = view.query_location;
    }
    if (error.line > 0) location = planner_location(*text, location, error.line, error.column);
    diagnostics_.error(location, error.status.message());
  }

  void plan_insert(const InsertSpec& insert) {
    SinkPlan* sink = find_sink(insert.table);
    if (sink == nullptr) {
      diagnostics_.error(insert.location, "'" + insert.table + "' is a source: INSERT INTO needs a sink (" +
                                              sink_names() + ")");
      return;
    }
    if (auto refusal = refuse_unsupported(insert.query, insert.query_location)) {
      diagnostics_.error(refusal->location, refusal->message);
      return;
    }
    bridge::PlanRequest request = request_;
    request.query = portable_query(insert.query);
    auto planned = std::make_unique<InsertPlan>();
    std::vector<std::string> listed = insert.columns;
    if (sink->schema != nullptr) {
      if (listed.empty()) listed = sink->schema->field_names();
      arrow::FieldVector target;
      for (const std::string& name : listed) {
        auto field = sink->schema->GetFieldByName(name);
        if (field == nullptr) {
          diagnostics_.error(insert.location, "the sink '" + insert.table + "' has no column '" + name +
                                                  "'." + suggestion(name, sink->schema->field_names()));
          return;
        }
        target.push_back(field);
      }
      request.target = arrow::schema(target);
    }
    bridge::PlanResult result = bridge::plan_query(request);
    if (!result.plan) {
      report(result.error, insert.query, insert.query_location);
      return;
    }
    planned->plan = std::move(*result.plan);
    check_state(planned->plan, insert, plan_->spec.settings, diagnostics_);
    for (const PlanNode& node : planned->plan.graph) {
      if (node.kind != NodeKind::lookup_join) continue;
      const bool known = std::count(planned->lookups.begin(), planned->lookups.end(), node.source) > 0;
      if (!known) planned->lookups.push_back(node.source);
    }
    if (sink->schema == nullptr && !adopt_schema(*sink, insert, planned->plan.schema)) return;
    if (listed.empty()) listed = sink->schema->field_names();
    for (const auto& field : sink->schema->fields()) {
      auto position = std::find(listed.begin(), listed.end(), field->name());
      planned->column_of_sink.push_back(
          position == listed.end() ? -1 : static_cast<int>(position - listed.begin()));
      if (position == listed.end() && !field->nullable()) {
        diagnostics_.error(insert.location, "the column '" + field->name() + "' of '" + insert.table +
                                                "' is NOT NULL and gets no value from this INSERT");
      }
    }
    planned->sink = sink;
    planned->location = insert.location;
    int ordinal = ++inserts_into_[sink->name];
    planned->label = ordinal == 1 ? sink->name : sink->name + "#" + std::to_string(ordinal);
    plan_->inserts.push_back(std::move(planned));
  }

  // A sink without a column list takes the first query's columns, all nullable: what a later version of the
  // file may relax (NOT NULL, a CHECK) must not be nailed into the table.
  bool adopt_schema(SinkPlan& sink, const InsertSpec& insert, const std::shared_ptr<arrow::Schema>& schema) {
    arrow::FieldVector fields;
    if (!insert.columns.empty() && static_cast<int>(insert.columns.size()) != schema->num_fields()) {
      diagnostics_.error(insert.location, "the INSERT lists " + std::to_string(insert.columns.size()) +
                                              " columns, its query gives " +
                                              std::to_string(schema->num_fields()));
      return false;
    }
    std::set<std::string> names;
    for (int i = 0; i < schema->num_fields(); ++i) {
      std::string name = insert.columns.empty() ? schema->field(i)->name() : insert.columns[i];
      if (!names.insert(name).second) {
        diagnostics_.error(insert.query_location, "two columns of the query are named '" + name +
                                                      "': give one another name with AS");
        return false;
      }
      fields.push_back(arrow::field(name, schema->field(i)->type(), true));
    }
    sink.schema = arrow::schema(fields);
    return true;
  }

  void plan_checks(SourcePlan& source) {
    if (source.table.checks.empty()) return;
    bridge::PlanRequest request = request_;
    // One query for all, so that a batch is evaluated once; on an error each is planned alone to name the
    // culprit.
    std::string all;
    for (size_t i = 0; i < source.table.checks.size(); ++i) {
      const CheckSpec& check = source.table.checks[i];
      auto one = plan_expression(request, source.table.name, check.expression, check.location);
      if (!one) continue;
      if (one->schema->field(0)->type()->id() != arrow::Type::BOOL) {
        diagnostics_.error(check.location, "CHECK needs a BOOLEAN expression, this one is " +
                                               one->schema->field(0)->type()->ToString());
        continue;
      }
      all += (all.empty() ? "SELECT (" : ", (") + portable_query(check.expression) + ") AS c" +
             std::to_string(i);
    }
    if (diagnostics_.has_errors()) return;
    request.query = all + " FROM \"" + source.table.name + "\"";
    bridge::PlanResult result = bridge::plan_query(request);
    if (!result.plan || result.plan->branches.size() != 1) {
      diagnostics_.error(source.table.checks[0].location,
                         "the CHECK constraints cannot be planned: " + result.error.status.message());
      return;
    }
    source.checks.checks = source.table.checks;
    source.checks.fragment = std::move(result.plan->branches[0].fragment);
  }

  // ts, or ts - INTERVAL '…' UNIT: rises with the time attribute.
  static bool follows_time(const TableSpec& table) {
    const TokenList list = tokenize(table.watermark_expression);
    const auto& tokens = list.tokens;  // the last one is the end
    if (list.error || tokens.size() < 2 || tokens[0].text != table.watermark_column) return false;
    if (tokens.size() == 2) return true;
    return tokens.size() == 6 && tokens[1].is_symbol('-') && tokens[2].is_word("INTERVAL") &&
           tokens[3].kind == TokenKind::string && !tokens[3].text.starts_with("-") &&
           tokens[4].kind == TokenKind::word;
  }

  // The time attribute and the watermark of each row, as one query over the table.
  void plan_watermark(SourcePlan& source) {
    const TableSpec& table = source.table;
    if (table.watermark_column.empty()) return;
    bridge::PlanRequest request = request_;
    auto alone = plan_expression(request, table.name, table.watermark_expression, table.watermark_location);
    if (!alone) return;
    const auto type = alone->schema->field(0)->type();
    if (type->id() != arrow::Type::TIMESTAMP) {
      diagnostics_.error(table.watermark_location,
                         "the watermark of '" + table.name + "' is " + type->ToString() +
                             ", expected a TIMESTAMP: WATERMARK FOR " + table.watermark_column + " AS " +
                             table.watermark_column + " - INTERVAL '5' SECOND");
      return;
    }
    request.query = "SELECT \"" + table.watermark_column + "\" AS t, (" +
                    portable_query(table.watermark_expression) + ") AS w FROM \"" + table.name + "\"";
    bridge::PlanResult result = bridge::plan_query(request);
    if (!result.plan || result.plan->branches.size() != 1) {
      diagnostics_.error(table.watermark_location,
                         "the watermark cannot be planned: " + result.error.status.message());
      return;
    }
    source.event_time.fragment = std::move(result.plan->branches[0].fragment);
    if (!follows_time(table)) return;
    request.query = "SELECT \"" + table.watermark_column + "\" AS t FROM \"" + table.name + "\"";
    bridge::PlanResult time = bridge::plan_query(request);
    if (time.plan && time.plan->branches.size() == 1) {
      source.event_time.time_fragment = std::move(time.plan->branches[0].fragment);
    }
  }

  void refuse_changelogs() {
    for (const auto& insert : plan_->inserts) {
      if (!insert->plan.graph.empty()) {
        if (!insert->plan.changelog) continue;
        if (insert->sink->connector->takes_changelog) {
          insert->sink->changelog = true;
        } else {
          diagnostics_.error(insert->location, changelog_refusal(*insert));
        }
        continue;
      }
      for (const auto& branch : insert->plan.branches) {
        const auto source =
            std::find_if(plan_->sources.begin(), plan_->sources.end(),
                         [&](const auto& candidate) { return candidate->table.name == branch.source; });
        if (source == plan_->sources.end() || !(*source)->changelog) continue;
        if (insert->sink->connector->takes_changelog) {
          insert->sink->changelog = true;
          continue;
        }
        diagnostics_.error(insert->location,
                           "'" + branch.source + "' is a changelog, and the connector '" +
                               insert->sink->connector->name + "' of '" + insert->sink->name +
                               "' only appends: it cannot take retractions. '" + (*source)->format->name +
                               ".as' = 'rows' gives a row an operation, for every sink");
      }
    }
    for (const auto& sink : plan_->sinks) {
      if (sink->changelog && sink->connector->changelog_by_key) refuse_keyless_changelog(*sink);
    }
  }

  void refuse_keyless_changelog(const SinkPlan& sink) {
    const std::string what =
        "'" + sink.name + "' takes a changelog, and the connector '" + sink.connector->name + "' ";
    if (sink.primary_key.empty()) {
      diagnostics_.error(sink.location, what + "replaces rows by key: declare its columns and PRIMARY KEY (" +
                                            key_candidates(sink) +
                                            ") NOT ENFORCED, of columns that tell the rows apart");
    }
    std::set<std::string> sources;
    for (const auto& insert : plan_->inserts) {
      if (insert->sink != &sink) continue;
      const std::string refusal = sink.primary_key.empty() ? "" : changelog_key_refusal(*insert);
      if (!refusal.empty()) diagnostics_.error(sink.location, refusal);
      if (!insert->plan.graph.empty()) sources.insert("INSERT " + insert->label);
      if (!insert->plan.graph.empty()) continue;
      for (const auto& branch : insert->plan.branches) sources.insert(branch.source);
    }
    if (sources.size() < 2) return;
    std::string names;
    for (const std::string& name : sources) names += (names.empty() ? "'" : ", '") + name + "'";
    diagnostics_.error(sink.location, what +
                                          "orders changes by their position in one source; it is written "
                                          "from " +
                                          names + ": give each a table of its own");
  }

  // The GROUP BY's keys among the sink's columns, as a proposal.
  std::string key_candidates(const SinkPlan& sink) const {
    std::string names;
    for (const auto& insert : plan_->inserts) {
      if (insert->sink != &sink || !names.empty()) continue;
      for (const std::string& key : group_keys(insert->plan)) {
        if (sink.schema->GetFieldIndex(key) >= 0) names += (names.empty() ? "" : ", ") + key;
      }
    }
    return names.empty() ? "…" : names;
  }

  void drop_unread_sources() {
    std::set<std::string> read;
    for (const auto& insert : plan_->inserts) {
      for (const auto& branch : insert->plan.branches) read.insert(branch.source);
    }
    std::erase_if(plan_->sources, [&](const auto& source) { return read.count(source->table.name) == 0; });
    if (plan_->sources.empty()) {
      diagnostics_.error(plan_->spec.inserts[0].query_location,
                         "no INSERT reads a source: there is nothing to run");
    }
  }

  void group_into_sets() {
    std::vector<size_t> group(plan_->inserts.size());
    std::iota(group.begin(), group.end(), 0);
    auto shares = [](const InsertPlan& a, const InsertPlan& b) {
      if (a.sink == b.sink) return true;
      for (const auto& left : a.plan.branches) {
        for (const auto& right : b.plan.branches) {
          if (left.source == right.source) return true;
        }
      }
      return false;
    };
    for (bool changed = true; changed;) {
      changed = false;
      for (size_t i = 0; i < group.size(); ++i) {
        for (size_t j = 0; j < i; ++j) {
          if (group[i] == group[j] || !shares(*plan_->inserts[i], *plan_->inserts[j])) continue;
          group[i] = group[j] = std::min(group[i], group[j]);
          changed = true;
        }
      }
    }
    std::map<size_t, SetPlan> sets;
    for (size_t i = 0; i < group.size(); ++i) {
      SetPlan& set = sets[group[i]];
      InsertPlan* insert = plan_->inserts[i].get();
      set.inserts.push_back(insert);
      if (std::find(set.sinks.begin(), set.sinks.end(), insert->sink) == set.sinks.end()) {
        set.sinks.push_back(insert->sink);
      }
      for (const auto& branch : insert->plan.branches) {
        for (auto& source : plan_->sources) {
          if (source->table.name != branch.source) continue;
          if (std::find(set.sources.begin(), set.sources.end(), source.get()) == set.sources.end()) {
            set.sources.push_back(source.get());
          }
        }
      }
    }
    for (auto& [_, set] : sets) {
      if (!set.sources.empty()) plan_->sets.push_back(std::move(set));
    }
  }

  void refuse_shared_state() {
    const bool stateful = std::any_of(plan_->sets.begin(), plan_->sets.end(),
                                      [](const SetPlan& set) { return set.stateful(); });
    if (!stateful || plan_->spec.settings.string("pipeline.workers") != "several") return;
    diagnostics_.error(
        plan_->spec.settings.location("pipeline.workers"),
        "one process runs a pipeline that keeps state: leave 'pipeline.workers' out. Beyond one "
        "machine: weir deploy flink");
  }

  std::string sink_names() const {
    std::string names;
    for (const auto& sink : plan_->sinks) names += (names.empty() ? "" : ", ") + sink->name;
    return names.empty() ? "this file has none" : names;
  }

  const Registry& registry_;
  Diagnostics& diagnostics_;
  std::unique_ptr<PipelinePlan> plan_;
  bridge::PlanRequest request_;  // tables and views; each INSERT adds its query
  std::map<std::string, int> inserts_into_;
  std::set<std::string> looked_up_;  // tables that are read FOR SYSTEM_TIME AS OF
};

}  // namespace

std::unique_ptr<PipelinePlan> plan_pipeline(PipelineSpec spec, const Registry& registry,
                                            Diagnostics& diagnostics) {
  if (diagnostics.has_errors()) return nullptr;
  auto plan = Planner(std::move(spec), registry, diagnostics).run();
  return diagnostics.has_errors() ? nullptr : std::move(plan);
}

std::chrono::milliseconds PipelinePlan::commit_interval(const SinkPlan& sink) const {
  for (const OptionSpec& option : sink.connector->options) {
    if (option.name != "commit-interval") continue;
    if (sink.options.has(option.name)) return sink.options.duration(option.name);
    if (!option.default_value.empty()) {
      return std::min(sink.options.duration(option.name), spec.settings.duration("pipeline.commit-interval"));
    }
  }
  return spec.settings.duration("pipeline.commit-interval");
}

const LookupPlan* PipelinePlan::lookup(const std::string& name) const {
  for (const auto& lookup : lookups) {
    if (lookup->table.name == name) return lookup.get();
  }
  return nullptr;
}

int64_t PipelinePlan::hash() const {
  uint64_t state = 14695981039346656037ULL;  // FNV-1a, 64 bits
  auto mix = [&](const std::string& text) {
    for (unsigned char byte : text + '\n') state = (state ^ byte) * 1099511628211ULL;
  };
  for (const TableSpec& table : spec.tables) {
    mix("table " + table.name);
    const SourcePlan* read = source(table.name);
    for (const ColumnSpec& column : table.columns) {
      // A later version of a registry's schema reads earlier events alike: a restart must not trip over it.
      if (read != nullptr && read->columns_described && column.kind == ColumnKind::physical) continue;
      mix(column.name + " " + column.type.text + (column.nullable ? "" : " not null"));
      mix(column.metadata_key);
      mix(column.expression);
    }
    for (const CheckSpec& check : table.checks) mix(check.expression);
  }
  for (const auto& source : sources) {
    mix("source " + source->table.name + " " + source->format->name);
    for (const auto& [name, value] : source->table.options) {
      if (name.starts_with(source->format->name + ".") || name.starts_with("payload."))
        mix(name + "=" + value.text);
    }
  }
  for (const ViewSpec& view : spec.views) mix("view " + view.name + " " + view.query);
  for (const InsertSpec& insert : spec.inserts) {
    mix("insert " + insert.table + " " + insert.query);
    for (const std::string& column : insert.columns) mix(column);
  }
  return static_cast<int64_t>(state & 0x7FFFFFFFFFFFFFFFULL);
}

int64_t PipelinePlan::schema_versions() const {
  return std::accumulate(sources.begin(), sources.end(), int64_t{0},
                         [](int64_t sum, const auto& source) { return sum + source->schema_version; });
}

FormatContext SourcePlan::format_context() const {
  FormatContext context;
  context.columns = physical;
  context.options = &options;
  context.schemas = schemas;
  context.columns_described = columns_described && follows_schema;
  context.described_checks = described_checks;
  context.described_by = schema_name;
  if (schema_version > 0) context.described_by += " version " + std::to_string(schema_version);
  if (format->uses_registry) {
    context.subject = options.string("schema-registry.subject");
    for (const char* log : {"topic", "stream"}) {
      const auto named = table.options.find(log);
      if (context.subject.empty() && named != table.options.end())
        context.subject = named->second.text + "-value";
    }
  }
  return context;
}

bool SetPlan::stateful() const {
  return std::any_of(inserts.begin(), inserts.end(), [](const auto* insert) { return insert->stateful(); });
}

const SourcePlan* PipelinePlan::source(const std::string& name) const {
  for (const auto& source : sources) {
    if (source->table.name == name) return source.get();
  }
  return nullptr;
}

}  // namespace weir
