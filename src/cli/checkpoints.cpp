// weir checkpoints list | show
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>

#include "base/clock.h"
#include "base/text.h"
#include "checkpoint/epoch_store.h"
#include "cli/checkpoint_text.h"
#include "cli/command.h"
#include "runtime/tables.h"

namespace weir {
namespace {

struct Arguments {
  std::string file;
  std::string set;
  std::string format = "table";
  int64_t epoch = -1;
  bool verify = false;
};

struct OpenedState {
  std::unique_ptr<ObjectStore> objects;
  std::vector<std::string> sets;
};

Result<OpenedState> open(const Arguments& arguments, const PipelinePlan& plan) {
  OpenedState state;
  WEIR_ASSIGN(state.objects, open_state_objects(plan));
  WEIR_ASSIGN(state.sets, sets_with_epochs(*state.objects, plan.spec.name));
  if (arguments.set.empty()) return state;
  if (std::find(state.sets.begin(), state.sets.end(), arguments.set) == state.sets.end())
    return Status(Code::not_found, "no set '" + arguments.set + "' of pipeline '" + plan.spec.name +
                                       "' has checkpoints" + suggestion(arguments.set, state.sets));
  state.sets = {arguments.set};
  return state;
}

void say_none(const Arguments& arguments, const PipelinePlan& plan) {
  if (arguments.format != "table") return;
  const bool stateful =
      std::any_of(plan.sets.begin(), plan.sets.end(), [](const SetPlan& set) { return set.stateful(); });
  std::printf("no checkpoints%s\n",
              stateful ? "" : ": this pipeline keeps no state, its tables remember positions");
}

int list(const Arguments& arguments, const PipelinePlan& plan) {
  auto state = open(arguments, plan);
  if (!state.ok()) return report(state.status());
  for (const std::string& set : state->sets) {
    EpochStore store(*state->objects, plan.spec.name, set);
    auto epochs = store.list();
    if (!epochs.ok()) return report(epochs.status());
    for (EpochSummary& epoch : *epochs) {
      if (!arguments.verify || !epoch.problem.empty()) continue;
      auto manifest = store.manifest(epoch.epoch);
      if (!manifest.ok()) return report(manifest.status());
      epoch.problem = store.check(*manifest, true).message();
    }
    const auto written = arguments.format == "json" ? epochs_json : epochs_text;
    std::fputs(written(set, *epochs, Clock::real().now_us()).c_str(), stdout);
  }
  if (state->sets.empty()) say_none(arguments, plan);
  return kExitOk;
}

int show(const Arguments& arguments, const PipelinePlan& plan) {
  auto state = open(arguments, plan);
  if (!state.ok()) return report(state.status());
  int exit = kExitOk;
  size_t shown = 0;
  Status missing;
  for (const std::string& set : state->sets) {
    EpochStore store(*state->objects, plan.spec.name, set);
    int64_t epoch = arguments.epoch;
    if (epoch < 0) {
      auto next = store.next_epoch();
      if (!next.ok()) return report(next.status());
      epoch = *next - 1;
    }
    auto manifest = store.manifest(epoch);
    if (!manifest.ok() && manifest.status().code() == Code::not_found) {
      missing = manifest.status();
      continue;
    }
    ++shown;
    if (!manifest.ok()) {
      report(manifest.status());
      exit = kExitFailed;
      continue;
    }
    const Status checked = store.check(*manifest, arguments.verify);
    const bool damaged = checked.code() == Code::invalid || checked.code() == Code::not_found;
    if (!checked.ok() && !damaged) return report(checked);
    if (damaged) exit = kExitFailed;
    const auto written = arguments.format == "json" ? manifest_json : manifest_text;
    std::fputs(written(set, *manifest, checked.message(), Clock::real().now_us()).c_str(), stdout);
  }
  if (state->sets.empty()) say_none(arguments, plan);
  return shown == 0 ? report(missing) : exit;
}

}  // namespace

void add_checkpoints_command(CLI::App& app, const Registry& registry, int& exit) {
  CLI::App* command = app.add_subcommand("checkpoints", "what a stateful pipeline goes on from: list, show");
  command->require_subcommand(1);
  command->footer(
      "Examples:\n  weir checkpoints list orders.sql\n  weir checkpoints show orders.sql --epoch 42\n"
      "  weir checkpoints list orders.sql --verify      read all of them; exit code 1 of show: damaged");
  using Action = int (*)(const Arguments&, const PipelinePlan&);
  auto add = [&](const char* name, const char* help, Action action) {
    auto arguments = std::make_shared<Arguments>();
    CLI::App* sub = command->add_subcommand(name, help);
    sub->add_option("FILE", arguments->file, "pipeline file (.sql)")->required();
    sub->add_option("--set", arguments->set, "only of this set of INSERTs");
    sub->add_option("--format", arguments->format, "table or json")->check(CLI::IsMember({"table", "json"}));
    sub->add_flag("--verify", arguments->verify, "read every file as a whole, not only its size and its end");
    if (action == show)
      sub->add_option("--epoch", arguments->epoch, "this one; else the newest")
          ->check(CLI::NonNegativeNumber);
    sub->callback([arguments, action, &registry, &exit] {
      auto plan = load_pipeline(arguments->file, registry);
      exit = plan.ok() ? action(*arguments, **plan) : exit_code(plan.status());
    });
  };
  add("list", "every checkpoint that is kept: age, size, whole or damaged", list);
  add("show", "positions, watermarks, operators and prepared commits of one", show);
}

}  // namespace weir
