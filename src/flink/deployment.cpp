#include "flink/deployment.h"

#include <arrow/type.h>

#include <algorithm>
#include <map>
#include <set>

#include "config/data_type.h"
#include "config/lexer.h"
#include "flink/file_statements.h"
#include "flink/flink_query.h"

namespace weir {
namespace {

constexpr const char* kReader = "_from_flink";

std::string topic_text(const std::string& name) {
  std::string text;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '_' || c == '-';
    text += plain ? c : '.';
  }
  return text;
}

FlinkStatement setting(const std::string& key, const std::string& value, const Location& location) {
  FlinkStatement statement;
  statement.text = "SET " + flink_literal(key) + " = " + flink_literal(value);
  statement.shown = statement.text;
  statement.location = location;
  return statement;
}

class Deployer {
 public:
  Deployer(const PipelinePlan& plan, const std::string& file_text, const FlinkChoices& choices,
           Diagnostics& diagnostics)
      : plan_(plan), spec_(plan.spec), choices_(choices), diagnostics_(diagnostics), file_(file_text) {}

  FlinkDeployment run() {
    out_.pipeline = spec_.name;
    moved_ = flink_inserts(plan_, choices_.all);
    if (moved_.empty()) {
      diagnostics_.error(spec_.inserts.front().location,
                         "nothing for Flink: every INSERT is stateless, and `weir run` carries such ones by "
                         "itself; --all moves them all the same");
      return std::move(out_);
    }
    plan_settings();
    for (const InsertPlan* insert : moved_) {
      for (const bridge::PlanBranch& branch : insert->plan.branches) plan_source(branch.source);
      refuse_lookups(*insert);
    }
    for (const ViewSpec& view : spec_.views) plan_view(view);
    plan_inserts();
    write_sinks();
    return std::move(out_);
  }

 private:
  bool moves(const InsertPlan* insert) const {
    return std::find(moved_.begin(), moved_.end(), insert) != moved_.end();
  }

  void set(const std::string& key, const std::string& value, const std::string& ours = "") {
    const Location at = ours.empty() ? Location() : spec_.settings.location(ours);
    out_.settings.push_back(setting(key, value, at.line > 0 ? at : Location{spec_.file, 1, 1}));
  }

  void plan_settings() {
    const Options& settings = spec_.settings;
    set("pipeline.name", spec_.name, "pipeline.name");
    set("execution.runtime-mode", "streaming");
    set("table.local-time-zone", "UTC");
    set("execution.checkpointing.mode", "EXACTLY_ONCE");
    set("execution.checkpointing.interval",
        std::to_string(settings.duration("pipeline.commit-interval").count()) + " ms",
        "pipeline.commit-interval");
    if (settings.has("pipeline.state-ttl")) {
      set("table.exec.state.ttl", std::to_string(settings.duration("pipeline.state-ttl").count()) + " ms",
          "pipeline.state-ttl");
    }
    const int64_t parallelism = settings.integer("pipeline.parallelism");
    if (parallelism > 0) set("parallelism.default", std::to_string(parallelism), "pipeline.parallelism");
    if (!choices_.savepoint.empty()) set("execution.state-recovery.path", choices_.savepoint);
  }

  void plan_source(const std::string& name) {
    const SourcePlan* source = plan_.source(name);
    if (source == nullptr || !sources_.insert(source).second) return;
    in_order_.push_back(source);
    for (FlinkStatement& statement : flink_source(*source, choices_.skip_bad_events, diagnostics_)) {
      out_.tables.push_back(std::move(statement));
    }
  }

  void refuse_lookups(const InsertPlan& insert) {
    for (const PlanNode& node : insert.plan.graph) {
      if (node.kind != NodeKind::lookup_join) continue;
      diagnostics_.error(
          insert.location,
          "Flink cannot look into '" + node.source +
              "' (FOR SYSTEM_TIME AS OF): it has no connector for it. Leave this INSERT to Weir, "
              "with a pipeline of its own that reads Flink's topic");
    }
  }

