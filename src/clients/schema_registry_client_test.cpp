#include "clients/schema_registry_client.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>

#include "clients/fetch_cache.h"

namespace weir {
namespace {

// Answers by URL; what is not there is a registry's 40403.
struct FakeRegistry {
  std::map<std::string, std::vector<Result<HttpResponse>>> answers;  // the last one stays
  std::vector<std::string> asked;
  std::vector<std::string> authorizations;
  std::mutex mutex;
  std::condition_variable changed;
  bool hold = false;  // answers wait until it is false
  int waiting = 0;

  void say(const std::string& url, int status, const std::string& body) {
    answers[url].push_back(HttpResponse{status, {}, body});
  }
  void away(const std::string& url) { answers[url].push_back(Status::unavailable("connection refused")); }

  Result<HttpResponse> answer(const HttpRequest& request) {
    std::unique_lock lock(mutex);
    asked.push_back(request.url);
    for (const auto& [name, value] : request.headers) {
      if (name == "Authorization") authorizations.push_back(value);
    }
    ++waiting;
    changed.notify_all();
    changed.wait(lock, [&] { return !hold; });
    auto found = answers.find(request.url);
    if (found == answers.end())
      return HttpResponse{404, {}, R"({"error_code":40403,"message":"Schema not found"})"};
    Result<HttpResponse> result = found->second.front();
    if (found->second.size() > 1) found->second.erase(found->second.begin());
    return result;
  }
  size_t count(const std::string& url) const {
    return static_cast<size_t>(std::count(asked.begin(), asked.end(), url));
  }
};

class FakeConnection final : public HttpClient {
 public:
  explicit FakeConnection(FakeRegistry& registry) : registry_(registry) {}
  Result<HttpResponse> send(const HttpRequest& request) override { return registry_.answer(request); }

 private:
  FakeRegistry& registry_;
};

class SchemaRegistryClient : public testing::Test {
 protected:
  std::shared_ptr<SchemaLookup> lookup(std::vector<std::string> urls = {"http://r"}, int retries = 2) {
    SchemaRegistrySettings settings;
    settings.urls = std::move(urls);
    settings.retries = retries;
    settings.authorization = authorization;
    settings.subject = "preferred";
    return make_registry_lookup(
        settings,
        [this]() -> Result<std::unique_ptr<HttpClient>> {
          return std::unique_ptr<HttpClient>(std::make_unique<FakeConnection>(registry));
        },
        ".", clock);
  }
  void later(int64_t seconds) { clock.set(clock.now_us() + seconds * 1'000'000); }

  ManualClock clock{1'000'000};
  FakeRegistry registry;
  std::string authorization;
};

TEST_F(SchemaRegistryClient, AnIdIsFetchedOnceAndNamedBySubjectAndVersion) {
  registry.say("http://r/schemas/ids/7", 200, R"({"schema":"\"string\""})");
  registry.say("http://r/schemas/ids/7/versions", 200,
               R"([{"subject":"a","version":1},{"subject":"preferred","version":4}])");
  auto schemas = lookup();
  for (int i = 0; i < 3; ++i) {
    auto schema = schemas->by_id(7);
    ASSERT_TRUE(schema.ok()) << schema.status().message();
    EXPECT_EQ((*schema)->label(), "preferred version 4 (id 7)");
    EXPECT_EQ((*schema)->schema.text, "\"string\"");
    EXPECT_EQ((*schema)->schema.kind, SchemaKind::avro);
    later(1000);
  }
  EXPECT_EQ(registry.asked.size(), 2u);
}

TEST_F(SchemaRegistryClient, WithoutVersionsALabelIsTheId) {
  registry.say("http://r/schemas/ids/7", 200, R"({"schema":"syntax = \"proto3\";","schemaType":"PROTOBUF"})");
  registry.say("http://r/schemas/ids/7/versions", 500, "");
  auto schema = lookup()->by_id(7);
  ASSERT_TRUE(schema.ok());
  EXPECT_EQ((*schema)->label(), "schema id 7");
  EXPECT_EQ((*schema)->schema.kind, SchemaKind::protobuf);
}

