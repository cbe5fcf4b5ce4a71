// Streams that acknowledgements empty: work queues, and interest retention.
#include <thread>

#include "sources/nats/nats_source.h"
#include "sources/nats/nats_test_support.h"

namespace weir {
namespace {

int64_t messages(Publisher& publisher, const std::string& stream = "ORDERS") {
  return static_cast<int64_t>(publisher.info(stream)->State.Msgs);
}

// Acknowledgements are not waited for one by one.
void expect_left(Publisher& publisher, int64_t count, int line) {
  for (int i = 0; i < 500 && messages(publisher) > count; ++i)
    Clock::real().sleep(std::chrono::milliseconds(10));
  Clock::real().sleep(std::chrono::milliseconds(50));
  EXPECT_EQ(messages(publisher), count) << "line " << line;
}
#define EXPECT_LEFT(publisher, count) expect_left(publisher, count, __LINE__)

class Retention : public testing::TestWithParam<jsRetentionPolicy> {
 protected:
  bool queue() const { return GetParam() == js_WorkQueuePolicy; }
  Values options(Values more = {}) const {
    more.emplace("url", server_.url());
    return more;
  }
  // The interest must be there before messages are.
  void add_stream() {
    publisher_.add_stream("ORDERS", {"orders.>"}, GetParam());
    if (queue()) return;
    EXPECT_TRUE(open_source(options(), {}, false).status.ok());
  }
  static Texts texts(int begin, int end) {
    Texts all;
    for (int i = begin; i < end; ++i) all.push_back("m" + std::to_string(i));
    return all;
  }

