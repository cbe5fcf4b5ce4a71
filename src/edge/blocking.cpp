#include <condition_variable>
#include <list>
#include <mutex>
#include <thread>

#include "edge/http_server.h"

namespace weir {
namespace {

class Pool {
 public:
  Pool(std::function<HttpAnswer(const HttpCall&)> answer, int threads, size_t waiting)
      : answer_(std::move(answer)), most_waiting_(waiting) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
  }
  ~Pool() {
    {
      std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  void handle(std::shared_ptr<const HttpCall> call, HttpRespond respond) {
    {
      std::lock_guard lock(mutex_);
      if (waiting_.size() < most_waiting_) {
        waiting_.push_back({std::move(call), std::move(respond)});
        changed_.notify_one();
        return;
      }
    }
    HttpAnswer busy = problem(503, "Busy", "too many requests wait already");
    busy.headers.emplace_back("Retry-After", "1");
    respond(std::move(busy));
  }

 private:
  struct Waiting {
    std::shared_ptr<const HttpCall> call;
    HttpRespond respond;
  };

  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
      if (ending_) return;
      Waiting next = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      try {
        next.respond(answer_(*next.call));
      } catch (const std::exception& error) {
        next.respond(problem(500, "Internal error", error.what()));
      }
      next = {};
      lock.lock();
    }
  }

  const std::function<HttpAnswer(const HttpCall&)> answer_;
  const size_t most_waiting_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::list<Waiting> waiting_;  // at most most_waiting_
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace

std::function<void(std::shared_ptr<const HttpCall>, HttpRespond)> blocking(
    std::function<HttpAnswer(const HttpCall&)> answer, int threads, size_t waiting) {
  // Shared: std::function copies its target.
  auto pool = std::make_shared<Pool>(std::move(answer), threads, waiting);
  return [pool](std::shared_ptr<const HttpCall> call, HttpRespond respond) {
    pool->handle(std::move(call), std::move(respond));
  };
}

}  // namespace weir
