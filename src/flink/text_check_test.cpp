#include "flink/text_check.h"

#include <gtest/gtest.h>

#include "flink/differences.h"

namespace weir {
namespace {

const std::string kTables =
    "CREATE TABLE orders (id BIGINT, amount DECIMAL(12, 2), price DOUBLE, pieces INT, total BIGINT, `year` "
    "INT, "
    "double_pieces AS pieces * 2, item ROW<weight SMALLINT, height FLOAT>) WITH ('connector' = 'in');\n";

// One a line: "E" or "W", the column, the words up to a ':' or the end.
std::string found(const std::string& text, const std::string& statements = "") {
  Diagnostics parsing;
  const PipelineSpec spec = parse_pipeline("test.sql", kTables + statements, parsing);
  const FileNames names(spec);
  Diagnostics diagnostics;
  check_flink_text(text, {"test.sql", 1, 1}, names, diagnostics);
  std::string result;
  for (const Diagnostic& entry : diagnostics.entries()) {
    result += (entry.warning ? "W" : "E") + std::to_string(entry.location.column) + " " +
              entry.message.substr(0, entry.message.find(':')) + "\n";
  }
  return result;
}

TEST(FlinkTextCheck, KeywordsInFrontOfParenthesesAreNoFunctions) {
  for (const char* text :
       {"SELECT a.id FROM (SELECT id FROM orders) a JOIN (SELECT id FROM orders) b ON (a.id = b.id)",
        "SELECT id FROM orders WHERE (id = 1) AND (id = 2) OR (id = 3) AND NOT (id IN (4, 5))",
        "SELECT CASE WHEN (id = 1) THEN (2) ELSE (3) END FROM orders UNION ALL (SELECT id FROM orders)",
        "SELECT id FROM orders WHERE EXISTS (SELECT 1 FROM (VALUES (1), (2)) AS v (x))",
        "SELECT COUNT(*) FILTER (WHERE id > 1) FROM orders GROUP BY (id) HAVING (COUNT(*) > 1)",
        "SELECT ROW_NUMBER() OVER (PARTITION BY (id) ORDER BY (id)) AS rn FROM orders",
        "SELECT id FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(t), INTERVAL '1' SECOND))",
        "SELECT a.id FROM orders a JOIN orders b USING (id)",
        "WITH e (x, y) AS (SELECT id, price FROM orders) SELECT x FROM e",
        "SELECT id FROM orders WHERE id BETWEEN (1) AND (2) AND id IS DISTINCT FROM (3)"}) {
    EXPECT_EQ(found(text), "") << text;
  }
  EXPECT_EQ(found("SELECT joined(id) FROM orders"),
            "E8 the function joined is not known to be the same in Flink\n");
}

TEST(FlinkTextCheck, ProcessingTimeAndLookups) {
  EXPECT_EQ(found("PROCTIME()"), "");
  EXPECT_EQ(found("SELECT o.id FROM orders AS o JOIN d FOR SYSTEM_TIME AS OF o.p AS d ON o.id = d.id"), "");
  EXPECT_EQ(found("SELECT id AS of FROM orders"), "E14 'of' is a reserved word in Flink\n");
  EXPECT_EQ(found("SELECT year FROM orders"), "E8 'year' is a reserved word in Flink\n");
}

TEST(FlinkTextCheck, SumsAndAveragesDifferOverIntegersAlone) {
  EXPECT_EQ(
      found("SELECT SUM(amount), AVG(amount), AVG(o.price), SUM(DISTINCT price), SUM(total) FROM orders o"),
      "");
  EXPECT_EQ(found("SELECT AVG(CAST(pieces AS DOUBLE)), AVG(height) FROM orders"), "");
  EXPECT_EQ(found("SELECT SUM(pieces), AVG(o.pieces), AVG(DISTINCT total) FROM orders o"),
            "W8 SUM\nW21 AVG\nW36 AVG\n");
  EXPECT_EQ(found("SELECT SUM(weight) FROM v"), "W8 SUM\n");
  // The type is not known here.
  EXPECT_EQ(found("SELECT AVG(amount * 2), SUM(double_pieces), AVG(nothing) FROM orders"),
            "W8 AVG\nW25 SUM\nW45 AVG\n");
}

TEST(FlinkTextCheck, ANameThatAQueryGivesMayHaveAnotherType) {
  const std::string view = "CREATE VIEW v AS SELECT ";
  EXPECT_EQ(found("SELECT AVG(amount) FROM v", view + "pieces AS amount FROM orders;"), "W8 AVG\n");
  EXPECT_EQ(found("SELECT AVG(amount) FROM v", view + "pieces + 1 amount FROM orders;"), "W8 AVG\n");
  EXPECT_EQ(found("SELECT AVG(amount) FROM v", view + "a FROM orders, UNNEST(x) AS t (amount);"), "W8 AVG\n");
  EXPECT_EQ(found("SELECT AVG(amount) FROM v", view + "o.amount AS amount FROM orders o;"), "");
  EXPECT_EQ(
      found("SELECT AVG(amount) FROM v",
            view + "o.id FROM (SELECT id FROM orders) o JOIN (SELECT id, amount FROM orders) p ON TRUE;"),
      "");
}

TEST(FlinkTextCheck, WordsNameTheIntegersThatTheyAreAbout) {
  for (const DifferingFunction& function : differing_functions()) {
    const std::string name = function.name;
    const std::string words = function.words;
    if (name == "SUM") {
      EXPECT_TRUE(words.starts_with("where the argument is INT or smaller, ")) << words;
    } else if (name == "AVG") {
      EXPECT_TRUE(words.starts_with("where the argument is an integer, ")) << words;
    }
  }
}

}  // namespace
}  // namespace weir
