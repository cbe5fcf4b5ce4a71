#include "bridge/stream_graph.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include "bridge/bridge.h"
#include "bridge/graph_for_test.h"
#include "bridge/rows_for_test.h"

namespace weir::bridge {
namespace {

using Lines = std::vector<std::string>;

// clicks(user_id BIGINT, page STRING, price DOUBLE, ts TIMESTAMP(3), p AS PROCTIME()), event time ts;
// orders(id BIGINT, user_id INT, amount BIGINT, at TIMESTAMP(6)), event time `at`;
// plain(id BIGINT, name STRING); users(id BIGINT, name STRING, active BOOLEAN) to look up
PlanRequest request(const std::string& query) {
  const auto ms = arrow::timestamp(arrow::TimeUnit::MILLI);
  const auto us = arrow::timestamp(arrow::TimeUnit::MICRO);
  PlanRequest request;
  PlanTable clicks;
  clicks.name = "clicks";
  clicks.schema = arrow::schema({arrow::field("user_id", arrow::int64()), arrow::field("page", arrow::utf8()),
                                 arrow::field("price", arrow::float64()), arrow::field("ts", ms)});
  clicks.computed = {{"p", "PROCTIME()"}};
  clicks.order = {"user_id", "page", "price", "ts", "p"};
  clicks.time_column = "ts";
  PlanTable orders;
  orders.name = "orders";
  orders.schema = arrow::schema({arrow::field("id", arrow::int64()), arrow::field("user_id", arrow::int32()),
                                 arrow::field("amount", arrow::int64()), arrow::field("at", us)});
  orders.time_column = "at";
  PlanTable plain;
  plain.name = "plain";
  plain.schema = arrow::schema({arrow::field("id", arrow::int64()), arrow::field("name", arrow::utf8())});
  PlanTable users;
  users.name = "users";
  users.schema = arrow::schema({arrow::field("id", arrow::int64()), arrow::field("name", arrow::utf8()),
                                arrow::field("active", arrow::boolean())});
  users.lookup = true;
  PlanTable changes;
  changes.name = "changes";
  changes.schema = plain.schema;
  changes.changelog = true;
  request.tables = {clicks, orders, plain, users, changes};
  request.query = query;
  return request;
}

StreamPlan planned(const std::string& query) {
  PlanResult result = plan_query(request(query));
  EXPECT_TRUE(result.plan.has_value()) << query << ": " << result.error.status.message();
  return result.plan ? *std::move(result.plan) : StreamPlan{};
}

Lines graph(const std::string& query) { return text_of(planned(query).graph); }

PlanError failed(const std::string& query) {
  PlanResult result = plan_query(request(query));
  EXPECT_FALSE(result.plan.has_value()) << query;
  return result.error;
}

TEST(StreamGraph, TumbleOverASource) {
  const StreamPlan plan = planned(
      "SELECT window_start, page, COUNT(*) AS n, SUM(price) AS total FROM TABLE(TUMBLE(clicks, "
      "DESCRIPTOR(ts), INTERVAL '10' SECOND)) WHERE user_id > 5 GROUP BY window_start, window_end, page");
  EXPECT_EQ(text_of(plan.graph),
            (Lines{"scan clicks timed 2 [tumble 10 s at 2] (page, price, ts)",
                   "window_aggregate of 0 by 0 [tumble 10 s at 2] s e count() sum(1) (page, window_start, "
                   "window_end, count(*), sum(clicks.price))",
                   "fragment of 1 (window_start, page, n, total)"}));
  ASSERT_EQ(plan.branches.size(), 1u);
  EXPECT_EQ(plan.branches[0].source, "clicks");
  EXPECT_EQ(plan.branches[0].fragment, nullptr);
  EXPECT_FALSE(plan.changelog);
  EXPECT_EQ(plan.graph[1].aggregates[1].type->ToString(), "double");
  EXPECT_EQ(plan.schema->ToString(), "window_start: timestamp[ms]\npage: string\nn: int64\ntotal: double");
  EXPECT_TRUE(plan.graph.back().schema->Equals(plan.schema));
}

}  // namespace
}  // namespace weir::bridge
