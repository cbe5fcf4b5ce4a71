#include "log/segment_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/objects.h"

namespace weir {
namespace {

constexpr size_t kScanBytes = 1 << 20;

Status disk_status(int error, const std::string& what) {
  if (error == EFBIG) return {Code::exhausted, what + ": " + std::strerror(error)};
  return errno_status(error, what);
}

// File systems that cannot preallocate get zeros.
int make_room(int descriptor, int64_t from, int64_t to) {
  if (from >= to) return 0;
  int error = 0;
  do {
    error = ::fallocate(descriptor, 0, from, to - from) == 0 ? 0 : errno;
  } while (error == EINTR);
  if (error != EOPNOTSUPP && error != ENOSYS) return error;
  const std::string zeros(kScanBytes, '\0');
  while (from < to) {
    const auto size = static_cast<size_t>(std::min<int64_t>(to - from, kScanBytes));
    const ssize_t written = ::pwrite(descriptor, zeros.data(), size, from);
    if (written < 0 && errno != EINTR) return errno;
    from += std::max<ssize_t>(written, 0);
  }
  return 0;
}

}  // namespace

Result<std::unique_ptr<SegmentFile>> SegmentFile::make_spare(const std::string& path, int64_t bytes) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0) return disk_status(errno, "cannot create " + path);
  std::unique_ptr<SegmentFile> file(new SegmentFile(path, descriptor));
  if (const int error = make_room(descriptor, 0, bytes); error != 0) {
    ::unlink(path.c_str());
    return disk_status(error, "no room for a segment of " + std::to_string(bytes) + " bytes, " + path);
  }
  return file;
}

