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
    "CREATE TABLE corrected (page STRING, n BIGINT, s TIMESTAMP(3), PRIMARY KEY (page, s) NOT ENFORCED) WITH "
    "('connector' = 'table');"
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
  PlannedText result =
      planned(late + "INSERT INTO corrected SELECT page, COUNT(*) AS n, window_start " + kWindow + ";");
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
                  "2:21 the column 'a' of WATERMARK FOR is BIGINT"));
  EXPECT_TRUE(has(plan_text("CREATE TABLE t (a TIMESTAMP(9),\n WATERMARK FOR a AS a" + tail).errors,
                  "2:21 the column 'a' of WATERMARK FOR is TIMESTAMP(9), expected TIMESTAMP(p) or "
                  "TIMESTAMP_LTZ(p): a time attribute has at most 6 digits"));
  // Before what a query over windows says.
  const PlannedText nanos = plan_text(
      "CREATE TABLE t (a TIMESTAMP(9),\n WATERMARK FOR a AS a) WITH ('connector' = 'in'); CREATE TABLE o "
      "WITH "
      "('connector' = 'out'); INSERT INTO o SELECT COUNT(*) AS n FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(a), "
      "INTERVAL '1' SECOND)) GROUP BY window_start, window_end;");
  EXPECT_TRUE(nanos.errors.starts_with("2:21 the column 'a'")) << nanos.errors;
  EXPECT_EQ(nanos.errors.find("time attribute;"), std::string::npos) << nanos.errors;
  EXPECT_TRUE(has(plan_text("CREATE TABLE t (a STRING,\n WATERMARK FOR a AS a" + tail).errors,
                  "2:21 the column 'a' of WATERMARK FOR is STRING"));
  EXPECT_TRUE(has(plan_text("CREATE TABLE t (b BIGINT, a AS b + 1,\n WATERMARK FOR a AS a" + tail).errors,
                  "2:21 the column 'a' of WATERMARK FOR is int64"));
  EXPECT_TRUE(
      has(plan_text("CREATE TABLE t (a TIMESTAMP(3), b INT,\n WATERMARK FOR a AS b + 1" + tail).errors,
          "2:21 the watermark of 't' is int"));
  EXPECT_TRUE(has(plan_text("CREATE TABLE t (a TIMESTAMP(3),\n WATERMARK FOR a AS nope" + tail).errors,
                  "2:21 there is no column 'nope'"));
  EXPECT_EQ(plan_text("CREATE TABLE t (a BIGINT, b AS TO_TIMESTAMP_MILLIS(a),\n WATERMARK FOR b AS b" + tail)
                .errors,
            "");
}

TEST(StatefulPlan, WindowsWithoutNumberAreRefusedAtTheirPlace) {
  const auto errors = [](const std::string& window) {
    return planned("INSERT INTO appended SELECT COUNT(*) AS n FROM TABLE(" + window +
                   ") GROUP BY window_start, window_end;")
        .errors;
  };
  const std::string of = "(TABLE clicks, DESCRIPTOR(ts), INTERVAL '1' SECOND, INTERVAL ";
  EXPECT_EQ(errors("HOP" + of + "'10000' SECOND)"), "");
  EXPECT_EQ(errors("CUMULATE" + of + "'10000' SECOND)"), "");
  const std::string hop = errors("HOP" + of + "'100' DAY)");
  EXPECT_TRUE(hop.starts_with("6:22 HOP: a row would be in 8,640,000 windows, at most 10,000")) << hop;
  const std::string cumulate = errors("CUMULATE" + of + "'10001' SECOND)");
  EXPECT_TRUE(cumulate.starts_with("6:22 CUMULATE: a row would be in 10,001 windows")) << cumulate;
}

TEST(StatefulPlan, SeveralWorkersDoNotShareState) {
  const std::string several = "SET 'pipeline.workers' = 'several';";
  EXPECT_EQ(plan_text(several + kTables + "INSERT INTO appended SELECT page FROM clicks;").errors, "");
  const std::string text =
      plan_text(several + kTables + "INSERT INTO appended SELECT page, COUNT(*) AS n " + kWindow + ";")
          .errors;
  EXPECT_TRUE(text.starts_with("1:26 one process runs a pipeline that keeps state")) << text;
}

