#include "sources/file/byte_stream.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

namespace weir {
namespace {

constexpr size_t kInputBytes = 256 * 1024;

Status system_error(const std::string& path, const char* what, int error) {
  const std::string words = "cannot " + std::string(what) + " file '" + path + "': " + std::strerror(error);
  if (error == ENOENT || error == ENOTDIR) return {Code::not_found, words};
  if (error == EACCES || error == EPERM) return {Code::denied, words};
  if (error == EISDIR || error == ENAMETOOLONG || error == ELOOP) return Status::invalid(words);
  return Status::unavailable(words);
}

FileState to_state(const struct stat& info) {
  return {static_cast<int64_t>(info.st_size),
          static_cast<int64_t>(info.st_mtim.tv_sec) * 1'000'000 + info.st_mtim.tv_nsec / 1000,
          static_cast<uint64_t>(info.st_dev), static_cast<uint64_t>(info.st_ino)};
}

class Descriptor {
 public:
  Descriptor(int number, std::string path) : number_(number), path_(std::move(path)) {}
  Descriptor(Descriptor&& other) noexcept : number_(other.number_), path_(std::move(other.path_)) {
    other.number_ = -1;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }

  const std::string& path() const { return path_; }

  Result<size_t> read_at(int64_t offset, char* into, size_t size) const {
    while (true) {
      const ssize_t got = ::pread(number_, into, size, offset);
      if (got >= 0) return static_cast<size_t>(got);
      if (errno != EINTR) return system_error(path_, "read", errno);
    }
  }

  Result<FileState> state() const {
    struct stat info{};
    if (::fstat(number_, &info) != 0) return system_error(path_, "look at", errno);
    return to_state(info);
  }

 private:
  int number_;
  std::string path_;
};

class PlainStream final : public ByteStream {
 public:
  explicit PlainStream(Descriptor file) : file_(std::move(file)) {}

  Result<size_t> read(char* into, size_t size) override {
    WEIR_ASSIGN(const size_t got, file_.read_at(position_, into, size));
    position_ += static_cast<int64_t>(got);
    return got;
  }

  Result<bool> seek(int64_t& position, char& previous) override {
    WEIR_ASSIGN(const FileState now, file_.state());
    previous = 0;
    if (position > now.size) {
      position = now.size;
      return false;
    }
    if (position > 0) {
      WEIR_ASSIGN(const size_t got, file_.read_at(position - 1, &previous, 1));
      if (got != 1) return Status::unavailable("file '" + file_.path() + "' changed while it was opened");
    }
    position_ = position;
    return true;
  }

  Status at_whole_end() const override { return {}; }
  Result<FileState> state() const override { return file_.state(); }

 private:
  Descriptor file_;
  int64_t position_ = 0;
};

// What gzip and zstd share: compressed input through a fixed buffer.
class CompressedStream : public ByteStream {
 public:
  CompressedStream(Descriptor file, const char* kind)
      : file_(std::move(file)), kind_(kind), input_(kInputBytes) {}

  Result<size_t> read(char* into, size_t size) override {
    while (true) {
      if (begin_ == end_) {
        WEIR_ASSIGN(const size_t got, file_.read_at(file_position_, input_.data(), input_.size()));
        begin_ = 0;
        end_ = got;
        file_position_ += static_cast<int64_t>(got);
      }
      // Also with no input left: the decoder may still hold output that did not fit before.
      WEIR_ASSIGN(const size_t made, decode(into, size));
      if (made > 0) return made;
      if (begin_ == end_ && end_ < input_.size()) {
        WEIR_ASSIGN(const FileState now, file_.state());
        if (file_position_ >= now.size) return size_t{0};
      }
    }
  }

  Result<bool> seek(int64_t& position, char& previous) override {
    // Compressed data has no index: read again and discard.
    std::vector<char> discarded(kInputBytes);
    int64_t at = 0;
    previous = 0;
    while (at < position) {
      const size_t wanted =
          static_cast<size_t>(std::min<int64_t>(position - at, static_cast<int64_t>(discarded.size())));
      WEIR_ASSIGN(const size_t got, read(discarded.data(), wanted));
      if (got == 0) {
        position = at;
        return false;
      }
      previous = discarded[got - 1];
      at += static_cast<int64_t>(got);
    }
    return true;
  }

  Status at_whole_end() const override {
    if (!inside_member_) return {};
    return broken("the data ends in the middle of a member; the file is cut short");
  }

  Result<FileState> state() const override { return file_.state(); }

 protected:
  // Consumes input_[begin_, end_) and sets inside_member_; 0 when it needs more input.
  virtual Result<size_t> decode(char* into, size_t size) = 0;

