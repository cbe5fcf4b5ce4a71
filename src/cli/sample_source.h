// The first events of a source, read through its connector: nothing is acknowledged or left behind.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "config/options.h"
#include "schema/event_batch.h"
#include "sources/source.h"

namespace weir {

struct SampleRequest {
  const SourceConnector* connector = nullptr;
  std::map<std::string, std::string> options;  // resolved; secrets included
  int64_t events = 1000;
  std::chrono::milliseconds patience{10'000};  // then what has come is the sample
  const Clock* clock = nullptr;
};

struct Sample {
  std::vector<EventBatch> batches;
  int64_t events = 0;
  size_t partitions = 0;
  bool whole = false;  // the source holds no more than this
};

// Spread over the partitions. not_found when the source is there and holds no event.
Result<Sample> take_sample(const SampleRequest& request);

}  // namespace weir
