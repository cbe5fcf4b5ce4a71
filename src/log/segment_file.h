// One segment as a file: made, preallocated, written, walked.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "log/frame.h"

namespace weir {

class SegmentFile {
 public:
  // A file with this room, not yet a segment of anything: `path` ends in ".new". exhausted when the disk has
  // not that much; then nothing is left of it.
  static Result<std::unique_ptr<SegmentFile>> make_spare(const std::string& path, int64_t bytes);
  static Result<std::unique_ptr<SegmentFile>> open(const std::string& path, bool writable);
  ~SegmentFile();
  SegmentFile(const SegmentFile&) = delete;
  SegmentFile& operator=(const SegmentFile&) = delete;

  // Turns a spare into the segment `path`, durable with its header.
  Status begin(const std::string& path, const SegmentName& name);
  Status write(int64_t position, std::string_view bytes);
  // Lets the kernel begin with what sync() will wait for.
  void start_sync(int64_t position, size_t size);
  Status sync();
  // Drops what lies behind `position` and makes room up to `capacity` anew, as zeros.
  Status cut(int64_t position, int64_t capacity);
  // The same without new room.
  Status close_at(int64_t position);
  // As much as there is: less than `size` at the end of the file.
  Result<size_t> read(int64_t position, char* into, size_t size) const;
  Result<int64_t> size() const;

  const std::string& path() const { return path_; }
  int descriptor() const { return descriptor_; }

 private:
  SegmentFile(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

  std::string path_;
  int descriptor_;
};

// Walks the frames of a segment from a frame's begin on.
class SegmentScanner {
 public:
  enum class Step { frame, end, broken };

  // From the frame at `position`, whose first record has `offset`; `seed` is the frame_seed(). `file`
  // outlives the scanner.
  SegmentScanner(const SegmentFile& file, int64_t position, int64_t offset, uint32_t seed);
  // frame: frame() and header() are those of one that lies at position(); its checksum holds. end: zeros or
  // the end of the file follow the last one. broken: why() tells.
  Result<Step> next();
  // As next(), with the header alone looked at.
  Result<Step> next_unchecked();

  std::string_view frame() const { return frame_; }
  const FrameHeader& header() const { return header_; }
  int64_t position() const { return position_; }
  int64_t after() const { return after_; }         // position behind the last frame
  int64_t next_offset() const { return offset_; }  // behind the last frame's records
  const std::string& why() const { return why_; }

 private:
  Result<Step> step(bool checked);
  // Makes `size` bytes from after_ on available; false when the file ends before.
  Result<bool> have(size_t size);
  Step broken(std::string why);

  const SegmentFile& file_;
  const uint32_t seed_;
  std::vector<char> buffer_;
  int64_t buffer_begin_ = 0;
  size_t filled_ = 0;
  std::string_view frame_;
  FrameHeader header_;
  int64_t position_;
  int64_t after_;
  int64_t offset_;
  std::string why_;
};

// Whether a sound frame behind `position` tells that offset `offset` had been durable when it was written:
// then what lies at `position` is damage, not a write that was cut off.
Result<bool> proves_durable(const SegmentFile& file, int64_t position, int64_t offset, uint32_t seed);

}  // namespace weir
