// The bytes of a segment: its header, frames, records. docs/formats/log.md describes the same.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/status.h"
#include "log/log_writer.h"
#include "schema/event_batch.h"

namespace weir {

inline constexpr uint32_t kSegmentVersion = 1;
inline constexpr size_t kSegmentHeaderBytes = 64;
inline constexpr uint32_t kFrameMagic = 0x4D524657;  // "WFRM"
inline constexpr size_t kFrameAlignment = 8;
inline constexpr int64_t kMostFrameBytes = 256 << 20;
inline constexpr size_t kMostKeyBytes = 255;

// As it lies in the file, little-endian.
struct FrameHeader {
  uint32_t magic = kFrameMagic;
  uint32_t length = 0;  // of the whole frame; a multiple of kFrameAlignment
  uint32_t crc = 0;     // CRC-32C of all other bytes of the frame, begun from frame_seed()
  uint32_t records = 0;
  int64_t base_offset = 0;
  int64_t synced = 0;  // what lies below was durable before this frame was written
  int64_t timestamp_us = 0;
  uint64_t fingerprint = 0;
  uint16_t key_size = 0;
  uint16_t flags = 0;
  uint32_t reserved = 0;

  int64_t next_offset() const { return base_offset + records; }
};
inline constexpr size_t kFrameHeaderBytes = sizeof(FrameHeader);
static_assert(kFrameHeaderBytes == 56 && std::is_trivially_copyable_v<FrameHeader>);

struct SegmentName {
  std::string stream_id;
  int partition = 0;
  int64_t base_offset = 0;
};

std::string encode_segment_header(const SegmentName& name);
// invalid, with the reason alone, when the bytes are no header, of a newer version or of another log.
Status check_segment_header(std::string_view bytes, const SegmentName& expected);

// What the checksums of a partition's frames begin from: a client that does not know the stream's id cannot
// forge a frame within a payload.
uint32_t frame_seed(std::string_view stream_id, int partition);

// Bytes of a frame that holds these records.
int64_t frame_bytes(const std::vector<LogRecord>& records, size_t key_size);
// Appends the frame to `out`; `header` says base_offset, synced, timestamp_us and fingerprint.
void append_frame(FrameHeader header, std::string_view key, const std::vector<LogRecord>& records,
                  uint32_t seed, std::string& out);

FrameHeader load_frame_header(const char* bytes);
// What a header alone can tell: magic, a length that its parts fit into.
bool is_frame_header(const FrameHeader& header);
// `frame` is as long as its header says.
bool frame_checksum_holds(std::string_view frame, uint32_t seed);
std::string_view frame_key(std::string_view frame);

// Walks the records of one frame whose checksum holds. Slices count from `origin` bytes before the frame.
class FrameRecords {
 public:
  FrameRecords(std::string_view frame, uint32_t origin);
  // False when there is no further one; broken() when the bytes are no record.
  bool next(Event& event);
  bool broken() const { return broken_; }
  size_t size() const { return frame_.size(); }

 private:
  bool take(int64_t size, Slice& slice);

  std::string_view frame_;
  uint32_t origin_;
  FrameHeader header_;
  size_t at_;
  uint32_t given_ = 0;
  Slice subject_{0, 0};
  Slice headers_;
  bool broken_ = false;
};

}  // namespace weir
