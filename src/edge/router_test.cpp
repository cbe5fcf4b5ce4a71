#include "edge/router.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(Router, Globs) {
  EXPECT_TRUE(glob_fits("a*c", "abbc"));
  EXPECT_TRUE(glob_fits("*", ""));
  EXPECT_TRUE(glob_fits("*.created", "order.created"));
  EXPECT_TRUE(glob_fits("a*b*c", "axbxbxc"));
  EXPECT_FALSE(glob_fits("a*c", "abcd"));
  EXPECT_FALSE(glob_fits("", "a"));
  EXPECT_FALSE(glob_fits("order", "orders"));
  EXPECT_FALSE(glob_fits(std::string(20, '*') + "b", std::string(10'000, 'a')));
}

TEST(Router, Subjects) {
  EXPECT_TRUE(subject_fits("orders.*", "orders.eu"));
  EXPECT_FALSE(subject_fits("orders.*", "orders.eu.west"));
  EXPECT_FALSE(subject_fits("orders.*", "orders"));
  EXPECT_TRUE(subject_fits("orders.>", "orders.eu.west"));
  EXPECT_FALSE(subject_fits("orders.>", "orders"));
  EXPECT_TRUE(subject_fits(">", "x"));
  EXPECT_TRUE(subject_fits("*.eu", "orders.eu"));
  EXPECT_FALSE(subject_fits("order*", "orders"));
}

EdgeConfig config_of(const std::string& text) {
  Diagnostics diagnostics;
  EdgeConfig config = parse_edge_config("weir.toml", text, diagnostics);
  EXPECT_FALSE(diagnostics.has_errors()) << diagnostics.status().message();
  return config;
}

TEST(Router, TheFirstRouteThatFitsWins) {
  const Router router(config_of(R"(
    [[stream]]
    name = "orders"
    [[route]]
    type = "order.*"
    header.ce-source = "/eu/*"
    to = "log:eu"
    [[route]]
    stream = "or*"
    header.x-kind = "vip"
    to = "log:vip"
    [[route]]
    subject = "bill.>"
    to = "log:bills"
  )"));
  EventEnvelope event;
  HttpHead head;
  const auto to = [&](std::string_view stream) {
    const std::string_view subject = event.type.empty() ? stream : event.type;
    return router.route({stream, &event, subject, &head}).value_or("none");
  };
  EXPECT_EQ(to("orders"), "log:orders");
  EXPECT_EQ(to("other"), "none");
  head.headers = {{"x-kind", "vip"}};
  EXPECT_EQ(to("orders"), "log:vip");
  EXPECT_EQ(to("other"), "none");
  event.type = "order.created";
  event.attributes = {{"ce-source", "/eu/1"}};
  EXPECT_EQ(to("orders"), "log:eu");
  event.attributes = {{"ce-source", "/us/1"}};
  EXPECT_EQ(to("orders"), "log:vip");
  event.type = "bill.sent";
  EXPECT_EQ(to("other"), "log:bills");
}

TEST(Router, WithoutDeclaredStreamsAnyIsTaken) {
  const Router router(config_of(""));
  EventEnvelope event;
  EXPECT_TRUE(router.takes_any_stream());
  EXPECT_EQ(router.route({"x", &event, "x", nullptr}), "log:x");
}

}  // namespace
}  // namespace weir
