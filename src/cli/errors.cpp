// weir errors list | show | count | replay
#include <arrow/array.h>
#include <arrow/record_batch.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "base/objects.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/edge_errors.h"
#include "cli/payload_excerpt.h"
#include "cli/row_text.h"
#include "runtime/error_query.h"
#include "runtime/replay.h"
#include "schema/row_json.h"
#include "server/unrouted.h"

namespace weir {
namespace {

struct Arguments {
  std::string file;
  ErrorFilter filter;
  std::string format = "table";
  int64_t limit = 20;
  std::string url;
};

// The columns that fit a screen; json and csv give all of them.
Result<std::shared_ptr<arrow::RecordBatchReader>> for_listing(
    std::shared_ptr<arrow::RecordBatchReader> reader, const std::string& format) {
  if (format != "table") return reader;
  arrow::RecordBatchVector batches;
  std::shared_ptr<arrow::Schema> schema;
  std::vector<int> columns;
  for (const char* name : {"id", "code", "field", "message"})
    columns.push_back(reader->schema()->GetFieldIndex(name));
  int64_t rows = 0;
  while (true) {
    std::shared_ptr<arrow::RecordBatch> batch;
    arrow::Status read = reader->ReadNext(&batch);
    if (!read.ok()) return Status::invalid(read.message());
    if (batch == nullptr) break;
    auto selected = batch->SelectColumns(columns);
    if (!selected.ok()) return Status::internal(selected.status().message());
    schema = (*selected)->schema();
    if (rows <= 1000) batches.push_back(*selected);
    rows += batch->num_rows();
  }
  if (schema == nullptr) schema = arrow::schema({});
  auto made = arrow::RecordBatchReader::Make(batches, schema);
  if (!made.ok()) return Status::internal(made.status().message());
  return *made;
}

int list(const Arguments& arguments, const PipelinePlan& plan) {
  auto sources = sources_of(plan, arguments.filter);
  if (!sources.ok()) return report(sources.status());
  for (const SourcePlan* source : *sources) {
    auto reader = query_errors(plan, *source, arguments.filter,
                               arguments.format == "table" ? ErrorRead::listing : ErrorRead::everything);
    if (!reader.ok()) return report(reader.status());
    if (*reader == nullptr) continue;
    auto shown = for_listing(*reader, arguments.format);
    if (!shown.ok()) return report(shown.status());
    auto written = write_rows(**shown, arguments.format, 1000, stdout);
    if (!written.ok()) return report(written.status());
  }
  return kExitOk;
}

std::string text_of(const arrow::RecordBatch& batch, const char* column, int64_t row) {
  auto array = batch.GetColumnByName(column);
  if (array == nullptr || array->IsNull(row)) return "";
  if (array->type_id() == arrow::Type::STRING || array->type_id() == arrow::Type::BINARY) {
    return static_cast<const arrow::BinaryArray&>(*array).GetString(row);
  }
  std::string text;
  append_json_value(*array, row, text);
  return text.size() >= 2 && text.front() == '"' ? text.substr(1, text.size() - 2) : text;
}

void show_one(const arrow::RecordBatch& batch, int64_t row) {
  std::printf("%s\n", text_of(batch, "id", row).c_str());
  std::printf("  %s: %s\n", text_of(batch, "code", row).c_str(), text_of(batch, "message", row).c_str());
  for (const char* column : {"field", "sink", "subject", "key", "headers", "event_time", "first_seen"}) {
    std::string value = text_of(batch, column, row);
    if (!value.empty()) std::printf("  %s: %s\n", column, printable(value).c_str());
  }
  std::string byte = text_of(batch, "byte", row);
  int64_t at = byte.empty() ? -1 : std::stoll(byte);
  std::printf("%s\n", payload_excerpt(text_of(batch, "payload", row), at, 100).c_str());
}

int show(const Arguments& arguments, const PipelinePlan& plan) {
  auto sources = sources_of(plan, arguments.filter);
  if (!sources.ok()) return report(sources.status());
  int64_t shown = 0;
  int64_t left_out = 0;
  for (const SourcePlan* source : *sources) {
    auto counts = count_errors(plan, *source, arguments.filter);
    if (!counts.ok()) return report(counts.status());
    left_out += counts->total - (arguments.filter.include_resolved ? 0 : counts->resolved);
    auto reader = query_errors(plan, *source, arguments.filter, ErrorRead::first,
                               std::max<int64_t>(0, arguments.limit - shown));
    if (!reader.ok()) return report(reader.status());
    while (*reader != nullptr) {
      std::shared_ptr<arrow::RecordBatch> batch;
      arrow::Status read = (*reader)->ReadNext(&batch);
      if (!read.ok()) return report(Status::invalid(read.message()));
      if (batch == nullptr) break;
      for (int64_t row = 0; row < batch->num_rows(); ++row) {
        --left_out;
        if (shown++ > 0) std::printf("\n");
        show_one(*batch, row);
      }
    }
  }
  if (left_out > 0)
    std::printf("\n(%lld more; --limit shows more, --id or --code fewer)\n",
                static_cast<long long>(left_out));
  if (shown == 0) std::printf("no errors\n");
  return kExitOk;
}

int count(const Arguments& arguments, const PipelinePlan& plan) {
  auto sources = sources_of(plan, arguments.filter);
  if (!sources.ok()) return report(sources.status());
  ErrorCounts sum;
  for (const SourcePlan* source : *sources) {
    auto counts = count_errors(plan, *source, arguments.filter);
    if (!counts.ok()) return report(counts.status());
    sum.total += counts->total;
    sum.resolved += counts->resolved;
  }
  const auto unresolved = static_cast<long long>(sum.total - sum.resolved);
  const auto resolved = static_cast<long long>(sum.resolved);
  const auto total = static_cast<long long>(sum.total);
  if (arguments.format == "json") {
    std::printf("{\"unresolved\":%lld,\"resolved\":%lld,\"total\":%lld}\n", unresolved, resolved, total);
  } else if (arguments.format == "csv") {
    std::printf("unresolved,resolved,total\n%lld,%lld,%lld\n", unresolved, resolved, total);
  } else {
    std::printf("unresolved=%lld resolved=%lld total=%lld\n", unresolved, resolved, total);
  }
  return kExitOk;
}

// The file with one INSERT more: the source's columns into the columns of the same names of the table --into.
Result<std::unique_ptr<PipelinePlan>> plan_with_into(Arguments& arguments, const Registry& registry) {
  const std::string& into = arguments.filter.into;
  auto text = read_file(arguments.file);
  if (!text.ok()) return Status::invalid(arguments.file + ": " + text.status().message());
  Diagnostics diagnostics;
  PipelineSpec spec = parse_pipeline(arguments.file, *text, diagnostics);
  if (diagnostics.has_errors()) return diagnostics.status();
  const TableSpec* target = spec.table(into);
  if (target == nullptr) {
    std::vector<std::string> names;
    for (const TableSpec& table : spec.tables) names.push_back(table.name);
    return Status::invalid("--into: the file declares no table '" + into + "'." + suggestion(into, names));
  }
  const TableSpec* source = spec.table(arguments.filter.source);
  if (source == nullptr) {
    return Status::invalid("--into needs --source: the table whose events are written into '" + into + "'");
  }
  std::string columns;
  InsertSpec insert;
  for (const ColumnSpec& column : source->columns) {
    const bool wanted = target->columns.empty() || std::any_of(target->columns.begin(), target->columns.end(),
                                                               [&](const ColumnSpec& candidate) {
                                                                 return candidate.name == column.name;
                                                               });
    if (!wanted) continue;
    columns += (columns.empty() ? "`" : ", `") + column.name + "`";
    if (!target->columns.empty()) insert.columns.push_back(column.name);
  }
  if (columns.empty()) {
    return Status::invalid("--into: '" + into + "' has none of the columns of '" + source->name + "'");
  }
  insert.table = into;
  insert.column_locations.assign(insert.columns.size(), target->location);
  insert.query = "SELECT " + columns + " FROM `" + source->name + "`";
  insert.location = insert.query_location = target->location;
  spec.inserts.push_back(std::move(insert));
  auto plan = plan_pipeline(std::move(spec), registry, diagnostics);
  if (plan == nullptr) return diagnostics.status();
  arguments.filter.into = plan->inserts.back()->label;
  return plan;
}

int replay(const Arguments& arguments, const PipelinePlan& plan) {
  auto counts = replay_errors(plan, arguments.filter, Clock::real(),
                              [](const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); });
  if (!counts.ok()) return report(counts.status());
  std::printf("replayed=%lld resolved=%lld failed=%lld\n", static_cast<long long>(counts->replayed),
              static_cast<long long>(counts->resolved), static_cast<long long>(counts->failed));
  return kExitOk;
}

}  // namespace

