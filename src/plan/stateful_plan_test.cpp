#include "plan/stateful_plan.h"

#include <gtest/gtest.h>

#include "plan/registry_for_test.h"

namespace weir {
namespace {

const std::string kTables =
    "CREATE TABLE clicks (user_id BIGINT, page STRING, price DOUBLE, ts TIMESTAMP(3), p AS PROCTIME(), "
    "WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) WITH ('connector' = 'in');\n"
    "CREATE TABLE plain (id BIGINT, name STRING) WITH ('connector' = 'in');\n"
    "CREATE TABLE appended WITH ('connector' = 'out');\n"
    "CREATE TABLE kept (page STRING, n BIGINT, PRIMARY KEY (page) NOT ENFORCED) WITH ('connector' = "
    "'table');\n"
    "CREATE TABLE keyless (page STRING, n BIGINT) WITH ('connector' = 'table');\n";

const std::string kWindow =
    "FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY page, window_start, "
    "window_end";

PlannedText planned(const std::string& statements) { return plan_text(kTables + statements); }

// The kinds of the first INSERT's nodes.
std::string kinds(const PlannedText& planned) {
  if (!planned.plan) return planned.errors;
  const char* names[] = {"scan",        "fragment",      "union_all", "window_aggregate", "aggregate",
                         "window_join", "interval_join", "join",      "lookup_join",      "window_top_n"};
  std::string text;
  for (const PlanNode& node : planned.plan->inserts[0]->plan.graph) {
    text += (text.empty() ? "" : " ") + std::string(names[static_cast<int>(node.kind)]);
  }
  return text;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(StatefulPlan, WindowsRunIntoAnySink) {
  PlannedText result =
      planned("INSERT INTO appended SELECT page, COUNT(*) AS n, window_start " + kWindow + ";");
  EXPECT_EQ(kinds(result), "scan window_aggregate fragment");
  ASSERT_TRUE(result.plan) << result.errors;
  ASSERT_EQ(result.plan->sets.size(), 1u);
  EXPECT_TRUE(result.plan->sets[0].stateful());
  ASSERT_EQ(result.plan->sets[0].sources.size(), 1u);
  EXPECT_NE(result.plan->source("clicks")->event_time.fragment, nullptr);
  EXPECT_FALSE(result.plan->inserts[0]->sink->changelog);
}

TEST(StatefulPlan, StatelessSetsStayStateless) {
  PlannedText result = planned("INSERT INTO appended SELECT page, ts FROM clicks WHERE price > 1;");
  ASSERT_TRUE(result.plan) << result.errors;
  EXPECT_FALSE(result.plan->sets[0].stateful());
  EXPECT_TRUE(result.plan->inserts[0]->plan.graph.empty());
}

TEST(StatefulPlan, UnboundedStateIsRefusedAtItsPlace) {
  const std::string query = "INSERT INTO kept SELECT page,\n  COUNT(*) AS n FROM clicks GROUP BY page;";
  PlannedText result = planned(query);
  EXPECT_TRUE(has(result.errors, "7:38 GROUP BY clicks.page keeps every group for ever")) << result.errors;
  EXPECT_TRUE(has(result.errors, "SET 'pipeline.state-ttl'")) << result.errors;
  for (const char* setting :
       {"SET 'pipeline.state-ttl' = '1 h';", "SET 'pipeline.unbounded-state' = 'allow';"}) {
    result = planned(setting + query);
    ASSERT_TRUE(result.plan) << result.errors;
    EXPECT_TRUE(result.plan->inserts[0]->sink->changelog);
  }
  result =
      planned("INSERT INTO appended SELECT c.page, p.name FROM clicks c\n JOIN plain p ON c.user_id = p.id;");
  EXPECT_TRUE(has(result.errors, "the join on c.user_id = p.id keeps every row of both sides"))
      << result.errors;
}

TEST(StatefulPlan, ChangelogsNeedASinkThatTakesThem) {
  const std::string allow = "SET 'pipeline.unbounded-state' = 'allow';";
  const std::string query = "SELECT page, COUNT(*) AS n FROM clicks GROUP BY page;";
  EXPECT_TRUE(has(planned(allow + "INSERT INTO appended " + query).errors, "only appends"));
  PlannedText keyless = planned(allow + "INSERT INTO keyless " + query);
  EXPECT_TRUE(has(keyless.errors, "PRIMARY KEY (page) NOT ENFORCED")) << keyless.errors;
}

TEST(StatefulPlan, LatenessMakesAChangelogOfAWindow) {
  const std::string late = "SET 'pipeline.allowed-lateness' = '5 s';";
  PlannedText result = planned(late + "INSERT INTO kept SELECT page, COUNT(*) AS n " + kWindow + ";");
  ASSERT_TRUE(result.plan) << result.errors;
  EXPECT_TRUE(result.plan->inserts[0]->plan.changelog);
  EXPECT_TRUE(result.plan->inserts[0]->sink->changelog);
  result = planned(late + "INSERT INTO appended SELECT page, COUNT(*) AS n " + kWindow + ";");
  EXPECT_TRUE(has(result.errors, "'pipeline.allowed-lateness' corrects results")) << result.errors;
  result =
      planned(late +
              "INSERT INTO kept SELECT page, SUM(n) AS n FROM (SELECT page, COUNT(*) AS n, window_start, "
              "window_end " +
              kWindow + ") GROUP BY page, window_start, window_end;");
  EXPECT_TRUE(has(result.errors, "cannot read")) << result.errors;
}

TEST(StatefulPlan, WatermarksOfAWrongTypeAreRefusedAtTheirPlace) {
  const std::string tail =
      ") WITH ('connector' = 'in'); CREATE TABLE o WITH ('connector' = 'out'); INSERT INTO o "
      "SELECT a FROM t;";
  EXPECT_TRUE(has(plan_text("CREATE TABLE t (a BIGINT,\n WATERMARK FOR a AS a" + tail).errors,
                  "2:21 the watermark of 't' is int64"));
  EXPECT_TRUE(has(plan_text("CREATE TABLE t (a TIMESTAMP(9),\n WATERMARK FOR a AS a" + tail).errors,
                  "2:21 the column 'a' of WATERMARK FOR is timestamp[ns]"));
  EXPECT_TRUE(
      has(plan_text("CREATE TABLE t (a TIMESTAMP(3), b INT,\n WATERMARK FOR a AS b + 1" + tail).errors,
          "2:21 the watermark of 't' is int"));
  EXPECT_TRUE(has(plan_text("CREATE TABLE t (a TIMESTAMP(3),\n WATERMARK FOR a AS nope" + tail).errors,
                  "2:21 there is no column 'nope'"));
  EXPECT_EQ(plan_text("CREATE TABLE t (a BIGINT, b AS TO_TIMESTAMP_MILLIS(a),\n WATERMARK FOR b AS b" + tail)
                .errors,
            "");
}

TEST(StatefulPlan, TheHashTellsQueriesApart) {
  const auto hash = [](const std::string& statement) {
    PlannedText result = planned(statement);
    EXPECT_TRUE(result.plan) << result.errors;
    return result.plan ? result.plan->stateful_hash(result.plan->sets[0]) : 0;
  };
  const int64_t one = hash("INSERT INTO appended SELECT page, COUNT(*) AS n " + kWindow + ";");
  EXPECT_EQ(one, hash("INSERT INTO appended SELECT page, COUNT(*) AS n -- more\n " + kWindow + ";"));
  EXPECT_NE(one, hash("INSERT INTO appended SELECT page, SUM(price) AS n " + kWindow + ";"));
  EXPECT_GE(one, 0);
}

}  // namespace
}  // namespace weir
