#include "formats/payload/decompress.h"

#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <bit>
#include <string>

#include "base/crc32c.h"
#include "base/status.h"

namespace weir::payload {
namespace {

constexpr size_t kAlwaysAllowed = 1 << 20;  // whatever the ratio
constexpr size_t kStep = 64 << 10;
constexpr std::string_view kSnappyStream("\xff\x06\x00\x00sNaPpY", 10);

bool fail(ErrorRecord& error, ErrorCode code, size_t byte, std::string message) {
  error.code = code;
  error.byte = static_cast<int64_t>(byte);
  error.message = std::move(message);
  return false;
}

bool broken(ErrorRecord& error, size_t byte, const std::string& what) {
  return fail(error, ErrorCode::malformed, byte, "the compressed payload is broken: " + what);
}

uint32_t little_endian(std::string_view bytes, size_t at, int count) {
  uint32_t value = 0;
  for (int i = count - 1; i >= 0; --i)
    value = value << 8 | static_cast<uint8_t>(bytes[at + static_cast<size_t>(i)]);
  return value;
}

}  // namespace

struct Decompressor::Codecs {
  z_stream zlib{};
  bool zlib_ready = false;
  ZSTD_DCtx* zstd = nullptr;
  LZ4F_dctx* lz4 = nullptr;

  ~Codecs() {
    if (zlib_ready) inflateEnd(&zlib);
    ZSTD_freeDCtx(zstd);
    if (lz4 != nullptr) LZ4F_freeDecompressionContext(lz4);
  }
};

// What one payload gives, up to its bound and one byte more, which tells that there is more.
class Decompressor::Output {
 public:
  Output(ByteArena& arena, const Bounds& bounds, size_t compressed)
      : arena_(arena), bounds_(bounds), compressed_(compressed), begin_(arena.size()) {
    const auto ratio = static_cast<size_t>(bounds.max_ratio);
    by_ratio_ = compressed > SIZE_MAX / ratio ? SIZE_MAX : std::max(kAlwaysAllowed, compressed * ratio);
    limit_ = std::min(static_cast<size_t>(bounds.max_size), by_ratio_);
  }

  size_t size() const { return arena_.size() - begin_; }
  // Room for some bytes; how many is in `capacity`, never 0 while !over().
  char* room(size_t& capacity) {
    const size_t most = limit_ + 1 - size();
    char* at = arena_.room(std::min(kStep, most));
    capacity = std::min(arena_.free_bytes(), most);
    return at;
  }
  void wrote(size_t count) { arena_.wrote(count); }
  bool over() const { return size() > limit_; }
  // Whether `more` bytes may come; then `at` has room for them.
  bool expect(size_t more, char*& at) {
    if (more > limit_ - size()) return false;
    at = arena_.room(more);
    return true;
  }
  bool too_large(ErrorRecord& error) const {
    error.code = ErrorCode::too_large;
    error.byte = -1;
    error.message = limit_ == by_ratio_ && limit_ != static_cast<size_t>(bounds_.max_size)
                        ? std::to_string(compressed_) + " compressed bytes hold more than " +
                              std::to_string(bounds_.max_ratio) + " times as much ('payload.max-ratio')"
                        : std::to_string(compressed_) + " compressed bytes hold more than " +
                              std::to_string(bounds_.max_size) + " bytes ('payload.max-size')";
    return false;
  }

