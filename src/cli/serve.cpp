// weir serve
#include "server/serve.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <csignal>
#include <cstdio>

#include "base/objects.h"
#include "cli/command.h"
#include "edge/kafka_target.h"
#include "edge/nats_target.h"

namespace weir {
namespace {

std::atomic<bool> stop_requested{false};

void on_signal(int) {
  if (stop_requested.exchange(true)) _exit(130);  // the second Ctrl-C does not wait for the drain
}

int serve(const std::string& file) {
  std::string text;
  if (!file.empty()) {
    auto content = read_file(file);
    if (!content.ok()) return report(Status::invalid(file + ": " + content.status().message()));
    text = *std::move(content);
  }
  Diagnostics diagnostics;
  const EdgeConfig config = parse_edge_config(file, text, diagnostics);
  if (diagnostics.has_errors()) {
    std::fprintf(stderr, "%s\n", diagnostics.status().message().c_str());
    return kExitInvalid;
  }
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  std::signal(SIGPIPE, SIG_IGN);
  // A file that may not grow is a full disk for its writer, no reason to die.
  std::signal(SIGXFSZ, SIG_IGN);
  auto log = [](const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); };
  auto server = EdgeServer::start(config, Clock::real(), log);
  if (!server.ok()) return report(server.status());
  std::printf("listening on %s\n", (*server)->url().c_str());
  std::fflush(stdout);
  (*server)->run(stop_requested);
  return kExitOk;
}

// The tables of docs/edge.md.
void print_options() {
  const auto table = [](const char* title, const std::vector<OptionSpec>& specs) {
    std::printf("### `%s`\n\n| option | default | meaning |\n|---|---|---|\n", title);
    for (const OptionSpec& spec : specs) {
      std::string help = spec.help;
      if (spec.type == OptionType::choice) {
        std::string choices;
        for (const std::string& choice : spec.choices) choices += (choices.empty() ? "" : ", ") + choice;
        help += " (" + choices + ")";
      }
      if (spec.required) help += "; required";
      if (spec.secret) help += "; secret";
      const std::string value = spec.default_value.empty() ? "" : "`" + spec.default_value + "`";
      std::printf("| `%s` | %s | %s |\n", spec.name.c_str(), value.c_str(), help.c_str());
    }
    std::printf("\n");
  };
  table("[server]", server_option_specs());
  table("[[stream]]", stream_option_specs());
  table("[[route]]", route_option_specs());
  table("[[target]] connector = \"nats\"", nats_target_option_specs());
  table("[[target]] connector = \"kafka\"", kafka_target_option_specs());
}

}  // namespace

void add_serve_command(CLI::App& app, const Registry&, int& exit) {
  auto* command =
      app.add_subcommand("serve", "take events over HTTP: the edge, the embedded log, the registry");
  auto file = std::make_shared<std::string>();
  auto options = std::make_shared<bool>(false);
  command->add_option("--config", *file, "weir.toml; without it all defaults: http://127.0.0.1:7080")
      ->type_name("FILE");
  command->add_flag("--options", *options, "print every option of weir.toml as Markdown, and end");
  command->footer(
      "Example:\n  weir serve &\n  curl -H 'Content-Type: application/json' -d '{\"id\":1}' "
      "http://127.0.0.1:7080/v1/events/orders");
  command->callback([file, options, &exit] {
    if (*options) return print_options();
    exit = serve(*file);
  });
}

}  // namespace weir
