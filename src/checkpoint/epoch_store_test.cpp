#include "checkpoint/epoch_store.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/crc32c.h"
#include "state/state_file.h"

namespace weir {
namespace {

namespace fs = std::filesystem;

// Local objects whose next calls can be made to fail.
class Unreliable final : public ObjectStore {
 public:
  explicit Unreliable(ObjectStore& objects) : objects_(objects) {}
  Status put(const std::string& path, std::string_view bytes) override { return objects_.put(path, bytes); }
  Status put_if_absent(const std::string& path, std::string_view bytes) override {
    Status done = objects_.put_if_absent(path, bytes);
    // The answer was lost, and the retry finds the object.
    return lose_answer ? objects_.put_if_absent(path, bytes) : done;
  }
  Result<std::string> get(const std::string& path) override {
    if (away) return Status::unavailable("no answer");
    return objects_.get(path);
  }
  Result<ObjectTail> tail(const std::string& path, size_t most) override {
    if (tails_away) return Status::unavailable("no answer");
    return objects_.tail(path, most);
  }
  Result<std::vector<std::string>> list(const std::string& prefix) override { return objects_.list(prefix); }
  Status remove(const std::string& path) override { return objects_.remove(path); }
  Result<std::unique_ptr<ObjectWriter>> open_writer(const std::string& path) override {
    return objects_.open_writer(path);
  }

  bool away = false, tails_away = false, lose_answer = false;

 private:
  ObjectStore& objects_;
};

class EpochStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "weir-epochs-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    objects_ = *open_local_objects(folder_.string());
    store_ = std::make_unique<EpochStore>(*objects_, "orders", "lake");
  }
  void TearDown() override { fs::remove_all(folder_); }

  StateFile put_file(EpochStore& store, int64_t epoch, const std::string& name, const std::string& content) {
    StateWriter writer(*store.open_writer(epoch, name));
    EXPECT_TRUE(writer.text(content).ok());
    EXPECT_TRUE(writer.close().ok());
    return {store.relative_path(epoch, name), writer.size(), writer.crc()};
  }

  // One operator's state, and a spool that grows: rows of this epoch and of the one before.
  EpochManifest made(EpochStore& store, int64_t epoch) {
    EpochManifest manifest;
    manifest.epoch = epoch;
    manifest.created_us = epoch * 1000;
    manifest.states["3-0"] = put_file(store, epoch, "3-0.state", "state of " + std::to_string(epoch));
    if (last_spool_.size > 0) manifest.spools["lake"].push_back(last_spool_);
    last_spool_ = put_file(store, epoch, "spool-lake.rows", "rows of " + std::to_string(epoch));
    manifest.spools["lake"].push_back(last_spool_);
    return manifest;
  }
  void write(int64_t epoch) {
    Status status = store_->write(made(*store_, epoch));
    ASSERT_TRUE(status.ok()) << status.message();
  }

  fs::path set_folder() const { return folder_ / "orders" / "checkpoints" / "lake"; }
  fs::path manifest_file(int64_t epoch) const {
    char name[32];
    std::snprintf(name, sizeof name, "%012d.json", static_cast<int>(epoch));
    return set_folder() / name;
  }
  // Of the newest run.
  fs::path state_file(int64_t epoch) const { return folder_ / store_->state_path(epoch, "3-0.state"); }
  static void change_byte(const fs::path& file, int64_t at) {
    std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekg(at, at < 0 ? std::ios::end : std::ios::beg);
    const char old = static_cast<char>(bytes.get());
    bytes.seekp(at, at < 0 ? std::ios::end : std::ios::beg);
    bytes.put(static_cast<char>(old ^ 1));
  }
  std::vector<std::string> files() const {
    std::vector<std::string> result;
    const std::vector<std::string> paths = *objects_->list("orders/checkpoints/lake");
    for (const std::string& path : paths) {
      std::string name = path.substr(std::string("orders/checkpoints/lake/00000000000").size());
      if (const size_t run = name.find('/'); run != std::string::npos) name.erase(run + 1, 9);
      result.push_back(name);
    }
    return result;
  }
  int64_t newest(std::vector<std::string>& skipped) {
    auto found = store_->newest(skipped);
    EXPECT_TRUE(found.ok()) << found.status().message();
    return found.ok() && *found ? (*found)->epoch : -1;
  }

