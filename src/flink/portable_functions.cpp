// Which functions mean the same in Flink. Found by running the examples in both;
// tests/integration/test_flink_differential.py
// does so again.
#include <algorithm>
#include <array>

#include "flink/differences.h"

namespace weir {

const std::vector<PortableFunction>& portable_functions() {
  static const std::vector<PortableFunction> functions = {
      // Numbers
      {"ABS", "ABS(m)"},
      {"CEIL", "CEIL(d)"},
      {"FLOOR", "FLOOR(d)"},
      {"ROUND", "ROUND(d, 1)"},
      {"SQRT", "SQRT(d)"},
      {"EXP", "EXP(d)"},
      {"LN", "LN(d)"},
      {"LOG2", "LOG2(d)"},
      {"LOG10", "LOG10(d)"},
      {"POWER", "POWER(d, 2)"},
      {"SIN", "ROUND(SIN(d), 9)"},
      {"COS", "ROUND(COS(d), 9)"},
      {"TAN", "ROUND(TAN(d), 9)"},
      {"COT", "ROUND(COT(d), 9)"},
      {"ASIN", "ROUND(ASIN(d / 10), 9)"},
      {"ACOS", "ROUND(ACOS(d / 10), 9)"},
      {"ATAN", "ROUND(ATAN(d), 9)"},
      {"ATAN2", "ROUND(ATAN2(d, 2), 9)"},
      {"SINH", "ROUND(SINH(d), 9)"},
      {"COSH", "ROUND(COSH(d), 9)"},
      {"TANH", "ROUND(TANH(d), 9)"},
      {"DEGREES", "ROUND(DEGREES(d), 9)"},
      {"RADIANS", "ROUND(RADIANS(d), 9)"},
      {"PI", "PI()"},
      {"MOD", "MOD(b, 4)"},
      // Text
      {"UPPER", "UPPER(s)"},
      {"LOWER", "LOWER(s)"},
      {"INITCAP", "INITCAP(s)"},
      {"CHAR_LENGTH", "CHAR_LENGTH(s)"},
      {"CHARACTER_LENGTH", "CHARACTER_LENGTH(s)"},
      {"TRIM", "TRIM(BOTH 'W' FROM s)"},
      {"BTRIM", "BTRIM(s)"},
      {"LTRIM", "LTRIM(s)"},
      {"RTRIM", "RTRIM(s)"},
      {"LPAD", "LPAD(s, 20, 'x')"},
      {"RPAD", "RPAD(s, 20, 'x')"},
      {"LEFT", "LEFT(s, 4)"},
      {"RIGHT", "RIGHT(s, 5)"},
      {"SUBSTRING", "SUBSTRING(s, 1, 4)"},
      {"SUBSTR", "SUBSTR(s, 6)"},
      {"REPLACE", "REPLACE(s, 'Flink', 'x')"},
      {"REVERSE", "REVERSE(s)"},
      {"REPEAT", "REPEAT('ab', 3)"},
      {"POSITION", "POSITION('and' IN s)"},
      {"INSTR", "INSTR(s, 'and')"},
      {"CONCAT_WS", "CONCAT_WS('-', s, n, 'x')"},
      {"TRANSLATE", "TRANSLATE(s, 'a', 'b')"},
      {"OVERLAY", "OVERLAY(s PLACING 'x' FROM 2)"},
      {"ASCII", "ASCII(s)"},
      {"CHR", "CHR(65)"},
      {"MD5", "MD5(s)"},
      {"REGEXP_COUNT", "REGEXP_COUNT(s, 'n')"},
      {"REGEXP_INSTR", "REGEXP_INSTR(s, 'n')"},
      {"REGEXP_EXTRACT", "REGEXP_EXTRACT(s, 'W([a-z]+) and', 1)"},
      {"SPLIT_INDEX", "SPLIT_INDEX(s, ' ', 2)"},
      // Conditions
      {"COALESCE", "COALESCE(n, s)"},
      {"NULLIF", "NULLIF(s, 'x')"},
      {"IFNULL", "IFNULL(n, s)"},
      // Types and times
      {"CAST", "CAST('12' AS INT)"},
      {"TRY_CAST", "TRY_CAST('x' AS INT)"},
      {"EXTRACT", "EXTRACT(HOUR FROM t)"},
      {"YEAR", "YEAR(t)"},
      {"QUARTER", "QUARTER(t)"},
      {"MONTH", "MONTH(t)"},
      {"WEEK", "WEEK(t)"},
      {"DAYOFYEAR", "DAYOFYEAR(t)"},
      {"DAYOFMONTH", "DAYOFMONTH(t)"},
      {"DAYOFWEEK", "DAYOFWEEK(t)"},
      {"HOUR", "HOUR(t)"},
      {"MINUTE", "MINUTE(t)"},
      {"SECOND", "SECOND(t)"},
      {"DATE_FORMAT", "DATE_FORMAT(t, 'yyyy-MM-dd HH:mm:ss')"},
      {"TO_DATE", "TO_DATE('2026-11-21')"},
      {"PROCTIME", ""},
      {"CARDINALITY", "CARDINALITY(ARRAY[1, 2, 3])"},
      {"ARRAY_CONTAINS", "ARRAY_CONTAINS(ARRAY[1, 2], 2)"},
      {"UUID", ""},
      // Aggregates and windows; their examples are queries, which
      // tests/integration/test_flink_differential.py has
      {"COUNT", ""},
      {"MIN", ""},
      {"MAX", ""},
      {"STRING_AGG", ""},
      {"LISTAGG", ""},
      {"STDDEV_POP", ""},
      {"STDDEV_SAMP", ""},
      {"VAR_POP", ""},
      {"VAR_SAMP", ""},
      {"TUMBLE", ""},
      {"HOP", ""},
      {"CUMULATE", ""},
      {"SESSION", ""},
      {"DESCRIPTOR", ""},
      {"ROW_NUMBER", ""},
  };
  return functions;
}

const std::vector<DifferingFunction>& differing_functions() {
  static const std::vector<DifferingFunction> functions = {
      {"SUM", false,
       "where the argument is INT or smaller, Flink's sum has the type of its argument and wraps around; "
       "write "
       "SUM(CAST(… AS BIGINT)) where it may grow"},
      {"AVG", false,
       "where the argument is an integer, Flink's average is integral; write AVG(CAST(… AS DOUBLE))"},
      {"FIRST_VALUE", false, "Flink's passes over NULL, and goes by the order of arrival, not by event time"},
      {"LAST_VALUE", false, "Flink's passes over NULL, and goes by the order of arrival, not by event time"},
      {"ARRAY_AGG", false, "Flink's passes over NULL unless it is told RESPECT NULLS"},
      {"CONCAT", false, "Flink's gives NULL when an argument is NULL; write COALESCE(…, '')"},
      {"GREATEST", false, "Flink's gives NULL when an argument is NULL"},
      {"LEAST", false, "Flink's gives NULL when an argument is NULL"},
      {"LOG", false, "LOG(x) is the natural logarithm in Flink and the decimal one here; write LN or LOG10"},
      {"REGEXP_REPLACE", false, "Flink's replaces every match, here the first one unless 'g' is given"},
      {"SHA224", false, "Flink's gives hexadecimal text, here it is bytes"},
      {"SHA256", false, "Flink's gives hexadecimal text, here it is bytes"},
      {"SHA384", false, "Flink's gives hexadecimal text, here it is bytes"},
      {"SHA512", false, "Flink's gives hexadecimal text, here it is bytes"},
      {"TO_TIMESTAMP", false, "Flink's gives TIMESTAMP(3) and takes Java's pattern"},
      {"FROM_UNIXTIME", false, "Flink's gives text, here it is a TIMESTAMP"},
      {"ENCODE", false, "Flink's second argument is a character set"},
      {"DECODE", false, "Flink's second argument is a character set"},
      {"NOW", false, "Flink's gives TIMESTAMP_LTZ(3), a new value for each row"},
      {"APPROX_DISTINCT", true, "Flink has no such function: write COUNT(DISTINCT …)"},
      {"MEDIAN", true, "Flink has no such function: write PERCENTILE(…, 0.5)"},
      {"LENGTH", true, "Flink has no such function: write CHAR_LENGTH"},
      {"STRPOS", true, "Flink has no such function: write POSITION(… IN …)"},
      {"SPLIT_PART", true, "Flink has no such function: write SPLIT_INDEX, which counts from 0"},
      {"STARTS_WITH", true, "Flink has no such function: write LIKE 'prefix%'"},
      {"ENDS_WITH", true, "Flink has no such function: write LIKE '%suffix'"},
      {"CONTAINS", true, "Flink has no such function: write LIKE '%text%'"},
      {"REGEXP_LIKE", true, "Flink has no such function: it has REGEXP(text, pattern)"},
      {"TO_HEX", true, "Flink has no such function: it has HEX, in upper case"},
      {"TRUNC", true, "Flink has no such function: it has TRUNCATE"},
      {"SIGNUM", true, "Flink has no such function: it has SIGN"},
      {"CBRT", true, "Flink has no such function: write POWER(…, 1.0 / 3)"},
      {"NVL", true, "Flink has no such function: write COALESCE"},
      {"ISNAN", true, "Flink has no such function"},
      {"NANVL", true, "Flink has no such function"},
      {"RANDOM", true, "Flink has no such function: it has RAND"},
      {"ARRAY_LENGTH", true, "Flink has no such function: write CARDINALITY"},
      {"TO_CHAR", true, "Flink has no such function: write DATE_FORMAT, with Java's letters"},
      {"DATE_TRUNC", true, "Flink has no such function: it has FLOOR(… TO HOUR)"},
      {"DATE_PART", true, "Flink has no such function: write EXTRACT(… FROM …)"},
      {"DATE_BIN", true, "Flink has no such function: a TUMBLE window is what bins a stream"},
      {"TO_UNIXTIME", true, "Flink has no such function: write EXTRACT(EPOCH FROM …)"},
      {"TO_TIMESTAMP_MILLIS", true, "Flink has no such function: it has TO_TIMESTAMP_LTZ(…, 3)"},
  };
  return functions;
}

const std::vector<std::string>& flink_reserved_words() {
  static const std::vector<std::string> words = [] {
    std::vector<std::string> list;
    std::string word;
    for (
        const char c : std::string_view(
            "ABS ALL ALLOCATE ALLOW ALTER AND ANY ARE ARRAY AS ASENSITIVE ASYMMETRIC AT ATOMIC AUTHORIZATION "
            "AVG "
            "BEGIN BETWEEN BIGINT BINARY BIT BLOB BOOLEAN BOTH BY BYTES CALL CALLED CARDINALITY CASCADED "
            "CASE CAST "
            "CEIL CEILING CHAR CHARACTER CHECK CLASSIFIER CLOB CLOSE COALESCE COLLATE COLLECT COLUMN COMMIT "
            "CONDITION CONNECT CONSTRAINT CONVERT CORR CORRESPONDING COUNT COVAR_POP COVAR_SAMP CREATE CROSS "
            "CUBE "
            "CUME_DIST CURRENT CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER CURSOR CYCLE DATE "
            "DAY "
            "DEALLOCATE DEC DECIMAL DECLARE DEFAULT DEFINE DELETE DENSE_RANK DEREF DESCRIBE DETERMINISTIC "
            "DISALLOW DISCONNECT DISTINCT DOUBLE DROP DYNAMIC EACH ELEMENT ELSE EMPTY END EQUALS ESCAPE "
            "EVERY "
            "EXCEPT EXEC EXECUTE EXISTS EXP EXPLAIN EXTEND EXTERNAL EXTRACT FALSE FETCH FILTER FIRST_VALUE "
            "FLOAT "
            "FLOOR FOR FOREIGN FREE FROM FULL FUNCTION FUSION GET GLOBAL GRANT GROUP GROUPING GROUPS HAVING "
            "HOLD "
            "HOUR IDENTITY IMPORT IN INDICATOR INITIAL INNER INOUT INSENSITIVE INSERT INT INTEGER INTERSECT "
            "INTERSECTION INTERVAL INTO IS JOIN LAG LANGUAGE LARGE LAST_VALUE LATERAL LEAD LEADING LEFT LIKE "
            "LIMIT LN LOCAL LOCALTIME LOCALTIMESTAMP LOWER MATCH MATCHES MATCH_NUMBER MATCH_RECOGNIZE MAX "
            "MEASURES "
            "MEMBER MERGE METHOD MIN MINUS MINUTE MOD MODIFIES MODULE MONTH MULTISET NATIONAL NATURAL NCHAR "
            "NCLOB "
            "NEW NEXT NO NONE NORMALIZE NOT NTH_VALUE NTILE NULL NULLIF NUMERIC OCCURRENCES_REGEX "
            "OCTET_LENGTH OF "
            "OFFSET OLD OMIT ON ONE ONLY OPEN OR ORDER OUT OUTER OVER OVERLAPS OVERLAY PARAMETER PARTITION "
            "PATTERN "
            "PER PERCENT PERCENTILE_CONT PERCENTILE_DISC PERCENT_RANK PERIOD PERMUTE PORTION POSITION POWER "
            "PRECEDES PRECISION PREPARE PREV PRIMARY PROCEDURE RANGE RANK RAW READS REAL RECURSIVE REF "
            "REFERENCES "
            "REFERENCING RELEASE RESET RESULT RETURN RETURNS REVOKE RIGHT ROLLBACK ROLLUP ROW ROWS "
            "ROW_NUMBER "
            "RUNNING SAVEPOINT SCROLL SEARCH SECOND SEEK SELECT SENSITIVE SESSION_USER SET SHOW SIMILAR SKIP "
            "SMALLINT SOME SPECIFIC SQL SQLEXCEPTION SQLSTATE SQLWARNING SQRT START STATIC STDDEV_POP "
            "STDDEV_SAMP "
            "STREAM STRING SUBMULTISET SUBSET SUBSTRING SUCCEEDS SUM SYMMETRIC SYSTEM SYSTEM_TIME "
            "SYSTEM_USER TABLE "
            "TABLES TABLESAMPLE THEN TIME TIMESTAMP TIMEZONE_HOUR TIMEZONE_MINUTE TINYINT TO TRAILING "
            "TRANSLATE "
            "TREAT TRIGGER TRIM TRUE TRUNCATE UESCAPE UNION UNIQUE UNKNOWN UNNEST UPDATE UPPER UPSERT USE "
            "USER "
            "USING VALUE VALUES VALUE_OF VARBINARY VARCHAR VARYING VAR_POP VAR_SAMP VERSIONING VIEWS "
            "WATERMARK "
            "WATERMARKS WHEN WHENEVER WHERE WIDTH_BUCKET WINDOW WITH WITHIN WITHOUT YEAR ")) {
      if (c != ' ') {
        word += c;
      } else {
        list.push_back(std::move(word));
        word.clear();
      }
    }
    std::sort(list.begin(), list.end());
    return list;
  }();
  return words;
}

std::string portable_sql_markdown() {
  std::string text =
      "# SQL that means the same in Weir and in Flink\n\n"
      "Made by `weir check --portable-sql`. `weir check --target flink FILE` names every use that is not on "
      "this "
      "page, at\nits line and column; `weir deploy flink` is in [flink.md](flink.md).\n\n"
      "## The same\n\n"
      "`SELECT`, `WHERE`, `GROUP BY`, `HAVING`, `FILTER (WHERE …)`, `DISTINCT` in aggregates, `UNION ALL`, "
      "sub-queries in FROM,\n`CROSS JOIN UNNEST`, window functions (`TUMBLE`, `HOP`, `CUMULATE`, `SESSION`), "
      "window, "
      "interval and regular joins,\nthe `ROW_NUMBER` form of Top-N, `CASE`, `IN`, `BETWEEN`, `LIKE`, "
      "`IS [NOT] DISTINCT FROM`, `+ - * / %`, `||`,\nintervals, and these functions. `/` of two integers is "
      "integral "
      "in both, `||` with NULL is NULL in both, and a CAST that\nfails is an error in both (here of that "
      "event, in "
      "Flink of the job: write TRY_CAST).\n\n"
      "The examples are run in both by a test, over a row with `i INT` 7, `b BIGINT` 42, `d DOUBLE` 2.5, "
      "`m DECIMAL(10, 2)`\n12.30, `s STRING` 'Weir and Flink', `n STRING` NULL, `t TIMESTAMP(3)` "
      "2026-11-21 12:34:56.789.\n\n"
      "| function | example |\n|---|---|\n";
  for (const PortableFunction& function : portable_functions()) {
    const std::string example = *function.example == 0 ? "" : std::string("`") + function.example + "`";
    text += std::string("| `") + function.name + "` | " + example + " |\n";
  }
  text +=
      "\n`STRING_AGG` is sent to Flink as `LISTAGG`, `!=` as `<>`. The letters of `DATE_FORMAT` are Java's "
      "in "
      "both; here\nall but `y u M L d D H h K k m s S a E` are errors. Regular expressions have no "
      "look-around and no "
      "back-references here.\n\n## With another meaning in Flink\n\n"
      "| function | what is different |\n|---|---|\n";
  for (const DifferingFunction& function : differing_functions()) {
    if (!function.refused) text += std::string("| `") + function.name + "` | " + function.words + " |\n";
  }
  text += "\n## Not in Flink\n\n| function | what to write |\n|---|---|\n";
  for (const DifferingFunction& function : differing_functions()) {
    if (function.refused) text += std::string("| `") + function.name + "` | " + function.words + " |\n";
  }
  text +=
      "\n## Besides functions\n\n"
      "| here | in Flink |\n|---|---|\n"
      "| `a::INT`, `a ~ 'x'`, `ILIKE` | refused |\n"
      "| `7` is BIGINT, also in `quantity + 7` | INT, so that `quantity + 7` is INT |\n"
      "| `1.1` is DOUBLE | DECIMAL(2, 1): write `CAST('1.1' AS DOUBLE)` where it matters |\n"
      "| DECIMAL divided has other digits | cast the result to the DECIMAL that is meant |\n"
      "| `CAST(t AS STRING)` has a `T` between date and time, BOOLEAN is `true` | a blank; `TRUE` |\n"
      "| `EXTRACT(DOW …)` counts from 0, `EXTRACT(EPOCH …)` has a fraction | from 1; none |\n"
      "| CHECK constraints | none: `weir deploy flink` makes a view that leaves such rows out |\n"
      "| NOT NULL of a source's column is checked | not by Flink's JSON: the same view does |\n"
      "| late rows go to the error lake | dropped and counted |\n"
      "| METADATA `offset`, `timestamp`, `topic` | the same keys; `partition` is a number, `headers` holds "
      "bytes, "
      "`key` is declared with `key.fields` |\n"
      "| JSON: a number is no text and text is no number, a key given twice is an error, times may have an "
      "offset | text and numbers are converted, the last key wins, a time with an offset is refused |\n";
  return text;
}

}  // namespace weir
