#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "base/crc32c.h"
#include "base/objects.h"
#include "log/frame.h"
#include "log/log_test_support.h"

namespace weir {
namespace {

using Texts = std::vector<std::string>;

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

// A log of three appends; the last one may be undone as if the machine had crashed before its fsync.
struct RecoveryFixture : LogFixture {
  std::string bytes;      // of the segment, without its room
  size_t last_frame = 0;  // where the last frame begins
  std::string durable_path;

  RecoveryFixture() {
    settings.segment_bytes = 8192;
    durable_path = folder.path("orders/0/durable");
    EXPECT_TRUE(open().ok());
    EXPECT_TRUE(append(Texts{"a", "b"}).ok());
    EXPECT_TRUE(append(Texts{"c"}).ok());
    last_frame = used();
    EXPECT_TRUE(append(Texts{"d", "eeeee"}, {"key", 3}).ok());
    bytes = read_file(segment())->substr(0, used());
    writer.reset();
  }

  size_t used() const { return static_cast<size_t>(writer->extents()[0].bytes); }

  void set_durable(int64_t end) const {
    write_file(durable_path, std::string(reinterpret_cast<const char*>(&end), 8));
  }
};

TEST(LogRecovery, ATornTailIsCutOffAtEveryByte) {
  RecoveryFixture log;
  for (const bool preallocated : {true, false}) {
    for (size_t cut = log.last_frame; cut < log.bytes.size(); ++cut) {
      // A frame ends with zeros, and the room behind it is zeros too.
      if (preallocated && cut > log.bytes.find_last_not_of('\0')) break;
      std::string torn = log.bytes.substr(0, cut);
      if (preallocated) torn.resize(8192);
      write_file(log.segment(), torn);
      log.set_durable(3);
      const Status opened = log.open();
      ASSERT_TRUE(opened.ok()) << cut << ": " << opened.message();
      ASSERT_EQ(*log.payloads(), (Texts{"a", "b", "c"})) << cut;
      const auto again = log.append(Texts{"d", "eeeee"}, {"key", 3});
      ASSERT_TRUE(again.ok()) << again.status().message();
      ASSERT_FALSE((*again)[0].repeated);
      ASSERT_EQ((*again)[0].first, 3);
      ASSERT_EQ(*log.payloads(), (Texts{"a", "b", "c", "d", "eeeee"})) << cut;
      log.writer.reset();
    }
  }
}

TEST(LogRecovery, AWholeFrameThatWasNotAcknowledgedIsKept) {
  RecoveryFixture log;
  log.set_durable(3);
  ASSERT_TRUE(log.open().ok());
  EXPECT_EQ(log.payloads()->size(), 5U);
  EXPECT_TRUE((*log.append(Texts{"d", "eeeee"}, {"key", 3}))[0].repeated);
}

TEST(LogRecovery, AFlippedBitOfATailIsCutOffAndOfAnAcknowledgedRecordIsNamed) {
  RecoveryFixture log;
  for (size_t byte = 0; byte < log.bytes.size(); byte += 3) {
    std::string flipped = log.bytes;
    flipped[byte] = static_cast<char>(flipped[byte] ^ (1 << (byte % 8)));
    flipped.resize(8192);
    write_file(log.segment(), flipped);
    log.set_durable(5);
    const Status damaged = log.open();
    ASSERT_EQ(damaged.code(), Code::invalid) << byte;
    ASSERT_NE(damaged.message().find(log.segment()), std::string::npos) << damaged.message();
    ASSERT_NE(damaged.message().find("at byte"), std::string::npos) << damaged.message();
    ASSERT_EQ(*read_file(log.segment()), flipped) << "a refused segment must stay as it is";
    // The same without the durable end's word.
    log.set_durable(0);
    const Status opened = log.open();
    if (byte < log.last_frame) {
      ASSERT_EQ(opened.code(), Code::invalid) << byte << ": an acknowledged frame was cut off";
    } else {
      ASSERT_TRUE(opened.ok()) << byte << ": " << opened.message();
      ASSERT_EQ(log.payloads()->size(), 3U) << byte;
    }
    log.writer.reset();
  }
}

TEST(LogRecovery, AFrameForgedInAPayloadProvesNothing) {
  LogFixture log;
  ASSERT_TRUE(log.open().ok());
  ASSERT_TRUE(log.append(Texts{"a"}).ok());
  const auto begin = static_cast<size_t>(log.writer->extents()[0].bytes);
  FrameHeader header;
  header.base_offset = header.synced = 1'000'000;
  LogRecord record;
  record.payload = "forged";
  std::string payload;
  for (const int partition : {-1, 0}) {
    // Whoever sends it does not know the stream's id; at one of these places it is aligned.
    const uint32_t seed = partition < 0 ? 0 : frame_seed("orders", partition);
    for (int i = 0; i < 8; ++i) {
      append_frame(header, "", {record}, seed, payload);
      payload.resize(payload.size() / 8 * 8 + 8, '.');
      payload += std::string(static_cast<size_t>(i), '.');
    }
  }
  ASSERT_TRUE(log.append(Texts{payload}).ok());
  log.writer.reset();
  std::string torn = *read_file(log.segment());
  torn.replace(begin, 56, 56, '\0');  // its first page was not written before the crash
  const int64_t durable = 1;
  write_file(log.segment(), torn);
  write_file(log.folder.path("orders/0/durable"),
             std::string(reinterpret_cast<const char*>(&durable), sizeof durable));
  const Status opened = log.open();
  ASSERT_TRUE(opened.ok()) << opened.message();
  EXPECT_EQ(*log.payloads(), Texts{"a"});
}

TEST(LogRecovery, AReaderNeverGivesADamagedRecord) {
  RecoveryFixture log;
  for (size_t byte = 0; byte < log.bytes.size(); ++byte) {
    std::string flipped = log.bytes;
    flipped[byte] = static_cast<char>(flipped[byte] ^ (1 << (byte % 8)));
    write_file(log.segment(), flipped);
    const auto read = log.payloads();
    ASSERT_EQ(read.status().code(), Code::invalid) << byte;
    ASSERT_NE(read.status().message().find(log.segment()), std::string::npos) << read.status().message();
  }
}

TEST(LogRecovery, GarbageBehindTheEndIsGoneForEver) {
  RecoveryFixture log;
  std::string bytes = log.bytes;
  bytes.resize(6000);
  bytes.replace(log.bytes.size() + 16, 32, 32, 'x');
  write_file(log.segment(), bytes);
  ASSERT_TRUE(log.open().ok());
  const std::string stored = *read_file(log.segment());
  EXPECT_EQ(stored.find('x', log.bytes.size()), std::string::npos);
  EXPECT_EQ(stored.size(), 8192U);
  EXPECT_EQ(log.payloads()->size(), 5U);
}

TEST(LogRecovery, DamageInAClosedSegmentIsNamed) {
  LogFixture log;
  log.settings.segment_bytes = 4096;
  ASSERT_TRUE(log.open().ok());
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(log.append(Texts{std::string(1000, 'x')}).ok());
  log.writer.reset();
  const std::string summary = log.folder.path("orders/0/00000000000000000003.sum");
  const std::string sound = *read_file(log.segment(3));
  std::string damaged = sound;
  damaged[2000] ^= 1;
  write_file(log.segment(3), damaged);
  ASSERT_TRUE(log.open().ok());  // closed segments are not read again
  EXPECT_EQ(log.payloads(6)->size(), 6U);
  EXPECT_LOG_SAYS(log.payloads().status(), Code::invalid, "00000000000000000003.seg is damaged at byte");
  log.writer.reset();
  std::filesystem::remove(summary);
  EXPECT_LOG_SAYS(log.open(), Code::invalid, "00000000000000000003.seg is damaged at byte");
  write_file(log.segment(3), sound.substr(0, 1500));
  EXPECT_LOG_SAYS(log.open(), Code::invalid, "00000000000000000003.seg is damaged at byte");
  write_file(log.segment(3), sound);
  write_file(summary, "cut off");
  ASSERT_TRUE(log.open().ok());
  EXPECT_EQ(log.payloads()->size(), 12U);
  log.writer.reset();
  std::filesystem::remove(log.segment(3));
  EXPECT_LOG_SAYS(log.open(), Code::invalid, "a segment is missing");
}

TEST(LogRecovery, WhatIsNoLogIsToldSo) {
  RecoveryFixture log;
  const std::string stream_json = log.folder.path("orders/stream.json");
  const std::string sound = *read_file(stream_json);
  std::string newer = log.bytes;
  newer[8] = 2;
  write_file(log.segment(), newer);
  EXPECT_LOG_SAYS(log.open(), Code::invalid, "version 2");
  write_file(log.segment(), log.bytes);
  std::string other = sound;
  other.replace(other.find("\"version\": 1"), 12, "\"version\": 9");
  write_file(stream_json, other);
  EXPECT_LOG_SAYS(log.open(), Code::invalid, "version is 9");
  write_file(stream_json, "{");
  EXPECT_LOG_SAYS(log.open(), Code::invalid, "no description of a stream");
  std::filesystem::remove(stream_json);
  EXPECT_LOG_SAYS(log.open(), Code::invalid, "stream.json is gone");
  write_file(stream_json, sound);
  std::filesystem::remove(log.segment());
  EXPECT_LOG_SAYS(log.open(), Code::invalid, "all segments are gone");
}

TEST(LogRecovery, AReaderWaitsForTheWriterAfterAMachineCrash) {
  RecoveryFixture log;
  log.set_durable(3);  // the lake may well have committed offset 5
  EXPECT_LOG_SAYS(log.reader(5).status(), Code::unavailable, "start weir serve");
  EXPECT_EQ(log.reader(6).status().code(), Code::not_found);
  ASSERT_TRUE(log.open().ok());
  EXPECT_TRUE(log.reader(5).ok());
}

TEST(LogOffsetAt, FindsTheFirstRequestOfATime) {
  LogFixture log;
  log.settings.segment_bytes = 4096;
  ASSERT_TRUE(log.open().ok());
  for (int i = 0; i < 20; ++i) {
    log.clock.set(kTestTimeUs + i * 1000);
    ASSERT_TRUE(log.append(Texts{std::string(500, 'x'), "y"}).ok());
  }
  const auto at = [&](int64_t time_us) { return *log_offset_at(log.folder.path(), "orders", 0, time_us); };
  EXPECT_EQ(at(0), 0);
  EXPECT_EQ(at(kTestTimeUs), 0);
  for (int i = 1; i < 20; ++i) EXPECT_EQ(at(kTestTimeUs + i * 1000 - 999), i * 2) << i;
  EXPECT_EQ(at(kTestTimeUs + 19'001), 40);
}

TEST(Crc32c, KnownValues) {
  EXPECT_EQ(crc32c("123456789", 9), 0xE3069283U);  // the check value of the algorithm's catalogue entry
  const std::string zeros(32, '\0');
  EXPECT_EQ(crc32c(zeros.data(), 32), 0x8A9136AAU);  // RFC 3720, B.4
  EXPECT_EQ(crc32c("6789", 4, crc32c("12345", 5)), 0xE3069283U);
}

}  // namespace
}  // namespace weir