  // A view over what Flink has nothing of is left out: Flink would refuse it.
  void plan_view(const ViewSpec& view) {
    bool known = true;
    for (const auto& source : plan_.sources) {
      known = known && (sources_.count(source.get()) != 0 || !names(view.query, source->table.name));
    }
    for (const std::string& other : views_left_out_) known = known && !names(view.query, other);
    if (!known) {
      views_left_out_.insert(view.name);
      return;
    }
    FlinkStatement statement;
    statement.text =
        "CREATE TEMPORARY VIEW " + flink_identifier(view.name) + " AS\n" + flink_query(view.query);
    statement.shown = statement.text;
    statement.parts = {{2, view.query_location}};
    statement.location = view.location;
    out_.tables.push_back(std::move(statement));
  }

  static bool names(const std::string& query, const std::string& name) {
    const TokenList list = tokenize(query);
    return std::any_of(list.tokens.begin(), list.tokens.end(),
                       [&](const Token& token) { return token.is_identifier() && token.text == name; });
  }

  const SourcePlan* cluster_of(const InsertPlan& insert) const {
    for (const bridge::PlanBranch& branch : insert.plan.branches) {
      const SourcePlan* source = plan_.source(branch.source);
      if (source != nullptr && source->table.connector == "kafka") return source;
    }
    return nullptr;
  }

  const InsertSpec* spec_of(const InsertPlan& insert) const {
    for (const InsertSpec& spec : spec_.inserts) {
      if (spec.location.line == insert.location.line && spec.location.column == insert.location.column) {
        return &spec;
      }
    }
    return nullptr;
  }

  void plan_inserts() {
    std::string& text = out_.job.text;
    text = "EXECUTE STATEMENT SET BEGIN\n";
    int line = 2;
    for (const InsertPlan* insert : moved_) {
      const InsertSpec* spec = spec_of(*insert);
      const SourcePlan* cluster = cluster_of(*insert);
      if (spec == nullptr || cluster == nullptr) continue;  // what is wrong was told of its source
      const std::string table = plan_sink(*insert, *cluster);
      text += "INSERT INTO " + flink_identifier(table) + "\n";
      out_.job.parts.push_back({++line, spec->query_location});
      const std::string query = flink_query(spec->query);
      text += query + "\n;\n";
      line += 1 + static_cast<int>(std::count(query.begin(), query.end(), '\n'));
      out_.job.parts.push_back({line, {}});
      ++line;
    }
    text += "END";
    out_.job.shown = text;
    out_.job.location = moved_.front()->location;
  }

  // The Flink table that this INSERT fills.
  std::string plan_sink(const InsertPlan& insert, const SourcePlan& cluster) {
    FlinkSink sink;
    sink.table = topic_text(insert.label);
    sink.topic = "weir." + spec_.name + "." + topic_text(insert.label);
    sink.transactional_id_prefix = sink.topic;
    sink.changelog = insert.plan.changelog;
    const bool to_kafka = insert.sink->connector->name == "kafka";
    FlinkOptions format;
    FlinkOptions properties =
        flink_kafka_properties(to_kafka ? insert.sink->options : cluster.options, diagnostics_);
    if (to_kafka) {
      if (insert.plan.changelog) {
        diagnostics_.error(insert.location, "a changelog into the Kafka table '" + insert.sink->name +
                                                "' is not carried over to Flink");
        return sink.table;
      }
      sink.topic = insert.sink->options.string("topic");
      format = flink_kafka_sink_format(insert.sink->options, insert.sink->location, diagnostics_);
    } else {
      out_.topics.push_back({sink.topic, &cluster, insert.location});
      carried_.push_back({&insert, sink});
    }
    out_.tables.push_back(flink_sink(sink, *insert.plan.schema, properties, format, insert.sink->location));
    return sink.table;
  }

  // ---- the second file

