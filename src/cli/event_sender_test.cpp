#include "cli/event_sender.h"

#include <gtest/gtest.h>

#include <deque>
#include <sstream>

namespace weir {
namespace {

struct Seen {
  std::string url, key, type, authorization, body;
};

// Answers as told, then with 200 and a position for each request.
class FakeServer final : public HttpClient {
 public:
  Result<HttpResponse> send(const HttpRequest& request) override {
    Seen seen{request.url, "", "", "", ""};
    for (const auto& [name, value] : request.headers) {
      if (name == "Idempotency-Key") seen.key = value;
      if (name == "Content-Type") seen.type = value;
      if (name == "Authorization") seen.authorization = value;
    }
    for (std::string_view piece : request.body) seen.body += piece;
    requests.push_back(seen);
    if (!answers.empty()) {
      auto answer = answers.front();
      answers.pop_front();
      return answer;
    }
    HttpResponse answer;
    answer.status = 200;
    answer.body = R"({"routed":true,"positions":[{"target":"log:o","partition":1,"first":)" +
                  std::to_string(next) + R"(,"last":)" + std::to_string(next + 1) + "}]}";
    next += 2;
    return answer;
  }

  std::deque<Result<HttpResponse>> answers;
  std::vector<Seen> requests;
  int64_t next = 10;
};

HttpResponse answer(int status, std::string body = "{}", std::map<std::string, std::string> headers = {}) {
  return {status, std::move(headers), std::move(body)};
}

// Moves on when somebody sleeps.
class SleepingClock final : public Clock {
 public:
  int64_t now_us() const override { return now_ms_ * 1000; }
  int64_t monotonic_ns() const override { return now_ms_ * 1'000'000; }
  void sleep(std::chrono::milliseconds time) const override {
    slept.push_back(time.count());
    now_ms_ += time.count();
  }
  mutable std::vector<int64_t> slept;

 private:
  mutable int64_t now_ms_ = 1;
};

class EventSenderTest : public testing::Test {
 protected:
  EventSenderTest() {
    settings_.file = "f.ndjson";
    settings_.url = "http://h:1";
    settings_.stream = "o";
    settings_.key_prefix = "p";
    settings_.batch_events = 2;
  }
  Status send(const std::string& text) {
    std::istringstream lines(text);
    sender_ = std::make_unique<EventSender>(settings_, server_, clock_);
    return sender_->send(lines, {});
  }

