#include "formats/avro/avro_container.h"

#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>

#include "schema/event_batch.h"

namespace weir::avro {
namespace {

constexpr uint8_t kMagic[4] = {'O', 'b', 'j', 1};
constexpr size_t kFirstRoom = 64 << 10;

bool codec_of(std::string_view name, Codec* codec) {
  if (name.empty() || name == "null") {
    *codec = Codec::none;
  } else if (name == "deflate") {
    *codec = Codec::deflate;
  } else if (name == "snappy") {
    *codec = Codec::snappy;
  } else if (name == "zstandard") {
    *codec = Codec::zstandard;
  } else {
    return false;
  }
  return true;
}

}  // namespace

const uint8_t* ContainerReader::header(Walk& walk, const uint8_t* begin, const uint8_t* end,
                                       ContainerHeader* header) {
  *header = {};
  left_ = max_inflated_;
  if (end - begin < 4 || std::memcmp(begin, kMagic, 4) != 0) {
    return walk.fail(ErrorCode::malformed, begin, "no Avro container: it does not begin with 'Obj' and 1");
  }
  const uint8_t* at = begin + 4;
  std::string_view codec_name;
  while (true) {
    int64_t count = 0, bytes = 0;
    at = walk.read_long(at, &count);
    if (at == nullptr) return nullptr;
    if (count == 0) break;
    if (count < 0) {
      at = walk.read_long(at, &bytes);
      if (at == nullptr) return nullptr;
    }
    // An entry has two bytes at least, so that this ends with the file's bytes.
    for (uint64_t i = count < 0 ? 0 - static_cast<uint64_t>(count) : static_cast<uint64_t>(count); i > 0;
         --i) {
      std::string_view key, value;
      at = walk.read_bytes(at, &key);
      if (at != nullptr) at = walk.read_bytes(at, &value);
      if (at == nullptr) return nullptr;
      if (key == "avro.schema") header->schema = value;
      if (key == "avro.codec") codec_name = value;
    }
  }
  if (end - at < 16) return walk.fail(ErrorCode::malformed, end, "the container ends within its header");
  std::memcpy(header->sync.data(), at, 16);
  if (!codec_of(codec_name, &header->codec)) {
    return walk.fail(ErrorCode::malformed, begin,
                     "the codec '" + std::string(codec_name.substr(0, 40)) +
                         "', expected null, deflate, snappy or zstandard");
  }
  if (header->schema.empty())
    return walk.fail(ErrorCode::malformed, begin, "a container without avro.schema");
  return at + 16;
}

const uint8_t* ContainerReader::block(Walk& walk, const ContainerHeader& header, const uint8_t* at,
                                      const uint8_t* end, ContainerBlock* block) {
  const uint8_t* begin = at;
  std::string_view bytes;
  at = walk.read_long(at, &block->count);
  if (at != nullptr) at = walk.read_bytes(at, &bytes);
  if (at == nullptr) return nullptr;
  if (block->count < 0) {
    return walk.fail(ErrorCode::malformed, begin, "a block of " + std::to_string(block->count) + " datums");
  }
  if (end - at < 16) return walk.fail(ErrorCode::malformed, end, "the container ends within a block");
  if (std::memcmp(at, header.sync.data(), 16) != 0) {
    return walk.fail(ErrorCode::malformed, at, "the sync marker behind a block is not that of the header");
  }
  if (header.codec == Codec::none) {
    block->begin = reinterpret_cast<const uint8_t*>(bytes.data());
    block->end = block->begin + bytes.size();
  } else {
    if (!inflate(walk, header.codec, bytes, begin)) return nullptr;
    block->begin = buffer_.data();
    block->end = buffer_.data() + size_;
  }
  return at + 16;
}

bool ContainerReader::inflate(Walk& walk, Codec codec, std::string_view bytes, const uint8_t* at) {
  size_ = 0;
  too_large_ = false;
  buffer_.resize(std::max(buffer_.size(), kFirstRoom));
  const bool done = codec == Codec::deflate  ? deflate_block(bytes)
                    : codec == Codec::snappy ? snappy_block(bytes)
                                             : zstandard_block(bytes);
  if (done) {
    left_ -= static_cast<int64_t>(size_);
    if (buffer_.size() < size_ + EventBatch::kPadding) buffer_.resize(size_ + EventBatch::kPadding);
    return true;
  }
  walk.fail(too_large_ ? ErrorCode::too_large : ErrorCode::malformed, at,
            too_large_ ? "the container inflates to more than avro.max-inflated-size = " +
                             std::to_string(max_inflated_) + " bytes"
                       : std::string(problem_));
  return false;
}

bool ContainerReader::too_large() {
  too_large_ = true;
  return false;
}

// Doubles the buffer; false when the content has reached the bound.
bool ContainerReader::make_room() {
  if (size_ < buffer_.size() && static_cast<int64_t>(size_) <= left_) return true;
  if (static_cast<int64_t>(size_) > left_) return too_large();
  buffer_.resize(std::min(buffer_.size() * 2, static_cast<size_t>(left_) + kFirstRoom));
  return true;
}

bool ContainerReader::deflate_block(std::string_view bytes) {
  problem_ = "a block that is no deflate stream";
  z_stream stream{};
  if (inflateInit2(&stream, -15) != Z_OK) return false;
  const std::unique_ptr<z_stream, int (*)(z_stream*)> ended(&stream, inflateEnd);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  while (true) {
    if (!make_room()) return false;
    stream.next_out = buffer_.data() + size_;
    stream.avail_out = static_cast<uInt>(std::min<size_t>(buffer_.size() - size_, 1 << 30));
    const uInt room = stream.avail_out;
    const int outcome = ::inflate(&stream, Z_NO_FLUSH);
    size_ += room - stream.avail_out;
    if (static_cast<int64_t>(size_) > left_) return too_large();
    if (outcome == Z_STREAM_END) return true;
    if (outcome != Z_OK || (stream.avail_in == 0 && stream.avail_out != 0)) return false;
  }
}

// A raw block and the CRC-32 of its content, most significant byte first.
bool ContainerReader::snappy_block(std::string_view bytes) {
  problem_ = "a block that is not compressed by snappy, or whose checksum is wrong";
  if (bytes.size() < 4) return false;
  const std::string_view packed = bytes.substr(0, bytes.size() - 4);
  size_t size = 0;
  if (!snappy::GetUncompressedLength(packed.data(), packed.size(), &size)) return false;
  if (static_cast<int64_t>(size) > left_) return too_large();
  buffer_.resize(std::max(buffer_.size(), size));
  if (!snappy::RawUncompress(packed.data(), packed.size(), reinterpret_cast<char*>(buffer_.data())))
    return false;
  size_ = size;
  uint32_t expected;
  std::memcpy(&expected, bytes.data() + packed.size(), 4);
  return crc32(0, buffer_.data(), static_cast<uInt>(size)) == __builtin_bswap32(expected);
}

bool ContainerReader::zstandard_block(std::string_view bytes) {
  problem_ = "a block that is no zstandard frame";
  const std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  if (!context) return false;
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, 27);
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  while (true) {
    if (!make_room()) return false;
    ZSTD_outBuffer out{buffer_.data(), buffer_.size(), size_};
    const size_t outcome = ZSTD_decompressStream(context.get(), &out, &in);
    if (ZSTD_isError(outcome)) return false;
    size_ = out.pos;
    if (static_cast<int64_t>(size_) > left_) return too_large();
    if (outcome == 0 && in.pos == in.size) return true;
    if (in.pos == in.size && out.pos < out.size) return false;  // it ends within a frame
  }
}

}  // namespace weir::avro