 private:
  ByteArena& arena_;
  const Bounds& bounds_;
  size_t compressed_;
  size_t begin_;
  size_t by_ratio_ = 0;
  size_t limit_ = 0;
};

Compression detect(std::string_view bytes) {
  if (bytes.starts_with("\x1f\x8b")) return Compression::gzip;
  if (bytes.starts_with("\x28\xb5\x2f\xfd")) return Compression::zstd;
  if (bytes.starts_with("\x04\x22\x4d\x18")) return Compression::lz4;
  if (bytes.starts_with(kSnappyStream)) return Compression::snappy;
  return Compression::none;
}

Decompressor::Decompressor(Compression compression, Bounds bounds)
    : compression_(compression), bounds_(bounds), codecs_(std::make_unique<Codecs>()) {}

Decompressor::~Decompressor() = default;

bool Decompressor::decompress(std::string_view bytes, ByteArena& arena, ErrorRecord& error) {
  const size_t begin = arena.size();
  const Compression compression = compression_ == Compression::automatic ? detect(bytes) : compression_;
  bool ok = true;
  Output out(arena, bounds_, bytes.size());
  switch (compression) {
    case Compression::gzip: ok = gzip(bytes, out, error); break;
    case Compression::zstd: ok = zstd(bytes, out, error); break;
    case Compression::lz4: ok = lz4(bytes, out, error); break;
    case Compression::snappy:
      ok = bytes.starts_with(kSnappyStream) ? snappy_frames(bytes, out, error)
                                            : snappy_block(bytes, out, error);
      break;
    default:
      if (static_cast<int64_t>(bytes.size()) > bounds_.max_size) {
        return fail(error, ErrorCode::too_large, 0,
                    std::to_string(bytes.size()) + " bytes, 'payload.max-size' is " +
                        std::to_string(bounds_.max_size));
      }
      arena.append(bytes);
  }
  if (!ok) arena.cut(begin);
  return ok;
}

bool Decompressor::gzip(std::string_view bytes, Output& out, ErrorRecord& error) {
  z_stream& stream = codecs_->zlib;
  if (!codecs_->zlib_ready) {
    WEIR_CHECK(inflateInit2(&stream, 15 + 16) == Z_OK, "zlib has no memory");
    codecs_->zlib_ready = true;
  }
  if (bytes.empty()) return broken(error, 0, "no bytes at all, expected gzip");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  const auto position = [&] { return bytes.size() - stream.avail_in; };
  while (stream.avail_in > 0) {  // a member
    WEIR_CHECK(inflateReset(&stream) == Z_OK, "zlib's state is broken");
    for (int result = Z_OK; result != Z_STREAM_END;) {
      size_t capacity = 0;
      stream.next_out = reinterpret_cast<Bytef*>(out.room(capacity));
      stream.avail_out = static_cast<uInt>(std::min<size_t>(capacity, 1U << 30));
      const uInt before = stream.avail_out;
      result = inflate(&stream, Z_NO_FLUSH);
      out.wrote(before - stream.avail_out);
      if (out.over()) return out.too_large(error);
      if (result == Z_BUF_ERROR || (result == Z_OK && stream.avail_in == 0 && stream.avail_out > 0)) {
        return broken(error, bytes.size(), "the gzip stream ends early");
      }
      if (result != Z_OK && result != Z_STREAM_END) {
        return broken(error, position(),
                      std::string("gzip: ") + (stream.msg != nullptr ? stream.msg : "not a gzip stream"));
      }
    }
  }
  return true;
}

bool Decompressor::zstd(std::string_view bytes, Output& out, ErrorRecord& error) {
  if (codecs_->zstd == nullptr) {
    codecs_->zstd = ZSTD_createDCtx();
    WEIR_CHECK(codecs_->zstd != nullptr, "zstd has no memory");
    // A frame makes the decoder allocate its window before it has given a byte.
    const int window = std::bit_width(static_cast<uint64_t>(bounds_.max_size));
    ZSTD_DCtx_setParameter(codecs_->zstd, ZSTD_d_windowLogMax, std::clamp(window, 23, 27));
  }
  if (bytes.empty()) return broken(error, 0, "no bytes at all, expected zstd");
  ZSTD_DCtx_reset(codecs_->zstd, ZSTD_reset_session_only);
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  for (size_t left = 1; left != 0 || in.pos < in.size;) {
    size_t capacity = 0;
    char* at = out.room(capacity);
    ZSTD_outBuffer to{at, capacity, 0};
    const size_t before = in.pos;
    left = ZSTD_decompressStream(codecs_->zstd, &to, &in);
    out.wrote(to.pos);
    if (out.over()) return out.too_large(error);
    if (ZSTD_isError(left) != 0) {
      if (ZSTD_getErrorCode(left) == ZSTD_error_frameParameter_windowTooLarge) return out.too_large(error);
      return broken(error, in.pos, std::string("zstd: ") + ZSTD_getErrorName(left));
    }
    if (left != 0 && to.pos == 0 && before == in.pos) {
      return broken(error, bytes.size(), "the zstd frame ends early");
    }
  }
  return true;
}

bool Decompressor::lz4(std::string_view bytes, Output& out, ErrorRecord& error) {
  if (codecs_->lz4 == nullptr) {
    WEIR_CHECK(LZ4F_isError(LZ4F_createDecompressionContext(&codecs_->lz4, LZ4F_VERSION)) == 0,
               "lz4 has no memory");
  }
  if (bytes.empty()) return broken(error, 0, "no bytes at all, expected lz4");
  LZ4F_resetDecompressionContext(codecs_->lz4);
  size_t position = 0;
  for (size_t left = 1; left != 0 || position < bytes.size();) {
    size_t capacity = 0;
    char* at = out.room(capacity);
    size_t written = capacity;
    size_t read = bytes.size() - position;
    left = LZ4F_decompress(codecs_->lz4, at, &written, bytes.data() + position, &read, nullptr);
    if (LZ4F_isError(left) != 0) {
      return broken(error, position, std::string("lz4: ") + LZ4F_getErrorName(left));
    }
    position += read;
    out.wrote(written);
    if (out.over()) return out.too_large(error);
    if (left != 0 && read == 0 && written == 0) {
      return broken(error, bytes.size(), "the lz4 frame ends early");
    }
  }
  return true;
}

bool Decompressor::snappy_block(std::string_view bytes, Output& out, ErrorRecord& error) {
  size_t size = 0;
  if (!snappy::GetUncompressedLength(bytes.data(), bytes.size(), &size)) {
    return broken(error, 0, "it begins with no length as a snappy block does");
  }
  char* at = nullptr;
  if (!out.expect(size, at)) return out.too_large(error);
  if (!snappy::RawUncompress(bytes.data(), bytes.size(), at)) {
    return broken(error, 0, "not a snappy block of " + std::to_string(size) + " bytes");
  }
  out.wrote(size);
  return true;
}

// google/snappy framing_format.txt: chunks of a type byte, three bytes of length and that many bytes.
bool Decompressor::snappy_frames(std::string_view bytes, Output& out, ErrorRecord& error) {
  for (size_t at = 0; at < bytes.size();) {
    if (bytes.size() - at < 4) return broken(error, at, "the snappy stream ends early");
    const auto type = static_cast<uint8_t>(bytes[at]);
    const size_t size = little_endian(bytes, at + 1, 3);
    if (size > bytes.size() - at - 4) return broken(error, at, "the snappy stream ends early");
    const std::string_view chunk = bytes.substr(at + 4, size);
    if (type == 0xff) {
      if (bytes.substr(at, 4 + size) != kSnappyStream) {
        return broken(error, at, "a snappy stream identifier that is none");
      }
    } else if (type < 2) {
      if (size < 4) return broken(error, at, "a snappy chunk without a checksum");
      const std::string_view body = chunk.substr(4);
      size_t content = body.size();
      if (type == 0 && !snappy::GetUncompressedLength(body.data(), body.size(), &content)) {
        return broken(error, at, "a snappy chunk without a length");
      }
      if (content > kStep) return broken(error, at, "a snappy chunk of more than 65536 bytes");
      char* to = nullptr;
      if (!out.expect(content, to)) return out.too_large(error);
      if (type == 1) {
        body.copy(to, content);
      } else if (!snappy::RawUncompress(body.data(), body.size(), to)) {
        return broken(error, at, "a snappy chunk that cannot be read");
      }
      const uint32_t crc = crc32c(to, content);  // as the framing format has it
      if (((crc >> 15 | crc << 17) + 0xa282ead8U) != little_endian(chunk, 0, 4)) {
        return broken(error, at, "a snappy chunk whose checksum is wrong");
      }
      out.wrote(content);
    } else if (type < 0x80) {
      return broken(error, at, "a snappy chunk of a reserved type");
    }
    at += 4 + size;
  }
  return true;
}

}  // namespace weir::payload
