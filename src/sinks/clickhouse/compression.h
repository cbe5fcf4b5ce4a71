// Compression of request bodies, by the names of Content-Encoding.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "sinks/clickhouse/native_buffer.h"

namespace weir {

enum class Compression { none, lz4, zstd, gzip };

// "none", "lz4", "zstd", "gzip".
Result<Compression> parse_compression(std::string_view name);
const std::vector<std::string>& compression_names();
// The value of Content-Encoding; "" for none: the header is left out.
const char* content_encoding(Compression compression);

// Appends to `out`. The same bytes in give the same bytes out, for one version of the libraries.
// Contexts are reused: not safe for two threads at once.
class Compressor {
 public:
  explicit Compressor(Compression compression);
  ~Compressor();
  Compressor(Compressor&&) noexcept;
  Compressor& operator=(Compressor&&) noexcept;

  // One whole frame.
  Status compress(std::string_view bytes, NativeBuffer* out);

 private:
  struct Contexts;
  Status compress_lz4(std::string_view bytes, NativeBuffer* out);
  Status compress_zstd(std::string_view bytes, NativeBuffer* out);
  Status compress_gzip(std::string_view bytes, NativeBuffer* out);

  Compression compression_;
  std::unique_ptr<Contexts> contexts_;
};

// The inverse, for tests and for reading a server's answer; invalid when the bytes are broken or would exceed
// `max_bytes`.
Status decompress(Compression compression, std::string_view bytes, size_t max_bytes, NativeBuffer* out);

}  // namespace weir
