// One file as a partition: an event is a line, its offset the uncompressed offset of the line's first byte.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "sources/batch_buffers.h"
#include "sources/file/byte_stream.h"
#include "sources/source.h"

namespace weir {

struct LineReaderSettings {
  std::string path;
  Compression compression = Compression::none;
  bool follow = false;  // wait for more at the end; a last line without newline is not yet an event
  std::chrono::milliseconds poll_interval{200};
  // A longer line becomes one event whose payload is its first max_line_bytes + 1 bytes, so that a decoder
  // with the same limit refuses it as too_large and it reaches the error lake; the position moves past the
  // whole line.
  size_t max_line_bytes = 16 << 20;
  size_t buffer_bytes = 4 << 20;  // about a batch's upper bound
  size_t batch_rows = 8192;
  const Clock* clock = nullptr;
};

// Opens at `stored` (or the file's begin). invalid when the file ends before it, or when it is not the start
// of a line.
Result<std::unique_ptr<PartitionReader>> open_line_reader(LineReaderSettings settings,
                                                          std::optional<int64_t> stored);

}  // namespace weir
