// weir test
#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <mutex>
#include <thread>

#include "base/environment.h"
#include "cli/command.h"
#include "cli/golden_case.h"
#include "runtime/pipeline_runner.h"

namespace weir {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  std::vector<std::string> folders;
  std::string child;  // a variant: run it in this process, as run_case asks
  std::string work;
  int jobs = 2;
};

// One variant of one case, in a process of its own, so that it can be killed.
int run_as_child(const Arguments& arguments, const Registry& registry) {
  for (CaseVariant variant : {CaseVariant::straight, CaseVariant::restored, CaseVariant::hostile}) {
    if (arguments.child != variant_name(variant)) continue;
    auto plan = load_case(arguments.folders.at(0), arguments.work, variant, registry);
    if (!plan.ok()) return report(plan.status());
    RunOptions options;
    options.once = true;
    options.clock = &Clock::real();
    options.log = [](const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); };
    PipelineStats stats;
    std::atomic<bool> stop{false};
    return report(run_pipeline(**plan, options, stats, stop));
  }
  return kExitInvalid;
}

int test(const Arguments& arguments, const Registry& registry) {
  if (!arguments.child.empty()) return run_as_child(arguments, registry);
  std::vector<fs::path> cases;
  for (const std::string& folder : arguments.folders) {
    auto found = find_cases(fs::absolute(folder));
    if (found.empty())
      return report(Status::invalid(folder + " holds no case: a case is a folder with a pipeline.sql"));
    cases.insert(cases.end(), found.begin(), found.end());
  }
  fs::path work = fs::temp_directory_path() / ("weir-test-" + random_hex_id());
  std::mutex mutex;
  std::atomic<size_t> next{0};
  int runs = 0;
  int failed = 0;
  auto worker = [&] {
    for (size_t i = next++; i < cases.size(); i = next++) {
      CaseOutcome outcome = run_case(cases[i], work / std::to_string(i), registry);
      std::error_code error;
      fs::remove_all(work / std::to_string(i), error);
      std::lock_guard lock(mutex);
      runs += outcome.runs;
      if (!outcome.differences.empty()) ++failed;
      std::printf("%s %s\n", outcome.differences.empty() ? "ok    " : "FAILED", outcome.name.c_str());
      for (const std::string& difference : outcome.differences)
        std::printf("       %s\n", difference.c_str());
      std::fflush(stdout);
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < arguments.jobs; ++i) threads.emplace_back(worker);
  for (auto& thread : threads) thread.join();
  std::error_code error;
  fs::remove_all(work, error);
  std::printf("%zu cases, %d runs, %d failed\n", cases.size(), runs, failed);
  return failed == 0 ? kExitOk : kExitDiffers;
}

}  // namespace

void add_test_command(CLI::App& app, const Registry& registry, int& exit) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      app.add_subcommand("test", "run pipelines over their inputs and compare with the expected rows");
  command->add_option("DIR", arguments->folders, "a case, or a folder of cases")->required();
  command->add_option("--jobs", arguments->jobs, "cases at the same time")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  command->add_option("--child", arguments->child, "")->group("");
  command->add_option("--work", arguments->work, "")->group("");
  command->footer(
      "A case is a folder: pipeline.sql, input/<source>.ndjson, expected/<sink>.ndjson, and "
      "expected/errors.ndjson\n"
      "or expected/refused.txt. Each runs three ways: straight, killed and restored at every epoch, and "
      "with\n"
      "batches of one. Connectors are replaced by files and temporary tables.\n\n"
      "Example:\n  weir test tests/golden");
  command->callback([arguments, &registry, &exit] { exit = test(*arguments, registry); });
}

}  // namespace weir
