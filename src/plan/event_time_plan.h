// Event time of a source table: WATERMARK FOR and the options that go with it, validated and compiled.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "bridge/bridge.h"
#include "config/options.h"

namespace weir {

struct EventTimePlan {
  // Source rows (SourcePlan::schema) -> the time attribute and the watermark's expression, both TIMESTAMP,
  // then
  // "_weir_row". Null: the table has no WATERMARK.
  std::unique_ptr<bridge::Fragment> fragment;
  // Set where the watermark is the time attribute, or that less a constant interval: source rows -> the time
  // attribute, then "_weir_row". The highest watermark is then that of the highest time, whose row alone is
  // evaluated.
  std::unique_ptr<bridge::Fragment> time_fragment;
  int64_t idle_timeout_us = 0;  // a partition without events for so long holds nothing back; 0: never idle
  int64_t max_ahead_us = -1;    // rows further ahead of the clock are set aside as `future`; -1: no bound
};

// For every source table, beside the options of its connector and format.
const std::vector<OptionSpec>& event_time_option_specs();

// Fills the numbers in; `options` declare event_time_option_specs().
void plan_event_time_options(const Options& options, EventTimePlan& plan);

}  // namespace weir
