// The numbers of stateful operators, for people and for Prometheus.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/pipeline_stats.h"

namespace weir {

// A line for each operator, its shares added up:
// "  revenue: 1 window_aggregate auction x2  in=1,234 (0.1 MB) out=12 busy=35 % blocked=0 % watermark=…
// state=…". busy and blocked are of `seconds` of all its threads.
std::vector<std::string> operator_lines(const PipelineStats& stats, double seconds);

// " state=1.2 MB epoch=7": for the progress line; "" where nothing keeps state.
std::string epoch_text(const PipelineStats& stats);

// weir_operator_*, weir_state_bytes, weir_epoch, weir_late_total: the samples of one pipeline, without HELP
// and TYPE.
struct OperatorSample {
  const char* name;
  const char* help;
  const char* type;
  std::vector<std::string> lines;
};
std::vector<OperatorSample> operator_samples(
    const std::vector<std::pair<std::string, const PipelineStats*>>& pipelines);

}  // namespace weir
