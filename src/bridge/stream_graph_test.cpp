#include "bridge/stream_graph.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <algorithm>

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

struct Case {
  const char* query;
  Lines graph;
};

const Case kCases[] = {
    {"SELECT window_start, page, COUNT(*) AS n FROM TABLE(HOP(clicks, DESCRIPTOR(ts), INTERVAL '2' SECOND, "
     "INTERVAL '10' SECOND)) GROUP BY page, window_start, window_end",
     {"scan clicks timed 1 [hop 10 s/2 at 1] (page, time)",
      "window_aggregate of 0 by 0 [hop 10 s/2 at 1] s e count() (page, window_start, window_end, "
      "count(Int64(1)))",
      "fragment of 1 (window_start, page, n)"}},
    {"SELECT page, COUNT(*) AS n, window_end FROM TABLE(CUMULATE(clicks, DESCRIPTOR(ts), INTERVAL '2' "
     "SECOND, INTERVAL '10' SECOND)) GROUP BY page, window_start, window_end",
     {"scan clicks timed 1 [cumulate 10 s/2 at 1] (page, time)",
      "window_aggregate of 0 by 0 [cumulate 10 s/2 at 1] s e count() (page, window_start, window_end, "
      "count(Int64(1)))",
      "fragment of 1 (page, n, window_end)"}},
    {"SELECT user_id, COUNT(*) AS n, window_start, window_end FROM TABLE(SESSION(_weir_partitioned(clicks, "
     "user_id), DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY user_id, window_start, window_end",
     {"scan clicks timed 1 [session 10 s at 1] (user_id, time)",
      "window_aggregate of 0 by 0 [session 10 s at 1] s e count() (user_id, window_start, window_end, "
      "count(Int64(1)))",
      "fragment of 1 (user_id, n, window_start, window_end)"}},
    {"SELECT user_id, COUNT(*) AS n, window_time FROM TABLE(TUMBLE(DATA => clicks, TIMECOL => DESCRIPTOR(p), "
     "SIZE => INTERVAL '1' HOUR, OFFSET => INTERVAL '30' MINUTE)) GROUP BY user_id, window_start, "
     "window_end, window_time HAVING COUNT(*) > 2",
     {"scan clicks (user_id)",
      "window_aggregate of 0 by 0 [tumble 3600 s+1800 by the clock] s e t count() (user_id, window_start, "
      "window_end, window_time, count(Int64(1)))",
      "fragment of 1 (user_id, n, window_time)"}},
    {"SELECT COUNT(DISTINCT page) AS d, COUNT(page) FILTER (WHERE price > 1) AS f, LISTAGG(page) AS l, "
     "STRING_AGG(page, ';') AS s, AVG(price) AS a, STDDEV_POP(price) AS sd, FIRST_VALUE(page) AS fv, "
     "LAST_VALUE(page) AS lv, ARRAY_AGG(page) AS aa, MIN(user_id) AS mi, MAX(DISTINCT user_id) AS ma FROM "
     "TABLE(TUMBLE(clicks, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end",
     {"scan clicks timed 4 [tumble 10 s at 4] (page, (clicks.price > 1.0), price, user_id, time)",
      "window_aggregate of 0 [tumble 10 s at 4] s e count(distinct 0) count(0)?1 string_agg(0)',' "
      "string_agg(0)';' avg(2) stddev_pop(2) first_value(0) last_value(0) array_agg(0) min(3) max(3) "
      "(window_start, window_end, count(DISTINCT clicks.page), count(clicks.page) FILTER (WHERE clicks.price "
      "> Int64(1)), string_agg(clicks.page,Utf8(\",\")), string_agg(clicks.page,Utf8(\";\")), "
      "avg(clicks.price), stddev_pop(clicks.price), first_value(clicks.page), last_value(clicks.page), "
      "array_agg(clicks.page), min(clicks.user_id), max(DISTINCT clicks.user_id))",
      "fragment of 1 (d, f, l, s, a, sd, fv, lv, aa, mi, ma)"}},
    {"SELECT page, COUNT(*) AS n FROM clicks GROUP BY page",
     {"scan clicks (page)", "aggregate of 0 by 0 count() changelog (page, n)"}},
    {"SELECT COUNT(*) AS n FROM clicks", {"scan clicks ()", "aggregate of 0 count() changelog (n)"}},
    {"SELECT DISTINCT page FROM clicks", {"scan clicks (page)", "aggregate of 0 by 0 changelog (page)"}},
    {"SELECT A.page, A.num FROM (SELECT page, count(*) AS num, window_start AS st, window_end AS en FROM "
     "TABLE(HOP(clicks, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '10' SECOND)) GROUP BY page, "
     "window_start, window_end) AS A JOIN (SELECT max(C.num) AS maxn, C.st, C.en FROM (SELECT count(*) AS "
     "num, window_start AS st, window_end AS en FROM TABLE(HOP(clicks, DESCRIPTOR(ts), INTERVAL '2' SECOND, "
     "INTERVAL '10' SECOND)) GROUP BY page, window_start, window_end) AS C GROUP BY C.st, C.en) AS M ON A.st "
     "= M.st AND A.en = M.en AND A.num >= M.maxn",
     {"scan clicks timed 1 [hop 10 s/2 at 1] (page, time)",
      "window_aggregate of 0 by 0 [hop 10 s/2 at 1] s e count() (page, window_start, window_end, "
      "count(Int64(1)))",
      "window_aggregate of 1 [attached 1,2] s e max(3) (window_start, window_end, max(C.num))",
      "window_join of 1,2 [attached 1,2] [attached 0,1] if (page, window_start, window_end, count(Int64(1)), "
      "window_start, window_end, max(C.num))",
      "fragment of 3 (page, num)"}},
    {"SELECT c.page, o.id FROM clicks c JOIN orders o ON c.user_id = o.user_id WHERE o.at BETWEEN c.ts - "
     "INTERVAL '5' SECOND AND c.ts + INTERVAL '10' MINUTE",
     {"scan clicks timed 2 hold 600000 ms (user_id, page, ts)",
      "scan orders timed 2 hold 5000 ms (id, user_id, at, CAST(o.user_id AS BIGINT))",
      "interval_join of 0,1 on 0=3 2-2 in -600000..5000 ms (user_id, page, ts, id, user_id, at, "
      "CAST(o.user_id AS BIGINT))",
      "fragment of 2 (page, id)"}},
    {"SELECT c.page, o.id FROM clicks c, orders o WHERE c.user_id = o.user_id AND o.at > c.ts AND o.at <= "
     "c.ts + INTERVAL '10' MINUTE AND o.amount > c.price",
     {"scan clicks timed 3 hold 600000 ms (user_id, page, price, ts)",
      "scan orders timed 3 (id, user_id, amount, at, CAST(o.user_id AS BIGINT))",
      "interval_join of 0,1 on 0=4 3-3 in -600000..0 ms if (user_id, page, price, ts, id, user_id, amount, "
      "at, CAST(o.user_id AS BIGINT))",
      "fragment of 2 (page, id)"}},
    {"SELECT c.page, p.name FROM clicks c JOIN plain p ON c.user_id = p.id AND p.name <> c.page",
     {"scan clicks (user_id, page)", "scan plain (id, name)",
      "join of 0,1 on 0=0 if (user_id, page, id, name)", "fragment of 2 (page, name)"}},
    {"SELECT c.page, u.name FROM clicks c JOIN _weir_lookup(users, c.p) AS u ON c.user_id = u.id WHERE "
     "u.active",
     {"scan clicks (user_id, page)", "lookup_join users of 0 on 0=0 if (user_id, page, id, name, active)",
      "fragment of 1 (page, name)"}},
    {"SELECT c.page, u.name FROM clicks c LEFT JOIN _weir_lookup(users, c.p) AS u ON c.user_id = u.id AND "
     "u.active",
     {"scan clicks (user_id, page)",
      "lookup_join users of 0 on 0=0 if outer (user_id, page, id, name, active)",
      "fragment of 1 (page, name)"}},
    {"WITH e AS (SELECT c.page, c.ts, u.name FROM clicks c JOIN _weir_lookup(users, PROCTIME()) AS u ON "
     "c.user_id = u.id) SELECT name, window_start, window_end, COUNT(*) AS n FROM TABLE(TUMBLE(e, "
     "DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY name, window_start, window_end",
     {"scan clicks timed 1 [tumble 60 s at 1] (user_id, ts)",
      "lookup_join users of 0 on 0=0 (user_id, ts, id, name)", "fragment of 1 (name, time)",
      "window_aggregate of 2 by 0 [tumble 60 s at 1] s e count() (name, window_start, window_end, n)"}},
    {"SELECT * FROM (SELECT page, price, window_start, window_end, ROW_NUMBER() OVER (PARTITION BY "
     "window_start, window_end, page ORDER BY price DESC) AS rn FROM TABLE(TUMBLE(clicks, DESCRIPTOR(ts), "
     "INTERVAL '10' SECOND))) WHERE rn <= 3",
     {"scan clicks timed 4 [attached 2,3] (page, price, window_start, window_end, time)",
      "window_top_n of 0 by 0 [attached 2,3] order 1 desc limit 3 ranked (page, price, window_start, "
      "window_end, time, row_number)",
      "fragment of 1 (page, price, window_start, window_end, rn)"}},
    {"SELECT page, price, window_end FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, "
     "window_end ORDER BY price DESC, user_id) AS rn FROM TABLE(TUMBLE(clicks, DESCRIPTOR(ts), INTERVAL '10' "
     "SECOND))) AS t WHERE rn = 1",
     {"scan clicks timed 5 [attached 3,4] (user_id, page, price, window_start, window_end, time)",
      "window_top_n of 0 [attached 3,4] order 2 desc order 0 nulls first limit 1 (user_id, page, price, "
      "window_start, window_end, time)",
      "fragment of 1 (page, price, window_end)"}},
    {"SELECT page, n, window_end FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end "
     "ORDER BY n DESC) AS rn FROM (SELECT page, COUNT(*) AS n, window_start, window_end FROM "
     "TABLE(TUMBLE(clicks, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY page, window_start, window_end)) "
     "AS t WHERE rn < 4",
     {"scan clicks timed 1 [tumble 10 s at 1] (page, time)",
      "window_aggregate of 0 by 0 [tumble 10 s at 1] s e count() (page, window_start, window_end, "
      "count(Int64(1)))",
      "window_top_n of 1 [attached 1,2] order 3 desc limit 3 (page, window_start, window_end, "
      "count(Int64(1)))",
      "fragment of 2 (page, n, window_end)"}},
    {"SELECT L.page, R.amount, L.window_start FROM (SELECT * FROM TABLE(TUMBLE(clicks, DESCRIPTOR(ts), "
     "INTERVAL '10' SECOND))) L JOIN (SELECT * FROM TABLE(TUMBLE(orders, DESCRIPTOR(at), INTERVAL '10' "
     "SECOND))) R ON L.user_id = R.user_id AND L.window_start = R.window_start AND L.window_end = "
     "R.window_end AND L.price < R.amount",
     {"scan clicks timed 5 [attached 3,4 tick 1] (user_id, page, price, window_start, window_end, time)",
      "scan orders timed 5 [attached 2,3 tick 1] (user_id, amount, window_start, window_end, "
      "CAST(\"R\".user_id AS BIGINT), time)",
      "window_join of 0,1 [attached 3,4 tick 1] [attached 2,3 tick 1] on 0=4 if (user_id, page, price, "
      "window_start, window_end, time, user_id, amount, window_start, window_end, CAST(\"R\".user_id AS "
      "BIGINT), time)",
      "fragment of 2 (page, amount, window_start)"}},
    {"SELECT page, COUNT(*) AS n, window_start FROM TABLE(TUMBLE((SELECT page, ts FROM clicks UNION ALL "
     "SELECT page, ts FROM clicks WHERE price > 3), DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY page, "
     "window_start, window_end",
     {"scan clicks timed 1 [tumble 10 s at 1] (page, time)",
      "scan clicks timed 1 [tumble 10 s at 1] (page, time)", "union_all of 0,1 (page, time)",
      "window_aggregate of 2 by 0 [tumble 10 s at 1] s e count() (page, window_start, window_end, "
      "count(Int64(1)))",
      "fragment of 3 (page, n, window_start)"}},
    {"WITH m AS (SELECT page, window_time AS rt, COUNT(*) AS n FROM TABLE(TUMBLE(clicks, DESCRIPTOR(ts), "
     "INTERVAL '10' SECOND)) GROUP BY page, window_start, window_end, window_time) SELECT page, SUM(n) AS n, "
     "window_end FROM TABLE(TUMBLE(m, DESCRIPTOR(rt), INTERVAL '1' MINUTE)) GROUP BY page, window_start, "
     "window_end",
     {"scan clicks timed 1 [tumble 10 s at 1] (page, time)",
      "window_aggregate of 0 by 0 [tumble 10 s at 1] s e t count() (page, window_start, window_end, "
      "window_time, count(Int64(1)))",
      "fragment of 1 (page, n, time)",
      "window_aggregate of 2 by 0 [tumble 60 s at 2] s e sum(1) (page, window_start, window_end, sum(m.n))",
      "fragment of 3 (page, n, window_end)"}},
    {"SELECT B.page, B.price, B.ts FROM clicks B JOIN (SELECT MAX(price) AS maxprice, window_end AS ts FROM "
     "TABLE(TUMBLE(clicks, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end) B1 ON "
     "B.price = B1.maxprice WHERE B.ts BETWEEN B1.ts - INTERVAL '10' SECOND AND B1.ts",
     {"scan clicks timed 1 [tumble 10 s at 1] (price, time)",
      "window_aggregate of 0 [tumble 10 s at 1] s e max(0) (window_start, window_end, max(clicks.price))",
      "scan clicks timed 2 hold 10000 ms (page, price, ts)", "fragment of 1 (maxprice, ts)",
      "interval_join of 2,3 on 1=0 2-1 in -10000..0 ms (page, price, ts, maxprice, ts)",
      "fragment of 4 (page, price, ts)"}},
    {"SELECT window_start, COUNT(*) AS n FROM TABLE(TUMBLE(clicks, DESCRIPTOR(ts), INTERVAL '10' SECOND)) "
     "WHERE window_start > TIMESTAMP '2020-01-01 00:00:00' GROUP BY window_start, window_end",
     {"scan clicks timed 2 [attached 0,1] (window_start, window_end, time)",
      "window_aggregate of 0 [attached 0,1] s e count() (window_start, window_end, count(Int64(1)))",
      "fragment of 1 (window_start, n)"}},
};

