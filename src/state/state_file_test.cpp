#include "state/state_file.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "base/crc32c.h"

namespace weir {
namespace {

namespace fs = std::filesystem;

// Fails from its n-th call on, as a disk that fills up.
class Sink final : public ObjectWriter {
 public:
  explicit Sink(std::string& bytes, int calls = 1 << 30) : bytes_(bytes), calls_(calls) {}
  Status write(std::string_view bytes) override {
    if (calls_-- <= 0) return {Code::exhausted, "the disk is full"};
    bytes_ += bytes;
    return {};
  }
  Status close() override {
    if (calls_-- <= 0) return {Code::exhausted, "the disk is full"};
    return {};
  }

 private:
  std::string& bytes_;
  int calls_;
};

std::shared_ptr<arrow::RecordBatch> two_columns() {
  arrow::Int64Builder ids;
  arrow::StringBuilder names;
  for (int64_t id = 0; id < 5; ++id) {
    EXPECT_TRUE(ids.Append(id).ok());
    EXPECT_TRUE((id == 3 ? names.AppendNull() : names.Append("name " + std::to_string(id))).ok());
  }
  auto schema = arrow::schema({arrow::field("id", arrow::int64()), arrow::field("name", arrow::utf8())});
  return arrow::RecordBatch::Make(schema, 5, {*ids.Finish(), *names.Finish()});
}

std::string small_file() {
  std::string bytes;
  StateWriter writer(std::make_unique<Sink>(bytes));
  EXPECT_TRUE(writer.section("counts", 2).ok());
  EXPECT_TRUE(writer.u8(7).ok());
  EXPECT_TRUE(writer.u32(1u << 31).ok());
  EXPECT_TRUE(writer.i64(-5).ok());
  EXPECT_TRUE(writer.text(std::string_view("a\0b", 3)).ok());
  EXPECT_TRUE(writer.text("").ok());
  EXPECT_TRUE(writer.section("rows", 1).ok());
  EXPECT_TRUE(writer.rows(*two_columns()).ok());
  EXPECT_TRUE(writer.rows(*two_columns()->Slice(1, 3)).ok());
  EXPECT_TRUE(writer.bytes("tail", 4).ok());
  EXPECT_TRUE(writer.close().ok());
  EXPECT_EQ(writer.size(), static_cast<int64_t>(bytes.size()));
  EXPECT_EQ(state_trailer_crc(std::string_view(bytes).substr(bytes.size() - kStateTrailerBytes)),
            writer.crc());
  return bytes;
}

TEST(StateFile, GivesBackWhatWasWritten) {
  auto reader = *StateReader::from_bytes(small_file(), "1-0.state");
  EXPECT_FALSE(reader->at_end());
  EXPECT_EQ(*reader->section("counts", 3), 2u);
  EXPECT_EQ(*reader->u8(), 7);
  EXPECT_EQ(*reader->u32(), 1u << 31);
  EXPECT_EQ(*reader->i64(), -5);
  EXPECT_EQ(*reader->text(), std::string("a\0b", 3));
  EXPECT_EQ(*reader->text(), "");
  EXPECT_EQ(*reader->section("rows", 1), 1u);
  auto rows = *reader->rows();
  auto slice = *reader->rows();
  EXPECT_EQ(*reader->view(4), "tail");
  EXPECT_TRUE(reader->at_end());
  reader.reset();  // rows outlive the reader
  EXPECT_TRUE(rows->Equals(*two_columns()));
  EXPECT_TRUE(slice->Equals(*two_columns()->Slice(1, 3)));
}

TEST(StateFile, AnEmptyOneIsWhole) {
  std::string bytes;
  StateWriter writer(std::make_unique<Sink>(bytes));
  ASSERT_TRUE(writer.close().ok());
  EXPECT_EQ(bytes.size(), 16u);
  EXPECT_TRUE((*StateReader::from_bytes(bytes, "empty"))->at_end());
}

// The format of docs/formats/state.md, byte by byte: what another version of Weir will find.
TEST(StateFile, HasTheFormatThatIsWrittenDown) {
  std::string bytes;
  StateWriter writer(std::make_unique<Sink>(bytes));
  ASSERT_TRUE(writer.section("k", 1).ok());
  ASSERT_TRUE(writer.close().ok());
  const std::string body("SECT\1\0\0\0k\1\0\0\0", 13);
  auto number = [](uint32_t value) { return std::string(reinterpret_cast<const char*>(&value), 4); };
  std::string expected = "WEIRST01" + number(13) + number(crc32c(body.data(), body.size())) + body;
  expected += number(0) + number(crc32c(expected.data(), expected.size()));
  EXPECT_EQ(bytes, expected);
}

TEST(StateFile, EveryChangedBitIsFound) {
  const std::string whole = small_file();
  for (size_t at = 0; at < whole.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ (1 << bit));
      auto reader = StateReader::from_bytes(changed, "1-0.state");
      ASSERT_FALSE(reader.ok()) << "byte " << at << " bit " << bit;
      EXPECT_EQ(reader.status().code(), Code::invalid);
      EXPECT_NE(reader.status().message().find("damaged"), std::string::npos) << reader.status().message();
    }
  }
}

