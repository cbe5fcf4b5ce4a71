// `weir errors … weir.toml`: events that no route took.
#pragma once

#include <string>

#include "base/status.h"
#include "edge/edge_config.h"
#include "runtime/error_query.h"

namespace weir {

Result<EdgeConfig> load_edge_config(const std::string& file);

// Here when nobody holds the log, else by the server that does: at `url`, or where the configuration has it
// listen. Prints as `weir errors replay` does; gives the exit code.
int replay_edge_errors(const EdgeConfig& config, const ErrorFilter& filter, std::string url);

}  // namespace weir