TEST(StreamGraph, OfEachConstruct) {
  for (const Case& c : kCases) EXPECT_EQ(graph(c.query), c.graph) << c.query;
}

struct Refusal {
  const char* query;
  int column;  // of line 1
  const char* words;
};

const Refusal kRefusals[] = {
    {"SELECT page, COUNT(*) FROM TABLE(TUMBLE(clicks, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY page, "
     "window_start",
     97, "GROUP BY has window_start but not window_end of that window: a window is told by both, wri"},
    {"SELECT COUNT(*) FROM TABLE(TUMBLE(clicks, DESCRIPTOR(page), INTERVAL '10' SECOND)) GROUP BY "
     "window_end, window_start",
     54, "'page' is no time attribute: it is STRING; the time attribute here is 'ts' or 'p'"},
    {"SELECT COUNT(*) FROM TABLE(TUMBLE(plain, DESCRIPTOR(id), INTERVAL '10' SECOND)) GROUP BY window_end, "
     "window_start",
     53, "'id' is no time attribute: it is BIGINT; this table has none: declare WATERMARK FOR a TIME"},
    {"SELECT COUNT(*) FROM TABLE(HOP(clicks, DESCRIPTOR(ts), INTERVAL '10' SECOND, INTERVAL '15' SECOND)) "
     "GROUP BY window_end, window_start",
     28, "the size of HOP (15 s) must be a multiple of its slide (10 s): HOP(TABLE t, DESCRIPTOR(c),"},
    {"SELECT COUNT(*) FROM TABLE(TUMBLE(clicks, DESCRIPTOR(ts), INTERVAL '1' MONTH)) GROUP BY window_end, "
     "window_start",
     68, "SIZE of TUMBLE is an INTERVAL of days or less, for instance INTERVAL '10' SECOND"},
    {"SELECT COUNT(*) FROM TABLE(TUMBLE(clicks, DESCRIPTOR(ts))) GROUP BY window_end, window_start", 28,
     "TUMBLE lacks an argument; it is TUMBLE(TABLE t, DESCRIPTOR(time_column), INTERVAL '1' MINU"},
    {"SELECT COUNT(*) FROM TABLE(TUMBEL(clicks, DESCRIPTOR(ts))) GROUP BY window_end, window_start", 28,
     "there is no table function 'TUMBEL': TUMBLE, HOP, CUMULATE and SESSION are"},
    {"SELECT MEDIAN(price) FROM clicks GROUP BY page", 8,
     "the aggregate function MEDIAN is not in this version; these are: COUNT, SUM, AVG, MIN, MAX"},
    {"SELECT n, COUNT(*) FROM (SELECT page, COUNT(*) AS n FROM clicks GROUP BY page) GROUP BY n", 65,
     "GROUP BY over a changelog (what a GROUP BY without a window, or a changelog source, gives)"},
    {"SELECT id, COUNT(*) FROM changes GROUP BY id", 43,
     "GROUP BY over a changelog (what a GROUP BY without a window, or a changelog source, gives)"},
    {"SELECT a.id FROM plain a LEFT JOIN plain b ON a.id = b.id", 31,
     "LEFT JOIN is not in this version: INNER JOIN, and LEFT JOIN of a lookup (FOR SYSTEM_TIME A"},
    {"SELECT a.id FROM plain a CROSS JOIN plain b", 32,
     "this join has no equality between its tables: only joins of one window, or within time bou"},
    {"SELECT a.id FROM plain a JOIN plain b ON a.id < b.id", 26,
     "this join has no equality between its tables: only joins of one window, or within time bou"},
    {"SELECT name FROM users", 18,
     "'users' is a table to look up, no stream: JOIN users FOR SYSTEM_TIME AS OF t.proctime AS d"},
    {"SELECT *, ROW_NUMBER() OVER (PARTITION BY page ORDER BY ts) AS rn FROM clicks", 24,
     "OVER is for ROW_NUMBER() OVER (PARTITION BY window_start, window_end, … ORDER BY …) AS rn "},
    {"SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY page ORDER BY ts) AS rn FROM clicks) WHERE rn "
     "<= 3",
     26, "ROW_NUMBER() OVER needs PARTITION BY window_start, window_end (of a window): a TopN over e"},
    {"SELECT c.page, u.name FROM clicks c JOIN _weir_lookup(users, c.ts) AS u ON c.user_id = u.id", 64,
     "'ts' is no processing time: FOR SYSTEM_TIME AS OF reads the table as it is now, by a colum"},
    {"SELECT user_id, COUNT(*) AS n FROM TABLE(SESSION(clicks, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP "
     "BY user_id, window_start, window_end",
     42, "a SESSION is grouped by the columns of its PARTITION BY: it has no columns (PARTITION BY i"},
    {"SELECT page, COUNT(*) FROM clicks GROUP BY ROLLUP(page)", 35,
     "GROUPING SETS, ROLLUP and CUBE are not in this version"},
};

