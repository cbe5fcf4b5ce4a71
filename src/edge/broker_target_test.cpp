#include "edge/broker_target.h"

#include <gtest/gtest.h>

#include <map>

namespace weir {
namespace {

struct Call {
  std::vector<std::string> payloads;
  std::string key;
  std::vector<StoredEvent> stored;
  std::function<void(BrokerAnswer)> answer;
};

class FakeBroker final : public Broker {
 public:
  explicit FakeBroker(std::vector<Call>& calls) : calls_(calls) {}
  const std::string& name() const override { return name_; }
  Status reserve(int64_t bytes) override { return bytes > 100 ? Status(Code::exhausted, "full") : Status(); }
  void send(std::vector<EdgeEvent> events, const std::string& key, std::vector<StoredEvent> stored,
            std::function<void(BrokerAnswer)> answer) override {
    Call call{{}, key, std::move(stored), std::move(answer)};
    for (const EdgeEvent& event : events) call.payloads.emplace_back(event.payload);
    calls_.push_back(std::move(call));
  }

 private:
  std::string name_ = "nats:o";
  std::vector<Call>& calls_;
};

struct FakeKeys final : KeyStore {
  std::optional<KnownRequest> find(std::string_view key) override {
    const auto found = known.find(std::string(key));
    if (found == known.end()) return std::nullopt;
    return found->second;
  }
  void note(std::string key, KnownRequest request, std::function<void(Status)> answer) override {
    if (failure.ok()) known[key] = std::move(request);
    answer(failure);
  }
  Status retain() override { return {}; }

  std::map<std::string, KnownRequest> known;
  Status failure;
};

using Answer = Result<std::vector<EdgePosition>>;

class BrokerTargetTest : public testing::Test {
 protected:
  void publish(std::vector<std::string_view> payloads, std::string key, uint64_t fingerprint = 1) {
    std::vector<EdgeEvent> events;
    for (std::string_view payload : payloads) events.emplace_back().payload = payload;
    target_->publish(std::move(events), {std::move(key), fingerprint},
                     [this](Answer answer) { answers_.push_back(std::move(answer)); });
  }
  std::string newest() const {
    if (answers_.empty()) return "none";
    const Answer& answer = answers_.back();
    if (!answer.ok()) return code_name(answer.status().code());
    std::string text;
    for (const EdgePosition& each : *answer) {
      text += each.target + "/" + std::to_string(each.partition) + "@" + std::to_string(each.first) + "+" +
              std::to_string(each.count) + (each.repeated ? "r " : " ");
    }
    return text;
  }

  std::vector<Call> calls_;
  std::shared_ptr<FakeKeys> keys_ = std::make_shared<FakeKeys>();
  std::unique_ptr<EventTarget> target_ = make_broker_target(std::make_unique<FakeBroker>(calls_), keys_);
  std::vector<Answer> answers_;
};

TEST_F(BrokerTargetTest, WithoutAKeyNothingIsRemembered) {
  publish({"a", "b"}, "");
  calls_.at(0).answer({{{0, 7}, {0, 8}}, {}});
  EXPECT_EQ(newest(), "nats:o/0@7+2 ");
  EXPECT_TRUE(keys_->known.empty());
  EXPECT_EQ(target_->reserve(101).code(), Code::exhausted);
}

TEST_F(BrokerTargetTest, ADoneKeyAnswersTheFirstPositionsAndSendsNothing) {
  publish({"a", "b"}, "k");
  EXPECT_FALSE(keys_->known.at("nats:o k").done);  // noted before anything is sent
  EXPECT_EQ(calls_.at(0).key, "k");
  calls_[0].answer({{{0, 7}, {0, 8}}, {}});
  EXPECT_EQ(newest(), "nats:o/0@7+2 ");
  publish({"a", "b"}, "k");
  EXPECT_EQ(newest(), "nats:o/0@7+2r ");
  EXPECT_EQ(calls_.size(), 1U);
  publish({"c"}, "k", 2);
  EXPECT_EQ(newest(), "already exists");
  EXPECT_EQ(calls_.size(), 1U);
}

TEST_F(BrokerTargetTest, ARepeatOfAFailedRequestSendsWhatIsMissing) {
  publish({"a", "b"}, "k");
  calls_.at(0).answer({{{2, 7}, {}}, Status::unavailable("away")});
  EXPECT_EQ(newest(), "unavailable");
  publish({"a", "b"}, "k");
  ASSERT_EQ(calls_.size(), 2U);
  EXPECT_EQ(calls_[1].stored.at(0).offset, 7);
  EXPECT_FALSE(calls_[1].stored.at(1).stored());
  calls_[1].answer({{{2, 7}, {3, 1}}, {}});
  EXPECT_EQ(newest(), "nats:o/2@7+1 nats:o/3@1+1 ");
}

TEST_F(BrokerTargetTest, ARepeatWhileTheFirstIsUnderWayWaitsForIt) {
  publish({"a"}, "k");
  publish({"a"}, "k");
  publish({"x"}, "k", 2);
  EXPECT_EQ(newest(), "already exists");
  EXPECT_EQ(calls_.size(), 1U);
  calls_[0].answer({{{0, 7}}, {}});
  EXPECT_EQ(answers_.size(), 3U);
  EXPECT_EQ(newest(), "nats:o/0@7+1r ");
}

TEST_F(BrokerTargetTest, AfterACrashABegunRequestIsSentAgain) {
  keys_->known["nats:o k"] = {1, false, {}};
  publish({"a"}, "k");
  EXPECT_EQ(calls_.at(0).key, "k");
  publish({"a"}, "other", 2);
  EXPECT_EQ(calls_.size(), 2U);
  for (Call& call : calls_) call.answer({{{0, 7}}, {}});
}

TEST_F(BrokerTargetTest, WhatCannotBeNotedIsNotSentAndNotAnsweredAsDone) {
  keys_->failure = {Code::exhausted, "disk full"};
  publish({"a"}, "k");
  EXPECT_EQ(newest(), "exhausted");
  EXPECT_TRUE(calls_.empty());
  keys_->failure = {};
  publish({"a"}, "k");
  keys_->failure = {Code::exhausted, "disk full"};
  calls_.at(0).answer({{{0, 7}}, {}});
  EXPECT_EQ(newest(), "unavailable");
  keys_->failure = {};
  publish({"a"}, "k");  // nothing is missing but the note
  EXPECT_TRUE(calls_.at(1).stored.at(0).stored());
  calls_[1].answer({{{0, 7}}, {}});
  EXPECT_EQ(newest(), "nats:o/0@7+1 ");
  EXPECT_TRUE(keys_->known.at("nats:o k").done);
}

TEST(PositionsTest, NeighboursInAPartitionAreOne) {
  const auto positions =
      positions_of("kafka:o", {{0, 5}, {1, 9}, {0, 6}, {1, 10}, {0, 8}, {0, 9, true}, {0, 10, true}});
  ASSERT_EQ(positions.size(), 4U);
  EXPECT_EQ(positions[0].count, 2);
  EXPECT_EQ(positions[1].partition, 1);
  EXPECT_EQ(positions[1].count, 2);
  EXPECT_EQ(positions[2].first, 8);
  EXPECT_EQ(positions[3].first, 9);
  EXPECT_TRUE(positions[3].repeated);
}

}  // namespace
}  // namespace weir