  void write_sinks() {
    const bool stays = std::any_of(plan_.inserts.begin(), plan_.inserts.end(),
                                   [&](const auto& insert) { return !moves(insert.get()); });
    if (carried_.empty() && !stays && !choices_.skip_bad_events) return;
    std::string& text = out_.sinks_sql;
    text = "-- Written by `weir deploy flink` from " + spec_.file.substr(spec_.file.rfind('/') + 1) +
           ", whose other half runs on Flink. Run this one with `weir run`;\n-- changes belong into that "
           "file.\n\n" +
           "SET 'pipeline.name' = " + flink_literal(spec_.name + "-sinks") + ";\n";
    for (const std::string& statement : file_.settings("pipeline.name")) {
      if (!for_flink_alone(statement)) text += statement + "\n";
    }
    for (const auto& [insert, sink] : carried_) write_reader(*insert, sink);
    std::set<const SourcePlan*> read;
    for (const auto& insert : plan_.inserts) {
      if (moves(insert.get())) continue;
      for (const bridge::PlanBranch& branch : insert->plan.branches) read.insert(plan_.source(branch.source));
    }
    std::vector<const SourcePlan*> checked;
    if (choices_.skip_bad_events) {
      for (const SourcePlan* source : in_order_) {
        if (read.insert(source).second) checked.push_back(source);
      }
    }
    for (const auto& source : plan_.sources) {
      if (read.count(source.get()) != 0) text += "\n" + file_.at(source->table.location) + "\n";
    }
    if (stays) write_views(read);
    write_sink_tables();
    for (const auto& [insert, sink] : carried_) write_carrying_insert(*insert);
    for (const auto& insert : plan_.inserts) {
      if (!moves(insert.get())) text += "\n" + statement_of(*insert) + "\n";
    }
    for (const SourcePlan* source : checked) write_error_lake_reader(*source);
  }

  static bool for_flink_alone(const std::string& statement) {
    for (const char* key : {"'pipeline.parallelism'", "'pipeline.state-ttl'", "'pipeline.state-memory'",
                            "'pipeline.unbounded-state'", "'pipeline.allowed-lateness'",
                            "'pipeline.late-rows'", "'pipeline.checkpoints-kept'"}) {
      if (statement.find(key) != std::string::npos) return true;
    }
    return false;
  }

  // The statement without the frame of a statement set in front of or behind it.
  std::string statement_of(const InsertPlan& insert) const {
    const InsertSpec* spec = spec_of(insert);
    std::string columns;
    for (const std::string& column : spec->columns) {
      columns += (columns.empty() ? " (" : ", ") + flink_identifier(column);
    }
    if (!columns.empty()) columns += ")";
    return "INSERT INTO " + flink_identifier(spec->table) + columns + "\n" + spec->query + ";";
  }

  void write_views(const std::set<const SourcePlan*>& read) {
    for (const ViewSpec& view : spec_.views) {
      bool readable = true;
      for (const auto& source : plan_.sources) {
        readable = readable && (read.count(source.get()) != 0 || !names(view.query, source->table.name));
      }
      // A view that only Flink's queries use would need state here.
      const bool used = std::any_of(plan_.inserts.begin(), plan_.inserts.end(), [&](const auto& insert) {
        return !moves(insert.get()) && uses(spec_of(*insert)->query, view.name);
      });
      if (readable && used) out_.sinks_sql += "\n" + file_.at(view.location) + "\n";
    }
  }

  // By itself or through another view.
  bool uses(const std::string& query, const std::string& view) const {
    if (names(query, view)) return true;
    return std::any_of(spec_.views.begin(), spec_.views.end(), [&](const ViewSpec& other) {
      return other.name != view && names(query, other.name) && names(other.query, view);
    });
  }