TEST(StreamGraph, RefusalsSayWhatAndWhere) {
  for (const Refusal& c : kRefusals) {
    const PlanError error = failed(c.query);
    EXPECT_EQ(error.status.message().substr(0, std::string(c.words).size()), c.words) << c.query;
    EXPECT_EQ(error.line, 1) << c.query;
    EXPECT_EQ(error.column, c.column) << c.query;
  }
}

TEST(StreamGraph, WhatCrossesBesideTheNodes) {
  const StreamPlan plan = planned(
      "SELECT window_start, page, COUNT(*) AS n, SUM(price) AS total FROM TABLE(TUMBLE(clicks, "
      "DESCRIPTOR(ts), INTERVAL '10' SECOND)) WHERE user_id > 5 GROUP BY window_start, window_end, page");
  ASSERT_EQ(plan.branches.size(), 1u);
  EXPECT_EQ(plan.branches[0].source, "clicks");
  EXPECT_EQ(plan.branches[0].fragment, nullptr);
  EXPECT_FALSE(plan.changelog);
  EXPECT_TRUE(plan.deterministic);
  EXPECT_EQ(plan.graph[1].aggregates[1].type->ToString(), "double");
  EXPECT_EQ(plan.schema->ToString(), "window_start: timestamp[ms]\npage: string\nn: int64\ntotal: double");
  EXPECT_TRUE(plan.graph.back().schema->Equals(plan.schema));
  EXPECT_NE(plan.tree_json.find("\"window_aggregate\""), std::string::npos) << plan.tree_json;
}

