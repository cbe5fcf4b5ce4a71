#include "config/pipeline_spec.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "base/text.h"
#include "config/parser.h"
#include "config/query_text.h"
#include "config/references.h"

namespace weir {
namespace {

struct IntegerRange {
  const char* name;
  int64_t low, high;
};

constexpr IntegerRange kIntegerRanges[] = {{"pipeline.batch-rows", 1, 1'000'000},
                                           {"pipeline.queue-batches", 1, 10'000},
                                           {"pipeline.max-open-partitions", 1, 10'000},
                                           {"pipeline.parallelism", 0, 64},
                                           {"pipeline.checkpoints-kept", 1, 1000}};

bool is_pipeline_name(const std::string& name) {
  const char* allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
  return !name.empty() && name[0] != '.' && name[0] != '_' &&
         name.find_first_not_of(allowed) == std::string::npos;
}

constexpr const char* kNameRule = "expected letters, digits, '-', '_' and '.', with a letter or digit first";

std::vector<OptionSpec> make_setting_specs() {
  OptionSpec engine = option("pipeline.engine", OptionType::choice, "embedded", "what runs the queries");
  engine.choices = {"embedded"};
  OptionSpec on_changed_plan = option(
      "pipeline.on-changed-plan", OptionType::choice, "fail",
      "when the last run ended inside a commit and the file has changed since: stop with words, or go on");
  on_changed_plan.choices = {"fail", "continue"};
  OptionSpec workers = option("pipeline.workers", OptionType::choice, "one",
                              "several: other processes run this pipeline too, with the same state.path, and "
                              "share its partitions");
  workers.choices = {"one", "several"};
  OptionSpec late_rows =
      option("pipeline.late-rows", OptionType::choice, "error-lake",
             "what becomes of rows whose windows have closed: the error lake, or only counted");
  late_rows.choices = {"error-lake", "drop"};
  OptionSpec unbounded = option("pipeline.unbounded-state", OptionType::choice, "refuse",
                                "queries whose state nothing bounds (no window, no 'pipeline.state-ttl')");
  unbounded.choices = {"refuse", "allow"};
  std::vector<OptionSpec> specs = {
      late_rows,
      unbounded,
      option("pipeline.state-ttl", OptionType::duration, "",
             "rows and groups that were not touched for so long are forgotten (joins, GROUP BY without a "
             "window)"),
      option("pipeline.allowed-lateness", OptionType::duration, "0 s",
             "how long after its end a window still takes rows and corrects its result; the sink must take a "
             "changelog"),
      option("pipeline.state-memory", OptionType::size, "2 gb", "most memory that operators' state may take"),
      option("pipeline.parallelism", OptionType::integer, "0",
             "instances of each stateful operator, keys shared out among them; 0: one a core"),
      option("pipeline.checkpoints-kept", OptionType::integer, "3", "epochs whose state is kept"),
      on_changed_plan,
      workers,
      option("pipeline.name", OptionType::string, "", "the pipeline's name; the file's stem when absent"),
      engine,
      option("pipeline.commit-interval", OptionType::duration, "10 s", "time between two commits"),
      option("pipeline.batch-rows", OptionType::integer, "8192", "most rows in one batch"),
      option("pipeline.queue-batches", OptionType::integer, "4",
             "batches that a queue between two stages holds"),
      option("pipeline.max-open-partitions", OptionType::integer, "4",
             "threads that poll and decode, at most one a source partition"),
      option("error-lake.path", OptionType::string, "./weir-data/errors",
             "folder or s3:// URL of the error lake"),
      option("error-lake.enabled", OptionType::boolean, "true", "'false': a bad event stops the pipeline"),
      option("state.path", OptionType::string, "./weir-data/state",
             "folder or s3:// URL of the pipeline's state"),
  };
  for (OptionSpec& spec : s3_option_specs()) specs.push_back(std::move(spec));
  return specs;
}

// Turns the statements of one file into its spec.
class SpecBuilder {
 public:
  SpecBuilder(const std::string& file, Diagnostics& diagnostics) : diagnostics_(diagnostics) {
    spec_.file = file;
    folder_ = std::filesystem::path(file).parent_path().string();
  }

  PipelineSpec build(Statements statements) {
    build_settings(statements.settings);
    build_name();
    for (TableSpec& table : statements.tables) add_table(std::move(table));
    for (ViewSpec& view : statements.views) add_view(std::move(view));
    for (InsertSpec& insert : statements.inserts) add_insert(std::move(insert));
    // With errors above, the INSERT may well be the statement that could not be read.
    if (spec_.inserts.empty() && !diagnostics_.has_errors()) {
      diagnostics_.error({spec_.file, 1, 1}, "nothing to run: the file has no INSERT INTO");
    }
    return std::move(spec_);
  }

 private:
  void build_settings(std::vector<SetStatement>& settings) {
    std::map<std::string, OptionValue> values;
    for (SetStatement& set : settings) {
      replace_references(set.value, folder_, diagnostics_);
      auto [entry, added] = values.try_emplace(set.key, set.value);
      if (added || entry->second.text == set.value.text) continue;
      diagnostics_.error(
          set.value.location,
          "'" + set.key + "' is set twice with different values, first at " + entry->second.location.text());
    }
    spec_.settings = validate_options("SET", setting_specs(), values, {spec_.file, 1, 1}, diagnostics_);
    for (const IntegerRange& range : kIntegerRanges) check_range(values, range);
    auto interval = values.find("pipeline.commit-interval");
    if (interval == values.end()) return;
    Result<std::chrono::milliseconds> duration = parse_duration(interval->second.text);
    if (duration.ok() && duration->count() == 0) {
      diagnostics_.error(interval->second.location, "'pipeline.commit-interval' must be longer than zero");
    }
  }

  void check_range(const std::map<std::string, OptionValue>& values, const IntegerRange& range) {
    auto given = values.find(range.name);
    if (given == values.end()) return;
    const std::string& text = given->second.text;
    // What is no number has its error from validate_options.
    if (text.empty() || text.find_first_not_of("-0123456789") != std::string::npos) return;
    int64_t value = std::strtoll(text.c_str(), nullptr, 10);
    if (value >= range.low && value <= range.high) return;
    diagnostics_.error(given->second.location, std::string("'") + range.name + "': found " + text +
                                                   ", expected " + std::to_string(range.low) + " to " +
                                                   std::to_string(range.high));
  }

  void build_name() {
    if (spec_.settings.has("pipeline.name")) {
      spec_.name = spec_.settings.string("pipeline.name");
      if (is_pipeline_name(spec_.name)) return;
      diagnostics_.error(spec_.settings.location("pipeline.name"),
                         "found the pipeline name '" + spec_.name + "', " + kNameRule);
      return;
    }
    spec_.name = std::filesystem::path(spec_.file).stem().string();
    if (is_pipeline_name(spec_.name)) return;
    diagnostics_.error({spec_.file, 1, 1}, "the file's name '" + spec_.name +
                                               "' cannot be the pipeline's name (" + kNameRule +
                                               "): give one with SET 'pipeline.name' = '…'");
  }

  // False, with an error, when the name is taken.
  bool claim(const std::string& name, const Location& location, const char* kind) {
    auto [entry, added] = objects_.try_emplace(name, Object{kind, location});
    if (added) return true;
    diagnostics_.error(location, std::string(kind) + " " + name + ": the name is taken by the " +
                                     entry->second.kind + " at " + entry->second.location.text());
    return false;
  }

  void add_table(TableSpec table) {
    for (auto& [name, value] : table.options) replace_references(value, folder_, diagnostics_);
    auto connector = table.options.find("connector");
    if (connector == table.options.end()) {
      std::vector<std::string> given;
      for (const auto& [name, value] : table.options) given.push_back(name);
      std::string near = nearest_name("connector", given);
      diagnostics_.error(table.location, "table " + table.name + " has no 'connector' in WITH" +
                                             (near.empty() ? "" : ", but it has '" + near + "'"));
    } else if (connector->second.text.empty()) {
      diagnostics_.error(connector->second.location,
                         "table " + table.name + ": 'connector' must not be empty");
    } else {
      table.connector = connector->second.text;
      table.connector_location = connector->second.location;
      table.options.erase(connector);
    }
    for (const ColumnSpec& column : table.columns) {
      if (column.kind == ColumnKind::computed) refuse(column.expression, column.expression_location);
    }
    for (const CheckSpec& check : table.checks) refuse(check.expression, check.location);
    if (claim(table.name, table.location, "table")) spec_.tables.push_back(std::move(table));
  }

  void add_view(ViewSpec view) {
    refuse(view.query, view.query_location);
    if (claim(view.name, view.location, "view")) spec_.views.push_back(std::move(view));
  }

  void add_insert(InsertSpec insert) {
    refuse(insert.query, insert.query_location);
    const TableSpec* table = spec_.table(insert.table);
    if (table != nullptr) {
      check_columns(insert, *table);
    } else if (objects_.count(insert.table) != 0) {
      diagnostics_.error(insert.location, insert.table + " is a view: INSERT INTO needs a table");
    } else {
      std::vector<std::string> names;
      for (const TableSpec& known : spec_.tables) names.push_back(known.name);
      std::string near = suggestion(insert.table, names);
      diagnostics_.error(insert.location,
                         "there is no table " + insert.table + "." +
                             (near.empty() ? " Expected a CREATE TABLE for it in this file" : near));
    }
    spec_.inserts.push_back(std::move(insert));
  }

  void check_columns(const InsertSpec& insert, const TableSpec& table) {
    if (table.columns.empty()) return;
    std::vector<std::string> known;
    for (const ColumnSpec& column : table.columns) known.push_back(column.name);
    for (size_t i = 0; i < insert.columns.size(); ++i) {
      const std::string& name = insert.columns[i];
      if (std::count(known.begin(), known.end(), name) > 0) continue;
      diagnostics_.error(insert.column_locations[i],
                         "table " + table.name + " has no column " + name + "." + suggestion(name, known));
    }
  }

  void refuse(const std::string& query, const Location& location) {
    std::optional<Diagnostic> refusal = refuse_unsupported(query, location);
    if (refusal) diagnostics_.error(refusal->location, refusal->message);
  }

  struct Object {
    std::string kind;
    Location location;
  };

  Diagnostics& diagnostics_;
  PipelineSpec spec_;
  std::string folder_;
  std::map<std::string, Object> objects_;
};

}  // namespace

const TableSpec* PipelineSpec::table(const std::string& name) const {
  for (const TableSpec& table : tables) {
    if (table.name == name) return &table;
  }
  return nullptr;
}

const std::vector<OptionSpec>& setting_specs() {
  static const std::vector<OptionSpec> specs = make_setting_specs();
  return specs;
}

PipelineSpec parse_pipeline(const std::string& file, const std::string& text, Diagnostics& diagnostics) {
  return SpecBuilder(file, diagnostics).build(parse_statements(file, text, diagnostics));
}

}  // namespace weir
