// Names and files of the embedded log; the bytes are described in docs/formats/log.md.
//
//   <folder>/<stream>/stream.json                       identity, partitions, version of the format
//   <folder>/<stream>/lock                              held by the one writer
//   <folder>/<stream>/<partition>/<base offset>.seg     frames of records, checksummed
//   <folder>/<stream>/<partition>/durable               the end up to which readers may read
//   <folder>/<stream>/readers/<name>.mark               how far each reader is, for retention
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace weir {

inline constexpr int kMostLogPartitions = 64;

struct LogStreamInfo {
  std::string stream;
  std::string id;  // unique to this creation of the stream: part of partition ids
  int partitions = 1;
};

// [A-Za-z0-9_][A-Za-z0-9._-]*, at most 100 bytes: never a path. Names that begin with '_' are Weir's own.
bool is_log_stream_name(std::string_view name);

// not_found when there is no such stream; invalid when it is damaged or of a newer format.
Result<LogStreamInfo> log_stream_info(const std::string& folder, const std::string& stream);
Result<std::vector<std::string>> log_streams(const std::string& folder);

}  // namespace weir