TEST(StreamGraph, FragmentsGiveTheRowsOfTheirNode) {
  const StreamPlan plan = planned(
      "SELECT page, COUNT(*) AS n FROM TABLE(TUMBLE(clicks, DESCRIPTOR(ts), INTERVAL '10' SECOND)) WHERE "
      "user_id "
      "> 5 GROUP BY window_start, window_end, page");
  const auto rows = rows_of(request("").tables[0].schema,
                            {R"({"user_id":5,"page":"a","price":1,"ts":"1970-01-01 00:00:01"})",
                             R"({"user_id":6,"page":"b","price":2,"ts":"1970-01-01 00:00:02"})"});
  auto scanned = plan.fragments[plan.graph[0].fragment]->eval(rows, 0);
  ASSERT_TRUE(scanned.ok()) << scanned.status().message();
  EXPECT_EQ(text_of(**scanned), (Lines{"1:[\"b\", 1970-01-01 00:00:02.000]"}));
}

TEST(StreamGraph, WindowsOfARowWithoutAnAggregate) {
  const auto rows = rows_of(request("").tables[0].schema,
                            {R"({"user_id":1,"page":"a","price":1,"ts":"1970-01-01 00:00:05"})",
                             R"({"user_id":2,"page":"b","price":2,"ts":"1969-12-31 23:59:59"})"});
  const auto windows = [&](const std::string& call) {
    const StreamPlan plan =
        planned("SELECT user_id, window_start, window_end, window_time FROM TABLE(" + call + ")");
    EXPECT_EQ(plan.branches.size(), 1u);
    auto result = plan.branches.at(0).fragment->eval(rows, 0);
    EXPECT_TRUE(result.ok()) << result.status().message();
    return result.ok() ? text_of(**result) : Lines{};
  };
  EXPECT_EQ(windows("TUMBLE(clicks, DESCRIPTOR(ts), INTERVAL '4' SECOND)"),
            (Lines{"0:[1, 1970-01-01 00:00:04.000, 1970-01-01 00:00:08.000, 1970-01-01 00:00:07.999]",
                   "1:[2, 1969-12-31 23:59:56.000, 1970-01-01 00:00:00.000, 1969-12-31 23:59:59.999]"}));
  EXPECT_EQ(windows("HOP(clicks, DESCRIPTOR(ts), INTERVAL '4' SECOND, INTERVAL '8' SECOND)"),
            (Lines{"0:[1, 1970-01-01 00:00:04.000, 1970-01-01 00:00:12.000, 1970-01-01 00:00:11.999]",
                   "0:[1, 1970-01-01 00:00:00.000, 1970-01-01 00:00:08.000, 1970-01-01 00:00:07.999]",
                   "1:[2, 1969-12-31 23:59:56.000, 1970-01-01 00:00:04.000, 1970-01-01 00:00:03.999]",
                   "1:[2, 1969-12-31 23:59:52.000, 1970-01-01 00:00:00.000, 1969-12-31 23:59:59.999]"}));
  EXPECT_EQ(windows("CUMULATE(clicks, DESCRIPTOR(ts), INTERVAL '4' SECOND, INTERVAL '8' SECOND)"),
            (Lines{"0:[1, 1970-01-01 00:00:00.000, 1970-01-01 00:00:08.000, 1970-01-01 00:00:07.999]",
                   "1:[2, 1969-12-31 23:59:52.000, 1970-01-01 00:00:00.000, 1969-12-31 23:59:59.999]"}));
}