  fs::path folder_;
  std::unique_ptr<ObjectStore> objects_;
  std::unique_ptr<EpochStore> store_;
  StateFile last_spool_;
  std::vector<std::string> skipped_;
};

TEST_F(EpochStoreTest, HasNothingAtFirst) {
  EXPECT_EQ(newest(skipped_), -1);
  EXPECT_TRUE(skipped_.empty());
  EXPECT_EQ(*store_->next_epoch(), 1);
  EXPECT_TRUE(store_->prune(2).ok());
  EXPECT_TRUE(store_->list()->empty());
  EXPECT_TRUE(sets_with_epochs(*objects_, "orders")->empty());
  EXPECT_EQ(store_->load(1).status().code(), Code::not_found);
}

TEST_F(EpochStoreTest, TheNewestIsFound) {
  for (int64_t epoch : {0, 1, 2}) write(epoch);
  EXPECT_EQ(newest(skipped_), 2);
  EXPECT_EQ(*store_->next_epoch(), 3);
  EpochStore other(*objects_, "orders", "lake");
  auto loaded = *other.newest(skipped_);
  EXPECT_TRUE(skipped_.empty());
  EXPECT_EQ(loaded->spools["lake"].size(), 2u);
  auto reader = StateReader::open(*objects_, other.object_path(loaded->states["3-0"]));
  EXPECT_EQ(*(*reader)->text(), "state of 2");
  EXPECT_EQ(*sets_with_epochs(*objects_, "orders"), std::vector<std::string>{"lake"});
}

TEST_F(EpochStoreTest, FilesWithoutAManifestNeverWere) {
  write(1);
  made(*store_, 2);
  EXPECT_EQ(newest(skipped_), 1);
  EXPECT_TRUE(skipped_.empty());
}

TEST_F(EpochStoreTest, DamagedOnesAreSkippedWithWords) {
  for (int64_t epoch : {1, 2, 3, 4, 5}) write(epoch);
  change_byte(manifest_file(5), 20);
  fs::remove(state_file(4));
  fs::resize_file(state_file(3), fs::file_size(state_file(3)) - 1);
  EXPECT_EQ(newest(skipped_), 2);
  ASSERT_EQ(skipped_.size(), 3u);
  EXPECT_EQ(skipped_[0],
            "checkpoint 5 of 'lake' of pipeline 'orders' cannot be used: the manifest "
            "'000000000005.json' is damaged: its checksum does not hold");
  EXPECT_NE(skipped_[1].find("3-0.state' is missing"), std::string::npos) << skipped_[1];
  EXPECT_NE(skipped_[2].find("has 37 bytes instead of 38"), std::string::npos) << skipped_[2];
  auto listed = *store_->list();
  ASSERT_EQ(listed.size(), 5u);
  EXPECT_EQ(listed[1].problem, "");
  EXPECT_GT(listed[1].bytes, 0);
  EXPECT_EQ(listed[1].created_us, 2000);
  for (size_t at : {2, 3, 4}) EXPECT_NE(listed[at].problem, "");
}

TEST_F(EpochStoreTest, AFileOfAnotherEpochIsNoticed) {
  for (int64_t epoch : {1, 2}) write(epoch);
  // The same size, whole, but not the bytes that the manifest means.
  fs::copy_file(state_file(1), state_file(2), fs::copy_options::overwrite_existing);
  EXPECT_EQ(newest(skipped_), 1);
  EXPECT_NE(skipped_[0].find("does not end in its checksum"), std::string::npos);
  fs::copy_file(manifest_file(1), manifest_file(3));
  EXPECT_EQ(newest(skipped_), 1);
}

