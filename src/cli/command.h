// What all commands share: exit codes, loading a pipeline file, reporting.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "plan/pipeline_plan.h"
#include "plan/registry.h"

namespace CLI {
class App;
}

namespace weir {

// docs/exit-codes.md says the same to users.
enum ExitCode {
  kExitOk = 0,
  kExitFailed = 1,       // it ran and could not go on
  kExitInvalid = 2,      // wrong usage, file, option or SQL: nothing ran
  kExitUnreachable = 3,  // a server is unreachable, refused credentials, or does not have what the file names
  kExitDiffers = 4,      // weir test found differences
};

int exit_code(const Status& status);

// Prints "error: words" to stderr (diagnostics keep their file:line:column) and gives the exit code.
int report(const Status& status);

// Reads, parses and plans; problems are printed to stderr as file:line:column: error: words.
Result<std::unique_ptr<PipelinePlan>> load_pipeline(const std::string& file, const Registry& registry);
Result<std::unique_ptr<PipelinePlan>> try_load_pipeline(const std::string& file, const Registry& registry,
                                                        std::vector<Diagnostic>& warnings);

// What only the connectors know: option values, and whether a sink can store its rows. Connects to nothing.
// Problems are printed as file:line:column: error: words; gives the exit code.
int check_connectors(const PipelinePlan& plan);

// A line for each source that may lose events: "'orders' (nats) is at most once: …".
std::vector<std::string> lossy_sources(const PipelinePlan& plan);

// The commands: each adds its options to `app` and runs by callback, leaving its exit code in `exit`.
void add_run_command(CLI::App& app, const Registry& registry, int& exit);
void add_check_command(CLI::App& app, const Registry& registry, int& exit);
void add_deploy_command(CLI::App& app, const Registry& registry, int& exit);
void add_explain_command(CLI::App& app, const Registry& registry, int& exit);
void add_send_command(CLI::App& app, const Registry& registry, int& exit);
void add_serve_command(CLI::App& app, const Registry& registry, int& exit);
void add_sql_command(CLI::App& app, const Registry& registry, int& exit);
void add_errors_command(CLI::App& app, const Registry& registry, int& exit);
void add_checkpoints_command(CLI::App& app, const Registry& registry, int& exit);
void add_connectors_command(CLI::App& app, const Registry& registry, int& exit);
void add_test_command(CLI::App& app, const Registry& registry, int& exit);
void add_init_command(CLI::App& app, const Registry& registry, int& exit);
void add_completion_command(CLI::App& app, const Registry& registry, int& exit);
void add_version_command(CLI::App& app, const Registry& registry, int& exit);

int run_command_line(int argc, char** argv, const Registry& registry);

}  // namespace weir
