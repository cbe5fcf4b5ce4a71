// The numbers of running pipelines for people (the progress line) and for Prometheus (docs/metrics.md).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/objects.h"
#include "base/status.h"
#include "plan/pipeline_plan.h"
#include "runtime/pipeline_stats.h"

namespace weir {

// " paused=orders(producer=acme, 60 s)+12": what error budgets have paused, the first names and how many
// more;
// "" when nothing is.
std::string paused_text(const PipelineStats& stats, int64_t now_ns);

struct PipelineMetrics {
  const PipelinePlan* plan = nullptr;
  const PipelineStats* stats = nullptr;
  bool running = false;
};

// Counters never fall, although a pipeline takes back what it read but could not commit. One thread.
class MetricsText {
 public:
  // Prometheus' text format, version 0.0.4.
  std::string render(const std::vector<PipelineMetrics>& pipelines);

 private:
  int64_t counter(const std::string& name, const std::string& pipeline, int64_t value);

  std::map<std::pair<std::string, std::string>, int64_t> highest_;
};

// A file in the form that node_exporter's textfile collector takes, replaced as a whole.
class MetricsFile {
 public:
  static Result<std::unique_ptr<MetricsFile>> open(const std::string& path);
  Status write(const std::vector<PipelineMetrics>& pipelines);

 private:
  std::unique_ptr<ObjectStore> folder_;
  std::string name_;
  MetricsText text_;
};

}  // namespace weir
