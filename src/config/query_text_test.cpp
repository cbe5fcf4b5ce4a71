#include "config/query_text.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(PortableQuery, Rewrites) {
  struct Case {
    const char* flink;
    const char* datafusion;
  };
  const Case cases[] = {
      {"SELECT a FROM t", "SELECT a FROM t"},
      {"SELECT `a b`, `x``y`, `q\"r`, \"z\" FROM `t`",
       "SELECT \"a b\", \"x`y\", \"q\"\"r\", \"z\" FROM \"t\""},
      {"SELECT '`a` BYTES' FROM t", "SELECT '`a` BYTES' FROM t"},
      {"CAST(a AS TIMESTAMP_LTZ(3))", "CAST(a AS TIMESTAMP(3) WITH TIME ZONE)"},
      {"CAST(a AS TIMESTAMP(6) WITH LOCAL TIME ZONE)", "CAST(a AS TIMESTAMP(6) WITH TIME ZONE)"},
      {"CAST(a AS TIMESTAMP(3) WITHOUT TIME ZONE)", "CAST(a AS TIMESTAMP(3))"},
      {"CAST(a AS timestamp)", "CAST(a AS TIMESTAMP(6))"},
      {"CAST(a AS TIMESTAMP(3))", "CAST(a AS TIMESTAMP(3))"},
      {"CAST(a AS TIMESTAMP(4))", "CAST(a AS TIMESTAMP(6))"},
      {"CAST(a AS TIMESTAMP_LTZ)", "CAST(a AS TIMESTAMP(6) WITH TIME ZONE)"},
      {"TRY_CAST(a AS bytes)", "TRY_CAST(a AS BYTEA)"},
      {"CAST(f(a, (b)) AS ARRAY<BYTES>)", "CAST(f(a, (b)) AS ARRAY<BYTEA>)"},
      {"a::BYTES || b::TIMESTAMP_LTZ(0)", "a::BYTEA || b::TIMESTAMP(0) WITH TIME ZONE"},
      {"CAST(a AS DECIMAL), CAST(b AS DEC(5, 2))", "CAST(a AS DECIMAL(10, 0)), CAST(b AS DECIMAL(5, 2))"},
      {"CAST(a AS DECIMAL(12,2))", "CAST(a AS DECIMAL(12,2))"},
      {"CAST(a AS TIME(3))", "CAST(a AS TIME)"},
      {"CAST(a AS STRING)", "CAST(a AS STRING)"},
      {"SELECT a AS timestamp, b AS bytes, time FROM t", "SELECT a AS timestamp, b AS bytes, time FROM t"},
      {"SELECT CAST(x AS INT) AS timestamp", "SELECT CAST(x AS INT) AS timestamp"},
      {"CAST((SELECT a AS bytes) AS BYTES)", "CAST((SELECT a AS bytes) AS BYTEA)"},
      {"ts > TIMESTAMP '2026-01-01 00:00:00'", "ts > TIMESTAMP(6) '2026-01-01 00:00:00'"},
      {"TIMESTAMP '2026-01-01 00:00:00.123456789'", "TIMESTAMP(9) '2026-01-01 00:00:00.123456789'"},
      {"a -- `x`\n, b /* c\nd */, e", "a       \n, b     \n    , e"},
      {"CAST(a AS TIMESTAMP_LTZ(\n3)), b", "CAST(a AS TIMESTAMP(3) WITH TIME ZONE\n), b"},
      {"broken 'string", "broken 'string"},
      {"FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE))",
       "FROM TABLE(TUMBLE(      t, DESCRIPTOR(ts), INTERVAL '1' MINUTE))"},
      {"TABLE(HOP(DATA => TABLE `t`, TIMECOL => DESCRIPTOR(ts)))",
       "TABLE(HOP(DATA =>       \"t\", TIMECOL => DESCRIPTOR(ts)))"},
      {"SESSION(TABLE t PARTITION BY a, `b`, DESCRIPTOR(ts), INTERVAL '1' MINUTE)",
       "SESSION(      _weir_partitioned(t , a, \"b\"), DESCRIPTOR(ts), INTERVAL '1' MINUTE)"},
      {"SESSION(TABLE t PARTITION BY (a, b), DESCRIPTOR(ts))",
       "SESSION(      _weir_partitioned(t ,  a, b), DESCRIPTOR(ts))"},
      {"SESSION((TABLE t PARTITION BY a), DESCRIPTOR(ts))",
       "SESSION((      _weir_partitioned(t , a)), DESCRIPTOR(ts))"},
      {"SESSION(DATA => TABLE t PARTITION BY a, TIMECOL => DESCRIPTOR(ts), GAP => INTERVAL '1' DAY)",
       "SESSION(DATA =>       _weir_partitioned(t , a), TIMECOL => DESCRIPTOR(ts), GAP => INTERVAL '1' DAY)"},
      {"o JOIN dim FOR SYSTEM_TIME AS OF o.p AS d ON o.a = d.a",
       "o JOIN _weir_lookup(dim , o.p) AS d ON o.a = d.a"},
      {"o JOIN `dim` FOR SYSTEM_TIME AS OF PROCTIME() ON TRUE",
       "o JOIN _weir_lookup(\"dim\" , PROCTIME()) ON TRUE"},
      {"a + INTERVAL '1:30' MINUTE TO SECOND", "a + INTERVAL '1 MINUTE 30 SECOND'"},
      {"INTERVAL '-1 02:03:04.5' DAY TO SECOND", "INTERVAL '-1 DAY -02 HOUR -03 MINUTE -04.5 SECOND'"},
      {"INTERVAL '10' SECOND(3), INTERVAL '10' DAY(2)", "INTERVAL '10' SECOND, INTERVAL '10' DAY"},
      {"INTERVAL '1:2:3' MINUTE TO SECOND", "INTERVAL '1:2:3' MINUTE TO SECOND"},
      {"SELECT table, partition FROM t", "SELECT table, partition FROM t"},
  };
  for (const Case& c : cases) EXPECT_EQ(portable_query(c.flink), c.datafusion);
}

