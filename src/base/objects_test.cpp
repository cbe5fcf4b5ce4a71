#include "base/objects.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <thread>

namespace weir {
namespace {

namespace fs = std::filesystem;

class LocalObjectsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "weir-objects-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    store_ = *open_local_objects((folder_ / "root" / "deep").string());
  }
  void TearDown() override { fs::remove_all(folder_); }

  size_t files_on_disk() const {
    size_t count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder_)) count += entry.is_regular_file();
    return count;
  }

  fs::path folder_;
  std::unique_ptr<ObjectStore> store_;
};

TEST_F(LocalObjectsTest, MakesItsFolder) { EXPECT_TRUE(fs::is_directory(folder_ / "root" / "deep")); }

TEST_F(LocalObjectsTest, PutThenGet) {
  ASSERT_TRUE(store_->put("a/b/c.json", std::string_view("x\0y", 3)).ok());
  EXPECT_EQ(*store_->get("a/b/c.json"), std::string("x\0y", 3));
  ASSERT_TRUE(store_->put("a/b/c.json", "").ok());
  EXPECT_EQ(*store_->get("a/b/c.json"), "");
  EXPECT_EQ(files_on_disk(), 1u);
}

TEST_F(LocalObjectsTest, GetOfNothingIsNotFound) {
  EXPECT_EQ(store_->get("nothing").status().code(), Code::not_found);
  ASSERT_TRUE(store_->put("file", "1").ok());
  EXPECT_EQ(store_->get("file/below").status().code(), Code::not_found);
}

TEST_F(LocalObjectsTest, TailIsTheEndAndTheSize) {
  ASSERT_TRUE(store_->put("a/b", "0123456789").ok());
  for (size_t most : {0, 1, 4, 10, 11, 100}) {
    auto tail = *store_->tail("a/b", most);
    auto read = *store_->ObjectStore::tail("a/b", most);  // what a store has that cannot do better
    EXPECT_EQ(tail.size, 10);
    EXPECT_EQ(tail.bytes, std::string("0123456789").substr(10 - std::min<size_t>(most, 10)));
    EXPECT_EQ(read.size, tail.size);
    EXPECT_EQ(read.bytes, tail.bytes);
  }
  ASSERT_TRUE(store_->put("empty", "").ok());
  EXPECT_EQ(store_->tail("empty", 8)->size, 0);
  EXPECT_EQ(store_->tail("nothing", 8).status().code(), Code::not_found);
}

TEST_F(LocalObjectsTest, RemoveFolderTakesAbandonedWritersToo) {
  ASSERT_TRUE(store_->put("e/1/state", "1").ok());
  ASSERT_TRUE(store_->put("e/2/state", "1").ok());
  std::ofstream(folder_ / "root" / "deep" / "e" / "1" / ".weir-tmp-0123") << "of a process that was killed";
  ASSERT_TRUE(store_->remove_folder("e/1").ok());
  ASSERT_TRUE(store_->remove_folder("e/1").ok());
  ASSERT_TRUE(store_->remove_folder("never/was").ok());
  EXPECT_FALSE(fs::exists(folder_ / "root" / "deep" / "e" / "1"));
  EXPECT_EQ(*store_->list(""), std::vector<std::string>{"e/2/state"});
  EXPECT_FALSE(store_->remove_folder("").ok());
  EXPECT_FALSE(store_->remove_folder("../deep").ok());
}

TEST_F(LocalObjectsTest, PutIfAbsentKeepsTheFirst) {
  ASSERT_TRUE(store_->put_if_absent("m/1", "first").ok());
  EXPECT_EQ(store_->put_if_absent("m/1", "second").code(), Code::already_exists);
  EXPECT_EQ(*store_->get("m/1"), "first");
  EXPECT_EQ(files_on_disk(), 1u);
}

TEST_F(LocalObjectsTest, PutIfAbsentHasOneWinner) {
  std::atomic<int> winners = 0, losers = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      const Status status = store_->put_if_absent("race", std::to_string(i));
      if (status.ok()) ++winners;
      if (status.code() == Code::already_exists) ++losers;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(winners, 1);
  EXPECT_EQ(losers, 7);
}

