#include "edge/ingest.h"

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <condition_variable>
#include <map>
#include <mutex>

#include "edge/bearer_tokens.h"
#include "edge/content_encoding.h"
#include "edge/rate_limit.h"

namespace weir {
namespace {

// Remembers what it was given and answers as it is told.
class FakeTarget final : public EventTarget {
 public:
  explicit FakeTarget(std::string name) : name_(std::move(name)) {}
  const std::string& name() const override { return name_; }
  Status reserve(int64_t) override { return room; }
  void publish(std::vector<EdgeEvent> events, RequestKey key,
               std::function<void(Result<std::vector<EdgePosition>>)> done) override {
    ++publishes;
    last_key = key;
    if (!outcome.ok()) return done(outcome);
    const auto first = static_cast<int64_t>(stored.size());
    for (const EdgeEvent& event : events) {
      stored.push_back(std::string(event.payload) + "|" + std::string(event.key.value_or("-")) + "|" +
                       std::string(event.subject) + "|" + std::string(event.headers));
    }
    done(std::vector<EdgePosition>{{name_, 0, first, static_cast<int64_t>(events.size()), repeated}});
  }

  Status room, outcome;
  bool repeated = false;
  int publishes = 0;
  RequestKey last_key;
  std::vector<std::string> stored;

 private:
  std::string name_;
};

class FakeTargets final : public TargetSet {
 public:
  EventTarget* find(const std::string& name) const override {
    auto found = targets_.find(name);
    return found == targets_.end() ? nullptr : found->second.get();
  }
  Result<EventTarget*> open_target(const std::string& name) override {
    if (full) return Status(Code::exhausted, "no more streams");
    return &at(name);
  }
  FakeTarget& at(const std::string& name) {
    auto& target = targets_[name];
    if (target == nullptr) target = std::make_unique<FakeTarget>(name);
    return *target;
  }
  bool full = false;

 private:
  std::map<std::string, std::unique_ptr<FakeTarget>> targets_;
};

class IngestTest : public testing::Test {
 protected:
  void configure(const std::string& text, IngestSettings settings = {}) {
    Diagnostics diagnostics;
    ingest_.reset();
    config_ = parse_edge_config("weir.toml", text, diagnostics);
    ASSERT_FALSE(diagnostics.has_errors()) << diagnostics.status().message();
    ingest_ = Ingest::create(config_, targets_, clock_, settings);
  }

  using Headers = std::vector<std::pair<std::string, std::string>>;
  HttpAnswer post(const std::string& stream, std::string body, Headers headers = {}) {
    if (ingest_ == nullptr) configure("");
    auto call = std::make_shared<HttpCall>();
    call->head.method = method_;
    call->head.path = "/v1/events/" + stream;
    call->head.headers = {{"content-type", "application/json"}};
    for (auto& header : headers) {
      if (header.first == "content-type") call->head.headers.clear();
    }
    call->head.headers.insert(call->head.headers.end(), headers.begin(), headers.end());
    call->body = std::move(body);
    HttpRoute route = ingest_->route();
    if (auto refused = route.admit(call->head)) return *refused;
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<HttpAnswer> answer;
    route.handle(call, [&](HttpAnswer given) {
      std::lock_guard lock(mutex);
      answer = std::move(given);
      changed.notify_all();
    });
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return answer.has_value(); });
    return *answer;
  }

  ManualClock clock_{1'000'000'000'000'000};
  EdgeConfig config_;
  FakeTargets targets_;
  std::unique_ptr<Ingest> ingest_;
  std::string method_ = "POST";
};

std::string header_of(const HttpAnswer& answer, const std::string& name) {
  for (const auto& [key, value] : answer.headers) {
    if (key == name) return value;
  }
  return "";
}

TEST_F(IngestTest, StoresAndSaysWhere) {
  HttpAnswer answer = post("orders", "{\"a\":1}\n{\"a\":2}\n", {{"content-type", "application/x-ndjson"}});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body,
            "{\"stream\":\"orders\",\"routed\":true,\"events\":2,\"positions\":[{\"target\":\"log:orders\","
            "\"partition\":0,\"first\":0,\"last\":1}],\"repeated\":false}\n");
  EXPECT_EQ(targets_.at("log:orders").stored,
            (std::vector<std::string>{"{\"a\":1}|-|orders|{\"content-type\":\"application/json\"}",
                                      "{\"a\":2}|-|orders|{\"content-type\":\"application/json\"}"}));
}

