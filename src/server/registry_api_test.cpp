#include "server/registry_api.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <thread>

#include "base/environment.h"

namespace weir {
namespace {

class RegistryApiTest : public testing::Test {
 protected:
  RegistryApiTest() : folder_(testing::TempDir() + "/registry-" + random_hex_id()) {}
  ~RegistryApiTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<RegistryApi> open(std::vector<std::string> tokens = {}) {
    auto opened = RegistryApi::open({folder_, std::move(tokens)}, Clock::real());
    EXPECT_TRUE(opened.ok()) << opened.status().message();
    return *std::move(opened);
  }

  static HttpAnswer ask(const HttpRoute& route, const std::string& method, const std::string& path,
                        const std::string& body = "", const std::string& authorization = "") {
    auto call = std::make_shared<HttpCall>();
    call->head.method = method;
    call->head.path = path;
    if (!authorization.empty()) call->head.headers.emplace_back("authorization", authorization);
    call->body = body;
    if (auto refused = route.admit(call->head)) return *refused;
    const auto answered = std::make_shared<std::promise<HttpAnswer>>();
    route.handle(call, [answered](HttpAnswer answer) { answered->set_value(std::move(answer)); });
    return answered->get_future().get();
  }

  std::string folder_;
};

TEST_F(RegistryApiTest, WhatWasAnsweredIsThereAfterARestart) {
  {
    auto api = open();
    const HttpRoute route = api->route();
    EXPECT_EQ(route.prefix, "/registry");
    const HttpAnswer answer = ask(route, "POST", "/registry/subjects/s/versions", R"({"schema":"\"int\""})");
    EXPECT_EQ(answer.body, R"({"id":1})");
    EXPECT_EQ(answer.content_type, "application/vnd.schemaregistry.v1+json");
    EXPECT_FALSE(RegistryApi::open({folder_, {}}, Clock::real()).ok());
  }
  auto api = open();
  const HttpRoute route = api->route();
  EXPECT_EQ(ask(route, "GET", "/registry/subjects").body, R"(["s"])");
  EXPECT_EQ(ask(route, "POST", "/registry/subjects/s/versions", R"({"schema":"\"long\""})").body,
            R"({"id":2})");
  EXPECT_EQ(ask(route, "GET", "/registry").body, "{}");
  EXPECT_EQ(ask(route, "GET", "/registry/").body, "{}");
  EXPECT_EQ(ask(route, "GET", "/registryx").status, 404);
}

TEST_F(RegistryApiTest, OnlyATokenOpens) {
  auto api = open({"first", "second"});
  const HttpRoute route = api->route();
  const auto status = [&](const std::string& authorization) {
    return ask(route, "GET", "/registry/subjects", "", authorization).status;
  };
  EXPECT_EQ(status("Bearer first"), 200);
  EXPECT_EQ(status("bearer second"), 200);
  EXPECT_EQ(status("Basic dXNlcjpmaXJzdA=="), 200);  // user:first
  EXPECT_EQ(status("Basic OmZpcnN0"), 200);          // :first
  for (const char* wrong :
       {"", "first", "Bearer", "Bearer ", "Bearer firs", "Bearer first ", "Bearer third",
        "Basic dXNlcjpmaXJzd", "Basic !!!!", "Basic ====", "Basic Zmlyc3Q=", "Digest first"}) {
    EXPECT_EQ(status(wrong), 401) << wrong;
  }
  const HttpAnswer refused = ask(route, "GET", "/registry/subjects");
  EXPECT_NE(refused.body.find("40101"), std::string::npos);
}

TEST_F(RegistryApiTest, ManyAtOnceGetOneIdForASchema) {
  auto api = open();
  const HttpRoute route = api->route();
  std::vector<std::thread> threads;
  std::vector<std::string> answers(8);
  for (size_t i = 0; i < answers.size(); ++i) {
    threads.emplace_back([&, i] {
      answers[i] = ask(route, "POST", "/registry/subjects/s/versions", R"({"schema":"\"int\""})").body;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& answer : answers) EXPECT_EQ(answer, R"({"id":1})");
}

}  // namespace
}  // namespace weir
