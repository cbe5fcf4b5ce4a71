#include "sources/kafka/kafka_source.h"

#include <atomic>
#include <thread>

#include "sources/kafka/mock_cluster_test.h"
#include "sources/kafka/partition_id.h"
#include "sources/test_support.h"

namespace weir {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Texts = std::vector<std::string>;
using Written = std::map<std::string, std::string>;

class KafkaSourceTest : public ::testing::Test {
 protected:
  std::unique_ptr<Source> make(Written written, bool once = true) {
    written.emplace("properties.bootstrap.servers", cluster_.servers());
    if (written.count("topic-pattern") == 0) written.emplace("topic", "orders");
    auto source = connector("kafka").create(context_for("kafka", written, table_, once));
    EXPECT_TRUE(source.ok()) << source.status().message();
    return source.ok() ? *std::move(source) : nullptr;
  }
  Status refused(Written written) {
    written.emplace("properties.bootstrap.servers", cluster_.servers());
    return connector("kafka").create(context_for("kafka", written, table_)).status();
  }
  // All of one partition from `stored` on.
  std::vector<SeenEvent> read(Source& source, const std::string& partition,
                              std::optional<int64_t> stored = {}) {
    std::vector<SeenEvent> seen;
    auto reader = source.open(partition, stored);
    EXPECT_TRUE(reader.ok()) << reader.status().message();
    if (!reader.ok()) return seen;
    const Status status = read_all(**reader, seen, next_);
    EXPECT_TRUE(status.ok()) << status.message();
    return seen;
  }
  Texts discover(Source& source, const Texts& known = {}) {
    auto ids = source.discover(known);
    EXPECT_TRUE(ids.ok()) << ids.status().message();
    return ids.ok() ? *ids : Texts();
  }

