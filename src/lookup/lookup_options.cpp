#include "lookup/lookup_options.h"

#include <utility>

namespace weir {

std::vector<OptionSpec> lookup_option_specs(std::vector<std::string> caches, const char* reload_interval) {
  return {
      one_of("lookup.cache", std::move(caches),
             "FULL: the whole table is held in memory; PARTIAL: keys that were asked for are; NONE: each "
             "batch of rows asks"),
      option("lookup.full-cache.periodic-reload.interval", OptionType::duration, reload_interval,
             "how often a table that is held as a whole is looked at for changes"),
      option("lookup.max-retries", OptionType::integer, "3",
             "attempts after a failed one, before the run ends and starts anew"),
  };
}

Status check_lookup_options(const LookupContext& context) {
  auto wrong = [&](const std::string& name, const std::string& expected) {
    return Status::invalid("table '" + context.table + "': '" + name + "' must be " + expected);
  };
  const int64_t retries = context.options.integer("lookup.max-retries");
  if (retries < 0 || retries > 1000) return wrong("lookup.max-retries", "0 to 1000");
  return {};
}

FullTableSettings full_table_settings(const LookupContext& context) {
  FullTableSettings settings;
  settings.table = context.table;
  settings.schema = context.schema;
  settings.reload_interval = context.options.duration("lookup.full-cache.periodic-reload.interval");
  settings.max_retries = static_cast<int>(context.options.integer("lookup.max-retries"));
  settings.clock = context.clock != nullptr ? context.clock : &Clock::real();
  settings.log = context.log;
  return settings;
}

}  // namespace weir