TEST_F(IngestTest, NothingOfABadRequestIsStored) {
  EXPECT_EQ(post("orders", "{\"a\":1}\n{\"a\":\n", {{"content-type", "application/x-ndjson"}}).status, 400);
  EXPECT_EQ(targets_.at("log:orders").publishes, 0);
}

TEST_F(IngestTest, StreamNames) {
  for (const char* stream : {"", "_unrouted", "a/b", ".hidden", "a b", "-x"}) {
    EXPECT_EQ(post(stream, "1").status, 400) << stream;
  }
  EXPECT_EQ(post(std::string(101, 'a'), "1").status, 400);
  method_ = "GET";
  HttpAnswer answer = post("a", "");
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(header_of(answer, "Allow"), "POST");
}

TEST_F(IngestTest, TokensOfStreamsAndServer) {
  configure(
      "[server]\ntokens = [\"server-token\"]\n[[stream]]\nname = \"a\"\ntokens = [\"stream-token\", "
      "\"other-token\"]\n[[stream]]\nname = \"b\"\n");
  HttpAnswer refused = post("a", "1");
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(header_of(refused, "WWW-Authenticate"), "Bearer realm=\"weir\"");
  EXPECT_EQ(post("a", "1", {{"authorization", "Bearer server-token"}}).status, 401);
  EXPECT_EQ(post("a", "1", {{"authorization", "Bearer stream-token"}}).status, 200);
  EXPECT_EQ(post("a", "1", {{"authorization", "bearer other-token"}}).status, 200);
  EXPECT_EQ(post("b", "1", {{"authorization", "Bearer stream-token"}}).status, 401);
  EXPECT_EQ(post("b", "1", {{"authorization", "Bearer server-token"}}).status, 200);
  EXPECT_EQ(post("unknown", "1").status, 401);
}

TEST_F(IngestTest, HeadersThatSayTwoThingsOrNothing) {
  using Each = std::pair<std::string, std::string>;
  for (const char* name : {"idempotency-key", "weir-key", "content-encoding", "content-type"}) {
    const HttpAnswer answer = post("a", "1", {Each{name, "identity"}, Each{name, "identity"}});
    EXPECT_EQ(answer.status, 400) << name;
    EXPECT_NE(answer.body.find(name), std::string::npos) << answer.body;
  }
  EXPECT_EQ(post("a", "1", {{"weir-key", "\xff"}}).status, 400);
  EXPECT_EQ(post("a", "1", {{"weir-key", "\xc3\xa4"}}).status, 200);
}

TEST_F(IngestTest, BeyondLoopbackNothingIsOpen) {
  configure("[[stream]]\nname = \"a\"\ntokens = \"stream-token\"\n", {true});
  EXPECT_EQ(post("unknown", "1", {{"authorization", "Bearer stream-token"}}).status, 401);
  EXPECT_EQ(post("a", "1", {{"authorization", "Bearer stream-token"}}).status, 200);
}

TEST_F(IngestTest, UnroutedAndMixed) {
  configure("[[stream]]\nname = \"a\"\n[[route]]\ntype = \"order.*\"\nto = \"log:orders\"\n");
  HttpAnswer unrouted = post("b", "1");
  EXPECT_EQ(unrouted.status, 202);
  EXPECT_EQ(unrouted.body,
            "{\"stream\":\"b\",\"routed\":false,\"events\":1,\"unrouted\":1,\"positions\":[],\"repeated\":"
            "false}\n");
  EXPECT_EQ(targets_.at("log:_unrouted").stored.at(0),
            "1|-|b|{\"weir-stream\":\"b\",\"content-type\":\"application/json\"}");
  const auto event = [](const char* type) {
    return std::string(R"({"specversion":"1.0","id":"1","source":"s","type":")") + type + "\",\"data\":1}";
  };
  HttpAnswer mixed = post("b", "[" + event("order.new") + "," + event("bill") + "]",
                          {{"content-type", "application/cloudevents-batch+json"}});
  EXPECT_EQ(mixed.status, 202);
  EXPECT_NE(mixed.body.find("\"events\":2,\"unrouted\":1,\"positions\":[{\"target\":\"log:orders\""),
            std::string::npos)
      << mixed.body;
  EXPECT_TRUE(targets_.at("log:orders").stored.at(0).starts_with("1|-|order.new|{\"weir-stream\":\"b\","));
}