TEST_F(EpochStoreTest, DamageWithinAFileIsLeftToItsReader) {
  for (int64_t epoch : {1, 2}) write(epoch);
  change_byte(state_file(2), 18);
  EXPECT_EQ(newest(skipped_), 2);
  EXPECT_TRUE(store_->check(*store_->manifest(2)).ok());
  const Status why = store_->check(*store_->manifest(2), true);
  EXPECT_EQ(why.code(), Code::invalid);
  EXPECT_EQ(store_->older_than(2, why, skipped_)->epoch, 1);
  ASSERT_EQ(skipped_.size(), 1u);
  EXPECT_NE(skipped_[0].find("checkpoint 2 of 'lake' of pipeline 'orders' cannot be used: the state file"),
            std::string::npos);
  EXPECT_EQ(store_->older_than(1, why, skipped_).status().code(), Code::invalid);
  // Its number is not used again, and it does not count as one of those that are kept.
  EXPECT_EQ(*store_->next_epoch(), 3);
  write(3);
  ASSERT_TRUE(store_->prune(2).ok());
  EXPECT_TRUE(store_->load(1).ok());
}

TEST_F(EpochStoreTest, WhenNoneIsWholeNothingStartsFromScratch) {
  for (int64_t epoch : {1, 2}) write(epoch);
  for (int64_t epoch : {1, 2}) change_byte(state_file(epoch), -2);
  auto found = store_->newest(skipped_);
  EXPECT_EQ(found.status().code(), Code::invalid);
  EXPECT_NE(found.status().message().find("no checkpoint of 'lake' of pipeline 'orders' is whole"),
            std::string::npos);
  EXPECT_EQ(skipped_.size(), 2u);
}

TEST_F(EpochStoreTest, AStoreThatDoesNotAnswerIsNotDamage) {
  for (int64_t epoch : {1, 2}) write(epoch);
  Unreliable objects(*objects_);
  EpochStore store(objects, "orders", "lake");
  objects.away = true;
  EXPECT_EQ(store.newest(skipped_).status().code(), Code::unavailable);
  objects.away = false;
  objects.tails_away = true;
  EXPECT_EQ(store.newest(skipped_).status().code(), Code::unavailable);
  EXPECT_EQ(store.list().status().code(), Code::unavailable);
  EXPECT_TRUE(skipped_.empty());
}

TEST_F(EpochStoreTest, ANewerFormatIsRefusedNotSkipped) {
  write(1);
  std::string body = "{\"format\":\"weir-epoch\",\"version\":2}\n";
  char crc[16];
  std::snprintf(crc, sizeof crc, "%08x", crc32c(body.data(), body.size()));
  std::ofstream(manifest_file(2)) << body << "{\"crc32c\":\"" << crc << "\"}\n";
  auto found = store_->newest(skipped_);
  EXPECT_EQ(found.status().code(), Code::invalid);
  EXPECT_NE(found.status().message().find("has version 2, this Weir knows 1"), std::string::npos);
}

TEST_F(EpochStoreTest, OneProcessWinsAnEpoch) {
  EpochStore other(*objects_, "orders", "lake");
  EpochManifest ours = made(*store_, 1), theirs = made(other, 1);
  // The loser's files are others than those that the winner's manifest names.
  EXPECT_NE(ours.states["3-0"].path, theirs.states["3-0"].path);
  ASSERT_TRUE(store_->write(ours).ok());
  Status lost = other.write(theirs);
  EXPECT_EQ(lost.code(), Code::already_exists);
  EXPECT_NE(lost.message().find("another process runs this pipeline"), std::string::npos);
  EXPECT_TRUE(store_->load(1).ok());
}

TEST_F(EpochStoreTest, ALostAnswerOfOurOwnIsOurs) {
  Unreliable objects(*objects_);
  EpochStore store(objects, "orders", "lake");
  objects.lose_answer = true;
  EXPECT_TRUE(store.write(made(store, 1)).ok());
}