  Status broken(std::string_view why) const {
    return Status::invalid("file '" + file_.path() + "' is not sound " + kind_ + ", near compressed byte " +
                           std::to_string(file_position_ - static_cast<int64_t>(end_ - begin_)) + ": " +
                           std::string(why));
  }

  const unsigned char* input() const {
    return reinterpret_cast<const unsigned char*>(input_.data()) + begin_;
  }
  size_t input_size() const { return end_ - begin_; }
  void consumed(size_t bytes) { begin_ += bytes; }

  bool inside_member_ = false;

 private:
  Descriptor file_;
  const char* kind_;
  std::vector<char> input_;
  size_t begin_ = 0;
  size_t end_ = 0;
  int64_t file_position_ = 0;  // of input_[end_]
};

class GzipStream final : public CompressedStream {
 public:
  explicit GzipStream(Descriptor file) : CompressedStream(std::move(file), "gzip") {
    WEIR_CHECK(inflateInit2(&inflater_, 15 + 16) == Z_OK, "zlib does not start");
  }
  ~GzipStream() override { inflateEnd(&inflater_); }

 private:
  Result<size_t> decode(char* into, size_t size) override {
    if (input_size() == 0 && !inside_member_) return size_t{0};
    inside_member_ = true;
    inflater_.next_in = const_cast<unsigned char*>(input());
    inflater_.avail_in = static_cast<uInt>(input_size());
    inflater_.next_out = reinterpret_cast<unsigned char*>(into);
    const uInt room = static_cast<uInt>(std::min<size_t>(size, 1u << 30));
    inflater_.avail_out = room;
    const int result = inflate(&inflater_, Z_NO_FLUSH);
    consumed(input_size() - inflater_.avail_in);
    const size_t made = room - inflater_.avail_out;
    if (result == Z_STREAM_END) {
      inside_member_ = false;  // the next byte, if any, begins another member
      inflateReset(&inflater_);
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      return broken(inflater_.msg != nullptr ? inflater_.msg : "inflate failed");
    }
    return made;
  }

  z_stream inflater_{};
};

class ZstdStream final : public CompressedStream {
 public:
  explicit ZstdStream(Descriptor file)
      : CompressedStream(std::move(file), "zstd"), context_(ZSTD_createDCtx()) {
    WEIR_CHECK(context_ != nullptr, "zstd does not start");
  }
  ~ZstdStream() override { ZSTD_freeDCtx(context_); }

 private:
  Result<size_t> decode(char* into, size_t size) override {
    if (input_size() == 0 && !inside_member_) return size_t{0};
    ZSTD_inBuffer in{input(), input_size(), 0};
    ZSTD_outBuffer out{into, size, 0};
    const size_t hint = ZSTD_decompressStream(context_, &out, &in);
    consumed(in.pos);
    if (ZSTD_isError(hint) != 0) return broken(ZSTD_getErrorName(hint));
    // 0: a frame is complete; the next byte, if any, begins another one.
    if (in.pos > 0 || out.pos > 0 || hint == 0) inside_member_ = hint != 0;
    return out.pos;
  }

  ZSTD_DCtx* context_;
};

}  // namespace

Compression compression_of(const std::string& path) {
  const auto ends_with = [&](std::string_view end) {
    return path.size() > end.size() && path.compare(path.size() - end.size(), end.size(), end) == 0;
  };
  if (ends_with(".gz")) return Compression::gzip;
  if (ends_with(".zst") || ends_with(".zstd")) return Compression::zstd;
  return Compression::none;
}

Result<std::unique_ptr<ByteStream>> open_byte_stream(const std::string& path, Compression compression) {
  const int number = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (number < 0) return system_error(path, "open", errno);
  Descriptor file(number, path);
  struct stat info{};
  if (::fstat(number, &info) != 0) return system_error(path, "look at", errno);
  if (!S_ISREG(info.st_mode)) return Status::invalid("'" + path + "' is not a regular file");
  ::posix_fadvise(number, 0, 0, POSIX_FADV_SEQUENTIAL);
  switch (compression) {
    case Compression::gzip: return std::unique_ptr<ByteStream>(std::make_unique<GzipStream>(std::move(file)));
    case Compression::zstd: return std::unique_ptr<ByteStream>(std::make_unique<ZstdStream>(std::move(file)));
    case Compression::none: break;
  }
  return std::unique_ptr<ByteStream>(std::make_unique<PlainStream>(std::move(file)));
}

Result<FileState> file_state(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return system_error(path, "look at", errno);
  return to_state(info);
}

}  // namespace weir