  MockCluster cluster_;
  TableSpec table_;
  int64_t next_ = -1;
};

TEST(KafkaPartitionIdTest, RoundTrips) {
  const auto id = parse_kafka_partition_id("a.b_c-d:AAB_-x/12");
  ASSERT_TRUE(id);
  EXPECT_EQ(id->topic, "a.b_c-d");
  EXPECT_EQ(id->topic_id, "AAB_-x");
  EXPECT_EQ(id->partition, 12);
  EXPECT_EQ(id->text(), "a.b_c-d:AAB_-x/12");
  for (const char* bad : {"", "a", "a:b", "a/1", ":b/1", "a:/1", "a:b/", "a:b/x", "a:b/-1", "a:b/1x"}) {
    EXPECT_FALSE(parse_kafka_partition_id(bad)) << bad;
  }
}

TEST_F(KafkaSourceTest, ReadsAllPartitionsToTheirEnds) {
  cluster_.create_topic("orders", 2);
  cluster_.produce_values("orders", 3, 0);
  cluster_.produce_values("orders", 2, 1, 10);
  auto source = make({});
  const Texts ids = discover(*source);
  ASSERT_EQ(ids.size(), 2u);
  EXPECT_EQ(ids[0].rfind("orders:", 0), 0u) << ids[0];
  EXPECT_EQ(ids[0].substr(ids[0].size() - 2), "/0");
  EXPECT_EQ(payloads(read(*source, ids[0])), (Texts{"v0", "v1", "v2"}));
  EXPECT_EQ(next_, 3);
  EXPECT_EQ(payloads(read(*source, ids[1])), (Texts{"v10", "v11"}));
  EXPECT_EQ(payloads(read(*source, ids[0], 2)), (Texts{"v2"}));
  EXPECT_EQ(payloads(read(*source, ids[0], 3)), Texts());
  EXPECT_FALSE(source->may_grow());
  EXPECT_FALSE(source->bounded());
}

TEST_F(KafkaSourceTest, ABoundedSourceEndsWhereThePartitionsEndedWhenTheyWereOpened) {
  cluster_.create_topic("orders", 1);
  cluster_.produce_values("orders", 3, 0);
  auto source = make({{"scan.bounded.mode", "latest-offset"}}, false);
  EXPECT_TRUE(source->bounded());
  EXPECT_FALSE(source->may_grow());
  EXPECT_EQ(payloads(read(*source, discover(*source).at(0))), (Texts{"v0", "v1", "v2"}));
  EXPECT_TRUE(make({}, false)->may_grow());
  const Status grouped =
      refused({{"topic", "orders"}, {"scan.bounded.mode", "latest-offset"}, {"properties.group.id", "g"}});
  EXPECT_NE(grouped.message().find("'scan.bounded.mode'"), std::string::npos) << grouped.message();
}

TEST_F(KafkaSourceTest, EventsCarryKeyHeadersTopicAndTime) {
  cluster_.create_topic("orders", 1);
  MockRecord full;
  full.value = "one";
  full.key = "k";
  full.headers = {{"a", "1"}, {"a", "2"}, {"none", std::nullopt}, {"bytes", "\xff\x01"}, {"empty", ""}};
  full.timestamp_ms = 1'700'000'000'123;
  MockRecord empty;
  empty.value = "";
  empty.key = "";
  MockRecord tombstone;
  tombstone.key = "k";
  cluster_.produce("orders", {full, empty, tombstone});
  auto source = make({});
  auto reader = source->open(discover(*source)[0], std::nullopt);
  ASSERT_TRUE(reader.ok()) << reader.status().message();
  std::vector<Event> events;
  std::vector<EventBatch> batches;
  while (batches.empty() || !batches.back().end) {
    auto batch = (*reader)->poll(milliseconds(500));
    ASSERT_TRUE(batch.ok()) << batch.status().message();
    batches.push_back(*std::move(batch));
    for (const Event& event : batches.back().events) events.push_back(event);
  }
  ASSERT_EQ(events.size(), 3u);
  ASSERT_EQ(batches[0].events.size(), 3u);
  const EventBatch& batch = batches[0];
  EXPECT_EQ(batch.view(events[0].subject), "orders");
  EXPECT_EQ(batch.view(events[0].key), "k");
  EXPECT_EQ(batch.view(events[0].headers), R"({"a":"2","bytes":"base64:/wE=","empty":"","none":null})");
  EXPECT_EQ(events[0].timestamp_us, 1'700'000'000'123'000);
  EXPECT_EQ(events[1].payload.size, 0);
  EXPECT_EQ(events[1].key.size, 0);
  EXPECT_EQ(events[2].payload.size, -1) << "a tombstone has no payload";
  EXPECT_GT(batch.received_us, 0);
}

TEST_F(KafkaSourceTest, TombstonesCanBeSkipped) {
  cluster_.create_topic("orders", 1);
  MockRecord tombstone;
  tombstone.key = "k";
  MockRecord value;
  value.value = "x";
  cluster_.produce("orders", {tombstone, value, tombstone});
  auto source = make({{"scan.tombstones", "skip"}});
  const std::vector<SeenEvent> seen = read(*source, discover(*source)[0]);
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].offset, 1);
  EXPECT_EQ(next_, 3) << "positions move over what is skipped";
}

TEST_F(KafkaSourceTest, StartsWhereItIsTold) {
  cluster_.create_topic("orders", 1);
  cluster_.produce_values("orders", 5);
  auto latest = make({{"scan.startup.mode", "latest-offset"}});
  const std::string id = discover(*latest)[0];
  EXPECT_EQ(read(*latest, id).size(), 0u);
  EXPECT_EQ(next_, 5);
  auto specific = make(
      {{"scan.startup.mode", "specific-offsets"}, {"scan.startup.specific-offsets", "partition:0,offset:3"}});
  EXPECT_EQ(payloads(read(*specific, discover(*specific)[0])), (Texts{"v3", "v4"}));
  auto other = make(
      {{"scan.startup.mode", "specific-offsets"}, {"scan.startup.specific-offsets", "partition:1,offset:3"}});
  EXPECT_EQ(other->open(discover(*other)[0], std::nullopt).status().code(), Code::invalid);
}

TEST_F(KafkaSourceTest, AStartThatIsNotTheBeginningIsToldAsAnEmptyRange) {
  cluster_.create_topic("orders", 1);
  cluster_.produce_values("orders", 5);
  auto source = make({{"scan.startup.mode", "latest-offset"}}, false);
  auto reader = source->open(discover(*source)[0], std::nullopt);
  ASSERT_TRUE(reader.ok());
  auto first = (*reader)->poll(milliseconds(10));
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->from, 4);
  EXPECT_EQ(first->next, 5);
  EXPECT_TRUE(first->events.empty());
}

