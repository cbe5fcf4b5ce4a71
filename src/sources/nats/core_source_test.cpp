#include "sources/nats/core_source.h"

#include <thread>

#include "sources/nats/nats_test_support.h"

namespace weir {
namespace {

using std::chrono::milliseconds;

// Publishes without JetStream.
class CorePublisher {
 public:
  explicit CorePublisher(const std::string& url) {
    natsConnection* created = nullptr;
    EXPECT_EQ(natsConnection_ConnectTo(&created, url.c_str()), NATS_OK);
    connection_.reset(created);
  }
  void publish(const std::string& subject, const std::string& text) {
    EXPECT_EQ(natsConnection_PublishString(connection_.get(), subject.c_str(), text.c_str()), NATS_OK);
  }
  void flush() { EXPECT_EQ(natsConnection_Flush(connection_.get()), NATS_OK); }
  natsConnection* get() { return connection_.get(); }

 private:
  NatsOwned<natsConnection, natsConnection_Destroy> connection_;
};

SourceContext context(const Server& server, Values options) {
  options.emplace("url", server.url());
  options.emplace("delivery", "core");
  options.emplace("connect.timeout", "2 s");
  return context_for("nats", options, table(), false);
}

struct Listening {
  std::unique_ptr<Source> source;
  std::string id;
  std::unique_ptr<PartitionReader> reader;
};

Listening listen(const SourceContext& context, std::optional<int64_t> stored = {}) {
  Listening made;
  auto source = connector("nats").create(context);
  EXPECT_TRUE(source.ok()) << source.status().message();
  made.source = std::move(*source);
  made.id = made.source->discover({})->front();
  auto reader = made.source->open(made.id, stored);
  EXPECT_TRUE(reader.ok()) << reader.status().message();
  made.reader = std::move(*reader);
  return made;
}

std::vector<SeenEvent> read(Listening& from, size_t enough) {
  std::vector<SeenEvent> seen;
  int64_t next = 0;
  const Status status = read_all(*from.reader, seen, next, enough);
  EXPECT_TRUE(status.ok()) << status.message();
  return seen;
}

TEST(CoreNats, TakesWhatIsPublishedWhileItListens) {
  const Server server;
  CorePublisher publisher(server.url());
  publisher.publish("orders.eu", "before");
  publisher.flush();
  Listening listening = listen(context(server, {{"subject", "orders.>"}}));
  EXPECT_EQ(listening.id, "core@orders.>");
  for (int i = 0; i < 100; ++i) publisher.publish("orders.eu", "m" + std::to_string(i));
  publisher.publish("other", "x");
  publisher.publish("orders.us", "last");
  publisher.flush();
  const std::vector<SeenEvent> seen = read(listening, 101);
  ASSERT_EQ(seen.size(), 101u);
  EXPECT_EQ(seen.front().payload, "m0");
  EXPECT_EQ(seen.front().subject, "orders.eu");
  EXPECT_EQ(seen.back().payload, "last");
  EXPECT_EQ(seen.back().subject, "orders.us");
  EXPECT_EQ(listening.reader->dropped(), 0);
}

TEST(CoreNats, OffsetsRiseOverARestartAlsoWhenTheClockDoesNot) {
  const Server server;
  CorePublisher publisher(server.url());
  const ManualClock clock(1'000);
  SourceContext stopped = context(server, {{"subject", "a"}});
  stopped.clock = &clock;
  Listening listening = listen(stopped, 5'000);
  publisher.publish("a", "1");
  publisher.publish("a", "2");
  publisher.flush();
  std::vector<int64_t> offsets;
  int64_t next = 5'000;
  for (int i = 0; i < 100 && offsets.size() < 2; ++i) {
    const auto batch = listening.reader->poll(milliseconds(0));
    ASSERT_TRUE(batch.ok()) << batch.status().message();
    EXPECT_EQ(batch->from, next);
    next = batch->next;
    for (const Event& event : batch->events) offsets.push_back(event.offset);
    std::this_thread::sleep_for(milliseconds(10));
  }
  EXPECT_EQ(offsets, (std::vector<int64_t>{5'000, 5'001}));
  EXPECT_EQ(next, 5'002);
}

TEST(CoreNats, AQueueGroupSharesTheMessages) {
  const Server server;
  CorePublisher publisher(server.url());
  const Values options = {{"subject", "a"}, {"queue-group", "workers"}};
  Listening first = listen(context(server, options));
  Listening second = listen(context(server, options));
  EXPECT_EQ(first.id, "core@a/workers");
  for (int i = 0; i < 200; ++i) publisher.publish("a", std::to_string(i));
  publisher.flush();
  std::vector<std::string> all;
  for (int i = 0; i < 100 && all.size() < 200; ++i) {
    for (Listening* one : {&first, &second}) {
      const auto batch = one->reader->poll(milliseconds(10));
      ASSERT_TRUE(batch.ok());
      for (size_t e = 0; e < batch->events.size(); ++e) all.emplace_back(batch->payload(e));
    }
  }
  std::sort(all.begin(), all.end());
  EXPECT_EQ(all.size(), 200u);
  EXPECT_EQ(std::unique(all.begin(), all.end()), all.end());
}

TEST(CoreNats, WhatComesTooFastIsDroppedCountedAndTold) {
  const Server server;
  CorePublisher publisher(server.url());
  SourceContext slow = context(server, {{"subject", "a"}, {"pending.messages", "10"}});
  std::vector<std::string> told;
  slow.log = [&](const std::string& line) { told.push_back(line); };
  Listening listening = listen(slow);
  size_t published = 0;
  size_t taken = 0;
  const auto take = [&] {
    const auto batch = listening.reader->poll(milliseconds(10));
    ASSERT_TRUE(batch.ok());
    taken += batch->events.size();
  };
  for (int round = 0; round < 100 && listening.reader->dropped() == 0; ++round) {
    for (int i = 0; i < 1000; ++i) publisher.publish("a", std::to_string(published++));
    publisher.flush();
    std::this_thread::sleep_for(milliseconds(20));
    take();
  }
  const auto accounted = [&] { return taken + static_cast<size_t>(listening.reader->dropped()); };
  for (int i = 0; i < 200 && accounted() < published; ++i) take();
  EXPECT_EQ(accounted(), published);
  EXPECT_GT(listening.reader->dropped(), 0);
  ASSERT_FALSE(told.empty());
  EXPECT_NE(told.front().find("dropped"), std::string::npos);
}

TEST(CoreNats, ARequestIsTakenAndNotAnswered) {
  const Server server;
  CorePublisher publisher(server.url());
  Listening listening = listen(context(server, {{"subject", "a"}}));
  natsMsg* raw = nullptr;
  EXPECT_EQ(natsConnection_RequestString(&raw, publisher.get(), "a", "question", 200), NATS_TIMEOUT);
  const NatsMessage answer(raw);
  EXPECT_EQ(payloads(read(listening, 1)), Texts{"question"});
}

TEST(CoreNats, GoesOnWhenTheServerComesBackAndSaysThatSomethingIsMissed) {
  Server server;
  const int port = server.port();
  SourceContext lost = context(server, {{"subject", "a"}});
  std::vector<std::string> told;
  lost.log = [&](const std::string& line) { told.push_back(line); };
  Listening listening = listen(lost);
  server.stop();
  Status status;
  for (int i = 0; i < 100 && status.ok(); ++i) status = listening.reader->poll(milliseconds(20)).status();
  EXPECT_EQ(status.code(), Code::unavailable);
  server.start(port);
  for (int i = 0; i < 500 && told.empty(); ++i) static_cast<void>(listening.reader->poll(milliseconds(20)));
  ASSERT_FALSE(told.empty());
  EXPECT_NE(told.front().find("missed"), std::string::npos);
  CorePublisher publisher(server.url());
  publisher.publish("a", "again");
  publisher.flush();
  EXPECT_EQ(payloads(read(listening, 1)), Texts{"again"});
}

Status created(Values options, bool once = false, bool shared = false) {
  options.emplace("url", "nats://127.0.0.1:1");
  SourceContext made = context_for("nats", options, table(), once);
  made.shared = shared;
  return connector("nats").create(made).status();
}

TEST(CoreNats, OptionsOfTheOtherKindAreRefused) {
  EXPECT_TRUE(created({{"delivery", "core"}, {"subject", "a.>"}}).ok());
  EXPECT_SAYS(created({{"delivery", "core"}}), Code::invalid, "needs 'subject'");
  EXPECT_SAYS(created({{"delivery", "core"}, {"subject", "a..b"}}), Code::invalid, "a..b");
  EXPECT_SAYS(created({{"delivery", "core"}, {"subject", "a"}, {"stream", "S"}}), Code::invalid, "'stream'");
  EXPECT_SAYS(created({{"delivery", "core"}, {"subject", "a"}, {"durable", "d"}}), Code::invalid,
              "'durable'");
  EXPECT_SAYS(created({{"delivery", "core"}, {"subject", "a"}, {"queue-group", "a b"}}), Code::invalid,
              "'queue-group'");
  EXPECT_SAYS(created({{"delivery", "core"}, {"subject", "a"}, {"pending.messages", "0"}}), Code::invalid,
              "'pending.messages'");
  EXPECT_SAYS(created({{"delivery", "core"}, {"subject", "a"}}, true), Code::invalid, "--once");
  EXPECT_SAYS(created({{"delivery", "core"}, {"subject", "a"}}, false, true), Code::invalid, "workers");
  EXPECT_SAYS(created({}), Code::invalid, "'stream'");
  EXPECT_SAYS(created({{"stream", "S"}, {"queue-group", "g"}}), Code::invalid, "'delivery' = 'core'");
}

TEST(CoreNats, PositionsOfAStreamAreNotGoneOnFrom) {
  const Server server;
  Listening listening = listen(context(server, {{"subject", "a"}}));
  EXPECT_TRUE(listening.source->discover({"core@b"}).ok());
  EXPECT_SAYS(listening.source->discover({"ORDERS@17/>"}).status(), Code::invalid, "new name");
}

TEST(CoreNats, SaysWhatItPromises) {
  const auto promise = [](const Values& options) {
    return connector("nats").guarantee(context_for("nats", options, table()).options);
  };
  EXPECT_EQ(promise({{"url", "u"}, {"stream", "S"}}), "");
  EXPECT_EQ(promise({{"url", "u"}, {"delivery", "core"}, {"subject", "a"}}).rfind("at most once", 0), 0u);
}

}  // namespace
}  // namespace weir
