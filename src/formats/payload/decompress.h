// Compressed payloads -> their content, within bounds.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "formats/payload/byte_arena.h"
#include "schema/error_record.h"

namespace weir::payload {

enum class Compression { none, automatic, gzip, zstd, snappy, lz4 };

struct Bounds {
  int64_t max_size = 16 << 20;
  int64_t max_ratio = 200;  // of content to compressed bytes, where the content is more than 1 MB
};

// Which one the first bytes tell; none when they tell nothing (a raw snappy block never does).
Compression detect(std::string_view bytes);

// One thread; keeps the codecs' contexts between calls.
class Decompressor {
 public:
  Decompressor(Compression compression, Bounds bounds);
  ~Decompressor();

  // Appends the content to `out`. With `automatic`, bytes without a known beginning are the content
  // themselves. False: `error` has code, message and byte, and nothing was appended: too_large for what
  // would break a bound (it is not inflated further), malformed for a broken stream.
  //   gzip: RFC 1952, any number of members. zstd, lz4: frames, any number. snappy: the framing format when
  //   its stream identifier stands first, else one raw block.
  bool decompress(std::string_view bytes, ByteArena& out, ErrorRecord& error);

 private:
  struct Codecs;
  class Output;

  bool gzip(std::string_view bytes, Output& out, ErrorRecord& error);
  bool zstd(std::string_view bytes, Output& out, ErrorRecord& error);
  bool lz4(std::string_view bytes, Output& out, ErrorRecord& error);
  bool snappy_block(std::string_view bytes, Output& out, ErrorRecord& error);
  bool snappy_frames(std::string_view bytes, Output& out, ErrorRecord& error);

  Compression compression_;
  Bounds bounds_;
  std::unique_ptr<Codecs> codecs_;
};

}  // namespace weir::payload
