#include "runtime/commit_lane.h"

#include "runtime/guarded.h"

namespace weir {

CommitLane::CommitLane() {
  thread_ = std::thread([this] { work(); });
}

CommitLane::~CommitLane() {
  queue_.close();
  thread_.join();
}

std::shared_future<Status> CommitLane::push(std::function<Status()> commit) {
  Task task([commit = std::move(commit)] { return guarded(commit); });
  auto done = task.get_future().share();
  ++pending_;
  queue_.push(std::move(task));
  return done;
}

void CommitLane::work() {
  while (!queue_.closed_and_empty()) {
    auto task = queue_.pop(std::chrono::milliseconds(1000));
    if (!task) continue;
    (*task)();
    --pending_;
  }
}

}  // namespace weir