TEST_F(KafkaSourceTest, AStartOnAnEmptyPartitionIsToldToo) {
  cluster_.create_topic("orders", 1);
  cluster_.create_topic("full", 1);
  cluster_.produce_values("full", 2);
  const std::vector<Written> starts = {
      {{"scan.startup.mode", "latest-offset"}},
      {{"scan.startup.mode", "timestamp"}, {"scan.startup.timestamp-millis", "1"}},
      {{"scan.startup.mode", "specific-offsets"}, {"scan.startup.specific-offsets", "partition:0,offset:0"}}};
  for (const Written& written : starts) {
    auto source = make(written, false);
    auto reader = source->open(discover(*source)[0], std::nullopt);
    ASSERT_TRUE(reader.ok()) << reader.status().message();
    auto first = (*reader)->poll(milliseconds(10));
    ASSERT_TRUE(first.ok()) << first.status().message();
    EXPECT_LT(first->from, 0) << "an empty range is no progress, and would not be kept";
    EXPECT_EQ(first->next, 0);
    EXPECT_TRUE(first->events.empty());
    auto second = (*reader)->poll(milliseconds(10));
    ASSERT_TRUE(second.ok());
    EXPECT_EQ(second->from, 0);
    EXPECT_EQ(second->next, 0);
  }
  auto earliest = make({{"topic", "full"}}, false);
  auto reader = earliest->open(discover(*earliest)[0], std::nullopt);
  ASSERT_TRUE(reader.ok());
  auto first = (*reader)->poll(seconds(10));
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->from, 0) << "the beginning needs no position";
}

TEST_F(KafkaSourceTest, APartitionWithoutAPositionBeginsAtItsBeginningOnceOthersHaveOne) {
  cluster_.create_topic("orders", 2);
  cluster_.produce_values("orders", 2, 0);
  cluster_.produce_values("orders", 2, 1);
  auto source = make({{"scan.startup.mode", "latest-offset"}});
  const Texts ids = discover(*source);
  auto again = make({{"scan.startup.mode", "latest-offset"}});
  discover(*again, {ids[0]});
  EXPECT_EQ(read(*again, ids[1]).size(), 2u);
}

TEST_F(KafkaSourceTest, PositionsThatDoNotFitTheClusterAreRefused) {
  cluster_.create_topic("orders", 1);
  cluster_.create_topic("other", 1);
  cluster_.produce_values("orders", 2);
  auto source = make({});
  const std::string id = discover(*source)[0];
  const auto refuse = [&](const std::string& known) {
    auto ids = make({})->discover({known});
    EXPECT_FALSE(ids.ok()) << known;
    EXPECT_EQ(ids.status().code(), Code::invalid);
    return ids.status().message();
  };
  EXPECT_NE(refuse("orders:AAAAAAAAAAAAAAAAAAAAAA/0").find("deleted and created again"), std::string::npos);
  EXPECT_NE(refuse(id.substr(0, id.size() - 1) + "7").find("partition 7"), std::string::npos);
  EXPECT_NE(refuse("gone:AAAAAAAAAAAAAAAAAAAAAA/0").find("does not exist any more"), std::string::npos);
  auto other = make({{"topic", "other"}});
  const std::string other_id = discover(*other)[0];
  EXPECT_NE(refuse(other_id).find("no longer among its topics"), std::string::npos);
  auto above = source->open(id, 9);
  ASSERT_FALSE(above.ok());
  EXPECT_EQ(above.status().code(), Code::invalid);
  EXPECT_NE(above.status().message().find("above the log's end, 2"), std::string::npos)
      << above.status().message();
}

TEST_F(KafkaSourceTest, TopicsByListAndPattern) {
  for (const char* name : {"eu.orders", "us.orders", "us.orders.dlq", "__us.orders"})
    cluster_.create_topic(name, 1);
  const auto topics = [&](Written written) {
    auto source = make(std::move(written));
    Texts names;
    for (const std::string& id : discover(*source)) names.push_back(id.substr(0, id.find(':')));
    return names;
  };
  EXPECT_EQ(topics({{"topic-pattern", "(eu|us)\\.orders"}}), (Texts{"eu.orders", "us.orders"}));
  EXPECT_EQ(topics({{"topic-pattern", ".*orders"}}), (Texts{"eu.orders", "us.orders"}));
  EXPECT_EQ(topics({{"topic", "us.orders; eu.orders"}}), (Texts{"us.orders", "eu.orders"}));
  auto missing = make({{"topic", "eu.order"}})->discover({});
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.status().code(), Code::not_found);
  EXPECT_NE(missing.status().message().find("eu.orders"), std::string::npos) << missing.status().message();
}

