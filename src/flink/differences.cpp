#include "flink/differences.h"

#include <array>
#include <set>

#include "config/lexer.h"
#include "flink/deployment.h"
#include "flink/text_check.h"

namespace weir {
namespace {

struct Setting {
  const char* key;
  const char* words;
};
constexpr std::array<Setting, 4> kSettings = {{
    {"pipeline.allowed-lateness",
     "Flink's windows take no late rows: what comes late is dropped and counted"},
    {"pipeline.late-rows", "Flink drops late rows and counts them (numLateRecordsDropped)"},
    {"pipeline.state-memory", "Flink's memory is set for its TaskManagers (taskmanager.memory.*)"},
    {"pipeline.checkpoints-kept",
     "Flink's cluster says how many it keeps "
     "(execution.checkpointing.num-retained)"},
}};

class DifferenceFinder {
 public:
  DifferenceFinder(const PipelinePlan& plan, const std::string& file_text, Diagnostics& diagnostics)
      : plan_(plan), spec_(plan.spec), file_text_(file_text), names_(plan.spec), diagnostics_(diagnostics) {}

  void run() {
    const bool all = flink_inserts(plan_, false).empty();
    const std::vector<const InsertPlan*> moved = flink_inserts(plan_, all);
    check_settings();
    // What cannot be carried over, at its place: deploying says it, so that both agree.
    FlinkChoices choices;
    choices.all = all;
    (void)plan_flink(plan_, file_text_, choices, diagnostics_);
    std::set<const SourcePlan*> sources;
    for (const InsertPlan* insert : moved) {
      for (const bridge::PlanBranch& branch : insert->plan.branches) {
        const SourcePlan* source = plan_.source(branch.source);
        if (source != nullptr && sources.insert(source).second) check_source(*source);
      }
      check_query(*insert);
      if (insert->sink->connector->name != "kafka") {
        diagnostics_.warning(insert->sink->location,
                             "'" + insert->sink->name + "' (" + insert->sink->connector->name +
                                 ") is no table of Flink's: `weir deploy flink` writes a topic in its place, "
                                 "which Weir carries on");
      }
    }
  }

 private:
  void check_text(const std::string& text, const Location& location) {
    check_flink_text(text, location, names_, diagnostics_);
  }

  void check_settings() {
    for (const Setting& setting : kSettings) {
      if (!spec_.settings.has(setting.key)) continue;
      const OptionValue& value = spec_.settings.values().at(setting.key);
      diagnostics_.warning(value.name_location.line > 0 ? value.name_location : value.location,
                           std::string("'") + setting.key + "' has no counterpart: " + setting.words);
    }
  }

  void check_query(const InsertPlan& insert) {
    for (const InsertSpec& spec : spec_.inserts) {
      if (spec.location.line != insert.location.line || spec.location.column != insert.location.column)
        continue;
      check_text(spec.query, spec.query_location);
      check_views(spec.query);
    }
  }

  void check_views(const std::string& query) {
    for (const Token& token : tokenize(query).tokens) {
      if (!token.is_identifier()) continue;
      for (const ViewSpec& view : spec_.views) {
        if (view.name != token.text || !views_.insert(view.name).second) continue;
        check_text(view.query, view.query_location);
        check_views(view.query);
      }
    }
  }

  void check_source(const SourcePlan& source) {
    const TableSpec& table = source.table;
    for (const ColumnSpec& column : table.columns) {
      if (column.kind == ColumnKind::computed) check_text(column.expression, column.expression_location);
      if (column.kind == ColumnKind::metadata) check_metadata(column);
    }
    for (const CheckSpec& check : table.checks) {
      check_text(check.expression, check.location);
      diagnostics_.warning(
          check.location,
          "Flink has no CHECK: `weir deploy flink` leaves such rows out by a view, and Weir's "
          "half puts them into the error lake");
    }
    if (table.watermark_column.empty()) return;
    check_text(table.watermark_expression, table.watermark_location);
    diagnostics_.warning(table.watermark_location,
                         "rows that come late are dropped by Flink and only counted (numLateRecordsDropped)");
    const auto ahead = table.options.find("watermark.max-ahead");
    if (ahead == table.options.end()) return;
    diagnostics_.warning(
        ahead->second.name_location,
        "'watermark.max-ahead' has no counterpart: in Flink one clock that is ahead closes the "
        "windows of all");
  }

  void check_metadata(const ColumnSpec& column) {
    if (column.metadata_key == "partition") {
      diagnostics_.warning(column.location,
                           "METADATA 'partition' is the partition's number in Flink; here it "
                           "names the topic and its id too");
    } else if (column.metadata_key == "headers") {
      diagnostics_.warning(column.location,
                           "METADATA 'headers' is MAP<STRING, BYTES> in Flink, cast to text");
    } else if (column.metadata_key == "key") {
      diagnostics_.warning(column.location,
                           "Flink has no METADATA 'key': `weir deploy flink` declares it with "
                           "'key.fields' and 'key.format' = 'raw'");
    }
  }

  const PipelinePlan& plan_;
  const PipelineSpec& spec_;
  const std::string& file_text_;
  const FileNames names_;
  Diagnostics& diagnostics_;
  std::set<std::string> views_;  // that were looked at
};

}  // namespace

void find_flink_differences(const PipelinePlan& plan, const std::string& file_text,
                            Diagnostics& diagnostics) {
  DifferenceFinder(plan, file_text, diagnostics).run();
}

}  // namespace weir
