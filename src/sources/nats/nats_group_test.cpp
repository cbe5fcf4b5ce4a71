#include "sources/nats/nats_group.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <thread>

#include "sources/nats/nats_source.h"
#include "sources/nats/nats_test_support.h"

namespace weir {
namespace {

// Sources of one pipeline, as workers in several processes have them.
class NatsSharing : public testing::Test {
 protected:
  static constexpr const char* kBucket = "weir-test-orders";

  NatsSharing() { publisher_.add_stream("ORDERS", {"orders.>"}); }

  std::unique_ptr<Source> worker(int partitions = 4, bool once = false) {
    SourceContext context =
        context_for("nats",
                    {{"url", server_.url()},
                     {"stream", "ORDERS"},
                     {"connect.timeout", "2 s"},
                     {"lease.ttl", "2 s"},
                     {"scan.partitions", "orders.{0.." + std::to_string(partitions - 1) + "}.>"}},
                    table(), once);
    context.shared = true;
    Result<std::unique_ptr<Source>> source = connector("nats").create(context);
    EXPECT_TRUE(source.ok()) << source.status().message();
    return std::move(*source);
  }

  static Status join(Source& source) {
    Status status = Status::unavailable("");
    for (int i = 0; i < 50 && status.code() == Code::unavailable; ++i)
      status = source.group()->join(std::chrono::milliseconds(500));
    return status;
  }

  static Texts share(Source& source) {
    Result<std::vector<std::string>> ids = source.discover({});
    EXPECT_TRUE(ids.ok()) << ids.status().message();
    Texts filters;
    for (const std::string& id : *ids) filters.push_back(id.substr(id.find('/') + 1));
    return filters;
  }

  static bool wait_for(const std::function<bool()>& condition) {
    for (int i = 0; i < 2000; ++i) {
      if (condition()) return true;
      Clock::real().sleep(std::chrono::milliseconds(10));
    }
    return false;
  }

