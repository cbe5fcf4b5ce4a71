#include "plan/changelog_key.h"

#include <gtest/gtest.h>

#include "plan/registry_for_test.h"

namespace weir {
namespace {

const std::string kSource =
    "SET 'pipeline.unbounded-state' = 'allow';\n"
    "CREATE TABLE ev (k STRING, v INT, x BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector' "
    "= "
    "'in');\n";
const std::string kTumbled =
    " FROM TABLE(TUMBLE(TABLE ev, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY k, window_start, "
    "window_end";

// What is wrong with `query` into a table of these columns and this key; "" : nothing.
std::string refused(const std::string& columns, const std::string& key, const std::string& query,
                    const std::string& more = "") {
  return plan_text(more + kSource + "CREATE TABLE w (" + columns + ", PRIMARY KEY (" + key +
                   ") NOT ENFORCED) WITH ('connector' = 'table');\nINSERT INTO w " + query + ";")
      .errors;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

const std::string kCounted = "k STRING, n BIGINT";

TEST(ChangelogKey, IsTheGroupBys) {
  const std::string query = "SELECT k, COUNT(*) AS n FROM ev GROUP BY k";
  EXPECT_EQ(refused(kCounted, "k", query), "");
  EXPECT_EQ(
      refused(kCounted, "n", query),
      "3:14 the PRIMARY KEY (n) of 'w' is not that of the GROUP BY, whose rows it takes: declare PRIMARY "
      "KEY (k) NOT ENFORCED\n");
  EXPECT_TRUE(has(refused(kCounted, "k, n", query), "declare PRIMARY KEY (k)"));
  const std::string two = "SELECT COUNT(*), k, v FROM ev GROUP BY k, v";
  EXPECT_EQ(refused("n BIGINT, a STRING, b INT", "b, a", two), "");
  EXPECT_TRUE(has(refused("n BIGINT, a STRING, b INT", "a", two), "declare PRIMARY KEY (a, b)"));
}

TEST(ChangelogKey, IsFoundUnderOtherNames) {
  EXPECT_EQ(refused("a STRING, n BIGINT", "a", "SELECT k AS q, COUNT(*) FROM ev GROUP BY k"), "");
  EXPECT_EQ(refused(kCounted, "k", "SELECT LOWER(k) AS z, COUNT(*) FROM ev GROUP BY LOWER(k)"), "");
  EXPECT_EQ(refused("n BIGINT, d STRING", "d",
                    "SELECT COUNT(*), DATE_FORMAT(ts, 'yyyy, MM') AS `day` FROM ev GROUP BY DATE_FORMAT(ts, "
                    "'yyyy, MM') HAVING COUNT(*) > 1"),
            "");
  const std::string computed =
      "SELECT CONCAT(k, ','), MOD(v, 10), COUNT(*) FROM ev GROUP BY CONCAT(k, ','), MOD(v, 10)";
  EXPECT_EQ(refused("a STRING, b BIGINT, n BIGINT", "a, b", computed), "");
  EXPECT_TRUE(has(refused("a STRING, b BIGINT, n BIGINT", "a", computed), "declare PRIMARY KEY (a, b)"));
  EXPECT_TRUE(has(refused("a STRING, b BIGINT, n BIGINT", "a, n", computed), "declare PRIMARY KEY (a, b)"));
  const std::string inner = "FROM (SELECT COUNT(*) AS n, k, v FROM ev GROUP BY k, v) y WHERE n > 1";
  EXPECT_EQ(refused("v INT, k STRING", "k, v", "SELECT v, k " + inner), "");
  EXPECT_TRUE(has(refused("v BIGINT, k STRING", "k, v", "SELECT n AS v, k " + inner), "select v as it is"));
  // Swapped names are not what they say.
  EXPECT_TRUE(has(
      refused("k STRING, x BIGINT, n BIGINT", "x", "SELECT k, COUNT(*) AS x, x AS n FROM ev GROUP BY k, x"),
      "declare PRIMARY KEY (k, n)"));
  EXPECT_EQ(refused("a BIGINT, b BIGINT, n BIGINT", "a, b",
                    "SELECT l.x, r.x, COUNT(*) FROM ev l JOIN ev r ON l.k = r.k GROUP BY l.x, r.x"),
            "");
  EXPECT_TRUE(has(refused("a BIGINT, b BIGINT, n BIGINT", "a",
                          "SELECT l.x, r.x, COUNT(*) FROM ev l JOIN ev r ON l.k = r.k GROUP BY l.x, r.x"),
                  "declare PRIMARY KEY (a, b)"));
}

TEST(ChangelogKey, IsNoneOnceComputedAway) {
  EXPECT_TRUE(has(refused(kCounted, "k", "SELECT LOWER(k) AS k, COUNT(*) AS n FROM ev GROUP BY k"),
                  "select k as it is in the GROUP BY, and declare the PRIMARY KEY of"));
  EXPECT_TRUE(has(refused("n BIGINT", "n", "SELECT COUNT(*) AS n FROM ev GROUP BY k"), "select k as it is"));
  // Casts that keep all values apart, and one that does not.
  EXPECT_EQ(refused("v BIGINT, n BIGINT", "v", "SELECT v, COUNT(*) FROM ev GROUP BY v"), "");
  EXPECT_EQ(refused("v STRING, n BIGINT", "v", "SELECT CAST(v AS STRING), COUNT(*) FROM ev GROUP BY v"), "");
  EXPECT_TRUE(has(refused("d DATE, n BIGINT", "d", "SELECT CAST(ts AS DATE), COUNT(*) FROM ev GROUP BY ts"),
                  "select ts as it is"));
}

TEST(ChangelogKey, OfAllGroupsAtOnceMayBeAnything) {
  EXPECT_EQ(refused("n BIGINT, s BIGINT", "n", "SELECT COUNT(*), SUM(x) FROM ev"), "");
}

TEST(ChangelogKey, OfAWindowHasAnEdge) {
  const std::string late = "SET 'pipeline.allowed-lateness' = '5 s';";
  const std::string columns = "k STRING, n BIGINT, s TIMESTAMP(3), e TIMESTAMP(3)";
  const std::string query = "SELECT k, COUNT(*), window_start, window_end" + kTumbled;
  for (const char* key : {"k, s", "e, k", "k, s, e"}) EXPECT_EQ(refused(columns, key, query, late), "");
  EXPECT_TRUE(has(refused(columns, "k", query, late), "declare PRIMARY KEY (k, s)"));
  EXPECT_TRUE(has(refused(columns, "s, e", query, late), "declare PRIMARY KEY (k, s)"));
  EXPECT_TRUE(has(refused(kCounted, "k", "SELECT k, COUNT(*)" + kTumbled, late),
                  "select window_start as it is in the GROUP BY, and declare the PRIMARY KEY of k and it"));
}

TEST(ChangelogKey, DoesNotHoldForAUnion) {
  EXPECT_TRUE(
      has(refused(kCounted, "k",
                  "SELECT k, COUNT(*) FROM ev GROUP BY k UNION ALL SELECT k, SUM(x) FROM ev GROUP BY k"),
          "INSERT each into a table of its own"));
}

}  // namespace
}  // namespace weir