  void write_reader(const InsertPlan& insert, const FlinkSink& sink) {
    std::string& text = out_.sinks_sql;
    const SourcePlan* cluster = cluster_of(insert);
    text += "\nCREATE TABLE " + flink_identifier(topic_text(insert.label) + kReader) + " (\n";
    const arrow::Schema& schema = *insert.plan.schema;
    for (int i = 0; i < schema.num_fields(); ++i) {
      const arrow::Field& field = *schema.field(i);
      text += (i == 0 ? "  " : ",\n  ") + flink_identifier(field.name()) + " " + sql_type(*field.type()) +
              (field.nullable() ? "" : " NOT NULL");
    }
    text += "\n) WITH (\n  'connector' = 'kafka',\n  'topic' = " + flink_literal(sink.topic) + ",\n";
    for (const auto& [name, value] : cluster->table.options) {
      const bool connection = name.rfind("properties.", 0) == 0 || name == "connect.timeout";
      if (!connection || name == "properties.group.id" || name == "properties.isolation.level") continue;
      const std::string written = file_.written(value.location);
      text += "  " + flink_literal(name) + " = " + (written.empty() ? flink_literal(value.text) : written) +
              ",\n";
    }
    text += "  'properties.isolation.level' = 'read_committed',\n  'format' = ";
    text += sink.changelog ? "'debezium-json'\n);\n" : "'json'\n);\n";
  }

  void write_sink_tables() {
    std::set<std::string> written;
    for (const auto& insert : plan_.inserts) {
      const bool ours = !moves(insert.get()) ||
                        std::any_of(carried_.begin(), carried_.end(),
                                    [&](const auto& carried) { return carried.first == insert.get(); });
      if (!ours || !written.insert(insert->sink->name).second) continue;
      out_.sinks_sql += "\n" + file_.at(insert->sink->location) + "\n";
    }
  }

  void write_carrying_insert(const InsertPlan& insert) {
    std::string columns, selected;
    for (const std::string& column : spec_of(insert)->columns) {
      columns += (columns.empty() ? " (" : ", ") + flink_identifier(column);
    }
    if (!columns.empty()) columns += ")";
    for (const auto& field : insert.plan.schema->fields()) {
      selected += (selected.empty() ? "" : ", ") + flink_identifier(field->name());
    }
    out_.sinks_sql += "\nINSERT INTO " + flink_identifier(insert.sink->name) + columns + "\nSELECT " +
                      selected + "\nFROM " + flink_identifier(topic_text(insert.label) + kReader) + ";\n";
  }

  void write_error_lake_reader(const SourcePlan& source) {
    const std::string sink = flink_identifier("weir_checked_" + source.table.name);
    out_.sinks_sql +=
        "\n-- Flink passes over events that it cannot read. Weir reads the topic too: those go to the "
        "error lake.\nCREATE TABLE " +
        sink + " WITH ('connector' = 'blackhole');\nINSERT INTO " + sink + "\nSELECT " +
        flink_identifier(source.table.columns.front().name) + "\nFROM " +
        flink_identifier(source.table.name) + ";\n";
  }

  const PipelinePlan& plan_;
  const PipelineSpec& spec_;
  const FlinkChoices& choices_;
  Diagnostics& diagnostics_;
  FileStatements file_;
  FlinkDeployment out_;
  std::vector<const InsertPlan*> moved_;
  std::set<const SourcePlan*> sources_;
  std::vector<const SourcePlan*> in_order_;  // the same
  std::set<std::string> views_left_out_;
  std::vector<std::pair<const InsertPlan*, FlinkSink>> carried_;  // whose rows Weir takes from Flink's topic
};

}  // namespace

std::string FlinkDeployment::shown() const {
  std::string text;
  for (const FlinkStatement& statement : settings) text += statement.shown + ";\n";
  for (const FlinkStatement& statement : tables) text += "\n" + statement.shown + ";\n";
  return text + "\n" + job.shown + ";\n";
}

std::vector<const InsertPlan*> flink_inserts(const PipelinePlan& plan, bool all) {
  std::vector<const InsertPlan*> inserts;
  for (const auto& insert : plan.inserts) {
    if (all || !insert->plan.graph.empty()) inserts.push_back(insert.get());
  }
  return inserts;
}

FlinkDeployment plan_flink(const PipelinePlan& plan, const std::string& file_text,
                           const FlinkChoices& choices, Diagnostics& diagnostics) {
  return Deployer(plan, file_text, choices, diagnostics).run();
}

}  // namespace weir
