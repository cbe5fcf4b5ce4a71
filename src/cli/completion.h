// Completion scripts for shells, generated from the command line's own declaration.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace weir {

struct CompletionOption {
  std::vector<std::string> names;  // "--once", "-f"; empty for a positional
  std::string help;
  std::vector<std::string> choices;
  bool takes_value = false;
  bool takes_file = false;  // no choices: names of files fit
};

// A command and its way from the root, such as "errors list"; "" is the root.
struct CompletionCommand {
  std::string path;
  std::string name;
  std::string help;
  std::vector<CompletionOption> options;  // positionals too
  std::vector<std::string> commands;      // names of the commands below it
};

// The root first, a command before those below it.
std::vector<CompletionCommand> completion_commands(const CLI::App& app);

std::string bash_completion(const std::vector<CompletionCommand>& commands);
std::string zsh_completion(const std::vector<CompletionCommand>& commands);
std::string fish_completion(const std::vector<CompletionCommand>& commands);

}  // namespace weir