TEST_F(LocalObjectsTest, ListsSortedBelowAFolder) {
  for (const char* path : {"b/2", "b/1", "a", "bb/3"}) ASSERT_TRUE(store_->put(path, "x").ok());
  EXPECT_EQ(*store_->list(""), (std::vector<std::string>{"a", "b/1", "b/2", "bb/3"}));
  EXPECT_EQ(*store_->list("b"), (std::vector<std::string>{"b/1", "b/2"}));
  EXPECT_TRUE(store_->list("absent")->empty());
}

TEST_F(LocalObjectsTest, RemoveIsIdempotent) {
  ASSERT_TRUE(store_->put("x", "1").ok());
  EXPECT_TRUE(store_->remove("x").ok());
  EXPECT_TRUE(store_->remove("x").ok());
  EXPECT_TRUE(store_->remove("never/was").ok());
  EXPECT_EQ(store_->get("x").status().code(), Code::not_found);
}

TEST_F(LocalObjectsTest, WriterShowsNothingBeforeClose) {
  auto writer = *store_->open_writer("data/part.parquet");
  ASSERT_TRUE(writer->write("hello ").ok());
  ASSERT_TRUE(writer->write("world").ok());
  EXPECT_EQ(store_->get("data/part.parquet").status().code(), Code::not_found);
  EXPECT_TRUE(store_->list("")->empty());
  ASSERT_TRUE(writer->close().ok());
  EXPECT_EQ(*store_->get("data/part.parquet"), "hello world");
  EXPECT_EQ(writer->write("more").code(), Code::internal);
  EXPECT_EQ(writer->close().code(), Code::internal);
}

TEST_F(LocalObjectsTest, AbandonedWriterLeavesNothing) {
  {
    auto writer = *store_->open_writer("data/part.parquet");
    ASSERT_TRUE(writer->write("half").ok());
  }
  EXPECT_EQ(files_on_disk(), 0u);
}

TEST_F(LocalObjectsTest, PathsStayBelowTheRoot) {
  EXPECT_EQ(store_->put("../escape", "x").code(), Code::internal);
  EXPECT_EQ(store_->put("/etc/escape", "x").code(), Code::internal);
  EXPECT_EQ(store_->put("", "x").code(), Code::internal);
  EXPECT_EQ(store_->get("a/../../b").status().code(), Code::internal);
}

TEST_F(LocalObjectsTest, ReadOnlyFolderIsDenied) {
  if (geteuid() == 0) {
    // Root passes permissions: a folder below a file fails for root, too.
    ASSERT_TRUE(store_->put("file", "x").ok());
    EXPECT_FALSE(store_->put("file/below", "x").ok());
    return;
  }
  ASSERT_EQ(chmod((folder_ / "root" / "deep").c_str(), 0555), 0);
  EXPECT_EQ(store_->put("x", "1").code(), Code::denied);
  chmod((folder_ / "root" / "deep").c_str(), 0755);
}

TEST(ErrnoStatus, SaysWhetherARetryHelps) {
  EXPECT_EQ(errno_status(ENOSPC, "write").code(), Code::exhausted);
  EXPECT_EQ(errno_status(EACCES, "open").code(), Code::denied);
  EXPECT_EQ(errno_status(EROFS, "open").code(), Code::denied);
  EXPECT_EQ(errno_status(ENOENT, "open").code(), Code::not_found);
  EXPECT_EQ(errno_status(EIO, "read").code(), Code::unavailable);
  EXPECT_EQ(errno_status(ENOENT, "open x").message(), "open x: No such file or directory");
}

TEST(SyncPath, ReportsWhatIsMissing) {
  EXPECT_TRUE(sync_path(fs::temp_directory_path().string()).ok());
  EXPECT_EQ(sync_path("/no/such/file").code(), Code::not_found);
}

}  // namespace
}  // namespace weir
