#include "sources/nats/nats_source.h"

#include <nlohmann/json.hpp>
#include <thread>

#include "clients/nats_connection.h"
#include "clients/nkey.h"
#include "sources/nats/ack_subject.h"
#include "sources/nats/nats_test_support.h"
#include "sources/nats/subject_filter.h"

namespace weir {
namespace {

TEST(NatsParts, AckSubjects) {
  const auto parsed = parse_ack_subject("$JS.ACK.ORDERS.weir.1.42.7.1732195463000000001.9");
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->stream_sequence, 42);
  EXPECT_EQ(parsed->consumer_sequence, 7);
  EXPECT_EQ(parsed->timestamp_ns, 1732195463000000001);
  EXPECT_EQ(parsed->pending, 9);
  const auto longer = parse_ack_subject("$JS.ACK.hub.acc.ORDERS.weir.1.42.7.1732195463000000001.9.random");
  ASSERT_TRUE(longer.has_value());
  EXPECT_EQ(longer->stream_sequence, 42);
  EXPECT_EQ(longer->pending, 9);
  EXPECT_FALSE(parse_ack_subject("_INBOX.abc").has_value());
  EXPECT_FALSE(parse_ack_subject("$JS.ACK.ORDERS.weir.1.x.7.1.9").has_value());
  EXPECT_FALSE(parse_ack_subject("$JS.ACK.ORDERS.weir.1.2").has_value());
}

TEST(NatsParts, SubjectFilters) {
  EXPECT_TRUE(filters_overlap("a.>", "a.b"));
  EXPECT_TRUE(filters_overlap("a.*.c", "a.b.*"));
  EXPECT_TRUE(filters_overlap(">", "x"));
  EXPECT_FALSE(filters_overlap("a.>", "a"));
  EXPECT_FALSE(filters_overlap("a.*", "a.b.c"));
  EXPECT_FALSE(filters_overlap("a.x.>", "a.y.>"));
  EXPECT_EQ(*parse_partition_filters("a.> , b.*;c"), (Texts{"a.>", "b.*", "c"}));
  EXPECT_SAYS(parse_partition_filters("a.>,a.b").status(), Code::invalid, "overlap");
  EXPECT_SAYS(parse_partition_filters("a..b").status(), Code::invalid, "'a..b'");
  EXPECT_EQ(*parse_partition_filters("a.{0..2}.>; b"), (Texts{"a.0.>", "a.1.>", "a.2.>", "b"}));
  EXPECT_EQ(*parse_partition_filters("a.{08..10}"), (Texts{"a.08", "a.09", "a.10"}));
  EXPECT_EQ(*parse_partition_filters("{0..1}.{0..1}"), (Texts{"0.0", "0.1", "1.0", "1.1"}));
  EXPECT_EQ(parse_partition_filters("a.{0..1023}")->size(), 1024u);
  EXPECT_SAYS(parse_partition_filters("a.{0..1024}").status(), Code::invalid, "more than 1024");
  EXPECT_SAYS(parse_partition_filters("a.{0..99999}.{0..99999}").status(), Code::invalid, "more than 1024");
  EXPECT_SAYS(parse_partition_filters("a.{0..7}, a.3").status(), Code::invalid, "overlap");
  for (const char* wrong :
       {"a.{7..0}", "a.{0..}", "a.{0,1}", "a.{0..7", "a.{x..y}", "a.{-1..2}", "a.0..7}"}) {
    EXPECT_EQ(parse_partition_filters(wrong).status().code(), Code::invalid) << wrong;
  }
}

TEST(NatsParts, NkeysAndAddresses) {
  // The example of NATS's own documentation.
  EXPECT_EQ(*nkey_public_key("SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"),
            "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4");
  EXPECT_EQ(nkey_public_key("SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3WY").status().code(),
            Code::invalid);
  EXPECT_EQ(nkey_seed("/no/such/file").status().code(), Code::invalid);
  EXPECT_EQ(without_user_info("nats://me:secret@host:4222"), "nats://host:4222");
}

TEST(NatsSource, ReadsAStreamOnceWithSubjectsHeadersAndTimes) {
  Server server;
  Publisher publisher(server.url());
  publisher.add_stream("ORDERS", {"orders.>"});
  publisher.publish("orders.de", "one");
  publisher.publish_with_header("orders.fr", "two");
  publisher.publish("orders.fr", "");
  const Read read = read_once({{"url", server.url()}});
  ASSERT_TRUE(read.status.ok()) << read.status.message();
  EXPECT_EQ(payloads(read.events), (Texts{"one", "two", ""}));
  EXPECT_EQ(read.events[0].subject, "orders.de");
  EXPECT_EQ(read.events[2].subject, "orders.fr");
  EXPECT_EQ(read.events[0].headers, "");
  EXPECT_EQ(nlohmann::json::parse(read.events[1].headers)["Trace"], "a\"b");
  EXPECT_EQ(read.events[0].offset, 1);
  EXPECT_EQ(read.next, 4);
  EXPECT_NEAR(static_cast<double>(read.events[0].timestamp_us), static_cast<double>(Clock::real().now_us()),
              60e6);
}

TEST(NatsSource, ResumesAtEveryPositionAndBatchSize) {
  Server server;
  Publisher publisher(server.url());
  publisher.add_stream("ORDERS", {"orders"});
  publisher.publish_many("orders", 0, 5000);
  const Read all = read_once({{"url", server.url()}, {"fetch.batch", "64"}});
  ASSERT_EQ(all.events.size(), 5000u) << all.status.message();
  EXPECT_EQ(all.next, 5001);
  for (const int64_t from : {1, 2, 1000, 5000, 5001}) {
    const Read read = read_once({{"url", server.url()}}, from, 0, 777);
    ASSERT_TRUE(read.status.ok()) << read.status.message();
    EXPECT_TRUE(read.events == std::vector<SeenEvent>(all.events.begin() + (from - 1), all.events.end()))
        << from;
    EXPECT_EQ(read.next, 5001);
  }
}

TEST(NatsSource, StartupModes) {
  Server server;
  Publisher publisher(server.url());
  publisher.add_stream("ORDERS", {"orders"});
  publisher.publish("orders", "a");
  Clock::real().sleep(std::chrono::milliseconds(30));
  // nats.c 3.4 writes a time's fraction without its leading zeros.
  while (Clock::real().now_us() / 1000 % 1000 > 90) Clock::real().sleep(std::chrono::milliseconds(5));
  const int64_t between_ms = Clock::real().now_us() / 1000;
  Clock::real().sleep(std::chrono::milliseconds(30));
  publisher.publish("orders", "b");
  publisher.publish("orders", "c");
  const std::string url = server.url();
  const Read later = read_once({{"url", url},
                                {"scan.startup.mode", "timestamp"},
                                {"scan.startup.timestamp-millis", std::to_string(between_ms)}});
  EXPECT_TRUE(later.status.ok()) << later.status.message();
  EXPECT_EQ(payloads(later.events), (Texts{"b", "c"})) << later.next;
  EXPECT_EQ(payloads(read_once({{"url", url},
                                {"scan.startup.mode", "specific-offset"},
                                {"scan.startup.specific-offset", "3"}})
                         .events),
            (Texts{"c"}));
  EXPECT_EQ(payloads(read_once({{"url", url}, {"scan.startup.mode", "latest-offset"}}).events), Texts{});
  EXPECT_SAYS(
      read_once(
          {{"url", url}, {"scan.startup.mode", "specific-offset"}, {"scan.startup.specific-offset", "9"}})
          .status,
      Code::invalid, "holds 1 to 3");
  Opened latest = open_source({{"url", url}, {"scan.startup.mode", "latest-offset"}}, {}, false);
  publisher.publish("orders", "d");
  std::vector<SeenEvent> seen;
  int64_t next = -1;
  ASSERT_TRUE(read_all(*latest.reader, seen, next, 1).ok());
  EXPECT_EQ(payloads(seen), (Texts{"d"}));
}

TEST(NatsSource, PartitionsAreSubjectFilters) {
  Server server;
  Publisher publisher(server.url());
  publisher.add_stream("ORDERS", {"orders.>"});
  for (int i = 0; i < 10; ++i) publisher.publish(i % 2 == 0 ? "orders.a" : "orders.b", std::to_string(i));
  publisher.publish("orders.c", "nobody's");
  const Values options = {{"url", server.url()}, {"scan.partitions", "orders.a, orders.b; orders.none"}};
  EXPECT_EQ(payloads(read_once(options, {}, 0).events), (Texts{"0", "2", "4", "6", "8"}));
  EXPECT_EQ(payloads(read_once(options, {}, 1).events), (Texts{"1", "3", "5", "7", "9"}));
  const Read none = read_once(options, {}, 2);
  EXPECT_TRUE(none.events.empty());
  EXPECT_EQ(none.next, 12);
  EXPECT_EQ(payloads(read_once({{"url", server.url()}, {"subject", "orders.c"}}).events),
            (Texts{"nobody's"}));
  Opened opened = open_source(options);
  EXPECT_EQ(opened.ids.size(), 3u);
  EXPECT_NE(opened.ids[0].find("/orders.a"), std::string::npos);
}

TEST(NatsSource, OnceEndsWhenTheLastMessagesAreDeletedAndIgnoresLaterOnes) {
  Server server;
  Publisher publisher(server.url());
  publisher.add_stream("ORDERS", {"orders"});
  publisher.publish_many("orders", 0, 10);
  publisher.delete_message("ORDERS", 4);
  publisher.delete_message("ORDERS", 9);
  publisher.delete_message("ORDERS", 10);
  EXPECT_EQ(read_once({{"url", server.url()}}).events.size(), 7u);
  EXPECT_EQ(read_once({{"url", server.url()}}).next, 11);

  Opened opened = open_source({{"url", server.url()}});
  publisher.delete_message("ORDERS", 8);
  publisher.publish_many("orders", 10, 20);
  std::vector<SeenEvent> seen;
  int64_t next = -1;
  ASSERT_TRUE(read_all(*opened.reader, seen, next).ok());
  EXPECT_EQ(seen.back().payload, "m6");
  EXPECT_EQ(next, 11);
}

TEST(NatsSource, PositionsThatAreGoneOrAheadAreRefused) {
  Server server;
  Publisher publisher(server.url());
  publisher.add_stream("ORDERS", {"orders"});
  publisher.publish_many("orders", 0, 10);
  EXPECT_SAYS(read_once({{"url", server.url()}}, 12).status, Code::invalid, "ends at sequence 10");
  publisher.purge_up_to("ORDERS", 6);
  const Read gone = read_once({{"url", server.url()}}, 3);
  EXPECT_SAYS(gone.status, Code::invalid, "begins at sequence 6");
  EXPECT_SAYS(gone.status, Code::invalid, "position is 3");
  EXPECT_EQ(read_once({{"url", server.url()}, {"scan.on-gap", "continue"}}, 3).events.size(), 5u);
  EXPECT_EQ(read_once({{"url", server.url()}}, 6).events.size(), 5u);
  publisher.purge("ORDERS");
  EXPECT_TRUE(read_once({{"url", server.url()}}, 11).status.ok());
  EXPECT_SAYS(read_once({{"url", server.url()}}, 10).status, Code::invalid, "begins at sequence 11");
}

TEST(NatsSource, LimitsThatOvertakeARunningReaderAreNoticed) {
  Server server;
  Publisher publisher(server.url());
  publisher.add_stream("ORDERS", {"orders"});
  publisher.publish_many("orders", 0, 5);
  Opened opened = open_source({{"url", server.url()}}, {}, false);
  std::vector<SeenEvent> seen;
  int64_t next = -1;
  ASSERT_TRUE(read_all(*opened.reader, seen, next, 5).ok());
  opened.reader.reset();
  // Not asked for yet: purged before the next request could see them.
  Opened second = open_source({{"url", server.url()}}, 6, false);
  publisher.publish_many("orders", 5, 10);
  publisher.purge("ORDERS");
  publisher.publish("orders", "after");
  EXPECT_SAYS(read_all(*second.reader, seen, next, 6), Code::invalid, "begins at sequence 11");
}

TEST(NatsSource, RemovalAheadOfAFilteredReaderIsNoticed) {
  Server server;
  Publisher publisher(server.url());
  publisher.add_stream("ORDERS", {"orders.>"});
  publisher.publish_many("orders.a", 0, 5);
  for (const char* option : {"subject", "scan.partitions"}) {
    for (const bool another : {true, false}) {
      SCOPED_TRACE(std::string(option) + (another ? ", one comes after" : ", none comes after"));
      publisher.purge("ORDERS");
      const int64_t at = publisher.last_sequence("ORDERS") + 1;
      const Values options = {{"url", server.url()}, {option, "orders.a"}};
      Values accepting = options;
      accepting["scan.on-gap"] = "continue";
      accepting["durable"] = "other";
      // Nothing is asked for before the first poll.
      Opened failing = open_source(options, at, false);
      Opened going_on = open_source(accepting, at, false);
      publisher.publish_many("orders.a", 5, 8);
      publisher.purge("ORDERS");
      if (another) publisher.publish("orders.a", "after");
      std::vector<SeenEvent> seen;
      int64_t next = -1;
      EXPECT_SAYS(read_all(*failing.reader, seen, next, 1, std::chrono::seconds(2)), Code::invalid,
                  "begins at sequence " + std::to_string(at + 3));
      EXPECT_TRUE(seen.empty());
      ASSERT_TRUE(read_all(*going_on.reader, seen, next, 1, std::chrono::seconds(1)).ok());
      EXPECT_EQ(payloads(seen), another ? Texts{"after"} : Texts{});
      EXPECT_EQ(next, at + (another ? 4 : 3));
    }
  }
}

TEST(NatsSource, AnIdleFilteredReaderFollowsTheStream) {
  Server server;
  Publisher publisher(server.url());
  publisher.add_stream("ORDERS", {"orders.>"});
  const Values options = {{"url", server.url()}, {"subject", "orders.rare"}};
  publisher.publish("orders.rare", "first");
  publisher.publish_many("orders.other", 0, 100);
  Opened opened = open_source(options, {}, false);
  std::vector<SeenEvent> seen;
  int64_t next = -1;
  ASSERT_TRUE(read_all(*opened.reader, seen, next, 2, std::chrono::seconds(1)).ok());
  EXPECT_EQ(payloads(seen), Texts{"first"});
  EXPECT_EQ(next, 102) << "the position did not follow";
  ASSERT_TRUE(read_all(*opened.reader, seen, next, 2, std::chrono::seconds(1)).ok());
  EXPECT_EQ(next, 102);

  // Neither a running reader nor a later start misses what was never for it.
  publisher.purge_up_to("ORDERS", 90);
  publisher.publish_many("orders.other", 100, 120);
  ASSERT_TRUE(read_all(*opened.reader, seen, next, 2, std::chrono::seconds(4)).ok());
  EXPECT_EQ(next, 122);
  publisher.publish("orders.rare", "second");
  ASSERT_TRUE(read_all(*opened.reader, seen, next, 2).ok());
  EXPECT_EQ(payloads(seen), (Texts{"first", "second"}));
  EXPECT_EQ(seen.back().offset, 122);
  EXPECT_EQ(payloads(read_once(options, 102).events), Texts{"second"});
}

TEST(NatsSource, FollowingTheStreamLosesNothingWhileOthersPublish) {
  Server server;
  Publisher publisher(server.url());
  publisher.add_stream("ORDERS", {"orders.>"});
  std::vector<SeenEvent> seen;
  int64_t next = -1;
  Texts expected;
  for (int round = 0; round < 60; ++round) {
    // A new reader looks at once: here right among what is being published.
    std::optional<int64_t> stored;
    if (next >= 0) stored = next;
    Opened opened = open_source({{"url", server.url()}, {"subject", "orders.rare"}}, stored, false);
    std::thread publishing([&] {
      Publisher other(server.url());
      other.publish_many("orders.other", 0, 50);
      other.publish("orders.rare", std::to_string(round));
      other.publish_many("orders.other", 0, 50);
    });
    expected.push_back(std::to_string(round));
    int64_t position = stored.value_or(1);
    for (int i = 0; i < 200 && seen.size() < expected.size(); ++i) {
      const Result<EventBatch> batch = opened.reader->poll(std::chrono::milliseconds(i % 3));
      ASSERT_TRUE(batch.ok()) << batch.status().message();
      ASSERT_EQ(batch->from, position);
      position = batch->next;
      for (size_t e = 0; e < batch->events.size(); ++e) {
        seen.push_back({batch->events[e].offset, std::string(batch->payload(e)), "", "", 0});
      }
      if (batch->events.empty()) Clock::real().sleep(std::chrono::milliseconds(1));
    }
    next = position;
    publishing.join();
    ASSERT_EQ(payloads(seen), expected);
  }
}

TEST(NatsSource, OnceDoesNotStepOverWhatWasRemovedDuringTheRun) {
  Server server;
  Publisher publisher(server.url());
  publisher.add_stream("ORDERS", {"orders.>"});
  publisher.publish_many("orders.a", 0, 10);
  const auto run = [&](const Values& more, std::optional<int64_t> stored, bool all) {
    publisher.purge("ORDERS");
    const int64_t at = publisher.last_sequence("ORDERS") + 1;
    publisher.publish_many("orders.a", 0, 10);
    Values options = more;
    options.emplace("url", server.url());
    Opened opened = open_source(options, stored.has_value() ? std::optional(at) : stored);
    for (int64_t i = 0; i < (all ? 10 : 3); ++i)
      publisher.delete_message("ORDERS", static_cast<uint64_t>(at + i));
    Read read;
    read.status = read_all(*opened.reader, read.events, read.next);
    read.next -= at;
    return read;
  };
  for (const Values& filter : {Values{}, Values{{"subject", "orders.a"}}, Values{{"subject", "orders.b"}}}) {
    SCOPED_TRACE(filter.empty() ? ">" : filter.at("subject"));
    EXPECT_SAYS(run(filter, 1, true).status, Code::invalid, "begins at sequence");
    EXPECT_SAYS(run(filter, 1, false).status, Code::invalid, "begins at sequence");
    EXPECT_EQ(run(filter, {}, true).status.ok(), false);
    // A first start takes what is left: there the stream's beginning moves all the time.
    const Read first = run(filter, {}, false);
    EXPECT_TRUE(first.status.ok()) << first.status.message();
    EXPECT_EQ(first.events.size(), !filter.empty() && filter.at("subject") == "orders.b" ? 0u : 7u);
    EXPECT_EQ(first.next, 10);
    Values accepting = filter;
    accepting["scan.on-gap"] = "continue";
    EXPECT_TRUE(run(accepting, 1, true).status.ok());
  }
}

TEST(NatsSource, AnEmptyRunMovesThePosition) {
  Server server;
  Publisher publisher(server.url());
  publisher.add_stream("ORDERS", {"orders.>"});
  publisher.publish_many("orders.other", 0, 10);
  Opened opened = open_source({{"url", server.url()}, {"subject", "orders.rare"}}, 4);
  const Result<EventBatch> batch = opened.reader->poll(std::chrono::milliseconds(200));
  ASSERT_TRUE(batch.ok()) << batch.status().message();
  EXPECT_TRUE(batch->end);
  EXPECT_EQ(batch->from, 4);
  EXPECT_EQ(batch->next, 11);
}

TEST(NatsSource, AJumpIsNotGivenOutUncheckedWhenTheServerDoesNotAnswer) {
  Server server;
  Publisher publisher(server.url());
  publisher.add_stream("ORDERS", {"orders.>"});
  publisher.publish("orders.a", "0");
  Opened opened =
      open_source({{"url", server.url()}, {"subject", "orders.a"}, {"connect.timeout", "1 s"}}, {}, false);
  std::vector<SeenEvent> seen;
  int64_t next = -1;
  ASSERT_TRUE(read_all(*opened.reader, seen, next, 1).ok());
  publisher.publish("orders.b", "not ours");
  publisher.publish("orders.a", "1");
  publisher.publish("orders.a", "2");
  Clock::real().sleep(std::chrono::milliseconds(300));  // they wait at the reader
  server.pause();
  const Result<EventBatch> batch = opened.reader->poll(std::chrono::milliseconds(200));
  server.resume();
  EXPECT_EQ(batch.status().code(), Code::unavailable) << batch.status().message();
  Status status = Status::unavailable("");
  for (int i = 0; i < 20 && status.retryable(); ++i) status = read_all(*opened.reader, seen, next, 3);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(payloads(seen), (Texts{"0", "1", "2"}));
  EXPECT_EQ(next, 5);
}

TEST(NatsSource, ARecreatedStreamIsNamed) {
  Server server;
  Publisher publisher(server.url());
  publisher.add_stream("ORDERS", {"orders"});
  const std::string known = open_source({{"url", server.url()}}).ids[0];
  EXPECT_SAYS(open_source({{"url", server.url()}, {"subject", "orders"}}, {}, true, 0, {known}).status,
              Code::invalid, "no longer among its partitions");
  publisher.delete_stream("ORDERS");
  publisher.add_stream("ORDERS", {"orders"});
  EXPECT_SAYS(open_source({{"url", server.url()}}, {}, true, 0, {known}).status, Code::invalid,
              "created anew");
}

TEST(NatsSource, MissingStreamIsNotFoundWithANearName) {
  Server server;
  Publisher publisher(server.url());
  publisher.add_stream("ORDERS", {"orders"});
  EXPECT_SAYS(read_once({{"url", server.url()}, {"stream", "ORDER"}}).status, Code::not_found,
              "Did you mean 'ORDERS'?");
  EXPECT_EQ(connector("nats")
                .probe(context_for("nats", {{"url", server.url()}, {"stream", "NONE"}}, table()))
                .code(),
            Code::not_found);
  EXPECT_TRUE(connector("nats")
                  .probe(context_for("nats", {{"url", server.url()}, {"stream", "ORDERS"}}, table()))
                  .ok());
}

TEST(NatsSource, UnreachableAndDenied) {
  int port = 0;
  {
    Server server("authorization { user: me, password: right }");
    port = server.port();
    Publisher publisher(server.url("me:right@"));
    publisher.add_stream("ORDERS", {"orders"});
    publisher.publish("orders", "x");
    EXPECT_EQ(read_once({{"url", server.url()}, {"username", "me"}, {"password", "right"}}).events.size(),
              1u);
    EXPECT_EQ(read_once({{"url", server.url("me:right@")}}).events.size(), 1u);
    const Read denied = read_once({{"url", server.url()}, {"username", "me"}, {"password", "wrong-secret"}});
    EXPECT_SAYS(denied.status, Code::denied, "127.0.0.1");
    EXPECT_EQ(denied.status.message().find("wrong-secret"), std::string::npos);
    EXPECT_EQ(read_once({{"url", server.url()}}).status.code(), Code::denied);
  }
  const Read gone = read_once({{"url", "nats://127.0.0.1:" + std::to_string(port)}});
  EXPECT_SAYS(gone.status, Code::unavailable, "127.0.0.1");
}

TEST(NatsSource, TokenAndNkey) {
  {
    Server server("authorization { token: letmein }");
    EXPECT_EQ(read_once({{"url", server.url()}, {"token", "letmein"}}).status.code(), Code::not_found);
    EXPECT_EQ(read_once({{"url", server.url()}, {"token", "other"}}).status.code(), Code::denied);
  }
  Server server(
      "authorization { users: [ { nkey: UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4 } ] }");
  const std::string seed = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
  TemporaryFolder folder;
  const std::string file = folder.write("seed", "# mine\n" + seed + "\n");
  EXPECT_EQ(read_once({{"url", server.url()}, {"nkey", seed}}).status.code(), Code::not_found);
  EXPECT_EQ(read_once({{"url", server.url()}, {"nkey", file}}).status.code(), Code::not_found);
  EXPECT_EQ(read_once({{"url", server.url()}}).status.code(), Code::denied);
}

TEST(NatsSource, AcknowledgesWhatIsCommitted) {
  Server server;
  Publisher publisher(server.url());
  publisher.add_stream("ORDERS", {"orders"});
  publisher.publish_many("orders", 0, 100);
  Opened opened = open_source({{"url", server.url()}, {"durable", "mine"}}, {}, false, 0, {}, 10);
  std::vector<SeenEvent> seen;
  int64_t next = -1;
  ASSERT_TRUE(read_all(*opened.reader, seen, next, 100).ok());
  EXPECT_EQ(publisher.consumer("ORDERS", "mine")->AckFloor.Stream, 0u);
  const int64_t most = publisher.consumer("ORDERS", "mine")->Config->MaxAckPending;
  EXPECT_TRUE(most < 0 || most >= 10'000'000) << most << ": delivery would stall between commits";
  EXPECT_EQ(opened.reader->lag(), 0);
  ASSERT_TRUE(opened.reader->acknowledge(45).ok());  // in the middle of a batch: only whole batches below it
  for (int i = 0; i < 200 && publisher.consumer("ORDERS", "mine")->AckFloor.Stream < 40; ++i) {
    Clock::real().sleep(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(publisher.consumer("ORDERS", "mine")->AckFloor.Stream, 40u);
}

TEST(NatsSource, ADeletedConsumerIsMadeAnewWithoutLossOrDoubles) {
  Server server;
  Publisher publisher(server.url());
  publisher.add_stream("ORDERS", {"orders"});
  publisher.publish_many("orders", 0, 3000);
  Opened opened = open_source({{"url", server.url()}, {"durable", "mine"}}, {}, false, 0, {}, 100);
  std::vector<SeenEvent> seen;
  int64_t next = -1;
  ASSERT_TRUE(read_all(*opened.reader, seen, next, 500).ok());
  publisher.delete_consumer("ORDERS", "mine");
  publisher.publish_many("orders", 3000, 4000);
  ASSERT_TRUE(read_all(*opened.reader, seen, next, 4000).ok());
  ASSERT_EQ(seen.size(), 4000u);
  for (int64_t i = 0; i < 4000; ++i) ASSERT_EQ(seen[static_cast<size_t>(i)].offset, i + 1);
}

TEST(NatsSource, OneConsumerServesManyRequests) {
  Server server;
  Publisher publisher(server.url());
  publisher.add_stream("ORDERS", {"orders"});
  publisher.publish_many("orders", 0, 20'000);
  Opened opened =
      open_source({{"url", server.url()}, {"durable", "mine"}, {"fetch.batch", "100"}}, {}, false);
  const int64_t created_ns = publisher.consumer("ORDERS", "mine")->Created;
  std::vector<SeenEvent> seen;
  int64_t next = -1;
  ASSERT_TRUE(read_all(*opened.reader, seen, next, 20'000).ok());
  EXPECT_EQ(seen.size(), 20'000u);
  EXPECT_EQ(publisher.consumer("ORDERS", "mine")->Created, created_ns) << "the consumer was made anew";
  EXPECT_EQ(publisher.consumer("ORDERS", "mine")->Delivered.Consumer, 20'000u);
}

TEST(NatsSource, AReaderMayEndInMidStream) {
  Server server;
  Publisher publisher(server.url());
  publisher.add_stream("ORDERS", {"orders"});
  publisher.publish_many("orders", 0, 20'000);
  for (int round = 0; round < 20; ++round) {
    Opened opened = open_source({{"url", server.url()}, {"fetch.batch", "2000"}}, {}, false, 0, {}, 500);
    std::vector<SeenEvent> seen;
    int64_t next = -1;
    ASSERT_TRUE(read_all(*opened.reader, seen, next, 500).ok());
    ASSERT_EQ(next, 501);
  }
}

TEST(NatsSource, AServerThatComesBackIsReadOnWithoutLossOrDoubles) {
  Server server("jetstream { sync_interval: always }");
  std::vector<SeenEvent> seen;
  int64_t next = -1;
  {
    Publisher publisher(server.url());
    publisher.add_stream("ORDERS", {"orders"});
    publisher.publish_many("orders", 0, 1000);
  }
  Opened opened = open_source({{"url", server.url()}}, {}, false, 0, {}, 100);
  ASSERT_TRUE(read_all(*opened.reader, seen, next, 300).ok());
  server.stop();
  Status status;
  for (int i = 0; i < 50 && status.ok(); ++i) status = read_all(*opened.reader, seen, next, seen.size() + 1);
  EXPECT_EQ(status.code(), Code::unavailable) << status.message();
  server.start(server.port());
  Publisher(server.url()).publish_many("orders", 1000, 1500);
  for (int i = 0; i < 100 && seen.size() < 1500; ++i) {
    status = read_all(*opened.reader, seen, next, 1500);
    ASSERT_TRUE(status.ok() || status.code() == Code::unavailable) << status.message();
    Clock::real().sleep(std::chrono::milliseconds(100));
  }
  ASSERT_EQ(seen.size(), 1500u);
  for (int64_t i = 0; i < 1500; ++i) ASSERT_EQ(seen[static_cast<size_t>(i)].offset, i + 1);
}

}  // namespace
}  // namespace weir
