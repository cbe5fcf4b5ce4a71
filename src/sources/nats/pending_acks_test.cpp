#include "sources/nats/pending_acks.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

using Texts = std::vector<std::string>;

std::string reply(int64_t stream, int64_t consumer) {
  return "$JS.ACK.S.c.3." + std::to_string(stream) + "." + std::to_string(consumer) +
         ".1732195463000000001.9";
}
std::string sent(int64_t stream, int64_t consumer) {
  return "$JS.ACK.S.c.1." + std::to_string(stream) + "." + std::to_string(consumer) + ".0.0";
}

void deliver(PendingAcks& acks, int64_t stream, int64_t consumer) {
  const std::string subject = reply(stream, consumer);
  acks.delivered(*parse_ack_subject(subject), subject);
}

Texts commit(PendingAcks& acks, int64_t next) {
  Texts all, due;
  while (acks.commit(next, due)) all.insert(all.end(), due.begin(), due.end());
  return all;
}

TEST(AckTemplate, KeepsWhatIsInFrontAndBehind) {
  std::string made;
  ack_template("$JS.ACK.S.c.1.42.7.1732195463000000001.9").subject(50, 8, made);
  EXPECT_EQ(made, "$JS.ACK.S.c.1.50.8.0.0");
  ack_template("$JS.ACK.hub.acc.S.c.1.42.7.1732195463000000001.9").subject(50, 8, made);
  EXPECT_EQ(made, "$JS.ACK.hub.acc.S.c.1.50.8.0.0");
  ack_template("$JS.ACK.hub.acc.S.c.1.42.7.1732195463000000001.9.random").subject(50, 8, made);
  EXPECT_EQ(made, "$JS.ACK.hub.acc.S.c.1.50.8.0.0.random");
}

TEST(PendingAcks, OneStandsForAllBeforeIt) {
  PendingAcks acks(false, 1);
  deliver(acks, 1, 1);
  deliver(acks, 2, 2);
  EXPECT_TRUE(acks.batch_ends(3).empty());
  deliver(acks, 3, 3);
  EXPECT_TRUE(acks.batch_ends(4).empty());
  EXPECT_TRUE(commit(acks, 2).empty()) << "only whole batches";
  EXPECT_EQ(commit(acks, 4), Texts{reply(3, 3)});
  EXPECT_TRUE(commit(acks, 4).empty());
}

TEST(PendingAcks, EachMessageOnceAndNoneBeforeItsCommit) {
  PendingAcks acks(true, 1);
  deliver(acks, 1, 1);
  deliver(acks, 5, 2);  // 2 to 4 are somebody else's: never acknowledged
  EXPECT_TRUE(acks.batch_ends(6).empty());
  deliver(acks, 7, 3);
  EXPECT_TRUE(acks.batch_ends(8).empty());
  EXPECT_EQ(commit(acks, 7), (Texts{sent(1, 1), sent(5, 2)}));
  EXPECT_EQ(commit(acks, 8), Texts{sent(7, 3)});
}

TEST(PendingAcks, WhatComesAgainAfterItsCommitIsAcknowledgedAtOnce) {
  PendingAcks acks(true, 10);
  deliver(acks, 8, 1);
  deliver(acks, 9, 2);
  deliver(acks, 10, 3);
  EXPECT_EQ(acks.batch_ends(11), (Texts{sent(8, 1), sent(9, 2)}));
  EXPECT_EQ(commit(acks, 11), Texts{sent(10, 3)});
  EXPECT_EQ(acks.committed(), 11);
  // The commit came between its first delivery and the second.
  acks.forget();
  deliver(acks, 10, 1);
  EXPECT_EQ(acks.batch_ends(11), Texts{sent(10, 1)});

  PendingAcks all(false, 10);
  deliver(all, 9, 1);
  EXPECT_EQ(all.batch_ends(10), Texts{reply(9, 1)});
  deliver(all, 10, 2);
  EXPECT_TRUE(all.batch_ends(11).empty());
}

TEST(PendingAcks, ANewConsumerHasItsOwnNumbers) {
  PendingAcks acks(true, 1);
  deliver(acks, 1, 1);
  deliver(acks, 2, 2);
  EXPECT_TRUE(acks.batch_ends(3).empty());
  acks.forget();
  EXPECT_TRUE(commit(acks, 2).empty());
  deliver(acks, 1, 1);
  deliver(acks, 2, 2);
  EXPECT_EQ(acks.batch_ends(3), Texts{sent(1, 1)});
  EXPECT_EQ(commit(acks, 3), Texts{sent(2, 2)});
}

TEST(PendingAcks, ManyBatchesBetweenTwoCommitsLoseNothing) {
  PendingAcks each(true, 1);
  PendingAcks all(false, 1);
  constexpr int64_t kCount = 10'000;
  for (int64_t i = 1; i <= kCount; ++i) {
    deliver(each, i, i);
    deliver(all, i, i);
    EXPECT_TRUE(each.batch_ends(i + 1).empty());
    EXPECT_TRUE(all.batch_ends(i + 1).empty());
  }
  EXPECT_EQ(commit(each, kCount + 1).size(), static_cast<size_t>(kCount));
  EXPECT_EQ(commit(all, kCount + 1).back(), reply(kCount, kCount));
}

}  // namespace
}  // namespace weir