int64_t hash_of(const std::string& text) {
  PlannedText result = plan_text(text);
  EXPECT_TRUE(result.plan) << result.errors;
  return result.plan ? result.plan->stateful_hash(result.plan->sets[0]) : 0;
}

// `text` with `from`, which must be in it, as `to`.
std::string changed(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

const std::string kView = "CREATE VIEW cheap AS SELECT * FROM clicks WHERE price < 5;\n";
const std::string kCounts = "INSERT INTO appended SELECT page, COUNT(*) AS n " + kWindow + ";\n";
const std::string kOfView = changed(kCounts, "TABLE clicks", "TABLE cheap");

TEST(StatefulPlan, TheHashTellsQueriesApart) {
  const int64_t one = hash_of(kTables + kCounts);
  EXPECT_GE(one, 0);
  const std::string ts = "ts AS ts - INTERVAL '5' SECOND";
  EXPECT_NE(one, hash_of(kTables + changed(kCounts, "COUNT(*)", "SUM(price)")));
  EXPECT_NE(one, hash_of(kTables + changed(kCounts, "'10' SECOND", "'20' SECOND")));
  EXPECT_NE(one, hash_of(changed(kTables, ts, "ts AS ts - INTERVAL '6' SECOND") + kCounts));
  EXPECT_NE(one, hash_of(changed(kTables, "page STRING", "page BIGINT") + kCounts));
  EXPECT_NE(one, hash_of(changed(kTables, "PROCTIME()", "PROCTIME(), q AS price + 1") + kCounts));
  EXPECT_NE(hash_of(kTables + kView + kOfView),
            hash_of(kTables + changed(kView, "price < 5", "price < 6") + kOfView));
  const std::string kept = "INSERT INTO corrected SELECT page, COUNT(*) AS n, window_start " + kWindow + ";";
  EXPECT_NE(hash_of(kTables + kept), hash_of("SET 'pipeline.allowed-lateness' = '5 s';" + kTables + kept));
}

TEST(StatefulPlan, TheHashStaysWhereTheStateDoes) {
  const int64_t one = hash_of(kTables + kCounts);
  EXPECT_EQ(one, hash_of(kTables + changed(kCounts, "COUNT", "-- more\n   COUNT")));
  EXPECT_EQ(one, hash_of("SET 'pipeline.commit-interval' = '3 s';" + kTables + kCounts));
  // Columns that the query does not read: a later version of a schema has some more.
  EXPECT_EQ(one, hash_of(changed(kTables, "(user_id", "(more STRING, user_id") + kCounts));
  EXPECT_EQ(one, hash_of(changed(kTables, "price DOUBLE", "price DOUBLE, more STRING") + kCounts));
  // INSERTs without state beside it, in front of it and behind.
  const std::string beside =
      "CREATE TABLE more WITH ('connector' = 'out'); INSERT INTO more SELECT page FROM clicks;\n";
  EXPECT_EQ(one, hash_of(kTables + beside + kCounts));
  EXPECT_EQ(one, hash_of(kTables + kCounts + beside));
  EXPECT_EQ(one, hash_of(kTables + kView + kCounts));
  // Another INSERT with state is none of these.
  EXPECT_NE(one, hash_of(kTables + kCounts +
                         changed(beside, "SELECT page FROM clicks", "SELECT MAX(page) AS m " + kWindow)));
}

TEST(StatefulPlan, TheHashKnowsTheColumnsThatAreRead) {
  const std::string all =
      "INSERT INTO appended SELECT c.*, p.* FROM clicks c JOIN plain p ON c.user_id = p.id;\n";
  const std::string allow = "SET 'pipeline.unbounded-state' = 'allow';";
  const int64_t one = hash_of(allow + kTables + all);
  EXPECT_NE(one, hash_of(allow + changed(kTables, "name STRING", "name STRING, more STRING") + all));
  EXPECT_NE(one, hash_of(allow + changed(kTables, "name STRING", "other STRING") + all));
}

}  // namespace
}  // namespace weir