void add_errors_command(CLI::App& app, const Registry& registry, int& exit) {
  CLI::App* command = app.add_subcommand("errors", "what could not be applied: list, show, count, replay");
  command->require_subcommand(1);
  command->footer(
      "Examples:\n  weir errors list orders.sql\n  weir errors show orders.sql --code wrong_type --limit 1\n"
      "  weir errors count orders.sql\n  weir errors replay orders.sql --where \"code = 'wrong_type'\"\n"
      "  weir errors replay orders.sql --source orders --code late --into late_orders\n"
      "  weir errors replay weir.toml           events that no route took, by today's routes");
  using Action = int (*)(const Arguments&, const PipelinePlan&);
  auto add = [&](const char* name, const char* help, Action action) {
    auto arguments = std::make_shared<Arguments>();
    CLI::App* sub = command->add_subcommand(name, help);
    sub->add_option("FILE", arguments->file, "pipeline file (.sql), or weir.toml: events without a route")
        ->required();
    sub->add_option("--source", arguments->filter.source, "only errors of this source");
    sub->add_option("--code", arguments->filter.code, "only this code, such as wrong_type");
    sub->add_option("--id", arguments->filter.id, "only the error with this id");
    sub->add_option("--where", arguments->filter.where, "only errors for which this SQL predicate holds");
    if (action != replay) sub->add_flag("--all", arguments->filter.include_resolved, "resolved ones too");
    if (action != replay && action != show) {
      sub->add_option("--format", arguments->format, "table, json or csv")
          ->check(CLI::IsMember({"table", "json", "csv"}));
    }
    if (action == show)
      sub->add_option("--limit", arguments->limit, "at most this many")->capture_default_str();
    if (action == replay) {
      sub->add_option("--url", arguments->url,
                      "of the server that holds the log of weir.toml; empty: as its 'listen' says");
      sub->add_option(
          "--into", arguments->filter.into,
          "write the events of --source into this table of the file, columns by name, instead of where "
          "they failed; takes late and future ones too");
    }
    sub->callback([arguments, action, &registry, &exit] {
      if (arguments->file.ends_with(".toml")) {
        auto config = load_edge_config(arguments->file);
        if (!config.ok()) {
          std::fprintf(stderr, "%s\n", config.status().message().c_str());
          exit = exit_code(config.status());
        } else if (action == replay) {
          exit = replay_edge_errors(*config, arguments->filter, arguments->url);
        } else {
          exit = action(*arguments, *edge_error_plan(unrouted_settings(*config)));
        }
        return;
      }
      if (!arguments->filter.into.empty()) {
        auto plan = plan_with_into(*arguments, registry);
        exit = plan.ok() ? action(*arguments, **plan) : report(plan.status());
        return;
      }
      auto plan = load_pipeline(arguments->file, registry);
      exit = plan.ok() ? action(*arguments, **plan) : exit_code(plan.status());
    });
  };
  add("list", "the unresolved errors, one a line", list);
  add("show", "the events themselves, with a caret under the offending byte", show);
  add("count", "how many are unresolved, resolved, in all", count);
  add("replay", "run stored events through today's file, exactly once", replay);
}

}  // namespace weir
