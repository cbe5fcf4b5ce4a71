// weir check
#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <memory>

#include "base/objects.h"
#include "cli/command.h"
#include "flink/differences.h"
#include "runtime/set_tables.h"
#include "runtime/tables.h"

namespace weir {
namespace {

struct CheckArguments {
  std::vector<std::string> files;
  bool connect = false;
  std::string target;
  bool portable_sql = false;
};

// `code` keeps the first failure.
void note(const Status& status, const Location& location, int& code) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s: error: %s\n", location.text().c_str(), status.message().c_str());
  if (code == kExitOk) code = exit_code(status) == kExitOk ? kExitFailed : exit_code(status);
}

SourceContext source_context(const PipelinePlan& plan, const SourcePlan& source) {
  SourceContext context;
  context.pipeline = plan.spec.name;
  context.table = &source.table;
  context.options = source.options;
  context.clock = &Clock::real();
  return context;
}

void probe(const PipelinePlan& plan, int& code) {
  for (const auto& sink : plan.sinks) {
    if (sink->schema == nullptr || !sink->connector->probe) continue;
    note(sink->connector->probe(sink_context(plan, *sink, Clock::real())), sink->location, code);
  }
  for (const auto& source : plan.sources) {
    if (!source->connector->probe) continue;
    note(source->connector->probe(source_context(plan, *source)), source->table.location, code);
  }
}

// What Flink takes differently, or not at all.
void check_for_flink(const std::string& file, const PipelinePlan& plan, int& code) {
  auto text = read_file(file);
  if (!text.ok()) return note(text.status(), {file, 1, 1}, code);
  Diagnostics diagnostics;
  find_flink_differences(plan, *text, diagnostics);
  for (const Diagnostic& entry : diagnostics.entries()) {
    if (!entry.warning) {
      note(Status(entry.code, entry.message), entry.location, code);
      continue;
    }
    std::fprintf(stderr, "%s: warning: %s\n", entry.location.text().c_str(), entry.message.c_str());
  }
}

// "ok", and by name what is not exactly once.
void say_what_is_promised(const std::string& file, const PipelinePlan& plan) {
  std::printf("%s: ok\n", file.c_str());
  for (const std::string& line : lossy_sources(plan)) std::printf("%s: %s\n", file.c_str(), line.c_str());
  for (const auto& sink : plan.sinks) {
    if (sink->schema == nullptr) continue;
    const std::string promised = sink->connector->guarantee(sink->options);
    if (promised.starts_with("exactly once")) continue;
    std::printf("%s: '%s' (%s) is %s\n", file.c_str(), sink->name.c_str(), sink->connector->name.c_str(),
                promised.c_str());
  }
}

int check(const CheckArguments& arguments, const Registry& registry) {
  if (arguments.portable_sql) {
    std::fputs(portable_sql_markdown().c_str(), stdout);
    return kExitOk;
  }
  if (arguments.files.empty()) return report(Status::invalid("FILE is missing: the pipeline files to check"));
  int code = kExitOk;
  std::map<std::string, std::string> file_of_name;
  for (const std::string& file : arguments.files) {
    auto loaded = load_pipeline(file, registry);
    if (!loaded.ok()) {
      code = exit_code(loaded.status());
      continue;
    }
    const std::unique_ptr<PipelinePlan> plan = *std::move(loaded);
    auto [claimed, fresh] = file_of_name.emplace(plan->spec.name, file);
    if (!fresh) {
      note(Status::invalid("the pipeline name '" + plan->spec.name + "' is taken by " + claimed->second),
           {file, 1, 1}, code);
    }
    int checked = check_connectors(*plan);
    if (code == kExitOk) code = checked;
    if (arguments.connect) probe(*plan, code);
    if (arguments.target == "flink") check_for_flink(file, *plan, code);
    if (code == kExitOk) say_what_is_promised(file, *plan);
  }
  return code;
}

}  // namespace

std::vector<std::string> lossy_sources(const PipelinePlan& plan) {
  std::vector<std::string> lines;
  for (const auto& source : plan.sources) {
    if (!source->connector->guarantee) continue;
    const std::string promised = source->connector->guarantee(source->options);
    if (promised.empty()) continue;
    lines.push_back("'" + source->table.name + "' (" + source->connector->name + ") is " + promised);
  }
  return lines;
}

int check_connectors(const PipelinePlan& plan) {
  int code = kExitOk;
  for (const auto& sink : plan.sinks) {
    if (sink->schema == nullptr) continue;  // no INSERT into it
    note(check_sink(plan, *sink, Clock::real()), sink->location, code);
  }
  for (const auto& source : plan.sources) {
    note(source->connector->create(source_context(plan, *source)).status(), source->table.location, code);
  }
  return code;
}

void add_check_command(CLI::App& app, const Registry& registry, int& exit) {
  auto arguments = std::make_shared<CheckArguments>();
  CLI::App* command =
      app.add_subcommand("check", "find every problem of pipeline files before anything runs");
  command->add_option("FILE", arguments->files, "pipeline files (.sql)");
  command
      ->add_option("--target", arguments->target,
                   "flink: also name every use that Flink takes differently or not at all")
      ->check(CLI::IsMember({"flink"}));
  command->add_flag("--portable-sql", arguments->portable_sql, "print docs/portable-sql.md");
  command->add_flag("--connect", arguments->connect,
                    "also connect to every server that the files name; fails fast");
  command->footer(
      "Examples:\n  weir check orders.sql\n  weir check --connect orders.sql\n"
      "  weir check --target flink orders.sql");
  command->callback([arguments, &registry, &exit] { exit = check(*arguments, registry); });
}

}  // namespace weir
