// weir sql
#include <arrow/record_batch.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <set>

#include "base/objects.h"
#include "cli/command.h"
#include "cli/row_text.h"
#include "runtime/tables.h"

namespace weir {
namespace {

struct Arguments {
  std::string query;
  std::string file;
  std::string state = "./weir-data/state";
  std::string format = "table";
};

// The tables of every pipeline that has run on the state folder.
Result<std::vector<bridge::QueryTable>> tables_of_state(const std::string& state, const Registry& registry) {
  std::vector<bridge::QueryTable> tables;
  std::set<std::string> seen;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(state, error)) {
    auto file = read_file((entry.path() / "pipeline-file").string());
    if (!file.ok()) continue;
    std::vector<Diagnostic> warnings;
    auto plan = try_load_pipeline(*file, registry, warnings);
    if (!plan.ok()) {
      std::fprintf(stderr, "warning: the tables of %s are left out: %s\n", file->c_str(),
                   plan.status().message().c_str());
      continue;
    }
    for (auto& table : query_tables(**plan)) {
      if (seen.insert(table.schema + "." + table.name).second) tables.push_back(std::move(table));
    }
  }
  if (error || tables.empty()) {
    return Status::invalid("no pipeline has run on " + state +
                           ": name its file with -f, or its folder with --state");
  }
  return tables;
}

int sql(const Arguments& arguments, const Registry& registry) {
  std::vector<bridge::QueryTable> tables;
  if (!arguments.file.empty()) {
    auto plan = load_pipeline(arguments.file, registry);
    if (!plan.ok()) return exit_code(plan.status());
    tables = query_tables(**plan);
  } else {
    auto found = tables_of_state(arguments.state, registry);
    if (!found.ok()) return report(found.status());
    tables = *std::move(found);
  }
  auto reader = bridge::query(tables, arguments.query);
  if (!reader.ok()) return report(reader.status());
  auto written = write_rows(**reader, arguments.format, 1000, stdout);
  return written.ok() ? kExitOk : report(written.status());
}

}  // namespace

void add_sql_command(CLI::App& app, const Registry& registry, int& exit) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("sql", "query a pipeline's lake tables and its error lake");
  command->add_option("QUERY", arguments->query, "any SQL; error tables are errors.<source>")->required();
  command->add_option("-f,--file", arguments->file, "the pipeline file whose tables are meant")
      ->type_name("FILE");
  command
      ->add_option("--state", arguments->state,
                   "without -f: the state folder of the pipelines that are meant")
      ->capture_default_str();
  command->add_option("--format", arguments->format, "table, json (an object a line) or csv")
      ->check(CLI::IsMember({"table", "json", "csv"}))
      ->capture_default_str();
  command->footer(
      "Examples:\n  weir sql -f orders.sql \"SELECT count(*) FROM lake_orders\"\n"
      "  weir sql -f orders.sql --format csv \"SELECT code, count(*) FROM errors.orders GROUP BY code\"");
  command->callback([arguments, &registry, &exit] { exit = sql(*arguments, registry); });
}

}  // namespace weir
