#include "edge/content_encoding.h"

#include "edge/event_request.h"
#include "formats/payload/decompress.h"

namespace weir {
namespace {

HttpAnswer damaged(const char* what) {
  return problem(400, "Malformed body", std::string("the body is no whole ") + what + " stream");
}

HttpAnswer too_large(int64_t max_bytes) {
  return problem(413, "Body too large", "at most " + std::to_string(max_bytes) + " bytes, decoded, are taken",
                 "\"max-body\":" + std::to_string(max_bytes));
}

}  // namespace

std::optional<HttpAnswer> decode_body(std::string_view encoding, std::string_view body, int64_t max_bytes,
                                      std::string& out) {
  const std::string name = media_type(encoding);
  const bool gzip = name == "gzip" || name == "x-gzip";
  if (!gzip && name != "zstd") {
    HttpAnswer refused =
        problem(415, "Unsupported encoding", "'" + name + "' is not taken, only gzip and zstd are");
    refused.headers.emplace_back("Accept-Encoding", "gzip, zstd, identity");
    return refused;
  }
  payload::Decompressor decompressor(gzip ? payload::Compression::gzip : payload::Compression::zstd,
                                     {max_bytes, INT64_MAX});
  payload::ByteArena content(2 * body.size());
  ErrorRecord error;
  if (!decompressor.decompress(body, content, error)) {
    return error.code == ErrorCode::too_large ? too_large(max_bytes) : damaged(gzip ? "gzip" : "zstd");
  }
  out.assign(content.data(), content.size());
  return std::nullopt;
}

}  // namespace weir
