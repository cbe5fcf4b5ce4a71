#include "plan/error_budget_plan.h"

namespace weir {
namespace {

constexpr int64_t kMostProducers = 1'000'000;

struct Checker {
  const Options& options;
  Diagnostics& diagnostics;

  void refuse(const std::string& name, const std::string& expected) {
    diagnostics.error(options.location(name),
                      "'" + name + "' = '" + options.values().at(name).text + "' is not " + expected);
  }
  int64_t duration_us(const std::string& name, int64_t least_ms) {
    int64_t ms = options.duration(name).count();
    if (options.has(name) && ms < least_ms) {
      refuse(name, "long enough: at least '" + std::to_string(least_ms) + " ms'");
    }
    return ms * 1000;
  }
  int64_t integer(const std::string& name, int64_t least, int64_t most) {
    int64_t value = options.integer(name);
    if (options.has(name) && (value < least || value > most)) {
      refuse(name, "between " + std::to_string(least) + " and " + std::to_string(most));
    }
    return value;
  }
};

}  // namespace

const std::vector<OptionSpec>& error_budget_option_specs() {
  static const std::vector<OptionSpec> specs = {
      option(
          "error-budget.share", OptionType::number, "",
          "pause when more than this share of the events is bad: '0.5' is half of them; not given: no limit"),
      option("error-budget.rate", OptionType::integer, "",
             "pause when more than so many events a minute are bad; not given: no limit"),
      option("error-budget.window", OptionType::duration, "1 min",
             "what share and rate are taken over: the time just past"),
      option("error-budget.min-events", OptionType::integer, "100",
             "with fewer events in the window the share says nothing"),
      option("error-budget.by", OptionType::string, "source",
             "what is paused: 'source' (it is read no further), or one producer, told apart by 'subject', "
             "'key' or 'header:<name>' (its events go undecoded to the error lake as producer_paused)"),
      option("error-budget.pause", OptionType::duration, "1 min", "for how long; then it is tried again"),
      option("error-budget.max-producers", OptionType::integer, "10000",
             "how many producers are watched; the least recently seen is forgotten"),
  };
  return specs;
}

ErrorBudgetPlan plan_error_budget(const Options& options, const Options& settings, Diagnostics& diagnostics) {
  ErrorBudgetPlan plan;
  Checker check{options, diagnostics};
  auto given = [&](const std::string& name) {
    return options.has(name) && !options.values().at(name).text.empty();
  };
  if (given("error-budget.share")) {
    plan.share = options.number("error-budget.share");
    if (*plan.share < 0 || *plan.share >= 1) {
      check.refuse("error-budget.share", "a share that can be exceeded: from 0 to below 1, such as '0.5'");
    }
  }
  if (given("error-budget.rate")) plan.rate = check.integer("error-budget.rate", 0, 1'000'000'000);
  plan.window_us = check.duration_us("error-budget.window", 100);
  plan.pause_us = check.duration_us("error-budget.pause", 1);
  plan.min_events = check.integer("error-budget.min-events", 1, 1'000'000'000);
  plan.max_producers = static_cast<size_t>(check.integer("error-budget.max-producers", 1, kMostProducers));
  const std::string by = options.string("error-budget.by");
  if (by == "source") {
    plan.by = ErrorBudgetPlan::By::source;
  } else if (by == "subject") {
    plan.by = ErrorBudgetPlan::By::subject;
  } else if (by == "key") {
    plan.by = ErrorBudgetPlan::By::key;
  } else if (by.starts_with("header:") && by.size() > 7) {
    plan.by = ErrorBudgetPlan::By::header;
    plan.header = by.substr(7);
  } else {
    check.refuse("error-budget.by", "one of 'source', 'subject', 'key', 'header:<name>'");
  }
  if (!plan.on()) {
    for (const auto& [name, value] : options.values()) {
      if (!name.starts_with("error-budget.") || value.text.empty()) continue;
      diagnostics.error(value.location,
                        "'" + name + "' says nothing without 'error-budget.share' or 'error-budget.rate'");
      break;
    }
    return plan;
  }
  const std::string limit = plan.share ? "error-budget.share" : "error-budget.rate";
  if (!settings.boolean("error-lake.enabled")) {
    diagnostics.error(options.location(limit),
                      "an error budget needs the error lake: with SET 'error-lake.enabled' = 'false' the "
                      "first bad event stops the pipeline");
  }
  if (plan.by_producer() && settings.string("pipeline.workers") == "several") {
    diagnostics.error(options.location("error-budget.by"),
                      "with SET 'pipeline.workers' = 'several' only a whole source can be paused "
                      "('error-budget.by' = 'source'): two workers may judge one producer differently");
  }
  return plan;
}

}  // namespace weir
