// What a closed segment holds, beside it in a file of its own, so that opening a log reads the newest segment
// only. It can always be made again from its segment; it stays when that is deleted, for its keys.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"

namespace weir {

struct SummaryKey {
  std::string key;
  uint64_t fingerprint = 0;
  int64_t timestamp_us = 0;
  int64_t first = 0;
  int64_t last = 0;
};

struct SegmentSummary {
  int64_t base_offset = 0;
  int64_t next_offset = 0;
  int64_t bytes = 0;  // of the segment, header included
  int64_t newest_us = INT64_MIN;
  std::vector<SummaryKey> keys;
};

std::string encode_summary(const SegmentSummary& summary);
// invalid when the bytes are not a whole summary: cut off, damaged, of another version.
Result<SegmentSummary> decode_summary(const std::string& bytes);

// Complete or absent after a crash of the process. Not synced.
Status write_summary(const std::string& path, const SegmentSummary& summary);
Result<SegmentSummary> read_summary(const std::string& path);

}  // namespace weir
