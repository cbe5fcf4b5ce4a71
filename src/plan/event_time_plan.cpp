#include "plan/event_time_plan.h"

namespace weir {

const std::vector<OptionSpec>& event_time_option_specs() {
  static const std::vector<OptionSpec> specs = {
      option("scan.watermark.idle-timeout", OptionType::duration, "1 min",
             "a partition without events for so long no longer holds back windows; '0 s': it always does"),
      option("watermark.max-ahead", OptionType::duration, "1 h",
             "events further ahead of the clock go to the error lake as `future` and move no watermark; "
             "'0 s': no bound"),
  };
  return specs;
}

void plan_event_time_options(const Options& options, EventTimePlan& plan) {
  plan.idle_timeout_us = options.duration("scan.watermark.idle-timeout").count() * 1000;
  const int64_t ahead_us = options.duration("watermark.max-ahead").count() * 1000;
  plan.max_ahead_us = ahead_us > 0 ? ahead_us : -1;
}

}  // namespace weir