TEST(StreamGraph, ConditionsAreOverBothSides) {
  const StreamPlan plan =
      planned("SELECT c.page, p.name FROM clicks c JOIN plain p ON c.user_id = p.id AND p.name <> c.page");
  ASSERT_EQ(plan.graph[2].condition, 2);
  const auto rows = rows_of(plan.graph[2].schema, {R"({"user_id":1,"page":"a","id":1,"name":"a"})",
                                                   R"({"user_id":1,"page":"a","id":1,"name":"b"})"});
  auto result = plan.fragments[2]->eval(rows, 0);
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(text_of(**result), (Lines{"0:[false]", "1:[true]"}));
}

TEST(StreamGraph, OnlyEqualWorkIsShared) {
  const std::string window =
      "FROM TABLE(TUMBLE((SELECT user_id AS x, price AS y, ts FROM clicks), DESCRIPTOR(ts), "
      "INTERVAL '1' SECOND)) GROUP BY window_start, window_end";
  const std::string swapped =
      "FROM TABLE(TUMBLE((SELECT user_id AS y, price AS x, ts FROM clicks), DESCRIPTOR(ts), "
      "INTERVAL '1' SECOND)) GROUP BY window_start, window_end";
  const auto aggregates = [&](const std::string& left, const std::string& right) {
    const Lines lines = graph("SELECT a.s, b.s AS t FROM (SELECT SUM(x) AS s, window_start, window_end " +
                              left + ") a JOIN (SELECT SUM(x) AS s, window_start, window_end " + right +
                              ") b ON a.window_start = b.window_start AND a.window_end = b.window_end");
    return std::count_if(lines.begin(), lines.end(),
                         [](const std::string& line) { return line.starts_with("window_aggregate"); });
  };
  EXPECT_EQ(aggregates(window, window), 1);
  EXPECT_EQ(aggregates(window, swapped), 2);
}

