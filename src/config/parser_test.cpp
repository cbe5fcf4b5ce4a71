#include <arrow/type.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "config/pipeline_spec.h"

namespace weir {
namespace {

PipelineSpec parse_good(const std::string& text, const std::string& file = "orders.sql") {
  Diagnostics diagnostics;
  PipelineSpec spec = parse_pipeline(file, text, diagnostics);
  EXPECT_FALSE(diagnostics.has_errors()) << diagnostics.status().message();
  return spec;
}

std::vector<std::string> problems(const std::string& text) {
  Diagnostics diagnostics;
  parse_pipeline("orders.sql", text, diagnostics);
  std::vector<std::string> lines;
  for (const Diagnostic& entry : diagnostics.entries()) {
    if (!entry.warning) {
      lines.push_back(std::to_string(entry.location.line) + ":" + std::to_string(entry.location.column) +
                      ": " + entry.message);
    }
  }
  return lines;
}

constexpr const char* kTables =
    "CREATE TABLE s (a INT, b STRING) WITH ('connector'='file', 'path'='x');\n"
    "CREATE TABLE t WITH ('connector'='blackhole');\n";

constexpr const char* kWholePipeline = R"sql(-- a pipeline; with a semicolon in a comment
SET 'pipeline.name' = 'it.is-a_name2';
set 'pipeline.commit-interval' = '2 s';
CREATE TABLE IF NOT EXISTS orders (
  order_id BIGINT NOT NULL COMMENT 'the id; really',
  `select` DECIMAL(12,2),
  items ARRAY<ROW<sku STRING NOT NULL, n INT>>,
  "off set" BIGINT METADATA FROM 'offset' VIRTUAL,
  headers MAP<STRING, STRING> METADATA,
  ts TIMESTAMP_LTZ(3) METADATA FROM 'timestamp',
  total AS `select` * 2 /* twice, really */ + length(')'),
  day AS CAST(ts AS DATE) COMMENT 'a day',
  CHECK (order_id > 0 AND `select` IN (1, 2)),
  CONSTRAINT small CHECK (order_id < 10),
  CONSTRAINT pk PRIMARY KEY (order_id) NOT ENFORCED,
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) COMMENT 'orders' WITH ('connector' = 'nats', 'url' = 'nats://h', 'stream' = 'IT''S');
CREATE TABLE lake (order_id BIGINT, day DATE) PARTITIONED BY (day) WITH ('connector'='delta', 'path'='/l');
CREATE TEMPORARY VIEW big AS
  SELECT * FROM orders WHERE x = ';' -- no; end
    AND y > 1;
INSERT INTO lake (order_id, day) SELECT order_id, day FROM big;
INSERT INTO lake VALUES (1, DATE '2026-01-01')
)sql";

TEST(Parser, WholePipeline) {
  PipelineSpec spec = parse_good(kWholePipeline);
  EXPECT_EQ(spec.name, "it.is-a_name2");
  EXPECT_EQ(spec.settings.duration("pipeline.commit-interval"), std::chrono::seconds(2));
  EXPECT_EQ(spec.settings.integer("pipeline.batch-rows"), 8192);
  ASSERT_EQ(spec.tables.size(), 2u);
  const TableSpec& orders = spec.tables[0];
  EXPECT_EQ(orders.name, "orders");
  EXPECT_EQ(orders.connector, "nats");
  EXPECT_EQ(orders.location.text(), "orders.sql:4:28");
  EXPECT_EQ(orders.connector_location.text(), "orders.sql:17:40");
  EXPECT_EQ(orders.options.size(), 2u);
  EXPECT_EQ(orders.options.at("stream").text, "IT'S");
  ASSERT_EQ(orders.columns.size(), 8u);
  EXPECT_FALSE(orders.columns[0].nullable);
  EXPECT_EQ(orders.columns[1].name, "select");
  EXPECT_EQ(orders.columns[1].type.text, "DECIMAL(12, 2)");
  EXPECT_EQ(orders.columns[3].name, "off set");
  EXPECT_EQ(orders.columns[3].kind, ColumnKind::metadata);
  EXPECT_EQ(orders.columns[3].metadata_key, "offset");
  EXPECT_EQ(orders.columns[4].metadata_key, "headers");
  EXPECT_EQ(orders.columns[6].kind, ColumnKind::computed);
  EXPECT_EQ(orders.columns[6].expression, "`select` * 2 /* twice, really */ + length(')')");
  EXPECT_EQ(orders.columns[6].expression_location.text(), "orders.sql:11:12");
  EXPECT_EQ(orders.columns[7].expression, "CAST(ts AS DATE)");
  ASSERT_EQ(orders.checks.size(), 2u);
  EXPECT_EQ(orders.checks[0].name, "check_1");
  EXPECT_EQ(orders.checks[0].expression, "order_id > 0 AND `select` IN (1, 2)");
  EXPECT_EQ(orders.checks[0].location.text(), "orders.sql:13:10");
  EXPECT_EQ(orders.checks[1].name, "small");
  EXPECT_EQ(orders.primary_key, std::vector<std::string>{"order_id"});
  EXPECT_EQ(orders.watermark_column, "ts");
  EXPECT_EQ(orders.watermark_expression, "ts - INTERVAL '5' SECOND");
  EXPECT_EQ(orders.watermark_location.text(), "orders.sql:16:23");
  EXPECT_EQ(spec.tables[1].options.at("partition-by").text, "day");
  ASSERT_EQ(spec.views.size(), 1u);
  EXPECT_EQ(spec.views[0].query, "SELECT * FROM orders WHERE x = ';' -- no; end\n    AND y > 1");
  EXPECT_EQ(spec.views[0].query_location.text(), "orders.sql:20:3");
  ASSERT_EQ(spec.inserts.size(), 2u);
  EXPECT_EQ(spec.inserts[0].columns, (std::vector<std::string>{"order_id", "day"}));
  EXPECT_EQ(spec.inserts[0].query, "SELECT order_id, day FROM big");
  EXPECT_EQ(spec.inserts[1].query, "VALUES (1, DATE '2026-01-01')");
  EXPECT_EQ(spec.inserts[1].statement_set, -1);
}

TEST(Parser, StatementSets) {
  for (const char* begin : {"EXECUTE STATEMENT SET BEGIN ", "BEGIN STATEMENT SET; "}) {
    PipelineSpec spec =
        parse_good(std::string(kTables) + begin +
                   "INSERT INTO t SELECT CASE WHEN a > 1 THEN 1 END FROM s; INSERT INTO t SELECT b "
                   "FROM s; END; INSERT INTO t (SELECT 1 FROM s);" +
                   begin + "insert into t with x as (select 1) select * from x; end");
    ASSERT_EQ(spec.inserts.size(), 4u);
    EXPECT_EQ(spec.inserts[0].statement_set, 0);
    EXPECT_EQ(spec.inserts[1].statement_set, 0);
    EXPECT_EQ(spec.inserts[2].statement_set, -1);
    EXPECT_TRUE(spec.inserts[2].columns.empty());
    EXPECT_EQ(spec.inserts[2].query, "(SELECT 1 FROM s)");
    EXPECT_EQ(spec.inserts[3].statement_set, 1);
  }
}

TEST(Parser, NameAndDefaults) {
  PipelineSpec spec = parse_good(std::string(kTables) + "INSERT INTO t SELECT a FROM s", "dir/my-orders.sql");
  EXPECT_EQ(spec.name, "my-orders");
  EXPECT_EQ(spec.file, "dir/my-orders.sql");
  EXPECT_EQ(spec.settings.string("error-lake.path"), "./weir-data/errors");
  EXPECT_TRUE(spec.settings.boolean("error-lake.enabled"));
  EXPECT_EQ(spec.settings.string("state.path"), "./weir-data/state");
  EXPECT_EQ(spec.settings.string("pipeline.engine"), "embedded");
  EXPECT_EQ(spec.settings.duration("pipeline.commit-interval"), std::chrono::seconds(10));
  EXPECT_EQ(spec.settings.integer("pipeline.queue-batches"), 4);
  EXPECT_EQ(spec.settings.integer("pipeline.max-open-partitions"), 4);
}

TEST(Parser, PrimaryKeyColumnsAreNotNull) {
  PipelineSpec spec = parse_good(
      "CREATE TABLE t (a INT PRIMARY KEY NOT ENFORCED, b INT) WITH ('connector'='delta');"
      "INSERT INTO t VALUES (1, 2)");
  EXPECT_EQ(spec.tables[0].primary_key, std::vector<std::string>{"a"});
  EXPECT_FALSE(spec.tables[0].columns[0].nullable);
  EXPECT_TRUE(spec.tables[0].columns[1].nullable);
}

TEST(Parser, KeywordsServeAsColumnNames) {
  PipelineSpec spec = parse_good(
      "CREATE TABLE t (check INT, primary INT, watermark INT, timestamp TIMESTAMP(3) METADATA, constraint "
      "INT,"
      " order INT) WITH ('connector'='delta'); INSERT INTO t VALUES (1)");
  ASSERT_EQ(spec.tables[0].columns.size(), 6u);
  EXPECT_EQ(spec.tables[0].columns[3].metadata_key, "timestamp");
}

TEST(Parser, BareVarcharWarns) {
  Diagnostics diagnostics;
  parse_pipeline(
      "orders.sql",
      "CREATE TABLE t (a TIMESTAMP(3), b VARCHAR,\n WATERMARK FOR a AS a) WITH ('connector'='x');\n"
      "INSERT INTO t VALUES (1)",
      diagnostics);
  EXPECT_FALSE(diagnostics.has_errors());
  EXPECT_TRUE(diagnostics.status().ok());
  ASSERT_EQ(diagnostics.entries().size(), 1u);
  EXPECT_EQ(diagnostics.entries()[0].location.text(), "orders.sql:1:35");
}

TEST(Parser, MetadataTypes) {
  const char* good[] = {"offset BIGINT",
                        "partition STRING",
                        "topic STRING NOT NULL",
                        "subject STRING",
                        "key STRING",
                        "key BYTES",
                        "headers MAP<STRING NOT NULL, STRING>",
                        "timestamp TIMESTAMP(3)",
                        "timestamp TIMESTAMP(6)",
                        "timestamp TIMESTAMP_LTZ(6)"};
  for (const char* column : good) {
    parse_good(std::string("CREATE TABLE t (") + column +
               " METADATA) WITH ('connector'='x'); INSERT INTO t VALUES (1)");
  }
  parse_good(
      "CREATE TABLE t (i TIMESTAMP_LTZ(3) METADATA FROM 'ingest-time') WITH ('connector'='x');"
      "INSERT INTO t VALUES (1)");
  const char* bad[] = {"offset INT",
                       "partition INT",
                       "topic VARCHAR(3)",
                       "key INT",
                       "headers MAP<STRING, BYTES>",
                       "timestamp TIMESTAMP(9)",
                       "timestamp BIGINT"};
  for (const char* column : bad) {
    std::vector<std::string> found = problems(std::string("CREATE TABLE t (") + column +
                                              " METADATA) WITH ('connector'='x'); INSERT INTO t VALUES (1)");
    ASSERT_EQ(found.size(), 1u) << column;
    EXPECT_NE(found[0].find(", but column "), std::string::npos) << found[0];
  }
}

struct BadCase {
  const char* text;
  const char* expected;  // "line:column: message fragment"
};

void expect_problem(const std::string& text, const std::string& expected) {
  std::vector<std::string> found = problems(text);
  ASSERT_EQ(found.size(), 1u) << text << "\n" << (found.size() > 1 ? found[0] + "\n" + found[1] : "");
  EXPECT_NE(found[0].find(expected), std::string::npos) << text << "\n" << found[0];
  size_t second_colon = expected.find(": ");
  EXPECT_EQ(found[0].compare(0, second_colon, expected, 0, second_colon), 0) << text << "\n" << found[0];
}

// Each stands where the INSERT of line 3 would be; that line is added as line 4.
const BadCase kBadStatements[] = {
    {"SLECT 1;", "3:1: found SLECT, expected SET, CREATE TABLE, CREATE [TEMPORARY] VIEW, INSERT INTO"},
    {"INSRT INTO t SELECT 1;",
     "3:1: found INSRT, expected SET, CREATE TABLE, CREATE [TEMPORARY] VIEW, INSERT INTO or "
     "EXECUTE STATEMENT SET. Did you mean 'INSERT'?"},
    {"DROP TABLE s;", "3:1: found DROP, expected SET"},
    {"ALTER TABLE s ADD x INT;", "3:1: found ALTER, expected SET"},
    {"SELECT * FROM s;", "3:1: found SELECT, expected INSERT INTO a table: a query by itself has nowhere"},
    {"'x';", "3:1: found a string, expected SET"},
    {"CREATE TABEL x (a INT);",
     "3:8: found TABEL, expected TABLE or [TEMPORARY] VIEW. Did you mean 'TABLE'?"},
    {"CREATE OR REPLACE VIEW v AS SELECT 1;", "3:8: CREATE OR REPLACE is not supported"},
    {"CREATE TABLE IF EXISTS x (a INT);", "3:17: found EXISTS, expected NOT"},
    {"CREATE TABLE x (a INT);", "3:14: table x has no WITH ('connector' = '…')"},
    {"CREATE TABLE x (a INT) WIHT ('connector'='f');",
     "3:24: found WIHT, expected WITH ('connector' = '…'). Did you mean 'WITH'?"},
    {"CREATE TABLE x WITH ('path'='f');", "3:14: table x has no 'connector' in WITH"},
    {"CREATE TABLE x WITH ('conector'='f');",
     "3:14: table x has no 'connector' in WITH, but it has 'conector'"},
    {"CREATE TABLE x WITH ('connector'='');", "3:34: table x: 'connector' must not be empty"},
    {"CREATE TABLE x WITH ('connector'='f', 'a'='1',\n 'a'='2');",
     "4:2: option 'a' is given twice, first at orders.sql:3:39"},
    {"CREATE TABLE x WITH ('connector'='f', 'rows'=5);",
     "3:46: found 5, expected the value of option 'rows' in quotes: '5'"},
    {"CREATE TABLE x WITH ('connector'='f', rows='5');",
     "3:39: found rows, expected an option's name in quotes"},
    {"CREATE TABLE x WITH ('connector'='f',);", "3:38: found ')', expected another option after ','"},
    {"CREATE TABLE x WITH ('connector'='f' 'a'='b');",
     "3:38: found a string, expected ')' or ',' after an option"},
    {"CREATE TABLE x WITH ('connector' 'f');", "3:34: found a string, expected '=' after option 'connector'"},
    {"CREATE TABLE x LIKE s;", "3:16: CREATE TABLE … LIKE is not supported"},
    {"CREATE TABLE x AS SELECT 1;", "3:16: CREATE TABLE … AS is not supported"},
    {"CREATE TABLE a.b (a INT) WITH ('connector'='f');", "3:14: catalogs and databases are not supported"},
    {"CREATE TABLE 'x' (a INT);", "3:14: found a string, expected the table's name"},
    {"CREATE TABLE s WITH ('connector'='f');",
     "3:14: table s: the name is taken by the table at orders.sql:1:14"},
    {"CREATE VIEW s AS SELECT 1;", "3:13: view s: the name is taken by the table at orders.sql:1:14"},
    {"CREATE VIEW v (a) AS SELECT 1;", "3:15: a column list of a view is not supported"},
    {"CREATE VIEW v SELECT 1;", "3:15: found SELECT, expected AS"},
    {"CREATE VIEW v AS SLECT 1;",
     "3:18: found SLECT, expected a query: SELECT, VALUES or WITH. Did you mean 'SELECT'?"},
    {"CREATE VIEW v AS SELECT (1;", "3:25: this '(' is never closed"},
    {"CREATE VIEW v AS SELECT 1);", "3:26: this ')' closes nothing"},
    {"INSERT INTO nowhere SELECT 1;",
     "3:13: there is no table nowhere. Expected a CREATE TABLE for it in this file"},
    {"INSERT INTO s (a, c) SELECT 1, 2;", "3:19: table s has no column c."},
    {"INSERT INTO s (a, a) SELECT 1, 2;", "3:19: a is named twice"},
    {"INSERT INTO s;", "3:14: found ';', expected a query"},
    {"INSERT t SELECT 1;", "3:8: found t, expected INTO"},
    {"INSERT OVERWRITE t SELECT 1;", "3:8: INSERT OVERWRITE is not supported"},
    {"INSERT INTO t PARTITION (a=1) SELECT 1;", "3:15: INSERT INTO … PARTITION is not supported"},
    {"INSERT INTO t SELECT a\nFROM s", "5:1: found INSERT, expected ';' before it"},
    {"INSERT INTO t SELECT a FROM s ORDER BY a;", "3:31: found ORDER BY, which this version does not run"},
    {"CREATE VIEW v AS SELECT a\n  FROM s FULL JOIN t ON true;",
     "4:15: found FULL JOIN, which this version does not run"},
    {"SET pipeline.name = 'x';", "3:5: found pipeline, expected a setting in quotes"},
    {"SET 'pipeline.name' 'x';", "3:21: found a string, expected '=' after the setting's name"},
    {"SET 'pipeline.batch-rows' = 5;", "3:29: found 5, expected the setting's value in quotes"},
    {"SET 'pipeline.nam' = 'x';", "3:5: SET has no option 'pipeline.nam'. Did you mean 'pipeline.name'?"},
    {"SET 'pipeline.name' = 'a/b';", "3:23: found the pipeline name 'a/b', expected letters, digits"},
    {"SET 'pipeline.name' = '..';", "3:23: found the pipeline name '..'"},
    {"SET 'pipeline.name' = '_edge';", "3:23: found the pipeline name '_edge'"},
    {"SET 'pipeline.name' = 'a'; SET 'pipeline.name' = 'b';",
     "3:50: 'pipeline.name' is set twice with different values, first at orders.sql:3:23"},
    {"SET 'pipeline.engine' = 'ballista';",
     "3:25: SET: option 'pipeline.engine': found 'ballista', expected 'embedded'"},
    {"SET 'pipeline.batch-rows' = '0';", "3:29: 'pipeline.batch-rows': found 0, expected 1 to 1000000"},
    {"SET 'pipeline.batch-rows' = 'x';",
     "3:29: SET: option 'pipeline.batch-rows': found 'x', expected a whole number"},
    {"SET 'pipeline.commit-interval' = '0 s';", "3:34: 'pipeline.commit-interval' must be longer than zero"},
    {"SET 'error-lake.enabled' = 'maybe';",
     "3:28: SET: option 'error-lake.enabled': found 'maybe', expected 'true' or 'false'"},
    {"SET 'state.path' = '${env:WEIR_TEST_UNSET}';",
     "3:20: ${env:WEIR_TEST_UNSET}: the environment variable WEIR_TEST_UNSET is not set"},
    {"SET 'state.path' = '${file:no/such/file}';",
     "3:20: ${file:no/such/file}: cannot read the file: No such file"},
    {"SET 'state.path' = '${HOME}';",
     "3:20: unknown reference ${HOME}, expected ${env:NAME} or ${file:PATH}. Did you mean '${env:HOME}'?"},
    {"SET 'state.path' = '${vault:x}';", "3:20: unknown reference ${vault:x}"},
    {"SET 'state.path' = '${env:}';", "3:20: ${env:} names nothing"},
    {"SET 'state.path' = '${env:X';", "3:20: a ${ is never closed"},
    {"EXECUTE STATEMENT SET INSERT INTO t SELECT 1; END;", "3:23: found INSERT, expected BEGIN"},
    {"EXECUTE STATEMENT SET BEGIN END;", "3:1: this statement set is empty"},
    {"EXECUTE STATEMENT SET BEGIN INSERT INTO t SELECT 1 FROM s END;",
     "3:59: found END, expected ';' before it"},
    {"EXECUTE STATEMENT SET BEGIN SET 'a' = 'b'; INSERT INTO t SELECT 1 FROM s; END;",
     "3:29: found SET, expected INSERT INTO or END inside a statement set"},
    {"END;", "3:1: found END, expected SET"},
};

TEST(BadInput, Statements) {
  for (const BadCase& c : kBadStatements) {
    expect_problem(std::string(kTables) + c.text + "\nINSERT INTO t SELECT a FROM s;", c.expected);
  }
}

// Each stands in the parentheses of CREATE TABLE x (…), at line 2, column 1.
const BadCase kBadColumns[] = {
    {"a BIGNIT", "2:3: unknown type BIGNIT. Did you mean 'BIGINT'?"},
    {"a, b INT", "2:2: found ',', expected the type of column a"},
    {"a INT NOT, b INT", "2:10: found ',', expected NULL"},
    {"a INT b INT",
     "2:7: found b, expected ',' or ')', NOT NULL, METADATA, COMMENT or PRIMARY KEY after the type of column "
     "a"},
    {"a INT METADTA",
     "2:7: found METADTA, expected ',' or ')', NOT NULL, METADATA, COMMENT or PRIMARY KEY after the type of "
     "column a. Did you mean 'METADATA'?"},
    {"a INT, a STRING", "2:8: column a is declared twice, first at orders.sql:2:1"},
    {"a INT,", "3:1: found ')', expected a column's name"},
    {"", "3:1: found ')', expected a column's name"},
    {"_weir_offset BIGINT", "2:1: column _weir_offset: names that begin with _weir_ belong to Weir"},
    {"a BIGINT METADATA FROM 'offest'", "2:24: there is no metadata 'offest'. Did you mean 'offset'?"},
    {"a BIGINT METADATA FROM 'zebra'",
     "2:24: there is no metadata 'zebra'. Expected one of offset, partition"},
    {"a BIGINT METADATA FROM offset", "2:24: found offset, expected a metadata key in quotes"},
    {"a INT METADATA FROM 'offset'", "2:21: metadata 'offset' is BIGINT, but column a is declared INT"},
    {"a AS", "3:1: found ')', expected an expression"},
    {"a AS b COMMENT 'x', a2 AS count(*) OVER (PARTITION BY b)",
     "2:36: found OVER (a window function) other than a TopN"},
    {"a INT COMMENT b", "2:15: found b, expected a string after COMMENT"},
    {"a INT PRIMARY KEY", "3:1: found ')', expected NOT ENFORCED after PRIMARY KEY"},
    {"a INT, PRIMARY KEY (b) NOT ENFORCED", "2:21: table x has no column b."},
    {"a INT, PRIMARY KEY (a) ENFORCED", "2:24: found ENFORCED, expected NOT ENFORCED"},
    {"a INT PRIMARY KEY NOT ENFORCED, PRIMARY KEY (a) NOT ENFORCED",
     "2:33: table x has two primary keys, the first at orders.sql:2:7"},
    {"a INT, CHECK ()", "2:15: found ')', expected an expression"},
    {"a INT, CHECK (a > 1) NOT ENFORCED", "2:22: a CHECK is always enforced here"},
    {"a INT, CONSTRAINT c CHECK (a > 1), CONSTRAINT c CHECK (a > 2)",
     "2:49: table x has two constraints named c"},
    {"a INT, UNIQUE (a)", "2:8: found UNIQUE, expected a column, CHECK, PRIMARY KEY or WATERMARK"},
    {"a INT, WATERMARK FOR b AS b", "2:22: table x has no column b."},
    {"a INT, WATERMARK FOR a AS a, WATERMARK FOR a AS a", "2:30: table x has two watermarks"},
    {"a MAP<STRING, BIGNIT>, b INT", "2:15: unknown type BIGNIT"},
    {"a ROW<x INT, y FOO>, b INT", "2:16: unknown type FOO"},
};

TEST(BadInput, Columns) {
  for (const BadCase& c : kBadColumns) {
    expect_problem(
        std::string("CREATE TABLE x (\n") + c.text + "\n) WITH ('connector'='f');\nINSERT INTO x VALUES (1);",
        c.expected);
  }
}

TEST(BadInput, WholeFiles) {
  const BadCase cases[] = {
      {"", "1:1: nothing to run: the file has no INSERT INTO"},
      {"-- only a comment", "1:1: nothing to run"},
      {kTables, "1:1: nothing to run"},
      {"CREATE TABLE orders WITH ('connector'='x'); INSERT INTO ordrs SELECT 1",
       "1:57: there is no table ordrs. Did you mean 'orders'?"},
      {"SET 'a' = 'b", "1:11: this string is never closed"},
      {"CREATE TABLE t (a INT", "1:16: the column list of table t is never closed"},
      {"CREATE TABLE t (a INT) PARTITIONED BY (b) WITH ('connector'='x'); INSERT INTO t VALUES (1)",
       "1:40: table t has no column b."},
      {"CREATE TABLE t PARTITIONED BY (b) WITH ('connector'='x', 'partition-by'='c'); INSERT INTO t VALUES "
       "(1)",
       "1:58: 'partition-by' is given twice, first by PARTITIONED BY at orders.sql:1:32"},
      {"CREATE TABLE t WITH ('connector'='x'); CREATE VIEW v AS SELECT 1; INSERT INTO v SELECT 1",
       "1:79: v is a view: INSERT INTO needs a table"},
      {"CREATE TABLE t WITH ('connector'='x'); EXECUTE STATEMENT SET BEGIN INSERT INTO t SELECT 1;",
       "1:40: this statement set is never closed: END; is missing"},
  };
  for (const BadCase& c : cases) expect_problem(c.text, c.expected);
}

TEST(BadInput, SeveralProblemsAreReportedInOneGo) {
  std::vector<std::string> found = problems(
      "CREATE TABLE a (x BIGNIT, m MAP<STRING, FOO>, y INTT NOT NULL, z INT) WITH ('connector'='f');\n"
      "DROP TABLE z;\n"
      "SET 'pipeline.nmae' = 'x';\n"
      "INSERT INTO a (y, w) SELECT 1;\n"
      "INSERT INTO b SELECT 1 ORDER BY 1;");
  std::vector<std::string> starts;
  for (const std::string& line : found) starts.push_back(line.substr(0, line.find(": ")));
  EXPECT_EQ(starts, (std::vector<std::string>{"1:19", "1:41", "1:49", "2:1", "3:5", "4:19", "5:24", "5:13"}));
}

// Cut off behind each byte, or with any byte lost: an error within the text, or a good file, but never a
// fall.
TEST(BadInput, BrokenAnywhere) {
  const std::string whole = kWholePipeline;
  const int lines = static_cast<int>(std::count(whole.begin(), whole.end(), '\n')) + 1;
  size_t refused = 0;
  for (size_t i = 0; i < whole.size(); ++i) {
    for (const std::string& text : {whole.substr(0, i), whole.substr(0, i) + whole.substr(i + 1)}) {
      Diagnostics diagnostics;
      parse_pipeline("orders.sql", text, diagnostics);
      refused += diagnostics.has_errors() ? 1 : 0;
      for (const Diagnostic& entry : diagnostics.entries()) {
        ASSERT_GE(entry.location.line, 1) << entry.message;
        ASSERT_LE(entry.location.line, lines) << entry.message;
        ASSERT_GE(entry.location.column, 1) << entry.message;
      }
    }
  }
  EXPECT_GT(refused, whole.size());
}

TEST(Diagnostics, TheSameProblemIsSaidOnce) {
  Diagnostics diagnostics;
  diagnostics.error({"f", 1, 2}, "x");
  diagnostics.error({"f", 1, 2}, "x");
  diagnostics.error({"f", 1, 3}, "x");
  diagnostics.error({}, "y");
  diagnostics.warning({"f", 9, 9}, "w");
  EXPECT_EQ(diagnostics.status().message(), "f:1:2: error: x\nf:1:3: error: x\ny");
  EXPECT_EQ(diagnostics.status().code(), Code::invalid);
}

TEST(BadInput, TheFilesNameMustServeAsAName) {
  Diagnostics diagnostics;
  parse_pipeline("my pipeline.sql", std::string(kTables) + "INSERT INTO t SELECT a FROM s", diagnostics);
  ASSERT_EQ(diagnostics.entries().size(), 1u);
  EXPECT_NE(diagnostics.status().message().find("my pipeline.sql:1:1: error: the file's name 'my pipeline'"),
            std::string::npos);
}

class References : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("weir_references_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_ / "secrets");
    std::ofstream(folder_ / "secrets/key") << "s3cret\n";
    setenv("WEIR_TEST_VALUE", "from-env", 1);
  }
  void TearDown() override {
    std::filesystem::remove_all(folder_);
    unsetenv("WEIR_TEST_VALUE");
  }
  std::filesystem::path folder_;
};

