#include "edge/rate_limit.h"

#include <algorithm>
#include <cmath>

namespace weir {

RateLimit::RateLimit(int64_t per_second, std::chrono::milliseconds burst)
    : per_second_(static_cast<double>(per_second)),
      most_(std::max(1.0, per_second_ * static_cast<double>(burst.count()) / 1000)),
      level_(most_) {}

int RateLimit::take(int64_t amount, int64_t now_ns) {
  if (per_second_ <= 0) return 0;
  std::lock_guard lock(mutex_);
  if (at_ns_ >= 0) {
    level_ = std::min(most_, level_ + per_second_ * static_cast<double>(now_ns - at_ns_) / 1e9);
  }
  at_ns_ = now_ns;
  const auto cost = static_cast<double>(amount);
  const double needed = std::min(cost, most_);
  if (level_ < needed) {
    return std::clamp(static_cast<int>(std::ceil((needed - level_) / per_second_)), 1, 3600);
  }
  level_ -= cost;
  return 0;
}

}  // namespace weir
