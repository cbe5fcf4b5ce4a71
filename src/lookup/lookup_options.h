// The lookup.* options that every connector of this room has.
#pragma once

#include <vector>

#include "lookup/full_table.h"
#include "plan/lookup_connector.h"

namespace weir {

// `caches`: choices of 'lookup.cache', the first is the default.
std::vector<OptionSpec> lookup_option_specs(std::vector<std::string> caches, const char* reload_interval);

Status check_lookup_options(const LookupContext& context);
FullTableSettings full_table_settings(const LookupContext& context);

}  // namespace weir