  // Everybody joins when its share changes, until nobody's does for longer than a TTL.
  static void settle(const std::vector<Source*>& workers) {
    const Clock& clock = Clock::real();
    int64_t changed_ns = clock.monotonic_ns();
    const int64_t begin_ns = changed_ns;
    while (clock.monotonic_ns() - changed_ns < 3'000'000'000) {
      ASSERT_LT(clock.monotonic_ns() - begin_ns, 40'000'000'000) << "it does not come to rest";
      for (Source* worker : workers) {
        if (!worker->group()->changing()) continue;
        ASSERT_TRUE(join(*worker).ok());
        changed_ns = clock.monotonic_ns();
      }
      clock.sleep(std::chrono::milliseconds(20));
    }
  }

  static Texts all_of(const std::vector<Source*>& workers) {
    Texts all;
    for (Source* worker : workers) {
      const Texts more = share(*worker);
      all.insert(all.end(), more.begin(), more.end());
    }
    std::sort(all.begin(), all.end());
    return all;
  }

  static Texts partitions(int count) {
    Texts all;
    for (int i = 0; i < count; ++i) all.push_back("orders." + std::to_string(i) + ".>");
    return all;
  }

  void write_key(const std::string& key, const std::string& value) {
    publisher_.publish("$KV." + std::string(kBucket) + "." + key, value);
  }

  Server server_;
  Publisher publisher_{server_.url()};
};

TEST_F(NatsSharing, OneWorkerHasEverythingAndNobodyElseHasAGroup) {
  const auto alone = worker();
  EXPECT_TRUE(share(*alone).empty()) << "nothing before it has joined";
  ASSERT_TRUE(join(*alone).ok());
  EXPECT_EQ(share(*alone), partitions(4));
  EXPECT_FALSE(alone->group()->changing());
  ASSERT_TRUE(join(*alone).ok());
  EXPECT_EQ(share(*alone), partitions(4));
  const Opened single = open_source({{"url", server_.url()}});
  EXPECT_EQ(single.source->group(), nullptr);
}

TEST_F(NatsSharing, WorkersComeAndGo) {
  const auto first = worker();
  ASSERT_TRUE(join(*first).ok());
  auto second = worker();
  ASSERT_TRUE(join(*second).ok());  // perhaps nothing yet: the first has to release
  settle({first.get(), second.get()});
  EXPECT_EQ(share(*first).size(), 2u);
  EXPECT_EQ(share(*second).size(), 2u);
  EXPECT_EQ(all_of({first.get(), second.get()}), partitions(4));
  const auto third = worker();
  ASSERT_TRUE(join(*third).ok());
  settle({first.get(), second.get(), third.get()});
  EXPECT_EQ(all_of({first.get(), second.get(), third.get()}), partitions(4));
  EXPECT_EQ(share(*third).size(), 1u);

  // One that ends hands over at once, long before a lease runs out.
  const Texts left = share(*first);
  second.reset();
  ASSERT_TRUE(wait_for([&] { return first->group()->changing() || third->group()->changing(); }));
  settle({first.get(), third.get()});
  EXPECT_EQ(all_of({first.get(), third.get()}), partitions(4));
  for (const std::string& partition : left) {
    const Texts now = share(*first);
    EXPECT_NE(std::find(now.begin(), now.end(), partition), now.end()) << "it moved for nothing";
  }
}

TEST_F(NatsSharing, TheLeasesOfADeadWorkerRunOut) {
  const auto alone = worker();
  ASSERT_TRUE(join(*alone).ok());
  // One that registers, takes a share, and is never heard of again.
  write_key("w.99999999999999999999-dead", "dead");
  ASSERT_TRUE(wait_for([&] { return alone->group()->changing(); }));
  write_key("w.99999999999999999999-dead", "dead");
  ASSERT_TRUE(join(*alone).ok());
  EXPECT_EQ(share(*alone), (Texts{"orders.0.>", "orders.1.>"}));
  for (const std::string partition : {"orders.2.>", "orders.3.>"}) {
    write_key("p." + fnv_hex(partition), "dead");
  }
  settle({alone.get()});
  EXPECT_EQ(share(*alone), partitions(4));
}

TEST_F(NatsSharing, AWorkerThatRunsOnceWaitsForADeadOneAndSharesWithALivingOne) {
  ASSERT_TRUE(join(*worker()).ok());  // the bucket is there
  write_key("w.00000000000000000000-dead", "dead");
  for (const std::string partition : {"orders.0.>", "orders.1.>"}) {
    write_key("p." + fnv_hex(partition), "dead");
  }
  auto once = worker(4, true);
  ASSERT_TRUE(join(*once).ok());
  EXPECT_EQ(share(*once), partitions(4));
  once.reset();

  const auto living = worker();
  ASSERT_TRUE(join(*living).ok());
  std::atomic<bool> stop = false;
  std::thread caller([&] {
    while (!stop) {
      if (living->group()->changing()) static_cast<void>(join(*living));
      Clock::real().sleep(std::chrono::milliseconds(10));
    }
  });
  once = worker(4, true);
  EXPECT_TRUE(join(*once).ok());
  EXPECT_EQ(share(*once).size(), 2u);
  stop = true;
  caller.join();
}

TEST_F(NatsSharing, ALeaseThatAnotherTookIsNoticedAndTheReaderStops) {
  const auto mine = worker();
  ASSERT_TRUE(join(*mine).ok());
  publisher_.publish("orders.1.a", "one");
  Result<std::vector<std::string>> ids = mine->discover({});
  ASSERT_TRUE(ids.ok());
  Result<std::unique_ptr<PartitionReader>> reader = mine->open((*ids)[1], std::nullopt);
  ASSERT_TRUE(reader.ok()) << reader.status().message();
  std::vector<SeenEvent> seen;
  int64_t next = -1;
  ASSERT_TRUE(read_all(**reader, seen, next, 1).ok());

  // What a worker does that believes the lease to have run out: it writes the key and makes the consumer
  // anew.
  write_key("p." + fnv_hex("orders.1.>"), "other");
  const std::string consumer = "weir-test-orders-orders_1__-1";
  ASSERT_TRUE(wait_for([&] { return mine->group()->changing(); }));
  publisher_.delete_consumer("ORDERS", consumer);
  publisher_.publish("orders.1.a", "two");
  for (int i = 0; i < 5; ++i) {
    const Result<EventBatch> batch = (*reader)->poll(std::chrono::milliseconds(100));
    EXPECT_SAYS(batch.status(), Code::unavailable, "another worker's");
  }
  const Texts consumers = publisher_.consumers("ORDERS");
  EXPECT_EQ(std::find(consumers.begin(), consumers.end(), consumer), consumers.end())
      << "it fights for the consumer";
  EXPECT_EQ(mine->open((*ids)[1], 2).status().code(), Code::unavailable);
  ASSERT_TRUE(join(*mine).ok());
  EXPECT_EQ(share(*mine).size(), 3u);
}

TEST_F(NatsSharing, WithoutAnswersTheShareIsGivenUpInTimeAndComesBack) {
  const auto mine = worker();
  ASSERT_TRUE(join(*mine).ok());
  server_.pause();
  EXPECT_TRUE(wait_for([&] { return mine->group()->changing(); }));
  EXPECT_EQ(mine->group()->join(std::chrono::milliseconds(100)).code(), Code::unavailable);
  server_.resume();
  settle({mine.get()});
  EXPECT_EQ(share(*mine), partitions(4));
}

TEST_F(NatsSharing, AServerThatComesBackInTimeChangesNothing) {
  const auto mine = worker();
  ASSERT_TRUE(join(*mine).ok());
  server_.pause();
  Clock::real().sleep(std::chrono::milliseconds(300));
  server_.resume();
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(mine->group()->changing());
    Clock::real().sleep(std::chrono::milliseconds(20));
  }
  EXPECT_EQ(share(*mine), partitions(4));
}

TEST_F(NatsSharing, MoreWorkersThanPartitions) {
  const auto first = worker(1);
  const auto second = worker(1);
  ASSERT_TRUE(join(*first).ok());
  ASSERT_TRUE(join(*second).ok());
  settle({first.get(), second.get()});
  EXPECT_EQ(all_of({first.get(), second.get()}), partitions(1));
}

TEST_F(NatsSharing, AnotherTtlIsTakenOver) {
  {
    const auto first = worker();
    EXPECT_TRUE(join(*first).ok());
  }
  SourceContext context = context_for(
      "nats", {{"url", server_.url()}, {"stream", "ORDERS"}, {"lease.ttl", "3 s"}}, table(), false);
  context.shared = true;
  Result<std::unique_ptr<Source>> later = connector("nats").create(context);
  ASSERT_TRUE(later.ok());
  ASSERT_TRUE(join(**later).ok());
  EXPECT_EQ(publisher_.info("KV_" + std::string(kBucket))->Config->MaxAge, 3'000'000'000);
}

TEST_F(NatsSharing, WrongStreamsAndLogInsAreSaidAtOnce) {
  SourceContext context = context_for("nats", {{"url", server_.url()}, {"stream", "ORDERZ"}}, table(), false);
  context.shared = true;
  Result<std::unique_ptr<Source>> source = connector("nats").create(context);
  ASSERT_TRUE(source.ok());
  EXPECT_SAYS(join(**source), Code::not_found, "'ORDERS'");
}

}  // namespace
}  // namespace weir