TEST_F(SchemaRegistryClient, TheLatestIsBelievedForAWhileAndAlsoWhileTheRegistryIsAway) {
  const std::string url = "http://r/subjects/orders%2Fa-value/versions/latest";
  registry.say(url, 200,
               R"({"subject":"orders/a-value","version":1,"id":3,"schema":"{}","schemaType":"JSON"})");
  auto schemas = lookup();
  EXPECT_EQ((*schemas->latest("orders/a-value"))->version, 1);
  later(29);
  EXPECT_EQ((*schemas->latest("orders/a-value"))->version, 1);
  EXPECT_EQ(registry.asked.size(), 1u);
  registry.answers[url].clear();
  registry.away(url);
  later(2);
  EXPECT_EQ((*schemas->latest("orders/a-value"))->version, 1);
  EXPECT_GT(registry.asked.size(), 1u);
  // What the latest was stays known as an id and as a version.
  EXPECT_EQ((*schemas->by_id(3))->version, 1);
  EXPECT_EQ((*schemas->version("orders/a-value", 1))->id, 3);
  registry.answers[url].clear();
  registry.say(url, 200,
               R"({"subject":"orders/a-value","version":2,"id":4,"schema":"{}","schemaType":"JSON"})");
  later(31);
  EXPECT_EQ((*schemas->latest("orders/a-value"))->version, 2);
}

TEST_F(SchemaRegistryClient, ANewIdEndsTheBeliefInTheLatest) {
  const std::string url = "http://r/subjects/s/versions/latest";
  registry.say(url, 200, R"({"subject":"s","version":1,"id":3,"schema":"\"int\""})");
  registry.say("http://r/schemas/ids/4", 200, R"({"schema":"\"long\"","id":4,"subject":"s","version":2})");
  auto schemas = lookup();
  EXPECT_EQ((*schemas->latest("s"))->version, 1);
  registry.answers[url].clear();
  registry.say(url, 200, R"({"subject":"s","version":2,"id":4,"schema":"\"long\""})");
  ASSERT_TRUE(schemas->by_id(3).ok());
  EXPECT_EQ((*schemas->latest("s"))->version, 1);
  ASSERT_TRUE(schemas->by_id(4).ok());
  EXPECT_EQ((*schemas->latest("s"))->version, 2);
  ASSERT_TRUE(schemas->by_id(4).ok());
  EXPECT_EQ((*schemas->latest("s"))->version, 2);
  EXPECT_EQ(registry.count(url), 2u);
}

TEST_F(SchemaRegistryClient, AfterANewIdAStaleLatestServesNobodyEvenWhileTheRegistryIsAway) {
  const std::string url = "http://r/subjects/s/versions/latest";
  registry.say(url, 200, R"({"subject":"s","version":1,"id":3,"schema":"\"int\""})");
  registry.say("http://r/schemas/ids/4", 200, R"({"schema":"\"long\"","id":4,"subject":"s","version":2})");
  auto schemas = lookup();
  EXPECT_TRUE(schemas->latest("s").ok());
  registry.answers[url].clear();
  registry.away(url);
  ASSERT_TRUE(schemas->by_id(4).ok());
  EXPECT_EQ(schemas->latest("s").status().code(), Code::unavailable);
}

TEST_F(SchemaRegistryClient, ALatestThatWasAskedForBeforeANewIdIsForgotten) {
  FetchCache<int> cache(10, clock);
  EXPECT_EQ(*cache.get("latest/s", std::chrono::seconds(30),
                       [&]() -> Result<int> {
                         cache.drop("latest/");
                         EXPECT_EQ(
                             *cache.get("latest/s", std::chrono::seconds(30), [] { return Result<int>(2); }),
                             2);
                         return 1;
                       }),
            1);
  EXPECT_EQ(*cache.get("latest/s", std::chrono::seconds(30), [] { return Result<int>(3); }), 2);
}

