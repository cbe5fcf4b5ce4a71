#include "runtime/pipeline_runner.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/file_lock.h"
#include "runtime/tables.h"

namespace weir {
namespace {

// So that `weir sql` without a file finds the tables of what ran here.
Status write_catalog(const PipelinePlan& plan) {
  WEIR_ASSIGN(auto objects, open_state_objects(plan));
  std::error_code error;
  auto file = std::filesystem::absolute(plan.spec.file, error);
  return objects->put(plan.spec.name + "/pipeline-file", error ? plan.spec.file : file.string());
}

}  // namespace

Status run_pipeline(const PipelinePlan& plan, const RunOptions& options, PipelineStats& stats,
                    const std::atomic<bool>& stop) {
  std::unique_ptr<FileLock> lock;
  std::string state_path = plan.spec.settings.string("state.path");
  // Several workers share the state by design; their commits are told apart by the tables' positions.
  if (!state_path.starts_with("s3://") && plan.spec.settings.string("pipeline.workers") == "one") {
    auto acquired = FileLock::acquire(state_path + "/" + plan.spec.name + "/lock");
    if (acquired.status().code() == Code::already_exists) {
      const bool stateful =
          std::any_of(plan.sets.begin(), plan.sets.end(), [](const SetPlan& set) { return set.stateful(); });
      return Status(
          Code::already_exists,
          "a pipeline named '" + plan.spec.name + "' is running already (" + acquired.status().message() +
              "): stop it" + (stateful ? " or" : ",") + " give this one another SET 'pipeline.name'" +
              (stateful ? "" : ", or let several share the work: SET 'pipeline.workers' = 'several'"));
    }
    if (!acquired.ok()) return acquired.status();
    lock = *std::move(acquired);
  }
  WEIR_TRY(write_catalog(plan));
  std::atomic<bool> stop_sets{false};
  std::mutex mutex;
  Status first_failure;  // in time: what ended the pipeline, not what its end did to the other sets
  std::vector<std::thread> threads;
  std::atomic<size_t> running{plan.sets.size()};
  for (size_t i = 0; i < plan.sets.size(); ++i) {
    threads.emplace_back([&, i] {
      Status status = run_set(plan, plan.sets[i], options, stats, stop_sets);
      if (!status.ok()) {
        std::lock_guard lock(mutex);
        if (first_failure.ok()) first_failure = status;
        stop_sets = true;  // one set cannot go on: the pipeline stops as a whole, drained
      }
      --running;
    });
  }
  while (running > 0) {
    if (stop) stop_sets = true;
    options.clock->sleep(std::chrono::milliseconds(20));
  }
  for (auto& thread : threads) thread.join();
  return first_failure;
}

}  // namespace weir