TEST(RefuseUnsupported, NamesTheWordAndItsPlace) {
  struct Case {
    const char* query;
    int line, column;
    const char* fragment;
  };
  const Case cases[] = {
      {"SELECT * FROM t MATCH_RECOGNIZE (x)", 5, 26, "found MATCH_RECOGNIZE"},
      {"SELECT rank() OVER (ORDER BY a) FROM t", 5, 24, "found OVER (a window function)"},
      {"SELECT sum(a) over w FROM t", 5, 24, "found OVER"},
      {"SELECT * FROM t LEFT JOIN u ON 1=1", 5, 31, "found LEFT JOIN"},
      {"SELECT * FROM t LEFT OUTER JOIN u ON 1=1", 5, 37, "found LEFT OUTER JOIN"},
      {"SELECT * FROM t FULL OUTER JOIN u ON 1=1", 5, 37, "found FULL OUTER JOIN"},
      {"SELECT * FROM t RIGHT JOIN UNNEST(x) AS u (y) ON TRUE", 5, 32, "found RIGHT JOIN"},
      {"SELECT a FROM t ORDER BY a", 5, 26, "found ORDER BY"},
      {"SELECT a FROM (SELECT a FROM t LIMIT 5)", 5, 41, "found LIMIT"},
      {"SELECT a FROM t FETCH FIRST 5 ROWS ONLY", 5, 26, "found FETCH"},
      {"SELECT a FROM t UNION SELECT a FROM u", 5, 26, "found UNION without ALL"},
      {"SELECT a FROM t UNION DISTINCT SELECT a FROM u", 5, 26, "found UNION without ALL"},
      {"SELECT a FROM t INTERSECT SELECT a FROM u", 5, 26, "found INTERSECT"},
      {"SELECT a FROM t EXCEPT SELECT a FROM u", 5, 26, "found EXCEPT"},
      {"SELECT a\nFROM t GROUP BY\n TUMBLE(t.ts, INTERVAL '1' MINUTE), a", 7, 2,
       "write FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL …)) GROUP BY window_start, window_end"},
      {"SELECT SESSION_START(ts, INTERVAL '1' MINUTE) FROM t", 5, 17,
       "window_start, window_end and window_time"},
  };
  for (const Case& c : cases) {
    std::optional<Diagnostic> refusal = refuse_unsupported(c.query, {"f.sql", 5, 10});
    ASSERT_TRUE(refusal) << c.query;
    EXPECT_EQ(refusal->location.file, "f.sql");
    EXPECT_EQ(refusal->location.line, c.line) << c.query;
    EXPECT_EQ(refusal->location.column, c.column) << c.query;
    EXPECT_NE(refusal->message.find(c.fragment), std::string::npos) << refusal->message;
    EXPECT_FALSE(refusal->warning);
  }
}