TEST(StateFile, EveryCutIsFound) {
  const std::string whole = small_file();
  for (size_t size = 0; size < whole.size(); ++size) {
    auto reader = StateReader::from_bytes(whole.substr(0, size), "1-0.state");
    ASSERT_FALSE(reader.ok()) << size;
    EXPECT_EQ(reader.status().code(), Code::invalid);
    EXPECT_NE(reader.status().message().find("'1-0.state' is damaged"), std::string::npos);
  }
  EXPECT_FALSE(StateReader::from_bytes(whole + "x", "longer").ok());
  EXPECT_FALSE(StateReader::from_bytes(whole + whole, "twice").ok());
}

class StateFileOfBlocks : public ::testing::Test {
 protected:
  static constexpr size_t kBytes = (5 << 20) / 2;
  void SetUp() override {
    for (size_t at = 0; at < kBytes; ++at) content_ += static_cast<char>((at * 2654435761u) >> 13);
    StateWriter writer(std::make_unique<Sink>(file_));
    for (size_t at = 0; at < kBytes; at += 999'983)
      ASSERT_TRUE(writer.bytes(content_.data() + at, std::min<size_t>(999'983, kBytes - at)).ok());
    EXPECT_GE(writer.size(), static_cast<int64_t>(kBytes));
    ASSERT_TRUE(writer.close().ok());
  }
  std::string content_, file_;
};

TEST_F(StateFileOfBlocks, IsOnePieceToItsReader) {
  EXPECT_EQ(file_.size(), 8 + 4 * 8 + kBytes);
  auto reader = *StateReader::from_bytes(file_, "big");
  EXPECT_TRUE(*reader->view(kBytes) == content_);
  EXPECT_TRUE(reader->at_end());
}

TEST_F(StateFileOfBlocks, BlocksInAnotherOrderAreFound) {
  constexpr size_t kBlock = (1 << 20) + 8;
  std::string swapped = file_;
  std::copy_n(file_.begin() + 8, kBlock, swapped.begin() + 8 + kBlock);
  std::copy_n(file_.begin() + 8 + kBlock, kBlock, swapped.begin() + 8);
  auto reader = StateReader::from_bytes(swapped, "swapped");
  EXPECT_NE(reader.status().message().find("the checksum of the whole"), std::string::npos);
  std::string shorter = file_.substr(0, 8) + file_.substr(8 + kBlock);
  EXPECT_FALSE(StateReader::from_bytes(shorter, "without its first block").ok());
  for (size_t at = 5; at < file_.size(); at += 104'729) {
    std::string changed = file_;
    changed[at] = static_cast<char>(changed[at] + 1);
    EXPECT_FALSE(StateReader::from_bytes(changed, "changed").ok()) << at;
  }
}

TEST(StateFile, ReadingBeyondItsEndIsRefused) {
  auto opened = [](const std::function<void(StateWriter&)>& write) {
    std::string bytes;
    StateWriter writer(std::make_unique<Sink>(bytes));
    write(writer);
    EXPECT_TRUE(writer.close().ok());
    return *StateReader::from_bytes(bytes, "short");
  };
  auto three = [&] { return opened([](StateWriter& writer) { EXPECT_TRUE(writer.bytes("abc", 3).ok()); }); };
  EXPECT_EQ(three()->u32().status().code(), Code::invalid);
  EXPECT_EQ(three()->i64().status().code(), Code::invalid);
  EXPECT_EQ(three()->view(4).status().code(), Code::invalid);
  EXPECT_EQ(three()->view(SIZE_MAX).status().code(), Code::invalid);
  char out[8];
  EXPECT_EQ(three()->bytes(out, 8).code(), Code::invalid);
  auto huge = [&] {
    return opened([](StateWriter& writer) {
      EXPECT_TRUE(writer.i64(-1).ok());
      EXPECT_TRUE(writer.i64(INT64_MAX).ok());
    });
  };
  EXPECT_EQ(huge()->text().status().code(), Code::invalid);
  auto reader = huge();
  EXPECT_EQ(reader->rows().status().code(), Code::invalid);
  EXPECT_EQ(reader->rows().status().code(), Code::invalid);
}

TEST(StateFile, SectionsAreNamedAndKnowTheirVersion) {
  auto reader = *StateReader::from_bytes(small_file(), "1-0.state");
  Status newer = reader->section("counts", 1).status();
  EXPECT_EQ(
      newer.message(),
      "section 'counts' of the state file '1-0.state' has version 2, this Weir knows up to 1: run it with "
      "the Weir that wrote it");
  reader = *StateReader::from_bytes(small_file(), "1-0.state");
  EXPECT_EQ(
      reader->section("sums", 2).status().message(),
      "the state file '1-0.state' does not hold what is read from it: section 'counts' stands where 'sums' "
      "should");
  reader = *StateReader::from_bytes(small_file(), "1-0.state");
  ASSERT_TRUE(reader->section("counts", 2).ok());
  EXPECT_EQ(reader->section("rows", 2).status().code(), Code::invalid);  // not all of the first was read
}

TEST(StateFile, ANewerFormatIsNamed) {
  std::string newer = small_file();
  newer[7] = '2';
  EXPECT_NE(StateReader::from_bytes(newer, "x").status().message().find("has format 02, this Weir knows 01"),
            std::string::npos);
}

TEST(StateFile, TheFirstFailureStays) {
  for (int calls = 0; calls < 4; ++calls) {
    std::string bytes;
    StateWriter writer(std::make_unique<Sink>(bytes, calls));
    static_cast<void>(writer.text("something"));
    EXPECT_EQ(writer.close().code(), Code::exhausted) << calls;
    EXPECT_EQ(writer.u8(1).code(), Code::exhausted);
    EXPECT_EQ(writer.close().code(), Code::exhausted);
  }
}

TEST(StateFile, GoesThroughAStore) {
  std::string pattern = (fs::temp_directory_path() / "weir-state-XXXXXX").string();
  const fs::path folder = mkdtemp(pattern.data());
  auto objects = *open_local_objects(folder.string());
  StateWriter writer(*objects->open_writer("p/1-0.state"));
  ASSERT_TRUE(writer.text("hello").ok());
  EXPECT_EQ(StateReader::open(*objects, "p/1-0.state").status().code(), Code::not_found);
  ASSERT_TRUE(writer.close().ok());
  EXPECT_EQ(*(*StateReader::open(*objects, "p/1-0.state"))->text(), "hello");
  fs::remove_all(folder);
}

}  // namespace
}  // namespace weir
