// Core NATS: what is published on a subject while somebody listens. Nothing is kept, acknowledged or sent
// again, so an event is taken at most once.
#pragma once

#include <memory>

#include "sources/source.h"

namespace weir {

std::vector<OptionSpec> core_option_specs();

// Of 'delivery' = 'core'. One partition, "core@<subject>[/<queue group>]"; its offsets are the microseconds
// since 1970 at which events were received, moved on where that would not rise.
Result<std::unique_ptr<Source>> create_core_source(SourceContext context);
Status probe_core(const SourceContext& context);

}  // namespace weir