TEST_F(KafkaSourceTest, PartitionsCanBeChosen) {
  cluster_.create_topic("orders", 3);
  auto source = make({{"scan.partitions", "2, 0"}}, false);
  const Texts ids = discover(*source);
  ASSERT_EQ(ids.size(), 2u);
  EXPECT_EQ(ids[1].back(), '2');
  EXPECT_FALSE(source->may_grow());
  auto beyond = make({{"scan.partitions", "3"}})->discover({});
  EXPECT_EQ(beyond.status().code(), Code::invalid);
}

TEST_F(KafkaSourceTest, OptionsThatCannotBeMeantAreRefused) {
  const auto words = [&](Written written) {
    const Status status = refused(std::move(written));
    EXPECT_EQ(status.code(), Code::invalid);
    return status.message();
  };
  EXPECT_NE(words({}).find("'topic-pattern'"), std::string::npos);
  EXPECT_NE(words({{"topic", "a"}, {"topic-pattern", "b"}}).find("exactly one"), std::string::npos);
  EXPECT_NE(words({{"topic-pattern", "("}}).find("regular expression"), std::string::npos);
  EXPECT_NE(words({{"topic", "a"}, {"scan.partitions", "x"}}).find("'0,2'"), std::string::npos);
  EXPECT_NE(words({{"topic", "a"}, {"scan.partitions", "0"}, {"properties.group.id", "g"}}).find("exclude"),
            std::string::npos);
  EXPECT_NE(words({{"topic", "a"}, {"scan.startup.mode", "specific-offsets"}}).find("specific-offsets"),
            std::string::npos);
  EXPECT_NE(words({{"topic", "a"},
                   {"scan.startup.mode", "specific-offsets"},
                   {"scan.startup.specific-offsets", "partition:0;offset:1"}})
                .find("expected 'partition:0,offset:42"),
            std::string::npos);
  EXPECT_NE(words({{"topic", "a"}, {"scan.startup.mode", "timestamp"}}).find("timestamp-millis"),
            std::string::npos);
  EXPECT_NE(words({{"topic", "a"}, {"scan.startup.mode", "group-offsets"}}).find("group.id"),
            std::string::npos);
  EXPECT_NE(words({{"topic", "a"}, {"properties.auto.offset.reset", "earliest"}}).find("scan.startup.mode"),
            std::string::npos);
  EXPECT_NE(words({{"topic", "a"}, {"properties.sasl.jaas.config", "x"}}).find("sasl.username"),
            std::string::npos);
  EXPECT_NE(words({{"topic", "a"}, {"properties.fetch.min.byte", "1"}}).find("fetch.min.bytes"),
            std::string::npos);
}

TEST_F(KafkaSourceTest, NoMessageRepeatsASecret) {
  const Status status = refused({{"topic", "a"},
                                 {"properties.security.protocol", "SSL"},
                                 {"properties.ssl.key.pem", "hunter2"},
                                 {"properties.ssl.certificate.pem", "x"}});
  EXPECT_EQ(status.message().find("hunter2"), std::string::npos);
  for (const OptionSpec& spec : connector("kafka").options) {
    if (spec.name == "properties.sasl.password" || spec.name == "properties.ssl.key.password") {
      EXPECT_TRUE(spec.secret) << spec.name;
    }
  }
}

TEST_F(KafkaSourceTest, ABrokerThatIsAwayIsUnavailable) {
  cluster_.create_topic("orders", 1);
  auto nobody = make({{"properties.bootstrap.servers", "127.0.0.1:1"}, {"connect.timeout", "2 s"}});
  EXPECT_EQ(nobody->discover({}).status().code(), Code::unavailable);
  Written written = {
      {"properties.bootstrap.servers", "127.0.0.1:1"}, {"topic", "orders"}, {"connect.timeout", "2 s"}};
  EXPECT_EQ(connector("kafka").probe(context_for("kafka", written, table_)).code(), Code::unavailable);
}

