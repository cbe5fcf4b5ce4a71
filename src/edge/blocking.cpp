#include "edge/http_server.h"
#include "edge/work_pool.h"

namespace weir {

std::function<void(std::shared_ptr<const HttpCall>, HttpRespond)> blocking(
    std::function<HttpAnswer(const HttpCall&)> answer, int threads, size_t waiting) {
  // Shared: std::function copies its target.
  auto pool = std::make_shared<WorkPool>(threads, waiting);
  return [pool, answer = std::move(answer)](std::shared_ptr<const HttpCall> call, HttpRespond respond) {
    bool taken = pool->run([answer, call = std::move(call), respond] {
      try {
        respond(answer(*call));
      } catch (const std::exception& error) {
        respond(problem(500, "Internal error", error.what()));
      }
    });
    if (taken) return;
    HttpAnswer busy = problem(503, "Busy", "too many requests wait already");
    busy.headers.emplace_back("Retry-After", "1");
    respond(std::move(busy));
  };
}

}  // namespace weir
