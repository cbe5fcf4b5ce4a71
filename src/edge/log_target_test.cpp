#include "edge/log_target.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace weir {
namespace {

class FakeWriter final : public LogWriter {
 public:
  explicit FakeWriter(int partitions) { info_.partitions = partitions; }
  const LogStreamInfo& info() const override { return info_; }
  void append(std::vector<LogPart> parts, LogKey,
              std::function<void(Result<std::vector<LogAppended>>)> done) override {
    std::vector<LogAppended> appended;
    last.clear();
    for (const LogPart& part : parts) {
      appended.push_back({part.partition, 10, 10 + static_cast<int64_t>(part.records.size()) - 1, false});
      for (const LogRecord& record : part.records) last.emplace_back(part.partition, record.payload);
    }
    done(std::move(appended));
  }
  Status reserve(int64_t) override { return {}; }
  Status retain() override { return {}; }
  std::vector<Extent> extents() const override { return {}; }

  std::vector<std::pair<int, std::string>> last;

 private:
  LogStreamInfo info_;
};

TEST(LogTarget, KeyedEventsKeepTheirPartitionAndOrder) {
  auto writer = std::make_shared<FakeWriter>(4);
  auto target = make_log_target("log:x", writer);
  std::vector<std::string> keys;
  for (int i = 0; i < 40; ++i) keys.push_back("k" + std::to_string(i % 8));
  std::vector<EdgeEvent> events;
  for (const std::string& key : keys) events.push_back({key, key, "s", "{}", 1});
  std::map<std::string, int> partition_of;
  std::vector<EdgePosition> positions;
  target->publish(events, {}, [&](auto answer) { positions = *answer; });
  int64_t count = 0;
  for (const EdgePosition& position : positions) count += position.count;
  EXPECT_EQ(count, 40);
  EXPECT_GT(positions.size(), 1u);
  for (const auto& [partition, key] : writer->last) {
    EXPECT_EQ(partition_of.emplace(key, partition).first->second, partition);
  }
}

TEST(LogTarget, KeylessRequestsStayWhole) {
  auto writer = std::make_shared<FakeWriter>(4);
  auto target = make_log_target("log:x", writer);
  std::vector<EdgeEvent> events(10, EdgeEvent{"p", std::nullopt, "s", "{}", 1});
  std::set<int> used;
  for (int i = 0; i < 8; ++i) {
    target->publish(events, {}, [&](auto answer) {
      ASSERT_EQ(answer->size(), 1u);
      used.insert(answer->front().partition);
    });
  }
  EXPECT_EQ(used.size(), 4u);
  std::set<int> keyed;
  for (int i = 0; i < 8; ++i) {
    target->publish(events, {"a/key", 1}, [&](auto answer) { keyed.insert(answer->front().partition); });
  }
  EXPECT_EQ(keyed.size(), 1u);  // a repeat meets the same partition
}

TEST(LogTarget, TheHashNeverChanges) { EXPECT_EQ(stable_hash("orders"), 5169432580904670u); }

}  // namespace
}  // namespace weir