TEST_F(EpochStoreTest, AManifestOfAMissingFileIsNotWritten) {
  EpochManifest manifest = made(*store_, 1);
  manifest.states["4-0"] = {store_->relative_path(1, "4-0.state"), 16, 0};
  EXPECT_EQ(store_->write(manifest).code(), Code::not_found);
  manifest.states.erase("4-0");
  manifest.states["3-0"].crc = 0;  // looked up
  ASSERT_TRUE(store_->write(manifest).ok());
  EXPECT_TRUE(store_->load(1).ok());
}

TEST_F(EpochStoreTest, PruneKeepsTheNewestAndWhatTheyName) {
  for (int64_t epoch : {1, 2, 3, 4}) write(epoch);
  made(*store_, 5);  // in the making
  std::ofstream(set_folder() / "000000000001" / ".weir-tmp-00") << "of a killed process";
  EpochStore crashed(*objects_, "orders", "lake");
  put_file(crashed, 4, "3-0.state", "of an attempt at epoch 4 that never got its manifest");
  ASSERT_TRUE(store_->prune(2).ok());
  const std::vector<std::string> expected = {"2/spool-lake.rows", "3.json",      "3/3-0.state",
                                             "3/spool-lake.rows", "4.json",      "4/3-0.state",
                                             "4/spool-lake.rows", "5/3-0.state", "5/spool-lake.rows"};
  EXPECT_EQ(files(), expected);
  EXPECT_FALSE(fs::exists(set_folder() / "000000000001"));
  for (int64_t epoch : {3, 4}) EXPECT_TRUE(store_->load(epoch).ok());
  ASSERT_TRUE(store_->prune(2).ok());
  EXPECT_EQ(files(), expected);
  ASSERT_TRUE(store_->prune(0).ok());  // one stays in any case
  EXPECT_EQ(newest(skipped_), 4);
  EXPECT_EQ(store_->list()->size(), 1u);
  EXPECT_FALSE(fs::exists(set_folder() / "000000000002"));
}

TEST_F(EpochStoreTest, PruneOfANewProcessReadsWhatItDidNotWrite) {
  for (int64_t epoch : {1, 2, 3, 4}) write(epoch);
  change_byte(manifest_file(3), 30);
  EpochStore other(*objects_, "orders", "lake");
  ASSERT_TRUE(other.prune(2).ok());
  // 3 cannot be read, so it does not count, and its own files stay as long as it does.
  EXPECT_TRUE(other.load(4).ok());
  EXPECT_TRUE(other.load(2).ok());
  EXPECT_EQ(other.load(1).status().code(), Code::not_found);
  EXPECT_TRUE(fs::exists(state_file(3)));
  ASSERT_TRUE(other.prune(1).ok());
  EXPECT_FALSE(fs::exists(manifest_file(3)));
  EXPECT_FALSE(fs::exists(state_file(3)));
}

TEST_F(EpochStoreTest, PruneRemovesNothingWhenItCannotRead) {
  for (int64_t epoch : {1, 2, 3}) write(epoch);
  Unreliable objects(*objects_);
  EpochStore other(objects, "orders", "lake");
  objects.away = true;
  const auto before = files();
  EXPECT_EQ(other.prune(1).code(), Code::unavailable);
  EXPECT_EQ(files(), before);
  for (int64_t epoch : {1, 2, 3}) change_byte(manifest_file(epoch), 5);
  EpochStore third(*objects_, "orders", "lake");
  EXPECT_TRUE(third.prune(1).ok());
  EXPECT_EQ(files(), before);
}

TEST_F(EpochStoreTest, AnyNameMakesAPath) {
  const std::string set = "../a b/\xc3\xa4%2F.";
  EpochStore odd(*objects_, "orders", set);
  EpochManifest manifest;
  manifest.epoch = 1;
  manifest.states["x"] = put_file(odd, 1, "spool-../../x.rows", "1");
  ASSERT_TRUE(odd.write(manifest).ok());
  EXPECT_TRUE(odd.load(1).ok());
  write(1);
  EXPECT_EQ(*sets_with_epochs(*objects_, "orders"), (std::vector<std::string>{set, "lake"}));
  EXPECT_TRUE(sets_with_epochs(*objects_, "order")->empty());
}

}  // namespace
}  // namespace weir