  SendSettings settings_;
  FakeServer server_;
  SleepingClock clock_;
  std::unique_ptr<EventSender> sender_;
};

TEST_F(EventSenderTest, LinesGoOutInBatchesUnderNumberedKeys) {
  settings_.token = "secret";
  ASSERT_TRUE(send("1\n\n2\r\n3").ok());
  ASSERT_EQ(server_.requests.size(), 2U);
  EXPECT_EQ(server_.requests[0].url, "http://h:1/v1/events/o");
  EXPECT_EQ(server_.requests[0].body, "1\n2\n");
  EXPECT_EQ(server_.requests[0].key, "p-1");
  EXPECT_EQ(server_.requests[0].authorization, "Bearer secret");
  EXPECT_EQ(server_.requests[1].body, "3\n");
  EXPECT_EQ(server_.requests[1].key, "p-2");
  EXPECT_EQ(sender_->counts().events, 3);
  EXPECT_EQ(sender_->positions(), "log:o/1 10..13");
}

TEST_F(EventSenderTest, BytesBoundABatchToo) {
  settings_.batch_events = 100;
  settings_.batch_bytes = 12;
  ASSERT_TRUE(send("aaaa\nbbbb\ncccc\n" + std::string(50, 'd') + "\n").ok());
  ASSERT_EQ(server_.requests.size(), 3U);
  EXPECT_EQ(server_.requests[0].body, "aaaa\nbbbb\n");
  EXPECT_EQ(server_.requests[1].body, "cccc\n");
  EXPECT_EQ(server_.requests[2].body, std::string(50, 'd') + "\n");
}

TEST_F(EventSenderTest, OtherContentTypesAreOneEventARequestAndCloudEventsAnArray) {
  settings_.content_type = "text/plain";
  ASSERT_TRUE(send("a\nb\n").ok());
  ASSERT_EQ(server_.requests.size(), 2U);
  EXPECT_EQ(server_.requests[0].body, "a");
  settings_.content_type = "application/cloudevents-batch+json";
  ASSERT_TRUE(send("{}\n{}\n{}\n").ok());
  ASSERT_EQ(server_.requests.size(), 4U);
  EXPECT_EQ(server_.requests[2].body, "[{},\n{}]");
  EXPECT_EQ(server_.requests[3].body, "[{}]");
}

TEST_F(EventSenderTest, WhatMayPassIsTriedAgainUnderTheSameKey) {
  server_.answers = {Status::unavailable("connection refused"), answer(503), answer(500),
                     answer(429, "{}", {{"retry-after", "7"}}),
                     answer(200, R"({"positions":[],"repeated":true})")};
  ASSERT_TRUE(send("1\n2\n").ok());
  ASSERT_EQ(server_.requests.size(), 5U);
  for (const Seen& request : server_.requests) {
    EXPECT_EQ(request.key, "p-1");
    EXPECT_EQ(request.body, "1\n2\n");
  }
  EXPECT_EQ(clock_.slept, (std::vector<int64_t>{100, 200, 400, 7000}));
  EXPECT_EQ(sender_->counts().retries, 4);
  EXPECT_EQ(sender_->counts().repeated, 2);
  EXPECT_EQ(sender_->counts().events, 2);
}

TEST_F(EventSenderTest, GivesUpAfterItsPatienceAndSaysHowToGoOn) {
  settings_.patience = std::chrono::milliseconds(1000);
  for (int i = 0; i < 20; ++i) server_.answers.push_back(Status::unavailable("connection refused"));
  const Status status = send("1\n2\n3\n");
  EXPECT_EQ(status.code(), Code::unavailable);
  EXPECT_EQ(status.message(),
            "f.ndjson:1: not stored from here on, or not known to be: connection refused. Sent again with "
            "--key-prefix p, nothing is stored twice");
  EXPECT_EQ(server_.requests.size(), 4U);
}

TEST_F(EventSenderTest, ARefusalNamesTheLineInTheFile) {
  server_.answers = {answer(200, R"({"positions":[]})"),
                     answer(400, R"({"title":"Malformed body","detail":"line 2, byte 4: bad",)"
                                 R"("line":2,"byte":4,"reason":"bad"})")};
  const Status status = send("1\n\n2\n3\n\n4x\n5\n");
  EXPECT_EQ(status.code(), Code::invalid);
  EXPECT_EQ(status.message(), "f.ndjson:6:4: bad");
  EXPECT_EQ(sender_->counts().events, 2);
  EXPECT_EQ(server_.requests.size(), 2U);
}

TEST_F(EventSenderTest, OtherRefusalsHaveTheirCodes) {
  const std::pair<int, Code> cases[] = {{401, Code::denied},  {403, Code::denied},  {404, Code::not_found},
                                        {422, Code::invalid}, {413, Code::invalid}, {415, Code::invalid}};
  for (const auto& [http, code] : cases) {
    server_.answers = {answer(http, R"({"title":"T","detail":"why"})")};
    const Status status = send("1\n2\n");
    EXPECT_EQ(status.code(), code) << http;
    EXPECT_NE(status.message().find("HTTP " + std::to_string(http) + ": T: why"), std::string::npos);
  }
}

TEST_F(EventSenderTest, UnroutedEventsAreCountedAndAnotherServerIsSeen) {
  server_.answers = {answer(202, R"({"routed":false,"unrouted":1,"positions":[]})"),
                     answer(202, R"({"routed":false,"unrouted":2,"positions":[]})"), answer(200, "hello")};
  const Status status = send("1\n2\n3\n4\n5\n");
  EXPECT_EQ(sender_->counts().unrouted, 3);
  EXPECT_EQ(status.code(), Code::unavailable);
  EXPECT_NE(status.message().find("no `weir serve`"), std::string::npos);
}

}  // namespace
}  // namespace weir
