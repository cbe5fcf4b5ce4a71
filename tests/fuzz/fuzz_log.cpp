// Any bytes as the frames of a segment: reading and recovery end, and no record is given out whose frame's
// checksum does not hold or whose bytes lie outside of it.
//
// The first byte says whether checksums are mended first (so that records are reached) and where reading
// begins, the second how many records count as durable; the rest follows the segment's header.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/crc32c.h"
#include "base/environment.h"
#include "log/frame.h"
#include "log/log_folder.h"
#include "log/log_reader.h"
#include "log/segment_file.h"
#include "log/segment_summary.h"

namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() : path_(fs::temp_directory_path() / ("weir-fuzz-log-" + weir::random_hex_id())) {
    fs::create_directories(path_ / "s/0");
    std::ofstream(path_ / "s/stream.json") << weir::encode_stream_info({"s", "1-fuzz", 1});
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  std::string path() const { return path_.string(); }

 private:
  fs::path path_;
};

void check(bool holds) {
  if (!holds) std::abort();
}

// Kept open and never cut to nothing: ext4 writes a file out that is truncated and closed.
class Bytes {
 public:
  explicit Bytes(const std::string& path) : file_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {}
  ~Bytes() { ::close(file_); }
  void set(const char* bytes, size_t size) const {
    check(::pwrite(file_, bytes, size, 0) == static_cast<ssize_t>(size));
    check(::ftruncate(file_, static_cast<off_t>(size)) == 0);
  }

 private:
  int file_;
};

uint32_t slow_crc(const std::string& frame) {
  uint32_t state = ~0U;
  const std::string owner = std::string("1-fuzz") + std::string(30, '\0');  // id and partition
  const std::string bytes = owner + frame.substr(0, 8) + frame.substr(12);
  for (const char byte : bytes) {
    state ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) state = (state >> 1) ^ ((state & 1) != 0 ? 0x82F63B78U : 0);
  }
  return ~state;
}

// Walks frames by their lengths; mends their checksums or counts the records of those that hold.
int64_t walk(std::string& body, bool mend) {
  int64_t records = 0;
  for (size_t at = 0; body.size() - at >= weir::kFrameHeaderBytes;) {
    const weir::FrameHeader header = weir::load_frame_header(body.data() + at);
    if (header.magic != weir::kFrameMagic || header.length < weir::kFrameHeaderBytes ||
        header.length > body.size() - at) {
      break;
    }
    const uint32_t crc = slow_crc(body.substr(at, header.length));
    if (mend) std::memcpy(body.data() + at + 8, &crc, 4);
    if (!mend && crc != header.crc) break;
    records += header.records;
    at += header.length;
  }
  return records;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Folder folder;
  static const std::string partition = weir::partition_folder(folder.path(), "s", 0);
  static const std::string segment = weir::segment_path(partition, 0);
  static const Bytes segment_bytes(segment);
  static const Bytes durable_bytes(partition + "/durable");
  if (size < 2) return 0;
  std::string body(reinterpret_cast<const char*>(data) + 2, size - 2);
  if ((data[0] & 1) != 0) walk(body, true);
  const int64_t sound = walk(body, false);
  const int64_t durable = data[1];
  const std::string bytes = weir::encode_segment_header({"1-fuzz", 0, 0}) + body;
  segment_bytes.set(bytes.data(), bytes.size());
  durable_bytes.set(reinterpret_cast<const char*>(&durable), sizeof durable);

  auto reader = weir::LogReader::open(folder.path(), "s", 0, data[0] >> 1);
  for (int64_t given = data[0] >> 1; reader.ok();) {
    auto batch = (*reader)->read(1 + data[0] % 5, 1 << 16);
    if (!batch.ok() || batch->events.empty()) break;
    uint32_t sum = 0;
    for (size_t i = 0; i < batch->events.size(); ++i) {
      const weir::Event& event = batch->events[i];
      check(event.offset == given++);
      for (const weir::Slice slice : {event.payload, event.subject, event.key, event.headers}) {
        sum = weir::crc32c(batch->view(slice).data(), batch->view(slice).size(), sum);  // reads every byte
        check(slice.size <= 0 || body.find(batch->view(slice)) != std::string::npos);
      }
    }
    check(given <= sound && given <= std::max<int64_t>(durable, 0) + 1'000'000);
    check(batch->next == given);
  }

  auto file = weir::SegmentFile::open(segment, false);
  check(file.ok());
  weir::SegmentScanner scan(**file, weir::kSegmentHeaderBytes, 0, weir::frame_seed("1-fuzz", 0));
  int64_t scanned = 0;
  while (true) {
    const auto step = scan.next();
    check(step.ok());
    if (*step != weir::SegmentScanner::Step::frame) break;
    scanned += scan.header().records;
  }
  check(scanned <= sound);
  check(weir::proves_durable(**file, scan.after(), scan.next_offset(), weir::frame_seed("1-fuzz", 0)).ok());

  const auto summary = weir::decode_summary(body);
  if (summary.ok()) check(weir::encode_summary(*summary) == body);
  return 0;
}
