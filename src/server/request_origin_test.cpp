#include "server/request_origin.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

bool refused(const std::string& host, const std::string& origin = "") {
  HttpHead head;
  if (!host.empty()) head.headers.emplace_back("host", host);
  if (!origin.empty()) head.headers.emplace_back("origin", origin);
  const auto answer = refuse_foreign(head, "127.0.0.1");
  EXPECT_TRUE(!answer || answer->status == 403);
  return answer.has_value();
}

TEST(RequestOrigin, OnlyTheListenersOwnNames) {
  for (const char* host : {"", "127.0.0.1", "127.0.0.1:7080", "LocalHost:7080", "localhost", "[::1]:7080"}) {
    EXPECT_FALSE(refused(host)) << host;
  }
  for (const char* host : {"rebound.example:7080", "127.0.0.1.example", "localhost.example", "10.0.0.1", "[",
                           "[::2]:7080", "localhost@example"}) {
    EXPECT_TRUE(refused(host)) << host;
  }
}

TEST(RequestOrigin, NoPageOfAnotherOrigin) {
  EXPECT_FALSE(refused("localhost:7080", "http://localhost:7080"));
  EXPECT_FALSE(refused("localhost:7080", "HTTPS://LOCALHOST:7080"));
  for (const char* origin : {"https://example.org", "null", "http://localhost:3000",
                             "http://localhost:7080.x", "http://localhost"}) {
    EXPECT_TRUE(refused("localhost:7080", origin)) << origin;
  }
}

}  // namespace
}  // namespace weir
