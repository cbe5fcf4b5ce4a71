// Threads for what may block, with a bound on what waits.
#pragma once

#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <thread>
#include <vector>

namespace weir {

class WorkPool {
 public:
  WorkPool(int threads, size_t most_waiting);
  // Ends the threads; work that still waits is dropped.
  ~WorkPool();
  // False: too much waits already, and `work` will not run.
  bool run(std::function<void()> work);

 private:
  void work();

  const size_t most_waiting_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::list<std::function<void()>> waiting_;  // at most most_waiting_
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace weir
