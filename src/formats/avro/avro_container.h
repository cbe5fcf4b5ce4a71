// Avro's object container files: the header, and blocks with their codecs.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "formats/avro/avro_walk.h"

namespace weir::avro {

enum class Codec { none, deflate, snappy, zstandard };

struct ContainerHeader {
  std::string_view schema;  // of the writer, in the file's bytes
  Codec codec = Codec::none;
  std::array<uint8_t, 16> sync{};
};

struct ContainerBlock {
  int64_t count = 0;               // of datums
  const uint8_t* begin = nullptr;  // of their bytes, EventBatch::kPadding more are readable
  const uint8_t* end = nullptr;
};

// Reads one file in memory; the walk has been started with its bytes, and gets the errors. One thread; the
// buffer is kept between files.
class ContainerReader {
 public:
  explicit ContainerReader(int64_t max_inflated) : max_inflated_(max_inflated) {}

  // Gives the first block, null after an error.
  const uint8_t* header(Walk& walk, const uint8_t* begin, const uint8_t* end, ContainerHeader* header);
  // Reads the block at `at` and gives the next one. What is in `block` holds until the next call. All blocks
  // of a file together may not inflate to more than the bound.
  const uint8_t* block(Walk& walk, const ContainerHeader& header, const uint8_t* at, const uint8_t* end,
                       ContainerBlock* block);

 private:
  bool inflate(Walk& walk, Codec codec, std::string_view bytes, const uint8_t* at);
  // Each appends nothing but all of the content, at most `left_` bytes; false: `problem_` says why.
  bool deflate_block(std::string_view bytes);
  bool snappy_block(std::string_view bytes);
  bool zstandard_block(std::string_view bytes);
  bool make_room();
  bool too_large();

  const int64_t max_inflated_;
  int64_t left_ = 0;
  std::vector<uint8_t> buffer_;
  size_t size_ = 0;  // of the content in it
  const char* problem_ = "";
  bool too_large_ = false;
};

}  // namespace weir::avro