TEST_F(IngestTest, AFullTargetKeepsAllOthersEmpty) {
  configure("[[stream]]\nname = \"a\"\n[[route]]\ntype = \"x\"\nto = \"log:x\"\n");
  targets_.at("log:a").room = Status(Code::exhausted, "the disk is full");
  const std::string batch = R"([{"specversion":"1.0","id":"1","source":"s","type":"x","data":1},)"
                            R"({"specversion":"1.0","id":"2","source":"s","type":"y","data":1}])";
  HttpAnswer answer = post("a", batch, {{"content-type", "application/cloudevents-batch+json"}});
  EXPECT_EQ(answer.status, 503);
  EXPECT_FALSE(header_of(answer, "Retry-After").empty());
  EXPECT_NE(answer.body.find("the disk is full; nothing of this request is stored"), std::string::npos);
  EXPECT_EQ(targets_.at("log:x").publishes, 0);
}

TEST_F(IngestTest, WhatTargetsAnswer) {
  FakeTarget& target = targets_.at("log:a");
  target.outcome = Status::unavailable("no PubAck came");
  HttpAnswer unknown = post("a", "1", {{"idempotency-key", "k"}});
  EXPECT_EQ(unknown.status, 503);
  EXPECT_NE(unknown.body.find("may be stored: repeat the request with the same Idempotency-Key"),
            std::string::npos);
  target.outcome = Status(Code::already_exists, "key k");
  EXPECT_EQ(post("a", "1", {{"idempotency-key", "k"}}).status, 422);
  target.outcome = Status(Code::exhausted, "full");
  EXPECT_EQ(post("a", "1").status, 503);
  target.outcome = Status::invalid("too large");
  EXPECT_EQ(post("a", "1").status, 413);
  target.outcome = {};
  target.repeated = true;
  EXPECT_NE(post("a", "1").body.find("\"repeated\":true"), std::string::npos);
}

TEST_F(IngestTest, OneOfTwoTargetsFailed) {
  configure("[[stream]]\nname = \"a\"\n[[route]]\ntype = \"x\"\nto = \"log:x\"\n");
  targets_.at("log:x").outcome = Status(Code::exhausted, "full");
  const std::string batch = R"([{"specversion":"1.0","id":"1","source":"s","type":"x","data":1},)"
                            R"({"specversion":"1.0","id":"2","source":"s","type":"y","data":1}])";
  HttpAnswer answer = post("a", batch, {{"content-type", "application/cloudevents-batch+json"}});
  EXPECT_EQ(answer.status, 503);
  EXPECT_NE(answer.body.find("may be stored"), std::string::npos) << answer.body;
}

TEST_F(IngestTest, KeysAreUniqueToTheStreamAndKnowTheirRequest) {
  const auto key_of = [&](const std::string& stream, const std::string& body, Headers headers) {
    post(stream, body, std::move(headers));
    return targets_.at("log:" + stream).last_key;
  };
  RequestKey first = key_of("a", "1", {{"idempotency-key", "k"}});
  EXPECT_EQ(first.key, "a/k");
  EXPECT_EQ(key_of("a", "1", {{"idempotency-key", "k"}, {"user-agent", "x"}}).fingerprint, first.fingerprint);
  EXPECT_NE(key_of("a", "2", {{"idempotency-key", "k"}}).fingerprint, first.fingerprint);
  EXPECT_NE(key_of("b", "1", {{"idempotency-key", "k"}}).fingerprint, first.fingerprint);
  EXPECT_NE(key_of("a", "1", {{"idempotency-key", "k"}, {"weir-key", "p"}}).fingerprint, first.fingerprint);
  EXPECT_EQ(key_of("a", "1", {}).key, "");
  const std::string longest(200, 'k');
  EXPECT_LE(key_of(std::string(100, 's'), "1", {{"idempotency-key", longest}}).key.size(), 255u);
  EXPECT_EQ(post("a", "1", {{"idempotency-key", longest + "k"}}).status, 400);
  EXPECT_EQ(post("a", "1", {{"idempotency-key", ""}}).status, 400);
  EXPECT_EQ(post("a", "1", {{"idempotency-key", "\xC3\xA9"}}).status, 400);
}

