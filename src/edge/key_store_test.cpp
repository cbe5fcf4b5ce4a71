#include "edge/key_store.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <future>

#include "base/environment.h"

namespace weir {
namespace {

class KeyStoreTest : public testing::Test {
 protected:
  KeyStoreTest() : folder_(std::filesystem::temp_directory_path() / ("weir-keys-" + random_hex_id())) {
    open();
  }
  ~KeyStoreTest() override {
    keys_.reset();
    std::filesystem::remove_all(folder_);
  }
  void open() {
    keys_.reset();
    auto opened = KeyStore::open(folder_, clock_);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    keys_ = *opened;
  }
  void note(const std::string& key, KnownRequest request) {
    std::promise<Status> noted;
    keys_->note(key, std::move(request), [&](const Status& status) { noted.set_value(status); });
    const Status status = noted.get_future().get();
    ASSERT_TRUE(status.ok()) << status.message();
  }

  std::string folder_;
  ManualClock clock_{1'000'000'000'000};
  std::shared_ptr<KeyStore> keys_;
};

TEST_F(KeyStoreTest, RemembersOverARestart) {
  note("a", {7, false, {}});
  EXPECT_FALSE(keys_->find("a")->done);
  note("a", {7, true, {{0, 5}, {0, 6}, {3, 1}, {}, {}, {0, 7}}});
  note("b", {9, false, {}});
  for (int round = 0; round < 2; ++round) {
    const auto known = keys_->find("a");
    ASSERT_TRUE(known.has_value());
    EXPECT_TRUE(known->done);
    EXPECT_EQ(known->fingerprint, 7U);
    ASSERT_EQ(known->events.size(), 6U);
    EXPECT_EQ(known->events[1].offset, 6);
    EXPECT_EQ(known->events[2].partition, 3);
    EXPECT_FALSE(known->events[4].stored());
    EXPECT_EQ(known->events[5].offset, 7);
    EXPECT_EQ(keys_->find("b")->fingerprint, 9U);
    EXPECT_FALSE(keys_->find("b")->done);
    EXPECT_FALSE(keys_->find("c").has_value());
    open();
  }
}

TEST_F(KeyStoreTest, ForgetsAfterTheWindow) {
  constexpr int64_t kHour = 3'600'000'000;
  note("a", {7, false, {}});
  clock_.set(clock_.now_us() + 20 * kHour);
  note("a", {7, true, {{0, 5}}});
  note("b", {8, true, {{0, 6}}});
  clock_.set(clock_.now_us() + 23 * kHour);
  EXPECT_TRUE(keys_->find("a").has_value());  // the newest note counts
  open();
  EXPECT_TRUE(keys_->find("a").has_value());
  clock_.set(clock_.now_us() + 2 * kHour);
  EXPECT_FALSE(keys_->find("a").has_value());
  open();
  EXPECT_FALSE(keys_->find("b").has_value());
  EXPECT_TRUE(keys_->retain().ok());
}

// A target answers under its own lock, and looks for keys under it.
TEST_F(KeyStoreTest, AFullStoreAnswersUnderNoLock) {
  keys_.reset();
  auto opened = KeyStore::open(folder_, clock_, std::chrono::hours(24), 1);
  ASSERT_TRUE(opened.ok());
  keys_ = *opened;
  note("a", {7, true, {{0, 5}}});
  Code code = Code::ok;
  std::future<bool> found;
  keys_->note("b", {8, false, {}}, [&](const Status& status) {
    code = status.code();
    found = std::async(std::launch::async, [&] { return keys_->find("a").has_value(); });
    EXPECT_EQ(found.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  });
  EXPECT_EQ(code, Code::exhausted);
  EXPECT_TRUE(found.get());
  note("a", {7, true, {{0, 6}}});  // known already: no more room is needed
}

}  // namespace
}  // namespace weir