Result<std::unique_ptr<SegmentFile>> SegmentFile::open(const std::string& path, bool writable) {
  const int descriptor = ::open(path.c_str(), (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
  if (descriptor < 0) return errno_status(errno, "cannot open " + path);
  return std::unique_ptr<SegmentFile>(new SegmentFile(path, descriptor));
}

SegmentFile::~SegmentFile() { ::close(descriptor_); }

Status SegmentFile::begin(const std::string& path, const SegmentName& name) {
  WEIR_TRY(write(0, encode_segment_header(name)));
  if (::fsync(descriptor_) != 0) return disk_status(errno, "fsync " + path_);
  if (::rename(path_.c_str(), path.c_str()) != 0) return disk_status(errno, "rename to " + path);
  path_ = path;
  return sync_path(std::filesystem::path(path).parent_path().string());
}

Status SegmentFile::write(int64_t position, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(descriptor_, bytes.data(), bytes.size(), position);
    if (written < 0) {
      if (errno == EINTR) continue;
      return disk_status(errno, "write " + path_);
    }
    bytes.remove_prefix(static_cast<size_t>(written));
    position += written;
  }
  return {};
}

void SegmentFile::start_sync(int64_t position, size_t size) {
  ::sync_file_range(descriptor_, position, static_cast<off_t>(size), SYNC_FILE_RANGE_WRITE);
}

Status SegmentFile::sync() {
  if (::fdatasync(descriptor_) != 0) return disk_status(errno, "fdatasync " + path_);
  return {};
}

Status SegmentFile::cut(int64_t position, int64_t capacity) {
  WEIR_TRY(close_at(position));
  // A full disk shows when something is appended, not when what is there is opened.
  static_cast<void>(make_room(descriptor_, position, capacity));
  if (::fsync(descriptor_) != 0) return disk_status(errno, "fsync " + path_);
  return {};
}

Status SegmentFile::close_at(int64_t position) {
  if (::ftruncate(descriptor_, position) != 0) return disk_status(errno, "truncate " + path_);
  return {};
}

Result<size_t> SegmentFile::read(int64_t position, char* into, size_t size) const {
  size_t got = 0;
  while (got < size) {
    const ssize_t count = ::pread(descriptor_, into + got, size - got, position + static_cast<int64_t>(got));
    if (count < 0) {
      if (errno == EINTR) continue;
      return errno_status(errno, "read " + path_);
    }
    if (count == 0) break;
    got += static_cast<size_t>(count);
  }
  return got;
}

Result<int64_t> SegmentFile::size() const {
  struct stat info{};
  if (::fstat(descriptor_, &info) != 0) return errno_status(errno, "look at " + path_);
  return static_cast<int64_t>(info.st_size);
}

SegmentScanner::SegmentScanner(const SegmentFile& file, int64_t position, int64_t offset, uint32_t seed)
    : file_(file), seed_(seed), position_(position), after_(position), offset_(offset) {}

Result<SegmentScanner::Step> SegmentScanner::next() { return step(true); }

Result<SegmentScanner::Step> SegmentScanner::next_unchecked() { return step(false); }

SegmentScanner::Step SegmentScanner::broken(std::string why) {
  why_ = std::move(why);
  return Step::broken;
}

Result<bool> SegmentScanner::have(size_t size) {
  const auto available = [&] {
    return static_cast<size_t>(buffer_begin_ + static_cast<int64_t>(filled_) - after_);
  };
  if (after_ >= buffer_begin_ && after_ <= buffer_begin_ + static_cast<int64_t>(filled_) &&
      available() >= size) {
    return true;
  }
  // A length that is not to be trusted costs no memory that the file does not have.
  WEIR_ASSIGN(const int64_t file_size, file_.size());
  if (file_size - after_ < static_cast<int64_t>(size)) return false;
  buffer_.resize(std::max(size, static_cast<size_t>(std::min<int64_t>(file_size - after_, kScanBytes))));
  buffer_begin_ = after_;
  WEIR_ASSIGN(filled_, file_.read(after_, buffer_.data(), buffer_.size()));
  return filled_ >= size;
}

Result<SegmentScanner::Step> SegmentScanner::step(bool checked) {
  WEIR_ASSIGN(const bool has_magic, have(sizeof(uint32_t)));
  if (!has_magic) {
    WEIR_ASSIGN(const int64_t size, file_.size());
    return size <= after_ ? Step::end : broken("it ends within a frame");
  }
  uint32_t magic = 0;
  std::memcpy(&magic, buffer_.data() + (after_ - buffer_begin_), sizeof magic);
  if (magic == 0) return Step::end;
  WEIR_ASSIGN(const bool has_header, have(kFrameHeaderBytes));
  if (!has_header) return broken("it ends within the header of a frame");
  const FrameHeader header = load_frame_header(buffer_.data() + (after_ - buffer_begin_));
  if (!is_frame_header(header)) return broken("there is no header of a frame");
  WEIR_ASSIGN(const bool has_frame, have(header.length));
  if (!has_frame) return broken("it ends within a frame");
  const std::string_view frame(buffer_.data() + (after_ - buffer_begin_), header.length);
  if (checked && !frame_checksum_holds(frame, seed_)) return broken("the checksum of a frame does not hold");
  if (header.base_offset != offset_) {
    return broken("a frame begins with offset " + std::to_string(header.base_offset) + ", expected " +
                  std::to_string(offset_));
  }
  frame_ = frame;
  header_ = header;
  position_ = after_;
  after_ += header.length;
  offset_ = header.next_offset();
  return Step::frame;
}

Result<bool> proves_durable(const SegmentFile& file, int64_t position, int64_t offset, uint32_t seed) {
  WEIR_ASSIGN(const int64_t size, file.size());
  std::vector<char> bytes;
  position = (position + 7) / 8 * 8;
  while (position < size) {
    // Room that was never written is skipped without being read.
    const off_t data = ::lseek(file.descriptor(), position, SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;
    if (data > position) position = data / 8 * 8;
    bytes.resize(static_cast<size_t>(std::min<int64_t>(size - position, kScanBytes)));
    WEIR_ASSIGN(const size_t got, file.read(position, bytes.data(), bytes.size()));
    if (got < kFrameHeaderBytes) break;
    const size_t last = got - kFrameHeaderBytes;
    for (size_t at = 0; at <= last; at += kFrameAlignment) {
      const FrameHeader header = load_frame_header(bytes.data() + at);
      if (!is_frame_header(header) || header.synced <= offset || header.base_offset <= offset) continue;
      if (header.length > size - position - static_cast<int64_t>(at)) continue;
      std::vector<char> frame(header.length);
      WEIR_ASSIGN(const size_t read,
                  file.read(position + static_cast<int64_t>(at), frame.data(), frame.size()));
      if (read == frame.size() && frame_checksum_holds({frame.data(), frame.size()}, seed)) return true;
    }
    position += static_cast<int64_t>(last / kFrameAlignment * kFrameAlignment + kFrameAlignment);
  }
  return false;
}

}  // namespace weir
