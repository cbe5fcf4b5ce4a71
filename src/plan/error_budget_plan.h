// How many bad events a source or a producer may give before it is paused: the options
// 'error-budget.*' of every source table, validated.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/options.h"

namespace weir {

struct ErrorBudgetPlan {
  enum class By { source, subject, key, header };

  By by = By::source;
  std::string header;           // By::header: its name
  std::optional<double> share;  // of the events in the window; more than this is too many
  std::optional<int64_t> rate;  // bad events a minute; more than this is too many
  int64_t window_us = 60'000'000;
  int64_t min_events = 100;       // below it the share says nothing
  int64_t pause_us = 60'000'000;  // then it is tried again
  size_t max_producers = 10'000;  // the least recently seen is forgotten

  bool on() const { return share || rate; }
  bool by_producer() const { return on() && by != By::source; }
};

// For every source table, beside the options of its connector and format.
const std::vector<OptionSpec>& error_budget_option_specs();

// `options` declare error_budget_option_specs(), `settings` those of SET. Problems go to `diagnostics`.
ErrorBudgetPlan plan_error_budget(const Options& options, const Options& settings, Diagnostics& diagnostics);

}  // namespace weir