TEST_F(SchemaRegistryClient, AnUnknownIdIsRememberedForASecondOnly) {
  auto schemas = lookup();
  EXPECT_EQ(schemas->by_id(9).status().code(), Code::not_found);
  EXPECT_EQ(schemas->by_id(9).status().code(), Code::not_found);
  EXPECT_EQ(registry.count("http://r/schemas/ids/9"), 1u);
  registry.say("http://r/schemas/ids/9", 200, R"({"schema":"\"int\"","id":9,"subject":"s","version":2})");
  later(2);
  EXPECT_EQ((*schemas->by_id(9))->label(), "s version 2 (id 9)");
  EXPECT_EQ(schemas->by_id(-1).status().code(), Code::not_found);
  EXPECT_EQ(schemas->version("s", 0).status().code(), Code::not_found);
}

TEST_F(SchemaRegistryClient, NonsenseIsUnavailableWithWords) {
  const std::pair<int, std::string> answers[] = {
      {200, ""},
      {200, "<html>"},
      {200, "[]"},
      {200, "7"},
      {200, "{}"},
      {200, R"({"schema":7})"},
      {200, R"({"schema":""})"},
      {200, R"({"schema":"{no JSON"})"},
      {200, R"({"schema":"\"int\"","id":8})"},
      {200, R"({"schema":"\"int\"","id":-7})"},
      {200, R"({"schema":"\"int\"","id":99999999999})"},
      {200, R"({"schema":"\"int\"","id":"7"})"},
      {200, R"({"schema":"\"int\"","schemaType":"THRIFT"})"},
      {200, R"({"schema":"\"int\"","schemaType":7})"},
      {200, R"({"schema":"\"int\"","references":{}})"},
      {200, R"({"schema":"\"int\"","references":[7]})"},
      {200, R"({"schema":"\"int\"","references":[{"name":"n"}]})"},
      {200, R"({"schema":"\"int\"","references":[{"name":"n","subject":"s","version":0}]})"},
      {200, std::string(100'000, '[')},
      {404, "no such page"},
      {404, R"({"error_code":404,"message":"HTTP 404 Not Found"})"},
      {204, ""},
      {400, "{}"},
      {301, ""},
      {307, ""},
  };
  for (const auto& [status, body] : answers) {
    registry.answers.clear();
    registry.say("http://r/schemas/ids/7", status, body);
    const auto schema = lookup()->by_id(7);
    ASSERT_FALSE(schema.ok()) << body;
    EXPECT_EQ(schema.status().code(), Code::unavailable) << schema.status().message();
    EXPECT_GT(schema.status().message().size(), 20u);
  }
  // Neither a redirect nor nonsense is asked for again at once.
  EXPECT_EQ(registry.asked.size(), std::size(answers));
}

TEST_F(SchemaRegistryClient, AVersionMustBeTheOneThatWasAskedFor) {
  const std::string url = "http://r/subjects/s/versions/2?deleted=true";
  registry.say(url, 200, R"({"subject":"s","version":3,"id":1,"schema":"\"int\""})");
  EXPECT_EQ(lookup()->version("s", 2).status().code(), Code::unavailable);
  registry.answers.clear();
  registry.say(url, 200, R"({"subject":"s","version":2,"schema":"\"int\""})");
  EXPECT_EQ(lookup()->version("s", 2).status().code(), Code::unavailable);
}

TEST_F(SchemaRegistryClient, LostConnectionsAndOverloadAreTriedAgain) {
  const std::string url = "http://r/schemas/ids/7";
  registry.away(url);
  registry.say(url, 503, "");
  registry.say(url, 200, R"({"schema":"\"int\"","id":7,"subject":"s","version":1})");
  EXPECT_TRUE(lookup().get()->by_id(7).ok());
  EXPECT_EQ(registry.asked.size(), 3u);

  registry.answers.clear();
  registry.asked.clear();
  registry.say(url, 429, R"({"error_code":42900,"message":"slow down"})");
  const auto schema = lookup()->by_id(7);
  EXPECT_EQ(schema.status().code(), Code::unavailable);
  EXPECT_NE(schema.status().message().find("slow down"), std::string::npos);
  EXPECT_EQ(registry.asked.size(), 3u);
}

