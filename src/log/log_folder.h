// Paths inside a stream's folder, and what lies there.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "log/log_format.h"

namespace weir {

Status check_log_stream_name(const std::string& stream);
std::string encode_stream_info(const LogStreamInfo& info);

std::string partition_folder(const std::string& folder, const std::string& stream, int partition);
std::string segment_path(const std::string& partition_folder, int64_t base_offset);
std::string summary_path(const std::string& partition_folder, int64_t base_offset);

struct PartitionFiles {
  std::vector<int64_t> segments;        // base offsets, ascending
  std::vector<int64_t> summaries;       // likewise
  std::vector<std::string> unfinished;  // paths of files that a crash left behind
};
// not_found when the folder is not there.
Result<PartitionFiles> list_partition(const std::string& partition_folder);

// A folder, and its name in its parent, durable.
Status make_folder(const std::string& path);

}  // namespace weir
