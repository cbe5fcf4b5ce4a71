#include "cli/command.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>

#include "base/objects.h"

namespace weir {

int exit_code(const Status& status) {
  switch (status.code()) {
    case Code::ok:
    case Code::cancelled: return kExitOk;
    case Code::invalid: return kExitInvalid;
    case Code::unavailable:
    case Code::denied:
    case Code::not_found: return kExitUnreachable;
    default: return kExitFailed;
  }
}

int report(const Status& status) {
  if (status.ok()) return kExitOk;
  std::fprintf(stderr, "error: %s\n", status.message().c_str());
  return exit_code(status);
}

Result<std::unique_ptr<PipelinePlan>> try_load_pipeline(const std::string& file, const Registry& registry,
                                                        std::vector<Diagnostic>& warnings) {
  auto text = read_file(file);
  if (!text.ok()) return Status::invalid(file + ": " + text.status().message());
  Diagnostics diagnostics;
  PipelineSpec spec = parse_pipeline(file, *text, diagnostics);
  auto plan = plan_pipeline(std::move(spec), registry, diagnostics);
  for (const Diagnostic& entry : diagnostics.entries()) {
    if (entry.warning) warnings.push_back(entry);
  }
  if (plan == nullptr) return diagnostics.status();
  return plan;
}

Result<std::unique_ptr<PipelinePlan>> load_pipeline(const std::string& file, const Registry& registry) {
  std::vector<Diagnostic> warnings;
  auto plan = try_load_pipeline(file, registry, warnings);
  for (const Diagnostic& warning : warnings) {
    std::fprintf(stderr, "%s: warning: %s\n", warning.location.text().c_str(), warning.message.c_str());
  }
  if (!plan.ok()) std::fprintf(stderr, "%s\n", plan.status().message().c_str());
  return plan;
}

int run_command_line(int argc, char** argv, const Registry& registry) {
  CLI::App app{
      "Weir: events from NATS, Kafka and files, through SQL, exactly once into a Delta lake and ClickHouse."};
  app.require_subcommand(1);
  app.set_version_flag("--version", "weir 0.1.0");
  app.footer(
      "Examples:\n"
      "  weir check orders.sql              find every problem before anything runs\n"
      "  weir run orders.sql                run until Ctrl-C, which drains and commits\n"
      "  weir sql -f orders.sql \"SELECT count(*) FROM lake_orders\"\n"
      "  weir errors list orders.sql        what could not be applied, and why\n"
      "  weir errors replay orders.sql      bring it back, exactly once\n\n"
      "Exit codes: 0 ok, 1 failed while running, 2 wrong usage, file, option or SQL, 3 a server is "
      "unreachable\n"
      "or refused, 4 differences found by `weir test`.");
  int exit = kExitOk;
  add_run_command(app, registry, exit);
  add_check_command(app, registry, exit);
  add_deploy_command(app, registry, exit);
  add_explain_command(app, registry, exit);
  add_send_command(app, registry, exit);
  add_serve_command(app, registry, exit);
  add_sql_command(app, registry, exit);
  add_errors_command(app, registry, exit);
  add_checkpoints_command(app, registry, exit);
  add_connectors_command(app, registry, exit);
  add_test_command(app, registry, exit);
  add_init_command(app, registry, exit);
  add_completion_command(app, registry, exit);
  add_version_command(app, registry, exit);
  app.add_subcommand("help", "this text")->callback([&] { std::cout << app.help(); });
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    app.exit(error);
    return kExitInvalid;
  }
  return exit;
}

}  // namespace weir