TEST(StreamGraph, UnboundedStateIsNamedWithItsPlace) {
  StreamPlan plan = planned("SELECT page,\n COUNT(*) AS n FROM clicks GROUP BY page");
  EXPECT_EQ(plan.graph[1].unbounded, "GROUP BY clicks.page keeps every group for ever");
  EXPECT_EQ(plan.graph[1].line, 2);
  EXPECT_EQ(plan.graph[1].column, 37);
  EXPECT_TRUE(plan.changelog);
  plan = planned("SELECT c.page FROM clicks c JOIN plain p ON c.user_id = p.id");
  EXPECT_EQ(plan.graph[2].unbounded, "the join on c.user_id = p.id keeps every row of both sides");
}

TEST(FlinkFunctions, MeanWhatFlinkMeans) {
  const auto rows = rows_of(request("").tables[0].schema,
                            {R"({"user_id":1,"page":"x/y//z","price":1,"ts":"2024-02-05 15:04:09.123"})",
                             R"({"user_id":2,"page":null,"price":1,"ts":null})"});
  const auto first = [&](const std::string& expression) {
    PlanResult result = plan_query(request("SELECT " + expression + " AS x FROM clicks"));
    EXPECT_TRUE(result.plan.has_value()) << expression << result.error.status.message();
    if (!result.plan) return std::string();
    auto values = result.plan->branches.at(0).fragment->eval(rows, 0);
    EXPECT_TRUE(values.ok()) << values.status().message();
    return values.ok() ? text_of(**values)[0] + text_of(**values)[1] : std::string();
  };
  EXPECT_EQ(first("SPLIT_INDEX(page, '/', 0)"), "0:[\"x\"]1:[null]");
  EXPECT_EQ(first("SPLIT_INDEX(page, '/', 2)"), "0:[\"\"]1:[null]");
  EXPECT_EQ(first("SPLIT_INDEX(page, '/', 4)"), "0:[null]1:[null]");
  EXPECT_EQ(first("REGEXP_EXTRACT(page, '(x)/(y)', 2)"), "0:[\"y\"]1:[null]");
  EXPECT_EQ(first("REGEXP_EXTRACT(page, 'x/y')"), "0:[\"x/y\"]1:[null]");
  EXPECT_EQ(first("REGEXP_EXTRACT(page, 'q')"), "0:[null]1:[null]");
  EXPECT_EQ(first("DATE_FORMAT(ts, 'yyyy-MM-dd HH:mm:ss.SSS')"), "0:[\"2024-02-05 15:04:09.123\"]1:[null]");
  EXPECT_EQ(first("DATE_FORMAT(ts, 'EEE d MMM yy, h ''h'' a')"), "0:[\"Mon 5 Feb 24, 3 h PM\"]1:[null]");
  EXPECT_EQ(first("HOUR(ts)"), "0:[15]1:[null]");
  EXPECT_EQ(first("DAYOFWEEK(ts)"), "0:[2]1:[null]");
}

}  // namespace
}  // namespace weir::bridge