TEST_F(KafkaSourceTest, GoesOnByItselfWhenTheBrokerComesBack) {
  cluster_.create_topic("orders", 1);
  cluster_.produce_values("orders", 2);
  auto source = make({{"properties.reconnect.backoff.max.ms", "100"}}, false);
  auto reader = source->open(discover(*source)[0], std::nullopt);
  ASSERT_TRUE(reader.ok());
  std::vector<SeenEvent> seen;
  int64_t next = 0;
  ASSERT_TRUE(read_all(**reader, seen, next, 2).ok());
  cluster_.go_down();
  Status away;
  for (int i = 0; i < 100 && away.ok(); ++i) away = (*reader)->poll(milliseconds(100)).status();
  EXPECT_EQ(away.code(), Code::unavailable) << away.message();
  cluster_.come_up();
  cluster_.produce_values("orders", 1, 0, 2);
  for (int i = 0; i < 100 && seen.size() < 3; ++i) {
    auto batch = (*reader)->poll(milliseconds(100));
    if (!batch.ok()) continue;
    for (size_t k = 0; k < batch->events.size(); ++k)
      seen.push_back({2, std::string(batch->payload(k)), "", "", 0});
  }
  EXPECT_EQ(payloads(seen), (Texts{"v0", "v1", "v2"}));
}

TEST_F(KafkaSourceTest, DiscoversAndOpensByDifferentThreadsWhileTheBrokerIsAway) {
  cluster_.create_topic("orders", 4);
  for (int32_t partition = 0; partition < 4; ++partition) cluster_.produce_values("orders", 1, partition);
  auto source = make({{"scan.startup.mode", "timestamp"},
                      {"scan.startup.timestamp-millis", "1"},
                      {"connect.timeout", "100 ms"},
                      {"properties.reconnect.backoff.max.ms", "100"}},
                     false);
  Result<Texts> ids = Status::unavailable("");
  for (int i = 0; i < 100 && !ids.ok(); ++i) ids = source->discover({});
  ASSERT_TRUE(ids.ok()) << ids.status().message();
  cluster_.go_down();
  std::atomic<int> wrong{0};
  std::vector<std::thread> openers;
  for (const std::string& id : *ids) {
    openers.emplace_back([&] {
      for (int i = 0; i < 20; ++i) {
        if (source->open(id, std::nullopt).status().code() != Code::unavailable) ++wrong;
      }
    });
  }
  for (int i = 0; i < 20; ++i) {
    if (source->discover({ids->front()}).status().code() != Code::unavailable) ++wrong;
  }
  for (std::thread& opener : openers) opener.join();
  EXPECT_EQ(wrong, 0);
  cluster_.come_up();
  Result<std::unique_ptr<PartitionReader>> reader = Status::unavailable("");
  for (int i = 0; i < 100 && !reader.ok(); ++i) reader = source->open(ids->front(), 0);
  ASSERT_TRUE(reader.ok()) << reader.status().message();
  std::vector<SeenEvent> seen;
  ASSERT_TRUE(read_all(**reader, seen, next_, 1).ok());
  EXPECT_EQ(payloads(seen), Texts{"v0"});
}

TEST_F(KafkaSourceTest, BatchesAreBoundedInRowsAndBytes) {
  cluster_.create_topic("orders", 64);
  std::vector<MockRecord> records(30);
  for (MockRecord& record : records) record.value = std::string(50'000, 'x');
  cluster_.produce("orders", records);
  Written written = {{"properties.bootstrap.servers", cluster_.servers()}, {"topic", "orders"}};
  SourceContext context = context_for("kafka", written, table_);
  context.batch_rows = 7;
  auto source = connector("kafka").create(context);
  ASSERT_TRUE(source.ok());
  auto reader = (*source)->open(discover(**source)[0], std::nullopt);
  ASSERT_TRUE(reader.ok());
  size_t events = 0;
  for (int i = 0; i < 200 && events < 30; ++i) {
    auto batch = (*reader)->poll(milliseconds(200));
    ASSERT_TRUE(batch.ok());
    size_t bytes = 0;
    for (const Event& event : batch->events) bytes += static_cast<size_t>(event.payload.size);
    EXPECT_LE(batch->events.size(), 7u);
    EXPECT_LE(bytes, 256u << 10);
    events += batch->events.size();
  }
  EXPECT_EQ(events, 30u);
}

}  // namespace
}  // namespace weir
