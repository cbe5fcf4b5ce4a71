#include "log/segment_summary.h"

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/crc32c.h"
#include "base/objects.h"

namespace weir {
namespace {

constexpr std::string_view kMagic = "WeirSum1";

template <typename T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  template <typename T>
  bool take(T& value) {
    if (bytes_.size() < sizeof value) return false;
    std::memcpy(&value, bytes_.data(), sizeof value);
    bytes_.remove_prefix(sizeof value);
    return true;
  }
  bool take(size_t size, std::string& text) {
    if (bytes_.size() < size) return false;
    text = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return true;
  }

 private:
  std::string_view bytes_;
};

}  // namespace

std::string encode_summary(const SegmentSummary& summary) {
  std::string bytes(kMagic);
  put(bytes, summary.base_offset);
  put(bytes, summary.next_offset);
  put(bytes, summary.bytes);
  put(bytes, summary.newest_us);
  put(bytes, static_cast<uint64_t>(summary.keys.size()));
  for (const SummaryKey& key : summary.keys) {
    put(bytes, key.fingerprint);
    put(bytes, key.timestamp_us);
    put(bytes, key.first);
    put(bytes, key.last);
    put(bytes, static_cast<uint16_t>(key.key.size()));
    bytes += key.key;
  }
  put(bytes, crc32c(bytes.data(), bytes.size()));
  return bytes;
}

Result<SegmentSummary> decode_summary(const std::string& bytes) {
  const Status damaged = Status::invalid("no whole summary of a segment");
  if (bytes.size() < kMagic.size() + 4 || bytes.substr(0, kMagic.size()) != kMagic) return damaged;
  const size_t checked = bytes.size() - 4;
  uint32_t crc = 0;
  std::memcpy(&crc, bytes.data() + checked, 4);
  if (crc != crc32c(bytes.data(), checked)) return damaged;
  Reader reader(std::string_view(bytes).substr(kMagic.size(), checked - kMagic.size()));
  SegmentSummary summary;
  uint64_t keys = 0;
  if (!reader.take(summary.base_offset) || !reader.take(summary.next_offset) || !reader.take(summary.bytes) ||
      !reader.take(summary.newest_us) || !reader.take(keys) || keys > bytes.size()) {
    return damaged;
  }
  summary.keys.resize(keys);
  for (SummaryKey& key : summary.keys) {
    uint16_t size = 0;
    if (!reader.take(key.fingerprint) || !reader.take(key.timestamp_us) || !reader.take(key.first) ||
        !reader.take(key.last) || !reader.take(size) || !reader.take(size, key.key)) {
      return damaged;
    }
  }
  return summary;
}

Status write_summary(const std::string& path, const SegmentSummary& summary) {
  const std::string unfinished = path + ".new";
  const std::string bytes = encode_summary(summary);
  std::ofstream out(unfinished, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out || std::rename(unfinished.c_str(), path.c_str()) != 0) {
    std::error_code ignored;
    std::filesystem::remove(unfinished, ignored);
    return Status::unavailable("cannot write " + path);
  }
  return {};
}

Result<SegmentSummary> read_summary(const std::string& path) {
  WEIR_ASSIGN(const std::string bytes, read_file(path));
  auto summary = decode_summary(bytes);
  return summary.ok() ? std::move(summary) : summary.status().with_context(path);
}

}  // namespace weir