  Server server_;
  Publisher publisher_{server_.url()};
  std::vector<SeenEvent> seen_;
  int64_t next_ = -1;
};

INSTANTIATE_TEST_SUITE_P(Nats, Retention, testing::Values(js_WorkQueuePolicy, js_InterestPolicy),
                         [](const auto& info) {
                           return info.param == js_WorkQueuePolicy ? "WorkQueue" : "Interest";
                         });

TEST_P(Retention, OnlyWhatIsCommittedIsRemoved) {
  add_stream();
  publisher_.publish_many("orders.a", 0, 1000);
  Opened opened = open_source(options(), {}, false, 0, {}, 100);
  ASSERT_TRUE(opened.status.ok()) << opened.status.message();
  ASSERT_TRUE(read_all(*opened.reader, seen_, next_, 1000).ok());
  EXPECT_EQ(payloads(seen_), texts(0, 1000));
  EXPECT_EQ(messages(publisher_), 1000);
  ASSERT_TRUE(opened.reader->acknowledge(451).ok());  // in the middle of a batch: only whole batches below it
  EXPECT_LEFT(publisher_, 600);
  ASSERT_TRUE(opened.reader->acknowledge(1001).ok());
  EXPECT_LEFT(publisher_, 0);
  publisher_.publish_many("orders.a", 1000, 1010);
  ASSERT_TRUE(read_all(*opened.reader, seen_, next_, 1010).ok());
  EXPECT_EQ(next_, 1011);
}

TEST_P(Retention, RecoversAtThePositionInOrderAndDropsWhatWasCommitted) {
  add_stream();
  publisher_.publish_many("orders.a", 0, 1000);
  {
    // Ends without an acknowledgement: everything was delivered, nothing acknowledged.
    Opened opened = open_source(options(), {}, false, 0, {}, 100);
    ASSERT_TRUE(read_all(*opened.reader, seen_, next_, 700).ok());
  }
  seen_.clear();
  Opened again = open_source(options(), 401, false, 0, {}, 100);  // 400 were committed
  ASSERT_TRUE(again.status.ok()) << again.status.message();
  ASSERT_TRUE(read_all(*again.reader, seen_, next_, 600).ok());
  EXPECT_EQ(payloads(seen_), texts(400, 1000));
  EXPECT_EQ(seen_.front().offset, 401);
  EXPECT_LEFT(publisher_, 600);  // nothing else would ever acknowledge those
  ASSERT_TRUE(again.reader->acknowledge(1001).ok());
  EXPECT_LEFT(publisher_, 0);
}

TEST_P(Retention, APositionBehindTheEndStillEmptiesTheStream) {
  add_stream();
  publisher_.publish_many("orders.a", 0, 100);
  // The crash came between the last commit and its acknowledgement.
  const Read read = read_once(options(), 101);
  ASSERT_TRUE(read.status.ok()) << read.status.message();
  EXPECT_TRUE(read.events.empty());
  EXPECT_EQ(read.next, 101);
  EXPECT_LEFT(publisher_, 0);
}

TEST_P(Retention, AnEmptiedStreamIsNoGap) {
  add_stream();
  publisher_.publish_many("orders.a", 0, 10);
  {
    Opened opened = open_source(options());
    ASSERT_TRUE(read_all(*opened.reader, seen_, next_).ok());
    ASSERT_TRUE(opened.reader->acknowledge(11).ok());
    EXPECT_LEFT(publisher_, 0);
  }
  publisher_.publish_many("orders.a", 10, 12);
  EXPECT_EQ(payloads(read_once(options(), 11).events), texts(10, 12));
}

TEST_P(Retention, RemovalByOthersIsNoticedWhereItCanBe) {
  add_stream();
  publisher_.publish_many("orders.a", 0, 10);
  publisher_.purge("ORDERS");
  publisher_.publish_many("orders.a", 10, 12);
  EXPECT_SAYS(read_once(options(), 5).status, Code::invalid, "begins at sequence 11");
  EXPECT_EQ(read_once(options({{"scan.on-gap", "continue"}}), 5).events.size(), 2u);
}

TEST_P(Retention, PartitionsRemoveOnlyTheirOwn) {
  publisher_.add_stream("ORDERS", {"orders.>"}, GetParam());
  const Values both = options({{"scan.partitions", "orders.{0..1}"}});
  Opened first = open_source(both, {}, false, 0);
  Opened second = open_source(both, {}, false, 1);
  ASSERT_TRUE(first.status.ok() && second.status.ok()) << second.status.message();
  for (int i = 0; i < 200; ++i) publisher_.publish(i % 2 == 0 ? "orders.0" : "orders.1", std::to_string(i));
  ASSERT_TRUE(read_all(*first.reader, seen_, next_, 100).ok());
  ASSERT_TRUE(first.reader->acknowledge(next_).ok());
  EXPECT_LEFT(publisher_, 100);
  // The beginning of the stream has moved beyond the second's position: that is no gap.
  std::vector<SeenEvent> others;
  int64_t others_next = -1;
  ASSERT_TRUE(read_all(*second.reader, others, others_next, 100).ok());
  EXPECT_EQ(others.front().payload, "1");
  second.reader.reset();
  Opened again = open_source(both, 101, false, 1);  // 1 to 100 were committed, and not acknowledged
  ASSERT_TRUE(again.status.ok()) << again.status.message();
  others.clear();
  ASSERT_TRUE(read_all(*again.reader, others, others_next, 50).ok());
  EXPECT_EQ(others.front().offset, 102);
  ASSERT_TRUE(again.reader->acknowledge(others_next).ok());
  EXPECT_LEFT(publisher_, 0);
}

TEST_P(Retention, NothingIsLostWhenTheConsumerIsMadeAnewInMidstream) {
  add_stream();
  publisher_.publish_many("orders.a", 0, 2000);
  Opened opened = open_source(options(), {}, false, 0, {}, 100);
  ASSERT_TRUE(read_all(*opened.reader, seen_, next_, 1000).ok());
  ASSERT_TRUE(opened.reader->acknowledge(501).ok());
  EXPECT_LEFT(publisher_, 1500);
  // Read and not committed: 501 to 1000. The consumer must not go without another that holds on to them.
  // (A deleted one was its only one: that is how messages of an interest stream are lost by hand.)
  if (queue()) {
    publisher_.delete_consumer("ORDERS", "weir-test-orders");
  } else {
    server_.stop();
    server_.start(server_.port());
  }
  Status status = Status::unavailable("");
  for (int i = 0; i < 50 && seen_.size() < 2000; ++i) {
    status = read_all(*opened.reader, seen_, next_, 2000);
    ASSERT_TRUE(status.ok() || status.retryable()) << status.message();
    Clock::real().sleep(std::chrono::milliseconds(100));
  }
  EXPECT_EQ(payloads(seen_), texts(0, 2000));
  Publisher after(server_.url());

  EXPECT_EQ(messages(after), 1500);
  ASSERT_TRUE(opened.reader->acknowledge(2001).ok());
  // All had arrived before the consumer went: acknowledged to nobody. A new one brings it again.
  ASSERT_TRUE(read_all(*opened.reader, seen_, next_, 2001, std::chrono::seconds(1)).ok());
  EXPECT_EQ(seen_.size(), 2000u);
  EXPECT_LEFT(after, 0);
}

TEST_P(Retention, OptionsThatWouldLoseMessagesAreRefused) {
  publisher_.add_stream("ORDERS", {"orders.>"}, GetParam());
  const std::string word = queue() ? "workqueue" : "interest";
  EXPECT_SAYS(read_once(options({{"ack", "none"}})).status, Code::invalid, word);
  EXPECT_SAYS(
      connector("nats").probe(context_for("nats", options({{"ack", "none"}, {"stream", "ORDERS"}}), table())),
      Code::invalid, word);
  EXPECT_TRUE(connector("nats").probe(context_for("nats", options({{"stream", "ORDERS"}}), table())).ok());
  const Status late = read_once(options({{"scan.startup.mode", "latest-offset"}})).status;
  EXPECT_EQ(late.code(), queue() ? Code::invalid : Code::ok) << late.message();
}

TEST(NatsWorkQueue, AnotherConsumerIsNamed) {
  Server server;
  Publisher publisher(server.url());
  publisher.add_stream("ORDERS", {"orders.>"}, js_WorkQueuePolicy);
  Opened opened = open_source({{"url", server.url()}, {"durable", "theirs"}}, {}, false);
  ASSERT_TRUE(opened.status.ok());
  const Status whole = open_source({{"url", server.url()}, {"durable", "mine"}}).status;
  EXPECT_SAYS(whole, Code::invalid, "theirs");
  const Status part =
      open_source({{"url", server.url()}, {"durable", "mine"}, {"subject", "orders.a"}}).status;
  EXPECT_SAYS(part, Code::invalid, "one consumer only");
}

// Delivery goes on while commits are far apart: the default bound of a consumer is 1000 open messages.
TEST(NatsWorkQueue, DeliveryDoesNotStallBetweenCommits) {
  Server server;
  Publisher publisher(server.url());
  publisher.add_stream("ORDERS", {"orders.>"}, js_WorkQueuePolicy);
  publisher.publish_many("orders.a", 0, 30'000);
  const Read read = read_once({{"url", server.url()}});
  ASSERT_TRUE(read.status.ok()) << read.status.message();
  EXPECT_EQ(read.events.size(), 30'000u);
  EXPECT_EQ(messages(publisher), 30'000);
}

TEST(NatsInterest, TheConsumerStaysAndHoldsTheMessages) {
  Server server;
  Publisher publisher(server.url());
  publisher.add_stream("ORDERS", {"orders.>"}, js_InterestPolicy);
  const Values options = {{"url", server.url()}};
  int64_t stored = 1;
  int published = 0;
  for (int round = 0; round < 5; ++round) {
    Opened opened = open_source(options, stored, false);
    ASSERT_TRUE(opened.status.ok()) << opened.status.message();
    EXPECT_EQ(publisher.consumers("ORDERS").size(), 1u) << "the former one must go";
    publisher.publish_many("orders.a", published, published + 10);
    published += 10;
    std::vector<SeenEvent> seen;
    int64_t next = -1;
    ASSERT_TRUE(read_all(*opened.reader, seen, next, 10).ok());
    ASSERT_TRUE(opened.reader->acknowledge(next).ok());
    stored = next;
    opened.reader.reset();
    publisher.publish_many("orders.a", published, published + 10);
    published += 10;
    Opened later = open_source(options, stored, false);
    ASSERT_TRUE(read_all(*later.reader, seen, next, 20).ok());
    ASSERT_EQ(seen.size(), 20u) << "what came while nobody ran is gone";
    ASSERT_TRUE(later.reader->acknowledge(next).ok());
    stored = next;
  }
  EXPECT_LEFT(publisher, 0);
}

// Partitions are opened one after the other, by whichever worker; their messages must not wait for that.
TEST(NatsInterest, EveryPartitionIsHeldFromTheStart) {
  Server server;
  Publisher publisher(server.url());
  publisher.add_stream("ORDERS", {"orders.>"}, js_InterestPolicy);
  const Values options = {{"url", server.url()}, {"scan.partitions", "orders.{0..2}"}};
  Opened first = open_source(options, {}, false, 0);
  ASSERT_TRUE(first.status.ok()) << first.status.message();
  for (const char* subject : {"orders.0", "orders.1", "orders.2"}) publisher.publish(subject, "x");
  for (size_t partition = 0; partition < 3; ++partition)
    EXPECT_EQ(read_once(options, {}, partition).events.size(), 1u) << partition;
}

// A crash between making the second consumer and deleting the first leaves two.
TEST(NatsInterest, TwoConsumersAfterACrashBecomeOneWithoutLoss) {
  Server server;
  Publisher publisher(server.url());
  publisher.add_stream("ORDERS", {"orders.>"}, js_InterestPolicy);
  const Values options = {{"url", server.url()}, {"durable", "mine"}};
  ASSERT_TRUE(open_source(options, {}, false).status.ok());
  ASSERT_EQ(publisher.consumers("ORDERS"), Texts{"mine-alt"});
  publisher.add_consumer("ORDERS", "mine");
  publisher.publish_many("orders.a", 0, 100);
  const Read read = read_once(options, 51);
  ASSERT_TRUE(read.status.ok()) << read.status.message();
  EXPECT_EQ(read.events.size(), 50u);
  EXPECT_EQ(publisher.consumers("ORDERS"), Texts{"mine-alt"});
  EXPECT_LEFT(publisher, 50);
}

}  // namespace
}  // namespace weir