TEST_F(References, AreReplacedRelativeToThePipelinesFolder) {
  PipelineSpec spec = parse_good(
      "SET 's3.secret-key' = '${file:secrets/key}';\n"
      "CREATE TABLE t WITH ('connector'='${env:WEIR_TEST_VALUE}', "
      "'path'='a/${env:WEIR_TEST_VALUE}/$${x}$');\n"
      "INSERT INTO t SELECT 1",
      (folder_ / "p.sql").string());
  EXPECT_EQ(spec.settings.string("s3.secret-key"), "s3cret");
  EXPECT_EQ(spec.tables[0].connector, "from-env");
  EXPECT_EQ(spec.tables[0].options.at("path").text, "a/from-env/${x}$");
}

TEST_F(References, ContentsAppearInNoMessage) {
  Diagnostics diagnostics;
  parse_pipeline((folder_ / "p.sql").string(),
                 "SET 's3.secret-key' = '${file:secrets/key}'; SET 's3.secret-key' = 'other';\n"
                 "CREATE TABLE t WITH ('connector'='x', 'path'='${file:secrets}');\nINSERT INTO t SELECT 1",
                 diagnostics);
  ASSERT_EQ(diagnostics.entries().size(), 2u);
  std::string message = diagnostics.status().message();
  EXPECT_EQ(message.find("s3cret"), std::string::npos) << message;
  EXPECT_EQ(message.find("other"), std::string::npos) << message;
  EXPECT_NE(message.find("is a folder"), std::string::npos) << message;
}

}  // namespace
}  // namespace weir
