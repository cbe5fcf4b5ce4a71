#include "runtime/pipeline_runner.h"

#include <filesystem>
#include <memory>
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
  if (!state_path.starts_with("s3://")) {
    auto acquired = FileLock::acquire(state_path + "/" + plan.spec.name + "/lock");
    if (acquired.status().code() == Code::already_exists) {
      return Status(Code::already_exists, "a pipeline named '" + plan.spec.name + "' is running already (" +
                                              acquired.status().message() +
                                              "): stop it, or give this one another SET 'pipeline.name'");
    }
    if (!acquired.ok()) return acquired.status();
    lock = *std::move(acquired);
  }
  WEIR_TRY(write_catalog(plan));
  std::atomic<bool> stop_sets{false};
  std::vector<Status> statuses(plan.sets.size());
  std::vector<std::thread> threads;
  std::atomic<size_t> running{plan.sets.size()};
  for (size_t i = 0; i < plan.sets.size(); ++i) {
    threads.emplace_back([&, i] {
      statuses[i] = run_set(plan, plan.sets[i], options, stats, stop_sets);
      if (!statuses[i].ok())
        stop_sets = true;  // one set cannot go on: the pipeline stops as a whole, drained
      --running;
    });
  }
  while (running > 0) {
    if (stop) stop_sets = true;
    options.clock->sleep(std::chrono::milliseconds(20));
  }
  for (auto& thread : threads) thread.join();
  for (const Status& status : statuses) WEIR_TRY(status);
  return {};
}

}  // namespace weir
