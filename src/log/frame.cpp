#include "log/frame.h"

#include <bit>
#include <cstring>

#include "base/crc32c.h"

namespace weir {
namespace {

static_assert(std::endian::native == std::endian::little, "the log is written as the processor stores it");

constexpr std::string_view kSegmentMagic = "WeirLog1";
constexpr size_t kIdBytes = 32;
constexpr int32_t kAbsent = -1;
constexpr int32_t kAsBefore = -2;  // the same bytes as in the record before

struct RecordHeader {
  int32_t payload_size = 0;
  int32_t key_size = kAbsent;
  int32_t headers_size = kAbsent;
  int32_t subject_size = 0;
  int64_t timestamp_us = 0;
};
static_assert(sizeof(RecordHeader) == 24);

template <typename T>
void put(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <typename T>
T load(const char* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

size_t aligned(size_t size) { return (size + kFrameAlignment - 1) / kFrameAlignment * kFrameAlignment; }

RecordHeader header_of(const LogRecord& record, const LogRecord* before) {
  RecordHeader header;
  header.payload_size = static_cast<int32_t>(record.payload.size());
  if (record.key) header.key_size = static_cast<int32_t>(record.key->size());
  if (record.headers) {
    header.headers_size = static_cast<int32_t>(record.headers->size());
    if (before != nullptr && before->headers == record.headers) header.headers_size = kAsBefore;
  }
  header.subject_size = static_cast<int32_t>(record.subject.size());
  if (before != nullptr && before->subject == record.subject) header.subject_size = kAsBefore;
  header.timestamp_us = record.timestamp_us;
  return header;
}

}  // namespace

std::string encode_segment_header(const SegmentName& name) {
  std::string bytes(kSegmentMagic);
  put(bytes, kSegmentVersion);
  put(bytes, static_cast<uint32_t>(name.partition));
  put(bytes, name.base_offset);
  bytes += name.stream_id;
  bytes.resize(24 + kIdBytes + 4);
  put(bytes, crc32c(bytes.data(), bytes.size()));
  return bytes;
}

Status check_segment_header(std::string_view bytes, const SegmentName& expected) {
  if (bytes.size() < kSegmentHeaderBytes || bytes.substr(0, kSegmentMagic.size()) != kSegmentMagic) {
    return Status::invalid("it does not begin like a segment of a log");
  }
  const auto version = load<uint32_t>(bytes.data() + 8);
  if (version > kSegmentVersion) {
    return Status::invalid("it is of version " + std::to_string(version) + ", this Weir knows " +
                           std::to_string(kSegmentVersion));
  }
  const size_t checked = kSegmentHeaderBytes - 4;
  if (load<uint32_t>(bytes.data() + checked) != crc32c(bytes.data(), checked)) {
    return Status::invalid("the checksum of its header does not hold");
  }
  if (bytes.substr(0, kSegmentHeaderBytes) != encode_segment_header(expected)) {
    return Status::invalid("it belongs to another stream, partition or offset than its name says");
  }
  return {};
}

uint32_t frame_seed(std::string_view stream_id, int partition) {
  std::string bytes(stream_id);
  bytes.resize(kIdBytes);
  put(bytes, static_cast<uint32_t>(partition));
  return crc32c(bytes.data(), bytes.size());
}

int64_t frame_bytes(const std::vector<LogRecord>& records, size_t key_size) {
  size_t size = kFrameHeaderBytes + key_size;
  const LogRecord* before = nullptr;
  for (const LogRecord& record : records) {
    size += sizeof(RecordHeader) + record.payload.size();
    if (record.key) size += record.key->size();
    if (record.headers && (before == nullptr || before->headers != record.headers)) {
      size += record.headers->size();
    }
    if (before == nullptr || before->subject != record.subject) size += record.subject.size();
    before = &record;
  }
  return static_cast<int64_t>(aligned(size));
}

void append_frame(FrameHeader header, std::string_view key, const std::vector<LogRecord>& records,
                  uint32_t seed, std::string& out) {
  const size_t begin = out.size();
  header.key_size = static_cast<uint16_t>(key.size());
  header.records = static_cast<uint32_t>(records.size());
  put(out, header);
  out += key;
  const LogRecord* before = nullptr;
  for (const LogRecord& record : records) {
    const RecordHeader sizes = header_of(record, before);
    put(out, sizes);
    if (sizes.subject_size != kAsBefore) out += record.subject;
    if (record.key) out += *record.key;
    if (record.headers && sizes.headers_size != kAsBefore) out += *record.headers;
    out += record.payload;
    before = &record;
  }
  out.resize(begin + aligned(out.size() - begin));
  char* frame = out.data() + begin;
  const size_t length = out.size() - begin;
  const auto length_field = static_cast<uint32_t>(length);
  std::memcpy(frame + 4, &length_field, 4);
  const uint32_t crc = crc32c(frame + 12, length - 12, crc32c(frame, 8, seed));
  std::memcpy(frame + 8, &crc, 4);
}

FrameHeader load_frame_header(const char* bytes) { return load<FrameHeader>(bytes); }

bool is_frame_header(const FrameHeader& header) {
  if (header.magic != kFrameMagic || header.length % kFrameAlignment != 0) return false;
  if (header.length > kMostFrameBytes || header.key_size > kMostKeyBytes || header.records == 0) return false;
  if (header.base_offset < 0 || header.base_offset > INT64_MAX - header.records) return false;
  const uint64_t least =
      kFrameHeaderBytes + header.key_size + uint64_t{header.records} * sizeof(RecordHeader);
  return least <= header.length;
}

bool frame_checksum_holds(std::string_view frame, uint32_t seed) {
  const auto stored = load<uint32_t>(frame.data() + 8);
  return stored == crc32c(frame.data() + 12, frame.size() - 12, crc32c(frame.data(), 8, seed));
}

std::string_view frame_key(std::string_view frame) {
  return frame.substr(kFrameHeaderBytes, load_frame_header(frame.data()).key_size);
}

FrameRecords::FrameRecords(std::string_view frame, uint32_t origin)
    : frame_(frame),
      origin_(origin),
      header_(load_frame_header(frame.data())),
      at_(kFrameHeaderBytes + header_.key_size) {}

bool FrameRecords::take(int64_t size, Slice& slice) {
  if (size < 0 || static_cast<size_t>(size) > frame_.size() - at_) return false;
  slice = {origin_ + static_cast<uint32_t>(at_), static_cast<int32_t>(size)};
  at_ += static_cast<size_t>(size);
  return true;
}

bool FrameRecords::next(Event& event) {
  if (given_ == header_.records || broken_) return false;
  broken_ = true;  // until all of it is found sound
  if (frame_.size() - at_ < sizeof(RecordHeader)) return false;
  const auto sizes = load<RecordHeader>(frame_.data() + at_);
  at_ += sizeof(RecordHeader);
  if (sizes.subject_size == kAsBefore ? given_ == 0 : !take(sizes.subject_size, subject_)) return false;
  event.key = {};
  if (sizes.key_size != kAbsent && !take(sizes.key_size, event.key)) return false;
  if (sizes.headers_size == kAbsent) {
    headers_ = {};
  } else if (sizes.headers_size == kAsBefore ? headers_.size < 0 : !take(sizes.headers_size, headers_)) {
    return false;
  }
  if (!take(sizes.payload_size, event.payload)) return false;
  event.subject = subject_;
  event.headers = headers_;
  event.timestamp_us = sizes.timestamp_us;
  event.offset = header_.base_offset + given_;
  ++given_;
  broken_ = false;
  return true;
}

}  // namespace weir