TEST_F(SchemaRegistryClient, AnotherServerAnswersWhenOneIsAway) {
  registry.away("http://a/schemas/ids/7");
  registry.say("http://b/schemas/ids/7", 200, R"({"schema":"\"int\"","id":7,"subject":"s","version":1})");
  registry.say("http://b/schemas/ids/8", 200, R"({"schema":"\"long\"","id":8,"subject":"s","version":2})");
  auto schemas = lookup({"http://a", "http://b"});
  EXPECT_TRUE(schemas->by_id(7).ok());
  EXPECT_TRUE(schemas->by_id(8).ok());
  EXPECT_EQ(registry.asked, (std::vector<std::string>{"http://a/schemas/ids/7", "http://b/schemas/ids/7",
                                                      "http://b/schemas/ids/8"}));
}

TEST_F(SchemaRegistryClient, WhatIsKnownGoesOnWorkingWhileTheRegistryIsAway) {
  registry.say("http://r/schemas/ids/7", 200, R"({"schema":"\"int\"","id":7,"subject":"s","version":1})");
  auto schemas = lookup();
  EXPECT_TRUE(schemas->by_id(7).ok());
  registry.answers.clear();
  registry.away("http://r/schemas/ids/7");
  registry.away("http://r/schemas/ids/8");
  later(100'000);
  EXPECT_TRUE(schemas->by_id(7).ok());
  EXPECT_EQ(schemas->by_id(8).status().code(), Code::unavailable);
  registry.answers.clear();
  registry.say("http://r/schemas/ids/8", 200, R"({"schema":"\"int\"","id":8,"subject":"s","version":2})");
  EXPECT_TRUE(schemas->by_id(8).ok());
}

TEST_F(SchemaRegistryClient, AWrongPasswordIsDeniedAndNeverRepeated) {
  authorization = "Bearer very-secret";
  registry.say("http://r/schemas/ids/7", 401, R"({"error_code":401,"message":"Unauthorized"})");
  const auto schema = lookup()->by_id(7);
  EXPECT_EQ(schema.status().code(), Code::denied);
  EXPECT_EQ(schema.status().message().find("secret"), std::string::npos);
  EXPECT_EQ(registry.authorizations, std::vector<std::string>{"Bearer very-secret"});
}

TEST_F(SchemaRegistryClient, ReferencesComeBeforeWhatNeedsThem) {
  const auto version = [](const std::string& subject) {
    return "http://r/subjects/" + subject + "/versions/1?deleted=true";
  };
  registry.say(
      "http://r/schemas/ids/7", 200,
      R"({"schema":"\"top\"","id":7,"subject":"t","version":1,"references":[)"
      R"({"name":"a.proto","subject":"a","version":1},{"name":"b.proto","subject":"b","version":1}]})");
  registry.say(version("a"), 200,
               R"({"schema":"\"text a\"","id":1,"subject":"a","version":1,"references":[)"
               R"({"name":"b.proto","subject":"b","version":1}]})");
  registry.say(version("b"), 200, R"({"schema":"\"text b\"","id":2,"subject":"b","version":1})");
  auto schema = lookup()->by_id(7);
  ASSERT_TRUE(schema.ok()) << schema.status().message();
  const auto& needed = (*schema)->schema.needed;
  ASSERT_EQ(needed.size(), 2u);
  EXPECT_EQ(needed[0].name + needed[0].text, R"(b.proto"text b")");
  EXPECT_EQ(needed[1].name + needed[1].text, R"(a.proto"text a")");
  EXPECT_EQ(registry.count(version("b")), 1u);
}

TEST_F(SchemaRegistryClient, ReferencesInACircleOrMissingAreUnavailable) {
  const auto say = [&](const std::string& subject, const std::string& next) {
    registry.say("http://r/subjects/" + subject + "/versions/1?deleted=true", 200,
                 R"({"schema":"\"int\"","id":1,"subject":")" + subject +
                     R"(","version":1,"references":[{"name":"n","subject":")" + next + R"(","version":1}]})");
  };
  say("a", "b");
  say("b", "a");
  say("c", "nowhere");
  auto schemas = lookup();
  EXPECT_EQ(schemas->version("a", 1).status().code(), Code::unavailable);
  EXPECT_NE(schemas->version("a", 1).status().message().find("circle"), std::string::npos);
  EXPECT_EQ(schemas->version("c", 1).status().code(), Code::unavailable);
  for (int i = 0; i < 50; ++i) say("s" + std::to_string(i), "s" + std::to_string(i + 1));
  EXPECT_EQ(schemas->version("s0", 1).status().code(), Code::unavailable);
}

