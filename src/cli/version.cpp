// weir version
#include <arrow/config.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "cli/command.h"

namespace weir {

void add_version_command(CLI::App& app, const Registry&, int&) {
  app.add_subcommand("version", "print versions")->callback([] {
    std::printf("weir 0.1.0 (Arrow C++ %s, DataFusion 55, delta-rs 1.1)\n",
                arrow::GetBuildInfo().version_string.c_str());
  });
}

}  // namespace weir
