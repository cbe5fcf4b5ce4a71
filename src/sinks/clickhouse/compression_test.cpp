#include "sinks/clickhouse/compression.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

class EachCompression : public testing::TestWithParam<Compression> {};

std::string text_of(size_t bytes) {
  std::string text;
  for (uint64_t n = 1; text.size() < bytes; n = n * 6364136223846793005u + 1442695040888963407u) {
    text += "row " + std::to_string(n >> 40) + "\n";
  }
  text.resize(bytes);
  return text;
}

TEST_P(EachCompression, ThereAndBack) {
  Compressor compressor(GetParam());
  for (size_t bytes : {size_t{0}, size_t{1}, size_t{1000}, size_t{4} << 20, (size_t{9} << 20) + 1}) {
    std::string text = text_of(bytes);
    NativeBuffer packed, again, back;
    packed.append("head", 4);  // it appends
    ASSERT_TRUE(compressor.compress(text, &packed).ok());
    ASSERT_TRUE(compressor.compress(text, &again).ok());
    EXPECT_EQ(packed.view().substr(4), again.view()) << "the same bytes give the same bytes";
    Status status = decompress(GetParam(), again.view(), bytes, &back);
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_TRUE(back.view() == text);
    if (bytes == 0) continue;
    NativeBuffer bounded;
    EXPECT_EQ(decompress(GetParam(), again.view(), bytes - 1, &bounded).code(), Code::exhausted);
  }
}

TEST_P(EachCompression, BrokenBytesAreRefused) {
  if (GetParam() == Compression::none) return;  // nothing can be broken
  NativeBuffer packed, back;
  std::string text = text_of(100000);
  ASSERT_TRUE(Compressor(GetParam()).compress(text, &packed).ok());
  EXPECT_EQ(decompress(GetParam(), packed.view().substr(0, packed.size() / 2), text.size(), &back).code(),
            Code::invalid);
  back.clear();
  EXPECT_EQ(decompress(GetParam(), "", text.size(), &back).code(), Code::invalid);
  EXPECT_EQ(decompress(GetParam(), "no such frame at all", text.size(), &back).code(), Code::invalid);
  back.clear();
  packed.append("x", 1);
  EXPECT_EQ(decompress(GetParam(), packed.view(), text.size(), &back).code(), Code::invalid);
}

INSTANTIATE_TEST_SUITE_P(Compression, EachCompression,
                         testing::Values(Compression::none, Compression::lz4, Compression::zstd,
                                         Compression::gzip),
                         [](const auto& info) {
                           return compression_names()[static_cast<size_t>(info.param)];
                         });

TEST(Compression, Names) {
  EXPECT_EQ(*parse_compression("zstd"), Compression::zstd);
  EXPECT_FALSE(parse_compression("brotli").ok());
  EXPECT_STREQ(content_encoding(Compression::none), "");
  EXPECT_STREQ(content_encoding(Compression::lz4), "lz4");
  EXPECT_STREQ(content_encoding(Compression::gzip), "gzip");
}

}  // namespace
}  // namespace weir