TEST_F(SchemaRegistryClient, OneRequestIsInFlightForAnId) {
  registry.say("http://r/schemas/ids/7", 200, R"({"schema":"\"int\"","id":7,"subject":"s","version":1})");
  registry.say("http://r/schemas/ids/8", 200, R"({"schema":"\"long\"","id":8,"subject":"s","version":2})");
  registry.hold = true;
  auto schemas = lookup();
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { good += schemas->by_id(7).ok(); });
  threads.emplace_back([&] { good += schemas->by_id(8).ok(); });
  {
    // Another id does not wait for the first.
    std::unique_lock lock(registry.mutex);
    registry.changed.wait(lock, [&] { return registry.waiting == 2; });
    registry.hold = false;
    registry.changed.notify_all();
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 5);
  EXPECT_EQ(registry.count("http://r/schemas/ids/7"), 1u);
}

Options options_of(std::map<std::string, std::string> texts) {
  std::map<std::string, OptionValue> values;
  for (const auto& [name, text] : texts) values["schema-registry." + name].text = text;
  return Options(schema_registry_option_specs(), values);
}

TEST(SchemaRegistryOptions, WhatCannotWorkIsRefusedWithoutSecrets) {
  const std::map<std::string, std::string> wrong[] = {
      {{"url", "ftp://r"}},
      {{"url", " , "}},
      {{"url", "http://user:hidden@r/x"}},
      {{"url", "http://r?x=hidden"}},
      {{"url", "http://r"}, {"token", "hidden"}, {"username", "u"}},
      {{"url", "http://r"}, {"password", "hidden"}},
      {{"url", "http://r"}, {"token", "hid\nden"}},
      {{"url", "http://r"}, {"tls.cert", "c.pem"}},
  };
  for (const auto& texts : wrong) {
    const auto opened = open_schema_lookup(options_of(texts), ".");
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.status().code(), Code::invalid);
    EXPECT_EQ(opened.status().message().find("hid"), std::string::npos) << opened.status().message();
  }
  EXPECT_TRUE(open_schema_lookup(options_of({{"url", "http://r, https://s/registry/"}}), ".").ok());
  for (const OptionSpec& spec : schema_registry_option_specs()) {
    EXPECT_EQ(spec.secret, spec.name.ends_with(".password") || spec.name.ends_with(".token")) << spec.name;
  }
}

TEST(SchemaRegistryOptions, WithoutAUrlThereAreFilesOnly) {
  auto schemas = open_schema_lookup(options_of({}), testing::TempDir());
  ASSERT_TRUE(schemas.ok());
  EXPECT_EQ((*schemas)->by_id(1).status().code(), Code::invalid);
  std::ofstream(testing::TempDir() + "/a.avsc") << "\"int\"";
  EXPECT_EQ(*(*schemas)->file("a.avsc"), "\"int\"");
  EXPECT_EQ((*schemas)->file("missing.avsc").status().code(), Code::not_found);
}

// A server that takes the connection and never answers.
TEST(SchemaRegistryOptions, ASlowServerIsGivenUp) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(listener, 8), 0);
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  const std::string url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  auto schemas = open_schema_lookup(options_of({{"url", url}, {"timeout", "50 ms"}, {"retries", "1"}}), ".");
  ASSERT_TRUE(schemas.ok());
  const auto schema = (*schemas)->by_id(1);
  EXPECT_EQ(schema.status().code(), Code::unavailable);
  EXPECT_NE(schema.status().message().find(url), std::string::npos) << schema.status().message();
  close(listener);
}

}  // namespace
}  // namespace weir
