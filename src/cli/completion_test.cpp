#include "cli/completion.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

namespace weir {
namespace {

std::vector<CompletionCommand> sample_commands() {
  static std::string progress;
  static std::string file;
  static bool once = false;
  CLI::App app{"about"};
  CLI::App* run = app.add_subcommand("run", "it's to run: now");
  run->add_option("FILE", file, "a file");
  run->add_flag("--once", once, "end");
  run->add_option("--progress", progress, "how")->check(CLI::IsMember({"auto", "none"}));
  CLI::App* errors = app.add_subcommand("errors", "errors");
  errors->add_subcommand("list", "list them");
  return completion_commands(app);
}

TEST(Completion, ComesFromTheDeclaration) {
  const std::vector<CompletionCommand> commands = sample_commands();
  ASSERT_EQ(commands.size(), 4u);
  EXPECT_EQ(commands[0].commands, (std::vector<std::string>{"run", "errors"}));
  EXPECT_EQ(commands[3].path, "errors list");
  bool file = false;
  bool progress = false;
  for (const CompletionOption& option : commands[1].options) {
    if (option.names.empty()) file = option.takes_file;
    if (option.names == std::vector<std::string>{"--progress"}) {
      progress = true;
      EXPECT_EQ(option.choices, (std::vector<std::string>{"auto", "none"}));
    }
    if (option.names == std::vector<std::string>{"--once"}) {
      EXPECT_FALSE(option.takes_value);
    }
  }
  EXPECT_TRUE(file && progress);
}

TEST(Completion, QuotesOfHelpDoNotEndAString) {
  const std::vector<CompletionCommand> commands = sample_commands();
  EXPECT_NE(zsh_completion(commands).find("'run:it\"s to run\\: now'"), std::string::npos);
  EXPECT_NE(fish_completion(commands).find("-a 'run' -d 'it\"s to run: now'"), std::string::npos);
  EXPECT_NE(bash_completion(commands).find("'run/--progress')"), std::string::npos);
}

}  // namespace
}  // namespace weir
