// The connector 'delta': its options, and sinks from a context.
#pragma once

#include <memory>

#include "base/status.h"
#include "sinks/delta/delta_sink.h"
#include "sinks/sink.h"

namespace weir {

SinkConnector delta_connector();

// As the connector creates it; for what a Sink does not offer (commit_transaction). `context.options` may
// leave everything but 'path' out when it was built with delta_option_specs().
Result<std::unique_ptr<DeltaSink>> create_delta_sink(const SinkContext& context);
const std::vector<OptionSpec>& delta_option_specs();

// A local path made absolute, file:// taken off; s3:// as it is.
std::string absolute_uri(const std::string& path);

}  // namespace weir
