#include "state/key_table.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <map>
#include <random>
#include <thread>
#include <unordered_map>

#include "base/objects.h"

namespace weir {
namespace {

namespace fs = std::filesystem;

EncodedKeys keys_of(const std::vector<std::string>& texts, size_t width) {
  EncodedKeys keys;
  keys.width = width;
  if (width == 0) keys.offsets.push_back(0);
  for (const std::string& text : texts) {
    keys.bytes.insert(keys.bytes.end(), text.begin(), text.end());
    if (width == 0) keys.offsets.push_back(static_cast<uint32_t>(keys.bytes.size()));
    keys.hashes.push_back(hash_key(text, width));
  }
  return keys;
}

std::string key_text(uint64_t number, size_t width) {
  if (width == 0) return std::string(number % 40, 'x') + std::to_string(number);
  std::string text(width, '\0');
  std::memcpy(text.data() + width - 8, &number, 8);
  return text;
}

EncodedKeys keys_of_numbers(const std::vector<uint64_t>& numbers, size_t width) {
  std::vector<std::string> texts;
  for (const uint64_t number : numbers) texts.push_back(key_text(number, width));
  return keys_of(texts, width);
}

int64_t& counter(uint8_t* state) { return *reinterpret_cast<int64_t*>(state); }
int64_t counter(const uint8_t* state) { return *reinterpret_cast<const int64_t*>(state); }

// Adds one to the counter of each key.
void count_keys(KeyTable& table, const EncodedKeys& keys) {
  std::vector<uint32_t> entries(keys.size());
  ASSERT_TRUE(table.find_or_insert(keys, nullptr, keys.size(), entries.data()).ok());
  std::vector<uint8_t*> states(keys.size());
  table.mutable_states(entries.data(), entries.size(), states.data());
  for (uint8_t* state : states) ++counter(state);
}

std::map<std::string, int64_t> contents(const KeyTable& table) {
  std::map<std::string, int64_t> counts;
  for (uint32_t i = 0; i < table.size(); ++i) {
    EXPECT_TRUE(counts.emplace(table.key(i), counter(table.state(i))).second) << "a key twice";
  }
  return counts;
}

class KeyTableTest : public ::testing::TestWithParam<size_t> {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "weir-keys-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    objects_ = *open_local_objects(folder_.string());
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(StateSnapshot& snapshot) {
    auto out = objects_->open_writer("state");
    ASSERT_TRUE(out.ok());
    StateWriter writer(*std::move(out));
    const Status status = snapshot.write(writer);
    ASSERT_TRUE(status.ok()) << status.message();
    ASSERT_TRUE(writer.close().ok());
  }
  Status restore(KeyTable& table) {
    auto reader = StateReader::open(*objects_, "state");
    if (!reader.ok()) return reader.status();
    return table.restore(**reader);
  }

  size_t width() const { return GetParam(); }

