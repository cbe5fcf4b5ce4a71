#include "runtime/inbox.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <thread>

namespace weir {
namespace {

using std::chrono::microseconds;

Message rows(size_t input) {
  Message message;
  message.input = input;
  message.rows = arrow::RecordBatch::Make(arrow::schema(arrow::FieldVector()), 1, arrow::ArrayVector());
  return message;
}

Message control(Message::Kind kind, int64_t value) {
  Message message;
  message.kind = kind;
  message.value = value;
  return message;
}

TEST(Inbox, AHeldChannelKeepsItsMessagesUntilItIsReleased) {
  Inbox inbox(4);
  const size_t a = inbox.add_channel(), b = inbox.add_channel();
  inbox.push(a, control(Message::Kind::barrier, 7));
  inbox.push(a, rows(0));
  auto first = inbox.pop(microseconds(0));
  ASSERT_TRUE(first && first->kind == Message::Kind::barrier && first->channel == a);
  inbox.hold(a);
  EXPECT_FALSE(inbox.pop(microseconds(0)));
  inbox.push(b, rows(1));
  auto second = inbox.pop(microseconds(0));
  ASSERT_TRUE(second);
  EXPECT_EQ(second->channel, b);
  inbox.release_all();
  auto third = inbox.pop(microseconds(0));
  ASSERT_TRUE(third);
  EXPECT_EQ(third->channel, a);
}

TEST(Inbox, OnlyTheLastOfSeveralWatermarksInARowIsKept) {
  Inbox inbox(1);
  const size_t channel = inbox.add_channel();
  for (int64_t time = 1; time <= 1000; ++time) inbox.push(channel, control(Message::Kind::watermark, time));
  inbox.push(channel, rows(0));
  inbox.push(channel, control(Message::Kind::watermark, 2000));
  EXPECT_EQ(inbox.pop(microseconds(0))->value, 1000);
  EXPECT_EQ(inbox.pop(microseconds(0))->kind, Message::Kind::rows);
  EXPECT_EQ(inbox.pop(microseconds(0))->value, 2000);
}

TEST(Inbox, RowsWaitForRoomAndControlMessagesDoNot) {
  Inbox inbox(1);
  const size_t channel = inbox.add_channel();
  inbox.push(channel, rows(0));
  EXPECT_TRUE(inbox.push(channel, control(Message::Kind::barrier, 1)));
  std::thread sender([&] { EXPECT_TRUE(inbox.push(channel, rows(9))); });
  EXPECT_EQ(inbox.pop(microseconds(1'000'000))->input, 0U);
  EXPECT_EQ(inbox.pop(microseconds(1'000'000))->kind, Message::Kind::barrier);
  EXPECT_EQ(inbox.pop(microseconds(5'000'000))->input, 9U);
  sender.join();
}

TEST(Inbox, ClosingFreesWhoeverWaits) {
  Inbox inbox(1);
  const size_t channel = inbox.add_channel();
  inbox.push(channel, rows(0));
  std::thread sender([&] { EXPECT_FALSE(inbox.push(channel, rows(1))); });
  inbox.close();
  sender.join();
}

}  // namespace
}  // namespace weir
