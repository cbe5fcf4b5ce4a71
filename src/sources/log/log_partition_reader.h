// Reads one partition of a stream of the embedded log.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "log/log_reader.h"
#include "sources/source.h"

namespace weir {

struct LogPartitionSettings {
  std::string folder;
  std::string stream;
  int partition = 0;
  std::string reader_name;  // for the log's retention
  int64_t start = 0;
  // The stored position; below `start` when a gap is stepped over. Nothing: the start becomes one, also when
  // no event comes.
  std::optional<int64_t> stored;
  bool continue_on_gap = false;  // what retention has deleted is stepped over
  bool once = false;
  size_t batch_rows = 8192;
  const Clock* clock = nullptr;
  std::function<void(const std::string&)> log;  // one line for the operator; may be empty
};

// not_found when the start is not (or no longer) in the log.
Result<std::unique_ptr<PartitionReader>> open_log_partition(LogPartitionSettings settings);

}  // namespace weir
