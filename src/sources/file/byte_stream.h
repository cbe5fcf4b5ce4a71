// A file's bytes after decompression, in order. Memory is bounded whatever the file's size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"

namespace weir {

enum class Compression { none, gzip, zstd };

// By the extension: .gz, .zst, anything else is none.
Compression compression_of(const std::string& path);

// What is known about the file behind a stream; compared to notice that it was cut or replaced.
struct FileState {
  int64_t size = 0;  // on disk
  int64_t modified_us = 0;
  uint64_t device = 0;
  uint64_t inode = 0;
};

class ByteStream {
 public:
  virtual ~ByteStream() = default;
  // Up to `size` uncompressed bytes; 0: the file holds no more now (more may come when it grows).
  // invalid with the file and the compressed offset when the compressed data is broken.
  virtual Result<size_t> read(char* into, size_t size) = 0;
  // Makes `position` the next byte to read. False: the file ends before it; `position` is then that end. Only
  // called once, before the first read. `previous`: the byte in front of the position (0 at the file's
  // begin).
  virtual Result<bool> seek(int64_t& position, char& previous) = 0;
  // After read gave 0: ok at the end of the file or of a compressed member, invalid in the middle of one.
  virtual Status at_whole_end() const = 0;
  // Of the open file itself, also when its name has gone.
  virtual Result<FileState> state() const = 0;
};

// not_found, denied or unavailable with the path.
Result<std::unique_ptr<ByteStream>> open_byte_stream(const std::string& path, Compression compression);
Result<FileState> file_state(const std::string& path);

}  // namespace weir
