// weir explain
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "cli/command.h"

namespace weir {

void add_explain_command(CLI::App& app, const Registry& registry, int& exit) {
  struct Arguments {
    std::string file;
    bool json = false;
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("explain", "print a pipeline's stream plan as a tree");
  command->add_option("FILE", arguments->file, "pipeline file (.sql)")->required();
  command->add_flag("--json", arguments->json, "as JSON");
  command->footer("Example:\n  weir explain orders.sql");
  command->callback([arguments, &registry, &exit] {
    auto plan = load_pipeline(arguments->file, registry);
    exit = exit_code(plan.status());
    if (plan.ok())
      std::fputs((arguments->json ? explain_json(**plan) : explain_text(**plan)).c_str(), stdout);
  });
}

}  // namespace weir
