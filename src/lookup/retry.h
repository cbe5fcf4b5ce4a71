// 'lookup.max-retries': what a lookup tries again before the run is told that its table is away.
#pragma once

#include <algorithm>
#include <chrono>

#include "base/clock.h"
#include "base/status.h"

namespace weir {

template <typename Call>
auto with_retries(int max_retries, const Clock& clock, Call call) -> decltype(call()) {
  auto wait = std::chrono::milliseconds(100);
  for (int attempt = 0;; ++attempt) {
    auto result = call();
    if (result.ok() || !result.status().retryable() || attempt >= max_retries) return result;
    clock.sleep(wait);
    wait = std::min(wait * 2, std::chrono::milliseconds(2000));
  }
}

}  // namespace weir
