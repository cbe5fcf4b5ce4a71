#include "runtime/bounded_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace weir {
namespace {

using std::chrono::milliseconds;

TEST(BoundedQueue, KeepsOrderAndWaitsForRoom) {
  BoundedQueue<int> queue(2);
  std::atomic<int> pushed{0};
  std::thread producer([&] {
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(queue.push(i));
      ++pushed;
    }
    queue.close();
  });
  for (int i = 0; i < 100; ++i) {
    auto item = queue.pop(milliseconds(5000));
    ASSERT_TRUE(item.has_value());
    EXPECT_EQ(*item, i);
    EXPECT_LE(pushed.load(), i + 3 + 1);  // what was popped, two inside, one on its way
  }
  producer.join();
  EXPECT_TRUE(queue.closed_and_empty());
}

TEST(BoundedQueue, CloseWakesAWaitingProducer) {
  BoundedQueue<int> queue(1);
  ASSERT_TRUE(queue.push(1));
  std::thread producer([&] { EXPECT_FALSE(queue.push(2)); });
  queue.close();
  producer.join();
  EXPECT_EQ(queue.pop(milliseconds(0)), 1);
  EXPECT_EQ(queue.pop(milliseconds(0)), std::nullopt);
}

}  // namespace
}  // namespace weir
