// Commits of one table, in order, on a thread of their own: a slow table holds up only those commits that
// must come after its own.
#pragma once

#include <atomic>
#include <functional>
#include <future>
#include <thread>

#include "base/status.h"
#include "runtime/bounded_queue.h"

namespace weir {

// push and idle are called by one thread.
class CommitLane {
 public:
  CommitLane();
  ~CommitLane();  // runs what was pushed, then ends the thread

  // At most two wait; then it blocks. `commit` runs after all that were pushed before it. An exception in it
  // is a failed Status.
  std::shared_future<Status> push(std::function<Status()> commit);
  bool idle() const { return pending_ == 0; }

 private:
  using Task = std::packaged_task<Status()>;
  void work();

  BoundedQueue<Task> queue_{2};
  std::atomic<int> pending_{0};
  std::thread thread_;
};

}  // namespace weir