  fs::path folder_;
  std::unique_ptr<ObjectStore> objects_;
};

TEST_P(KeyTableTest, CountsAsAMapDoes) {
  std::mt19937_64 random(1);
  KeyTable table(width(), 16);
  std::map<std::string, int64_t> expected;
  for (int round = 0; round < 60; ++round) {
    // Few keys at first, then many: the slots grow in the middle of blocks, keys repeat within them.
    std::vector<uint64_t> numbers(random() % 3000);
    for (uint64_t& number : numbers) number = random() % (10 + 1000 * round);
    for (const uint64_t number : numbers) ++expected[key_text(number, width())];
    count_keys(table, keys_of_numbers(numbers, width()));
    ASSERT_EQ(table.size(), expected.size());
  }
  EXPECT_EQ(contents(table), expected);
  for (uint32_t i = 0; i < table.size(); ++i) {
    EXPECT_EQ(table.hash(i), hash_key(table.key(i), width()));
    bool inserted = true;
    EXPECT_EQ(*table.find_or_insert(table.key(i), table.hash(i), inserted), i);
    EXPECT_FALSE(inserted);
  }
}

TEST_P(KeyTableTest, ChosenRowsOnly) {
  KeyTable table(width(), 8);
  const EncodedKeys keys = keys_of_numbers({5, 6, 7, 8, 6}, width());
  const std::vector<uint32_t> rows = {4, 2, 1};
  std::vector<uint32_t> entries(3);
  ASSERT_TRUE(table.find_or_insert(keys, rows.data(), 3, entries.data()).ok());
  EXPECT_EQ(entries, (std::vector<uint32_t>{0, 1, 0}));
  std::vector<uint32_t> found(5);
  table.find(keys, nullptr, 5, found.data());
  EXPECT_EQ(found, (std::vector<uint32_t>{KeyTable::kNone, 0, 1, KeyTable::kNone, 0}));
  const std::vector<uint32_t> absent = {3, 2};
  table.find(keys, absent.data(), 2, found.data());
  EXPECT_EQ(found[0], KeyTable::kNone);
  EXPECT_EQ(found[1], 1U);
  EXPECT_EQ(table.size(), 2U);
}

TEST_P(KeyTableTest, AnEmptyTableFindsNothing) {
  const KeyTable table(width(), 0);
  std::vector<uint32_t> found(2);
  table.find(keys_of_numbers({1, 2}, width()), nullptr, 2, found.data());
  EXPECT_EQ(found, (std::vector<uint32_t>(2, KeyTable::kNone)));
}

TEST_P(KeyTableTest, EraseNumbersTheRestAnewInOrder) {
  std::mt19937_64 random(2);
  KeyTable table(width(), 8);
  std::map<std::string, int64_t> expected;
  for (int round = 0; round < 40; ++round) {
    std::vector<uint64_t> numbers(1 + random() % 4000);
    for (uint64_t& number : numbers) number = random() % 20000;
    for (const uint64_t number : numbers) ++expected[key_text(number, width())];
    count_keys(table, keys_of_numbers(numbers, width()));
    std::vector<uint8_t> mark(table.size());
    std::vector<std::string> kept;
    // None, some, nearly all, all.
    const uint64_t of_ten = std::array<uint64_t, 4>{0, 3, 9, 10}[round % 4];
    for (uint32_t i = 0; i < mark.size(); ++i) {
      mark[i] = random() % 10 < of_ten;
      if (mark[i] != 0) {
        expected.erase(std::string(table.key(i)));
      } else {
        kept.emplace_back(table.key(i));
      }
    }
    table.erase(mark);
    ASSERT_EQ(table.size(), kept.size());
    for (uint32_t i = 0; i < kept.size(); ++i) ASSERT_EQ(table.key(i), kept[i]);
    ASSERT_EQ(contents(table), expected);
    std::vector<uint32_t> found(kept.size());
    table.find(keys_of(kept, width()), nullptr, kept.size(), found.data());
    for (uint32_t i = 0; i < kept.size(); ++i) ASSERT_EQ(found[i], i);
  }
}

TEST_P(KeyTableTest, ErasedMemoryComesBack) {
  KeyTable table(width(), 8);
  const int64_t empty = table.bytes();
  std::vector<uint64_t> numbers(50000);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = i;
  count_keys(table, keys_of_numbers(numbers, width()));
  const int64_t full = table.bytes();
  std::vector<uint8_t> mark(table.size(), 1);
  for (size_t i = 0; i < 100; ++i) mark[i * 7] = 0;
  table.erase(mark);
  EXPECT_EQ(table.size(), 100U);
  EXPECT_LT(table.bytes(), full / 10);
  table.clear();
  EXPECT_LE(table.bytes(), empty);
}

TEST_P(KeyTableTest, ASnapshotIsRestored) {
  std::vector<uint64_t> numbers;
  for (const size_t count : {size_t{0}, size_t{1}, size_t{1000}, size_t{30000}}) {
    KeyTable table(width(), 24);
    while (numbers.size() < count) numbers.push_back(numbers.size() * 3);
    count_keys(table, keys_of_numbers(numbers, width()));
    write(*table.snapshot());
    KeyTable other(width(), 24);
    count_keys(other, keys_of_numbers({1, 4, 7}, width()));  // gone after a restore
    const Status status = restore(other);
    ASSERT_TRUE(status.ok()) << status.message();
    ASSERT_EQ(other.size(), count);
    for (uint32_t i = 0; i < count; ++i)
      ASSERT_EQ(other.key(i), table.key(i)) << "entries keep their numbers";
    // It goes on as the first one does.
    for (KeyTable* each : {&table, &other}) count_keys(*each, keys_of_numbers({0, 3, 100001}, width()));
    EXPECT_EQ(contents(other), contents(table));
  }
}

TEST_P(KeyTableTest, ASnapshotStaysAsItWas) {
  std::vector<uint64_t> numbers(20000);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = i;
  KeyTable table(width(), 8);
  count_keys(table, keys_of_numbers(numbers, width()));
  const auto before = contents(table);
  const auto snapshot = table.snapshot();
  // Old states change, entries are added and erased, everything is dropped.
  count_keys(table, keys_of_numbers(numbers, width()));
  count_keys(table, keys_of_numbers({70000, 70001}, width()));
  std::vector<uint8_t> mark(table.size());
  for (size_t i = 0; i < mark.size(); i += 2) mark[i] = 1;
  table.erase(mark);
  for (const auto& [key, count] : contents(table)) ASSERT_EQ(count, before.contains(key) ? 2 : 1);
  table.clear();
  write(*snapshot);
  KeyTable restored(width(), 8);
  ASSERT_TRUE(restore(restored).ok());
  EXPECT_EQ(contents(restored), before);
}

TEST_P(KeyTableTest, PagesAreCopiedOnceAndOnlyWhenWritten) {
  std::vector<uint64_t> numbers(20000);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = i;
  KeyTable table(width(), 8);
  count_keys(table, keys_of_numbers(numbers, width()));
  const uint8_t* first = table.state(0);
  const uint8_t* last = table.state(19999);
  auto snapshot = table.snapshot();
  EXPECT_EQ(table.state(0), first);
  ++counter(table.mutable_state(0));
  EXPECT_NE(table.state(0), first) << "written while the snapshot holds the page";
  EXPECT_EQ(counter(first), 1);
  EXPECT_EQ(table.state(19999), last) << "not written";
  const uint8_t* copy = table.state(0);
  ++counter(table.mutable_state(0));
  EXPECT_EQ(table.state(0), copy) << "copied once";
  snapshot.reset();
  EXPECT_EQ(table.mutable_state(19999), last) << "nothing shares it any more";
}

TEST_P(KeyTableTest, SnapshotsAreWrittenWhileTheTableGoesOn) {
  std::mt19937_64 random(3);
  KeyTable table(width(), 8);
  for (int round = 0; round < 6; ++round) {
    std::vector<uint64_t> numbers(20000);
    for (uint64_t& number : numbers) number = random() % 40000;
    count_keys(table, keys_of_numbers(numbers, width()));
    const auto before = contents(table);
    const auto snapshot = table.snapshot();
    std::thread writer([&] { write(*snapshot); });
    for (int i = 0; i < 5; ++i) {
      for (uint64_t& number : numbers) number = random() % 40000;
      count_keys(table, keys_of_numbers(numbers, width()));
    }
    if (round % 2 == 1) {
      std::vector<uint8_t> mark(table.size());
      for (uint8_t& each : mark) each = random() % 2;
      table.erase(mark);
    }
    writer.join();
    KeyTable restored(width(), 8);
    ASSERT_TRUE(restore(restored).ok());
    ASSERT_EQ(contents(restored), before);
  }
}

INSTANTIATE_TEST_SUITE_P(Widths, KeyTableTest, ::testing::Values(0, 8, 16, 24, 40));

class KeyTableFileTest : public KeyTableTest {};

TEST_P(KeyTableFileTest, OtherWidthsAreRefused) {
  KeyTable table(8, 16);
  count_keys(table, keys_of_numbers({1, 2}, 8));
  write(*table.snapshot());
  for (auto [key, state] : {std::pair{16, 16}, std::pair{8, 24}, std::pair{0, 16}}) {
    KeyTable other(static_cast<size_t>(key), static_cast<size_t>(state));
    const Status status = restore(other);
    EXPECT_EQ(status.code(), Code::invalid);
    EXPECT_NE(status.message().find("keys of 8 and values of 16 bytes"), std::string::npos)
        << status.message();
    EXPECT_EQ(other.size(), 0U);
  }
}

TEST_P(KeyTableFileTest, ContentsThatCannotBeAreDamaged) {
  const auto refused = [&](const std::function<void(StateWriter&)>& body, size_t key_width,
                           const char* words = "damaged") {
    StateWriter writer(*objects_->open_writer("state"));
    ASSERT_TRUE(writer.section("keys", 1).ok());
    body(writer);
    ASSERT_TRUE(writer.close().ok());
    KeyTable table(key_width, 8);
    const Status status = restore(table);
    EXPECT_EQ(status.code(), Code::invalid);
    EXPECT_NE(status.message().find(words), std::string::npos) << status.message();
  };
  const auto head = [](StateWriter& writer, uint32_t width, int64_t count) {
    ASSERT_TRUE(writer.u32(width).ok() && writer.u32(8).ok() && writer.i64(count).ok());
  };
  refused([&](StateWriter& writer) { head(writer, 8, -1); }, 8);
  refused([&](StateWriter& writer) { head(writer, 8, int64_t{1} << 40); }, 8);
  refused([&](StateWriter& writer) { head(writer, 8, 1); }, 8, "does not hold what is read from it");
  const auto chunk = [&](uint32_t rows, uint32_t bytes, uint32_t length) {
    return [=](StateWriter& writer) {
      head(writer, 0, 1);
      ASSERT_TRUE(writer.u32(rows).ok() && writer.u32(bytes).ok() && writer.u32(length).ok());
      ASSERT_TRUE(writer.bytes("abc34567890123456789", bytes - 4).ok());
    };
  };
  refused(chunk(1, 15, 4), 0);  // the key runs over the end
  refused(chunk(1, 15, 2), 0);  // a byte is left
  refused(chunk(1, 15, 0xffffffff), 0);
  refused(chunk(0, 15, 3), 0);
  refused(chunk(2, 15, 3), 0);
}

INSTANTIATE_TEST_SUITE_P(Once, KeyTableFileTest, ::testing::Values(0));

TEST(KeyTable, AFewKeysTakeLittle) {
  KeyTable table(8, 16);
  EXPECT_LT(table.bytes(), 512);
  count_keys(table, keys_of_numbers({1, 2, 3}, 8));
  EXPECT_LT(table.bytes(), 2048);
  KeyTable texts(0, 16);
  count_keys(texts, keys_of_numbers({1, 2, 3}, 0));
  EXPECT_LT(texts.bytes(), 2560);
}

TEST(KeyTable, NewEntriesAreZeroAfterErase) {
  KeyTable table(8, 8);
  std::vector<uint64_t> numbers(3000);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = i;
  count_keys(table, keys_of_numbers(numbers, 8));
  std::vector<uint8_t> mark(3000);
  std::fill(mark.begin() + 10, mark.end(), 1);
  table.erase(mark);
  bool inserted = false;
  for (uint64_t i = 5000; i < 8000; ++i) {
    const std::string key = key_text(i, 8);
    const uint32_t entry = *table.find_or_insert(key, hash_key(key, 8), inserted);
    ASSERT_TRUE(inserted);
    ASSERT_EQ(counter(table.state(entry)), 0);
  }
}

TEST(KeyTable, LongKeysHaveTheirOwnRoom) {
  KeyTable table(0, 8);
  bool inserted = false;
  std::vector<std::string> keys;
  for (size_t i = 0; i < 200; ++i) keys.push_back(std::to_string(i) + std::string((i % 7) * 30000, 'k'));
  for (const std::string& key : keys) {
    ASSERT_TRUE(table.find_or_insert(key, hash_key(key, 0), inserted).ok());
    EXPECT_TRUE(inserted);
  }
  for (size_t i = 0; i < keys.size(); ++i) EXPECT_EQ(table.key(static_cast<uint32_t>(i)), keys[i]);
}

TEST(KeyTable, MemoryOfTenMillionKeys) {
  constexpr size_t kKeys = 10'000'000;
  constexpr size_t kBatch = 8192;
  KeyTable table(8, 16);
  EncodedKeys keys;
  keys.width = 8;
  std::vector<uint32_t> entries(kBatch);
  for (size_t base = 0; base < kKeys; base += kBatch) {
    const size_t count = std::min(kBatch, kKeys - base);
    keys.bytes.resize(count * 8);
    keys.hashes.resize(count);
    for (size_t i = 0; i < count; ++i) {
      const uint64_t number = base + i;
      std::memcpy(keys.bytes.data() + i * 8, &number, 8);
      keys.hashes[i] = hash_fixed_key(keys.bytes.data() + i * 8, 1);
    }
    ASSERT_TRUE(table.find_or_insert(keys, nullptr, count, entries.data()).ok());
  }
  ASSERT_EQ(table.size(), kKeys);
  const double beyond_key = static_cast<double>(table.bytes()) / kKeys - 8;
  RecordProperty("bytes_per_key_beyond_the_key", std::to_string(beyond_key));
  std::printf("%.1f bytes a key beyond its own 8, 16 of them state\n", beyond_key);
  EXPECT_LT(beyond_key, 64);
}

}  // namespace
}  // namespace weir