TEST(RefuseUnsupported, LetsWhatRunsPass) {
  const char* queries[] = {
      "SELECT a, upper(b) FROM t WHERE a IN (SELECT 1) AND b IS DISTINCT FROM 'x'",
      "SELECT o.a, u.x FROM o CROSS JOIN UNNEST(o.items) AS u(x)",
      "SELECT a FROM t UNION ALL SELECT a FROM u",
      "SELECT a FROM t LEFT JOIN UNNEST(x) AS u (y) ON TRUE",
      "SELECT a FROM t LEFT OUTER JOIN UNNEST(x) AS u (y) ON TRUE",
      "SELECT `group`, `order by`, \"limit\", 'GROUP BY JOIN' FROM t -- ORDER BY\n /* JOIN */",
      "SELECT t.join, t.having, t.distinct FROM t",
      "SELECT offset, partition, timestamp, key FROM t",
      "SELECT * EXCEPT (a) FROM t",
      "SELECT array_agg(a ORDER BY a) FROM t",
      "SELECT count(DISTINCT a) FROM t",
      "SELECT CASE WHEN a > 1 THEN 'x' END, session(1), hop(2) FROM t",
      "SELECT limit, group, union FROM t",
      "SELECT DISTINCT a FROM t GROUP BY a HAVING count(*) > 1",
      "SELECT * FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE))",
      "SELECT * FROM t JOIN u ON t.a = u.a CROSS JOIN v INNER JOIN w ON TRUE",
      "SELECT * FROM t LEFT JOIN u FOR SYSTEM_TIME AS OF t.p ON t.a = u.a",
      "SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY a ORDER BY b) AS rn FROM t) WHERE rn <= 3",
  };
  for (const char* query : queries) {
    std::optional<Diagnostic> refusal = refuse_unsupported(query, {"f.sql", 1, 1});
    EXPECT_FALSE(refusal) << query << ": " << (refusal ? refusal->message : "");
  }
}

TEST(LookedUpTables, AreThoseInFrontOfTheClause) {
  EXPECT_EQ(looked_up_tables("SELECT 1 FROM a JOIN `b` FOR SYSTEM_TIME AS OF a.p JOIN c ON TRUE"),
            (std::vector<std::string>{"b"}));
}

TEST(OffsetLocation, FirstLineIsShiftedOthersAreNot) {
  EXPECT_EQ(offset_location({"f", 7, 15}, 1, 1).text(), "f:7:15");
  EXPECT_EQ(offset_location({"f", 7, 15}, 1, 4).text(), "f:7:18");
  EXPECT_EQ(offset_location({"f", 7, 15}, 3, 4).text(), "f:9:4");
}

TEST(PlannerLocation, UndoesTheRewriting) {
  std::string query = "SELECT CAST(a AS TIMESTAMP_LTZ(3)), nope,\n 'größe', /* ä */ `b`, x FROM t";
  std::string portable = portable_query(query);
  auto place_of = [&](const std::string& word) {
    size_t at = portable.find(word);
    int line = 1, column = 1;
    for (size_t i = 0; i < at; ++i) {
      if (portable[i] == '\n') {
        ++line;
        column = 1;
      } else if ((portable[i] & 0xC0) != 0x80) {
        ++column;
      }
    }
    return planner_location(query, {"f", 1, 1}, line, column);
  };
  auto expected = [&](const std::string& word) {
    size_t at = query.find(word);
    size_t newline = query.rfind('\n', at);
    bool first = newline == std::string::npos;
    return "f:" + std::string(first ? "1" : "2") + ":" + std::to_string(first ? at + 1 : at - newline);
  };
  EXPECT_EQ(place_of("CAST").text(), expected("CAST"));
  EXPECT_EQ(place_of("TIMESTAMP").text(), expected("TIMESTAMP"));
  EXPECT_EQ(place_of("nope").text(), expected("nope"));
  EXPECT_EQ(place_of("'gr").text(), expected("'gr"));
  EXPECT_EQ(place_of("\"b\"").text(), expected("`b`"));
  EXPECT_EQ(place_of("x FROM").text(), expected("x FROM"));
  EXPECT_EQ(planner_location(query, {"f", 3, 2}, 0, 0).text(), "f:3:2");
  EXPECT_EQ(planner_location(query, {"f", 3, 2}, 99, 1).text(), "f:3:2");
}

}  // namespace
}  // namespace weir
