#include "edge/content_encoding.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>

#include "edge/event_request.h"

namespace weir {
namespace {

constexpr size_t kStepBytes = 64 << 10;

HttpAnswer damaged(const char* what) {
  return problem(400, "Malformed body", std::string("the body is no whole ") + what + " stream");
}

HttpAnswer too_large(int64_t max_bytes) {
  return problem(413, "Body too large", "at most " + std::to_string(max_bytes) + " bytes, decoded, are taken",
                 "\"max-body\":" + std::to_string(max_bytes));
}

// Room for the next step; false at the bound. One byte beyond it is asked for, to tell "full" from "too
// large".
bool grow(std::string& out, size_t used, int64_t max_bytes) {
  const size_t most = static_cast<size_t>(max_bytes) + 1;
  if (used >= most) return false;
  out.resize(std::min(most, used + std::max(kStepBytes, used)));
  return true;
}

std::optional<HttpAnswer> gunzip(std::string_view body, int64_t max_bytes, std::string& out) {
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 16) != Z_OK) return problem(500, "Internal error", "zlib did not start");
  std::unique_ptr<z_stream, int (*)(z_stream*)> ender(&stream, inflateEnd);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
  stream.avail_in = static_cast<uInt>(body.size());
  size_t used = 0;
  while (true) {
    if (used == out.size() && !grow(out, used, max_bytes)) return too_large(max_bytes);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + used);
    stream.avail_out = static_cast<uInt>(out.size() - used);
    int result = inflate(&stream, Z_NO_FLUSH);
    used = out.size() - stream.avail_out;
    if (result == Z_STREAM_END) {
      if (stream.avail_in == 0) break;
      if (inflateReset(&stream) != Z_OK) return damaged("gzip");  // a further member
      continue;
    }
    if (result != Z_OK && !(result == Z_BUF_ERROR && stream.avail_out == 0)) return damaged("gzip");
    if (result == Z_OK && stream.avail_in == 0 && stream.avail_out != 0) return damaged("gzip");
  }
  out.resize(used);
  return std::nullopt;
}

std::optional<HttpAnswer> unzstd(std::string_view body, int64_t max_bytes, std::string& out) {
  std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  // A frame may ask for a window of gigabytes.
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, 23);
  ZSTD_inBuffer in{body.data(), body.size(), 0};
  size_t used = 0;
  size_t left = 1;  // 0: a frame has just ended
  while (in.pos < in.size || left != 0) {
    if (used == out.size() && !grow(out, used, max_bytes)) return too_large(max_bytes);
    ZSTD_outBuffer to{out.data(), out.size(), used};
    const size_t read_before = in.pos, used_before = used;
    left = ZSTD_decompressStream(context.get(), &to, &in);
    if (ZSTD_isError(left)) return damaged("zstd");
    used = to.pos;
    if (left != 0 && in.pos == read_before && used == used_before && used < out.size())
      return damaged("zstd");
  }
  out.resize(used);
  return std::nullopt;
}

}  // namespace

std::optional<HttpAnswer> decode_body(std::string_view encoding, std::string_view body, int64_t max_bytes,
                                      std::string& out) {
  const std::string name = media_type(encoding);
  std::optional<HttpAnswer> refused;
  if (name == "gzip" || name == "x-gzip") {
    refused = gunzip(body, max_bytes, out);
  } else if (name == "zstd") {
    refused = unzstd(body, max_bytes, out);
  } else {
    refused = problem(415, "Unsupported encoding", "'" + name + "' is not taken, only gzip and zstd are");
    refused->headers.emplace_back("Accept-Encoding", "gzip, zstd, identity");
  }
  if (refused) return refused;
  if (static_cast<int64_t>(out.size()) > max_bytes) return too_large(max_bytes);
  return std::nullopt;
}

}  // namespace weir
