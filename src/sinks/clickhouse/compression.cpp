#include "sinks/clickhouse/compression.h"

#include <lz4frame.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <limits>

namespace weir {
namespace {

constexpr int kZstdLevel = 1;
constexpr int kGzipLevel = 1;
constexpr int kGzipWindow = 15 + 16;  // zlib's word for "with a gzip header"

LZ4F_preferences_t lz4_preferences() {
  LZ4F_preferences_t preferences = LZ4F_INIT_PREFERENCES;
  // Blocks that stand for themselves, of 4 MB: fewer, larger steps; no checksum, HTTP and TCP have theirs.
  preferences.frameInfo.blockSizeID = LZ4F_max4MB;
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  return preferences;
}

struct CloseZstd {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};
struct CloseLz4 {
  void operator()(LZ4F_cctx* context) const { LZ4F_freeCompressionContext(context); }
  void operator()(LZ4F_dctx* context) const { LZ4F_freeDecompressionContext(context); }
};

Status broken(const char* format, const std::string& why) {
  return Status::invalid(std::string("broken ") + format + " data: " + why);
}

Status too_large(size_t max_bytes) {
  return {Code::exhausted, "decompressed data exceeds " + std::to_string(max_bytes) + " bytes"};
}

// Room for at least `wanted` more, within what `max_bytes` leaves plus one byte, which tells an excess.
size_t room(const NativeBuffer& out, size_t start, size_t max_bytes, size_t wanted) {
  size_t left = max_bytes - (out.size() - start) + 1;
  return std::min(left, wanted);
}

constexpr size_t kStep = 256 * 1024;

Status decompress_lz4(std::string_view bytes, size_t max_bytes, NativeBuffer* out) {
  LZ4F_dctx* raw = nullptr;
  if (LZ4F_isError(LZ4F_createDecompressionContext(&raw, LZ4F_VERSION))) {
    return {Code::exhausted, "no memory for an LZ4 context"};
  }
  std::unique_ptr<LZ4F_dctx, CloseLz4> context(raw);
  const size_t start = out->size();
  size_t hint = 1;
  while (hint != 0) {
    size_t produced = room(*out, start, max_bytes, kStep), consumed = bytes.size();
    hint =
        LZ4F_decompress(context.get(), out->reserve(produced), &produced, bytes.data(), &consumed, nullptr);
    if (LZ4F_isError(hint)) return broken("LZ4", LZ4F_getErrorName(hint));
    out->advance(produced);
    bytes.remove_prefix(consumed);
    if (out->size() - start > max_bytes) return too_large(max_bytes);
    if (hint != 0 && produced == 0 && consumed == 0) return broken("LZ4", "it ends too early");
  }
  return bytes.empty() ? Status() : broken("LZ4", "something stands behind the frame");
}

Status decompress_zstd(std::string_view bytes, size_t max_bytes, NativeBuffer* out) {
  std::unique_ptr<ZSTD_DCtx, CloseZstd> context(ZSTD_createDCtx());
  if (!context) return {Code::exhausted, "no memory for a zstd context"};
  const size_t start = out->size();
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  for (;;) {
    size_t step = room(*out, start, max_bytes, kStep);
    ZSTD_outBuffer target{out->reserve(step), step, 0};
    size_t before = in.pos;
    size_t hint = ZSTD_decompressStream(context.get(), &target, &in);
    if (ZSTD_isError(hint)) return broken("zstd", ZSTD_getErrorName(hint));
    out->advance(target.pos);
    if (out->size() - start > max_bytes) return too_large(max_bytes);
    if (hint == 0) break;
    if (target.pos == 0 && in.pos == before) return broken("zstd", "it ends too early");
  }
  return in.pos == in.size ? Status() : broken("zstd", "something stands behind the frame");
}

// Feeds zlib, whose counters are 32 bits, in pieces.
template <typename Step>
int feed(z_stream* stream, std::string_view bytes, Step step) {
  stream->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  size_t left = bytes.size();
  for (;;) {
    if (stream->avail_in == 0 && left > 0) {
      stream->avail_in = static_cast<uInt>(std::min<size_t>(left, std::numeric_limits<uInt>::max()));
      left -= stream->avail_in;
    }
    int answer = step(left == 0);
    if (answer != Z_OK) return answer;
  }
}

Status decompress_gzip(std::string_view bytes, size_t max_bytes, NativeBuffer* out) {
  z_stream stream{};
  if (inflateInit2(&stream, kGzipWindow) != Z_OK) return {Code::exhausted, "no memory for a gzip context"};
  const size_t start = out->size();
  bool over = false;
  int answer = feed(&stream, bytes, [&](bool) {
    size_t step = room(*out, start, max_bytes, kStep);
    stream.next_out = out->reserve(step);
    stream.avail_out = static_cast<uInt>(step);
    int result = inflate(&stream, Z_NO_FLUSH);
    out->advance(step - stream.avail_out);
    over = out->size() - start > max_bytes;
    return over ? Z_BUF_ERROR : result;
  });
  const bool rest = stream.avail_in > 0;
  inflateEnd(&stream);
  if (over) return too_large(max_bytes);
  if (answer == Z_BUF_ERROR) return broken("gzip", "it ends too early");
  if (answer != Z_STREAM_END) return broken("gzip", "zlib answers " + std::to_string(answer));
  return rest ? broken("gzip", "something stands behind it") : Status();
}

}  // namespace

struct Compressor::Contexts {
  std::unique_ptr<LZ4F_cctx, CloseLz4> lz4;
  std::unique_ptr<ZSTD_CCtx, CloseZstd> zstd;
};

const std::vector<std::string>& compression_names() {
  static const std::vector<std::string> names = {"none", "lz4", "zstd", "gzip"};
  return names;
}

Result<Compression> parse_compression(std::string_view name) {
  for (size_t i = 0; i < compression_names().size(); ++i) {
    if (compression_names()[i] == name) return static_cast<Compression>(i);
  }
  return Status::invalid("compression '" + std::string(name) + "' is none of none, lz4, zstd, gzip");
}

const char* content_encoding(Compression compression) {
  return compression == Compression::none ? ""
                                          : compression_names()[static_cast<size_t>(compression)].c_str();
}

Compressor::Compressor(Compression compression)
    : compression_(compression), contexts_(std::make_unique<Contexts>()) {}
Compressor::~Compressor() = default;
Compressor::Compressor(Compressor&&) noexcept = default;
Compressor& Compressor::operator=(Compressor&&) noexcept = default;

Status Compressor::compress(std::string_view bytes, NativeBuffer* out) {
  switch (compression_) {
    case Compression::none: out->append(bytes.data(), bytes.size()); return {};
    case Compression::lz4: return compress_lz4(bytes, out);
    case Compression::zstd: return compress_zstd(bytes, out);
    case Compression::gzip: return compress_gzip(bytes, out);
  }
  return {};
}

Status Compressor::compress_lz4(std::string_view bytes, NativeBuffer* out) {
  if (!contexts_->lz4) {
    LZ4F_cctx* context = nullptr;
    if (LZ4F_isError(LZ4F_createCompressionContext(&context, LZ4F_VERSION))) {
      return {Code::exhausted, "no memory for an LZ4 context"};
    }
    contexts_->lz4.reset(context);
  }
  // One step a block keeps the room that must be ready small, and output pages warm.
  constexpr size_t kBlock = 4 * 1024 * 1024;
  const LZ4F_preferences_t preferences = lz4_preferences();
  LZ4F_cctx* context = contexts_->lz4.get();
  size_t written =
      LZ4F_compressBegin(context, out->reserve(LZ4F_HEADER_SIZE_MAX), LZ4F_HEADER_SIZE_MAX, &preferences);
  while (!LZ4F_isError(written)) {
    out->advance(written);
    const size_t step = std::min(bytes.size(), kBlock);
    const size_t bound = LZ4F_compressBound(step, &preferences);
    uint8_t* at = out->reserve(bound);
    if (step == 0) {
      written = LZ4F_compressEnd(context, at, bound, nullptr);
      if (LZ4F_isError(written)) break;
      out->advance(written);
      return {};
    }
    written = LZ4F_compressUpdate(context, at, bound, bytes.data(), step, nullptr);
    bytes.remove_prefix(step);
  }
  return Status::internal(std::string("LZ4: ") + LZ4F_getErrorName(written));
}

Status Compressor::compress_zstd(std::string_view bytes, NativeBuffer* out) {
  if (!contexts_->zstd) contexts_->zstd.reset(ZSTD_createCCtx());
  if (!contexts_->zstd) return {Code::exhausted, "no memory for a zstd context"};
  const size_t bound = ZSTD_compressBound(bytes.size());
  const size_t written = ZSTD_compressCCtx(contexts_->zstd.get(), out->reserve(bound), bound, bytes.data(),
                                           bytes.size(), kZstdLevel);
  if (ZSTD_isError(written)) return Status::internal(std::string("zstd: ") + ZSTD_getErrorName(written));
  out->advance(written);
  return {};
}

Status Compressor::compress_gzip(std::string_view bytes, NativeBuffer* out) {
  z_stream stream{};
  constexpr int kMemoryLevel = 8;
  if (deflateInit2(&stream, kGzipLevel, Z_DEFLATED, kGzipWindow, kMemoryLevel, Z_DEFAULT_STRATEGY) != Z_OK) {
    return {Code::exhausted, "no memory for a gzip context"};
  }
  int answer = feed(&stream, bytes, [&](bool last) {
    stream.next_out = out->reserve(kStep);
    stream.avail_out = static_cast<uInt>(kStep);
    int result = deflate(&stream, last ? Z_FINISH : Z_NO_FLUSH);
    out->advance(kStep - stream.avail_out);
    return result == Z_BUF_ERROR ? Z_OK : result;
  });
  deflateEnd(&stream);
  if (answer != Z_STREAM_END) return Status::internal("gzip: zlib answers " + std::to_string(answer));
  return {};
}

Status decompress(Compression compression, std::string_view bytes, size_t max_bytes, NativeBuffer* out) {
  switch (compression) {
    case Compression::none:
      if (bytes.size() > max_bytes) return too_large(max_bytes);
      out->append(bytes.data(), bytes.size());
      return {};
    case Compression::lz4: return decompress_lz4(bytes, max_bytes, out);
    case Compression::zstd: return decompress_zstd(bytes, max_bytes, out);
    case Compression::gzip: return decompress_gzip(bytes, max_bytes, out);
  }
  return {};
}

}  // namespace weir