TEST_F(IngestTest, RatesAnswer429AndRecover) {
  configure("[[stream]]\nname = \"a\"\nrate.events = 2\n[[stream]]\nname = \"b\"\nrate.bytes = 4\n");
  EXPECT_EQ(post("a", "1").status, 200);
  EXPECT_EQ(post("a", "1").status, 200);
  HttpAnswer refused = post("a", "1");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(header_of(refused, "Retry-After"), "1");
  EXPECT_EQ(targets_.at("log:a").stored.size(), 2u);
  clock_.set(clock_.now_us() + 600'000);
  EXPECT_EQ(post("a", "1").status, 200);
  EXPECT_EQ(post("b", "[1,2,3]").status, 200);  // larger than the bucket: taken when it is full
  EXPECT_EQ(post("b", "1").status, 429);
}

TEST_F(IngestTest, TooManyStreams) {
  targets_.full = true;
  EXPECT_EQ(post("new", "1").status, 503);
}

std::string gzipped(const std::string& text) {
  std::string out(text.size() + 1000, '\0');
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string zstd_of(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

TEST_F(IngestTest, CompressedBodies) {
  EXPECT_EQ(post("a", gzipped("{\"a\":1}"), {{"content-encoding", "gzip"}}).status, 200);
  EXPECT_EQ(post("a", zstd_of("{\"a\":1}"), {{"content-encoding", "zstd"}}).status, 200);
  EXPECT_EQ(targets_.at("log:a").stored.size(), 2u);
  EXPECT_EQ(targets_.at("log:a").stored[0], targets_.at("log:a").stored[1]);
  EXPECT_EQ(post("a", "{\"a\":1}", {{"content-encoding", "identity"}}).status, 200);
  EXPECT_EQ(post("a", "x", {{"content-encoding", "br"}}).status, 415);
  EXPECT_EQ(post("a", "no gzip", {{"content-encoding", "gzip"}}).status, 400);
  EXPECT_EQ(post("a", gzipped(""), {{"content-encoding", "gzip"}}).status, 400);
  const std::string bomb(3 << 20, ' ');
  EXPECT_EQ(post("a", gzipped(bomb), {{"content-encoding", "gzip"}}).status, 413);
  EXPECT_EQ(post("a", zstd_of(bomb), {{"content-encoding", "zstd"}}).status, 413);
}

TEST(ContentEncoding, TruncatedAndJoined) {
  const std::string text(100'000, 'x');
  for (const auto& [name, whole] : {std::pair("gzip", gzipped(text)), std::pair("zstd", zstd_of(text))}) {
    for (size_t length = 0; length < whole.size(); ++length) {
      std::string out;
      auto refused = decode_body(name, std::string_view(whole).substr(0, length), 1 << 20, out);
      ASSERT_TRUE(refused) << name << " " << length;
      EXPECT_EQ(refused->status, 400);
    }
    std::string out;
    EXPECT_FALSE(decode_body(name, whole + whole, 1 << 20, out));
    EXPECT_EQ(out, text + text);
    EXPECT_FALSE(decode_body(name, whole, 100'000, out = ""));
    EXPECT_EQ(decode_body(name, whole, 99'999, out = "")->status, 413);
  }
}

TEST_F(IngestTest, Metrics) {
  configure("[[stream]]\nname = \"a\"\n");
  post("a", "[1]");
  post("a", "[");
  const std::string text = ingest_->metrics();
  for (const char* line :
       {"weir_edge_requests_total{stream=\"a\",status=\"200\"} 1\n",
        "weir_edge_requests_total{stream=\"a\",status=\"400\"} 1\n",
        "weir_edge_events_total{stream=\"a\"} 1\n", "weir_edge_bytes_total{stream=\"a\"} 3\n",
        "weir_edge_in_flight{stream=\"a\"} 0\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
}

TEST(BearerTokens, WholeTokensOnly) {
  BearerTokens tokens({"abcdefgh", "ijklmnop"});
  EXPECT_TRUE(tokens.admit("Bearer abcdefgh"));
  EXPECT_TRUE(tokens.admit("Bearer ijklmnop"));
  for (const char* wrong : {"", "Bearer", "Bearer ", "Bearer abcdefg", "Bearer abcdefghi", "abcdefgh",
                            "Basic abcdefgh", "Bearer abcdefgh "}) {
    EXPECT_FALSE(tokens.admit(wrong)) << wrong;
  }
  EXPECT_TRUE(BearerTokens().admit(""));
}

TEST(RateLimit, RefillsAndSaysWhen) {
  RateLimit limit(10, std::chrono::milliseconds(2000));
  EXPECT_EQ(limit.take(20, 0), 0);
  EXPECT_EQ(limit.take(5, 0), 1);
  EXPECT_EQ(limit.take(5, 500'000'000), 0);
  EXPECT_EQ(limit.take(200, 500'000'000), 2);
  EXPECT_EQ(limit.take(200, 2'600'000'000), 0);
  EXPECT_EQ(limit.take(1, 2'700'000'000), 18);
  EXPECT_EQ(RateLimit(0, std::chrono::milliseconds(1)).take(1'000'000, 0), 0);
}

}  // namespace
}  // namespace weir
