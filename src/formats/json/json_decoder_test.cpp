#include "formats/json/json_decoder.h"

#include <algorithm>
#include <cmath>

#include "formats/formats.h"
#include "formats/json/json_test_table.h"

namespace weir {
namespace {

// The value of the only column `v` of type `type`, as text, or the error's code.
std::string one(const std::string& type, const std::string& json, const OptionTexts& options = {}) {
  return JsonTable({{"v", type}}, options).row("{\"v\":" + json + "}");
}

TEST(Json, IsRegistered) {
  const auto format = std::find_if(all_formats().begin(), all_formats().end(),
                                   [](const FormatInfo& each) { return each.name == "json"; });
  ASSERT_NE(format, all_formats().end());
  for (const OptionSpec& option : format->options) EXPECT_EQ(option.name.rfind("json.", 0), 0u);
}

TEST(Json, Booleans) {
  EXPECT_EQ(one("BOOLEAN", "true"), "true");
  EXPECT_EQ(one("BOOLEAN", "false"), "false");
  EXPECT_EQ(one("BOOLEAN", "null"), "null");
  for (const char* bad : {"1", "\"true\"", "[]", "{}"}) EXPECT_EQ(one("BOOLEAN", bad), "wrong_type") << bad;
  for (const char* bad : {"True", "tru", "truex", "falsy"})
    EXPECT_EQ(one("BOOLEAN", bad), "malformed") << bad;
}

TEST(Json, IntegersInRangeOnly) {
  EXPECT_EQ(one("TINYINT", "-128"), "-128");
  EXPECT_EQ(one("TINYINT", "128"), "out_of_range");
  EXPECT_EQ(one("SMALLINT", "32767"), "32767");
  EXPECT_EQ(one("SMALLINT", "-32769"), "out_of_range");
  EXPECT_EQ(one("INT", "2147483647"), "2147483647");
  EXPECT_EQ(one("INT", "2147483648"), "out_of_range");
  EXPECT_EQ(one("BIGINT", "9223372036854775807"), "9223372036854775807");
  EXPECT_EQ(one("BIGINT", "-9223372036854775808"), "-9223372036854775808");
  EXPECT_EQ(one("BIGINT", "9223372036854775808"), "out_of_range");
  EXPECT_EQ(one("BIGINT", "99999999999999999999999999999999999999999999"), "out_of_range");
  EXPECT_EQ(one("BIGINT", "123456789012345678"), "123456789012345678");
  EXPECT_EQ(one("BIGINT", "-0"), "0");
  for (const char* bad : {"1.5", "1.0", "1e3", "\"1\"", "true", "[1]"})
    EXPECT_EQ(one("BIGINT", bad), "wrong_type") << bad;
  for (const char* bad :
       {"01", "+1", "1.", "-", ".5", "1e", "0x10", "NaN", "Infinity", "--1", "1 2", "12a"}) {
    EXPECT_EQ(one("BIGINT", bad), "malformed") << bad;
  }
}

TEST(Json, Floats) {
  EXPECT_EQ(one("DOUBLE", "-0.25"), "-0.25");
  EXPECT_EQ(one("DOUBLE", "1e-400"), "0");
  EXPECT_EQ(one("DOUBLE", "1e400"), "out_of_range");
  EXPECT_EQ(one("FLOAT", "1e39"), "out_of_range");
  EXPECT_EQ(one("FLOAT", "-1.5"), "-1.5");
  for (const char* bad : {"NaN", "Infinity", "-Infinity", "nan", "1.", ".5", "01.5", "1.e5", "1e+", "-"}) {
    EXPECT_EQ(one("DOUBLE", bad), "malformed") << bad;
    EXPECT_EQ(one("FLOAT", bad), "malformed") << bad;
  }
  EXPECT_EQ(one("DOUBLE", "\"1\""), "wrong_type");
}

TEST(Json, DoublesAreRoundedCorrectly) {
  JsonTable table({{"v", "DOUBLE"}}, {});
  for (const char* text :
       {"0.1", "123456789.123456789", "9007199254740993", "9007199254740992.5", "1.7976931348623157e308",
        "5e-324", "2.2250738585072011e-308", "0.30000000000000004", "1e22", "1e23", "-0.0",
        "179769313486231570000000000000000000000000000000000", "1234567890123456789012345678901234567890",
        "0.000000000000000000000000000000000000001", "3.141592653589793238462643383279502884197"}) {
    const DecodedRows decoded = table.decode({std::string("{\"v\":") + text + "}"});
    ASSERT_TRUE(decoded.errors.empty()) << text;
    const double found = static_cast<const arrow::DoubleArray&>(*decoded.rows->column(0)).Value(0);
    const double expected = std::strtod(text, nullptr);
    EXPECT_EQ(found, expected) << text;
    EXPECT_EQ(std::signbit(found), std::signbit(expected)) << text;
  }
}

TEST(Json, DecimalsAreExact) {
  EXPECT_EQ(one("DECIMAL(12,2)", "12.30"), "12.30");
  EXPECT_EQ(one("DECIMAL(12,2)", "\"12.3\""), "12.30");
  EXPECT_EQ(one("DECIMAL(12,2)", "-1.5e1"), "-15.00");
  EXPECT_EQ(one("DECIMAL(12,2)", "1230000e-6"), "1.23");
  EXPECT_EQ(one("DECIMAL(12,2)", "0e999999999999"), "0.00");
  EXPECT_EQ(one("DECIMAL(12,2)", "1.2300000"), "1.23");
  EXPECT_EQ(one("DECIMAL(12,2)", "1.234"), "out_of_range");
  EXPECT_EQ(one("DECIMAL(4,2)", "99.99"), "99.99");
  EXPECT_EQ(one("DECIMAL(4,2)", "100"), "out_of_range");
  EXPECT_EQ(one("DECIMAL(38,0)", "99999999999999999999999999999999999999"),
            "99999999999999999999999999999999999999");
  EXPECT_EQ(one("DECIMAL(38,0)", "100000000000000000000000000000000000000"), "out_of_range");
  EXPECT_EQ(one("DECIMAL(38,0)", "1e37"), "10000000000000000000000000000000000000");
  EXPECT_EQ(one("DECIMAL(38,0)", "1e999999999999999999999"), "out_of_range");
  EXPECT_EQ(one("DECIMAL(38,10)", "0.1"), "0.1000000000");
  for (const char* bad : {"\"\"", "\"1,5\"", "\"abc\"", "\" 1\"", "\"1 \"", "\"+1\"", "true", "{}"}) {
    EXPECT_EQ(one("DECIMAL(12,2)", bad), "wrong_type") << bad;
  }
}

TEST(Json, Text) {
  EXPECT_EQ(one("STRING", R"("plain")"), "plain");
  EXPECT_EQ(one("STRING", R"("")"), "");
  EXPECT_EQ(one("STRING", R"("\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00")"), "\"\\/\b\f\n\r\té😀");
  EXPECT_EQ(one("STRING", R"("a\u0000b")"), std::string("a\0b", 3));
  const std::string lengthy(1000, 'x');
  EXPECT_EQ(one("STRING", "\"" + lengthy + "\\n" + lengthy + "\""), lengthy + "\n" + lengthy);
  for (const char* bad :
       {R"("\ud800")", R"("\ud800x")", R"("\udc00")", R"("\ud800\u0041")", R"("\ud800\n")"}) {
    EXPECT_EQ(one("STRING", bad), "invalid_utf8") << bad;
  }
  for (const char* bad : {R"("\x")", R"("\u12")", R"("\u12g4")", "\"a\nb\"", "\"a", "\"a\\\"", "'a'"}) {
    EXPECT_EQ(one("STRING", bad), "malformed") << bad;
  }
  for (const char* bad : {"1", "true", "[]", "{}"}) EXPECT_EQ(one("STRING", bad), "wrong_type") << bad;
}

TEST(Json, LengthIsCountedInCodePoints) {
  EXPECT_EQ(one("VARCHAR(3)", "\"äöü\""), "äöü");
  EXPECT_EQ(one("VARCHAR(3)", "\"äöüx\""), "out_of_range");
  EXPECT_EQ(one("VARCHAR(3)", R"("\u00e4\u00f6\u00fc")"), "äöü");
  EXPECT_EQ(one("VARCHAR(3)", "\"abcd\""), "out_of_range");
}

TEST(Json, Binary) {
  const auto bytes = [](const std::string& json, const OptionTexts& options = {}) {
    JsonTable table({{"v", "BYTES"}}, options);
    const DecodedRows decoded = table.decode({"{\"v\":" + json + "}"});
    if (!decoded.errors.empty()) return std::string(error_code_name(decoded.errors[0].code));
    return static_cast<const arrow::BinaryArray&>(*decoded.rows->column(0)).GetString(0);
  };
  EXPECT_EQ(bytes("\"aGVsbG8=\""), "hello");
  EXPECT_EQ(bytes("\"aGVsbA==\""), "hell");
  EXPECT_EQ(bytes("\"aGVs\""), "hel");
  EXPECT_EQ(bytes("\"\""), "");
  EXPECT_EQ(bytes("\"\\u0061GVs\""), "hel");
  for (const char* bad :
       {"\"aGVsbG8\"", "\"aGVsbG9=\"", "\"aGV$\"", "\"a===\"", "\"=aGV\"", "\"aG=s\"", "1"}) {
    EXPECT_EQ(bytes(bad), "wrong_type") << bad;
  }
  EXPECT_EQ(bytes("\"hi \\u00e9\"", {{"json.binary-encoding", "utf8"}}), "hi é");
}

TEST(Json, DatesAndTimes) {
  EXPECT_EQ(one("DATE", "\"2026-11-21\""), "2026-11-21");
  EXPECT_EQ(one("DATE", "\"2024-02-29\""), "2024-02-29");
  EXPECT_EQ(one("DATE", "\"0001-01-01\""), "0001-01-01");
  for (const char* bad : {"\"2026-02-29\"", "\"2026-13-01\"", "\"2026-00-01\"", "\"2026-01-00\"",
                          "\"2026-1-1\"", "\"26-01-01\"", "\"0000-01-01\"", "\"2026-01-01T00:00:00\"", "\"\"",
                          "\"2026/01/01\"", "\"1900-02-29\""}) {
    EXPECT_EQ(one("DATE", bad), "bad_timestamp") << bad;
  }
  EXPECT_EQ(one("DATE", "20000"), "wrong_type");
  EXPECT_EQ(one("TIME(0)", "\"12:34:56\""), "12:34:56.000");
  EXPECT_EQ(one("TIME(3)", "\"12:34:56.5\""), "12:34:56.500");
  EXPECT_EQ(one("TIME(6)", "\"23:59:59.999999\""), "23:59:59.999999");
  EXPECT_EQ(one("TIME(3)", "\"12:34\""), "12:34:00.000");
  for (const char* bad : {"\"24:00:00\"", "\"12:60:00\"", "\"12:00:60\"", "\"12:00:00.\"", "\"12:00:00Z\"",
                          "\"1:00:00\"", "\"12:00:00.0001\"", "\"noon\""}) {
    EXPECT_EQ(one("TIME(3)", bad), "bad_timestamp") << bad;
  }
}

TEST(Json, Timestamps) {
  EXPECT_EQ(one("TIMESTAMP(3)", "\"2026-11-21T13:24:23.123\""), "2026-11-21 13:24:23.123");
  EXPECT_EQ(one("TIMESTAMP(3)", "\"2026-11-21 13:24:23\""), "2026-11-21 13:24:23.000");
  EXPECT_EQ(one("TIMESTAMP(6)", "\"2026-11-21T13:24:23.123456Z\""), "2026-11-21 13:24:23.123456");
  EXPECT_EQ(one("TIMESTAMP(9)", "\"2026-11-21T13:24:23.123456789Z\""), "2026-11-21 13:24:23.123456789");
  EXPECT_EQ(one("TIMESTAMP(3)", "\"2026-11-21T00:30:00+02:00\""), "2026-11-20 22:30:00.000");
  EXPECT_EQ(one("TIMESTAMP(3)", "\"2026-11-21T23:30:00-0130\""), "2026-11-22 01:00:00.000");
  EXPECT_EQ(one("TIMESTAMP(3)", "\"2026-11-21T13:24+02\""), "2026-11-21 11:24:00.000");
  EXPECT_EQ(one("TIMESTAMP(3)", "\"1969-12-31T23:59:59.999\""), "1969-12-31 23:59:59.999");
  EXPECT_EQ(one("TIMESTAMP(3)", "\"2026-11-21T13:24:23.123000\""), "2026-11-21 13:24:23.123");
  EXPECT_EQ(one("TIMESTAMP(3)", R"("2026-11-21\u005413:24:23")"), "2026-11-21 13:24:23.000");
  EXPECT_EQ(one("TIMESTAMP_LTZ(3)", "\"2026-11-21T13:24:23+01:00\""), "2026-11-21 12:24:23.000Z");
  for (const char* bad :
       {"\"2026-11-21\"", "\"2026-11-21T\"", "\"2026-11-21T25:00:00\"", "\"2026-11-31T00:00:00\"",
        "\"2026-11-21T13:24:23.1234\"", "\"2026-11-21T13:24:23+25:00\"", "\"2026-11-21T13:24:23 Z\"",
        "\"yesterday\"", "\"\"", "\"2026-11-21T13:24:23Zx\"", "\"2026-11-21T13:24:2\""}) {
    EXPECT_EQ(one("TIMESTAMP(3)", bad), "bad_timestamp") << bad;
  }
  EXPECT_EQ(one("TIMESTAMP(3)", "1795267463"), "wrong_type");
  EXPECT_EQ(one("TIMESTAMP(9)", "\"2500-01-01T00:00:00\""), "out_of_range");
}

TEST(Json, EpochTimestamps) {
  EXPECT_EQ(one("TIMESTAMP(3)", "1795267463", {{"json.timestamp-format", "epoch-s"}}),
            "2026-11-21 13:24:23.000");
  EXPECT_EQ(one("TIMESTAMP(6)", "1795267463123", {{"json.timestamp-format", "epoch-ms"}}),
            "2026-11-21 13:24:23.123000");
  EXPECT_EQ(one("TIMESTAMP(3)", "1795267463123000", {{"json.timestamp-format", "epoch-us"}}),
            "2026-11-21 13:24:23.123");
  EXPECT_EQ(one("TIMESTAMP(3)", "1795267463123001", {{"json.timestamp-format", "epoch-us"}}),
            "bad_timestamp");
  EXPECT_EQ(one("TIMESTAMP(3)", "-1", {{"json.timestamp-format", "epoch-ms"}}), "1969-12-31 23:59:59.999");
  EXPECT_EQ(one("TIMESTAMP(9)", "9223372036854775807", {{"json.timestamp-format", "epoch-s"}}),
            "out_of_range");
  EXPECT_EQ(one("TIMESTAMP(3)", "1.5", {{"json.timestamp-format", "epoch-s"}}), "wrong_type");
  EXPECT_EQ(one("TIMESTAMP(3)", "\"2026-11-21T13:24:23\"", {{"json.timestamp-format", "epoch-s"}}),
            "wrong_type");
}

TEST(Json, NestedValues) {
  JsonTable table(
      {{"a", "ARRAY<INT>"}, {"m", "MAP<STRING, INT>"}, {"r", "ROW<x INT, y ARRAY<ROW<z STRING>>>"}}, {});
  const DecodedRows decoded =
      table.decode({R"({"a":[1,null,3],"m":{"k":1,"l":null},"r":{"x":1,"y":[{"z":"q"},{},null]}})",
                    R"({"a":[],"m":{},"r":{}})", "{}"});
  ASSERT_EQ(decoded.rows->num_rows(), 3);
  EXPECT_EQ((*decoded.rows->column(0)->GetScalar(0))->ToString(), "list<item: int32>[1, null, 3]");
  EXPECT_EQ(decoded.rows->column(0)->null_count(), 1);
  EXPECT_EQ(decoded.rows->column(1)->null_count(), 1);
  EXPECT_EQ(decoded.rows->column(2)->null_count(), 1);
  const auto& map = static_cast<const arrow::MapArray&>(*decoded.rows->column(1));
  EXPECT_EQ(map.keys()->length(), 2);
  EXPECT_EQ(map.items()->null_count(), 1);
  EXPECT_EQ(one("MAP<INT, STRING>", R"({"1":"a","-7":"b"})").find("malformed"), std::string::npos);
  EXPECT_EQ(one("MAP<INT, STRING>", R"({"x":"a"})"), "wrong_type");
  EXPECT_EQ(one("MAP<TINYINT, STRING>", R"({"300":"a"})"), "out_of_range");
  EXPECT_EQ(one("MAP<STRING, INT>", R"({"a":1,"a":2})"), "duplicate_key");
  EXPECT_EQ(one("MAP<INT, INT>", R"({"0":1,"-0":2})"), "duplicate_key");
  EXPECT_EQ(one("ARRAY<INT NOT NULL>", "[1,null]"), "missing_required");
  for (const char* bad : {"[1,]", "[,1]", "[1 2]", "[1", "[1}"})
    EXPECT_EQ(one("ARRAY<INT>", bad), "malformed") << bad;
  for (const char* bad : {"{}", "1", "\"[]\""}) EXPECT_EQ(one("ARRAY<INT>", bad), "wrong_type") << bad;
}

TEST(Json, LargeMapsFindDuplicates) {
  std::string json = "{";
  for (int i = 0; i < 40; ++i) json += "\"k" + std::to_string(i) + "\":1,";
  EXPECT_EQ(one("MAP<STRING, INT>", json + "\"k3\":2}"), "duplicate_key");
  EXPECT_NE(one("MAP<STRING, INT>", json + "\"k40\":2}"), "duplicate_key");
}

TEST(Json, Structure) {
  JsonTable table({{"a", "INT"}}, {});
  EXPECT_EQ(table.row("{\"a\":1}"), "1");
  EXPECT_EQ(table.row(" \r\n\t{ \"a\" : 1 } \n"), "1");
  EXPECT_EQ(table.row("{}"), "null");
  EXPECT_EQ(table.row("{\"\\u0061\":1}"), "1");
  for (const char* bad : {"",
                          "  ",
                          "{",
                          "}",
                          "{\"a\"}",
                          "{\"a\":}",
                          "{\"a\":1",
                          "{\"a\":1,}",
                          "{,}",
                          "{a:1}",
                          "{\"a\":1}}",
                          "{\"a\":1}{\"a\":2}",
                          "{\"a\":1} x",
                          "[1",
                          "nope",
                          "{\"a\" 1}",
                          "{\"a\":1 \"b\":2}",
                          "\xef\xbb\xbf{}",
                          "{\"b\":{\"c\":1}",
                          "{\"b\":[1}",
                          "{\"a",
                          "{\"",
                          "{\"a\":1}\x01",
                          "/**/{}",
                          "[1,2]]",
                          "\"a",
                          "1 2"}) {
    EXPECT_EQ(table.row(bad), "malformed") << bad;
  }
  for (const char* bad : {"[1]", "1", "\"a\"", "null", "true", "[{\"a\":1}]", "-1.5e3"}) {
    EXPECT_EQ(table.row(bad), "wrong_type") << bad;
  }
}

TEST(Json, SkippedFieldsAreValidated) {
  JsonTable table({{"a", "INT"}}, {});
  for (const char* good : {"1", "-1.5e+10", "\"x\\n\\u00e9\"", "[]", "{}", "[1,[2,{\"b\":null}]]", "true",
                           "{\"a\":{\"a\":1}}"}) {
    EXPECT_EQ(table.row(std::string("{\"z\":") + good + ",\"a\":1}"), "1") << good;
  }
  for (const char* bad : {"01",    "+1",          "1.",         "tru", "nul", "[1,]", "{\"b\"}", "{\"b\":}",
                          "{b:1}", "\"\\x\"",     "\"\t\"",     "[1}", "{]",  "NaN",  "-",       "1e",
                          "[1 2]", "\"\\u00g0\"", "{\"b\":1,}", "'x'", "",    "[",    "\"abc"}) {
    const std::string payload = std::string("{\"z\":") + bad + ",\"a\":1}";
    EXPECT_EQ(table.row(payload), "malformed") << payload;
  }
  EXPECT_EQ(table.row(R"({"z":"\ud800","a":1})"), "invalid_utf8");
  const ErrorRecord error = table.error("{\"a\":1,\"z\":[1,nope]}");
  EXPECT_EQ(error.byte, 14);
  EXPECT_EQ(error.field, "/z");
}

TEST(Json, InvalidUtf8NamesItsByte) {
  JsonTable table({{"a", "STRING"}}, {});
  for (const char* bytes : {"\xff", "\xc3(", "\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xe2\x82",
                            "\x80", "\xf4\x90\x80\x80"}) {
    for (const char* field : {"a", "unknown"}) {
      const std::string before = std::string("{\"") + field + "\":\"é" + std::string(70, 'x');
      const ErrorRecord error = table.error(before + bytes + "\"}");
      EXPECT_EQ(error.code, ErrorCode::invalid_utf8);
      EXPECT_EQ(error.byte, static_cast<int64_t>(before.size()));
    }
  }
  // Half a character at the end of one payload and its other half at the start of the next.
  const DecodedRows split = table.decode({"{\"a\":\"\xc3", "\xa9\"}"});
  ASSERT_EQ(split.errors.size(), 2u);
  EXPECT_EQ(split.errors[0].code, ErrorCode::invalid_utf8);
  EXPECT_EQ(split.errors[1].code, ErrorCode::invalid_utf8);
}

TEST(Json, RequiredFields) {
  JsonTable table({{"a", "INT NOT NULL"}, {"r", "ROW<b INT NOT NULL, c STRING NOT NULL>"}}, {});
  EXPECT_EQ(table.row("{\"r\":null}"), "missing_required");
  EXPECT_EQ(table.row("{\"a\":null}"), "missing_required");
  EXPECT_NE(table.row("{\"a\":1}"), "missing_required");  // the row is null, and its fields with it
  const ErrorRecord error = table.error("{\"a\":1,\"r\": {\"b\":1}}");
  EXPECT_EQ(error.code, ErrorCode::missing_required);
  EXPECT_EQ(error.field, "/r/c");
  EXPECT_EQ(error.byte, 12);
}

TEST(Json, DuplicateKeys) {
  const ColumnTexts columns = {{"a", "INT"}, {"r", "ROW<b STRING>"}, {"s", "STRING"}};
  JsonTable reject(columns, {});
  EXPECT_EQ(reject.row(R"({"a":1,"a":1})"), "duplicate_key");
  EXPECT_EQ(reject.row(R"({"a":1,"\u0061":1})"), "duplicate_key");
  EXPECT_EQ(reject.row(R"({"r":{"b":"x","b":"y"}})"), "duplicate_key");
  EXPECT_EQ(reject.row(R"({"zz":1,"a":1,"zz":2})"), "duplicate_key");
  EXPECT_EQ(reject.row(R"({"a":1,"zz":{"q":1},"yy":{"q":1}})").substr(0, 2), "1|");
  const std::string far(300, 'k');
  EXPECT_EQ(reject.row("{\"" + far + "\":1,\"" + far + "\":2}"), "duplicate_key");
  EXPECT_EQ(reject.row("{\"" + far + "\":1}").substr(0, 5), "null|");
  const ErrorRecord error = reject.error(R"({"r":{"b":"x","b":"y"}})");
  EXPECT_EQ(error.field, "/r/b");
  EXPECT_EQ(error.byte, 14);

  JsonTable last({{"a", "INT"}, {"s", "STRING"}, {"l", "ARRAY<STRING>"}}, {{"json.duplicate-keys", "last"}});
  EXPECT_EQ(last.row(R"({"a":1,"s":"long text","l":["a","b"],"a":2,"s":"x","l":["c"]})"),
            "2|x|list<item: string>[c]");
  JsonTable first({{"a", "INT"}, {"s", "STRING"}}, {{"json.duplicate-keys", "first"}});
  EXPECT_EQ(first.row(R"({"a":1,"s":"p","a":2,"s":"q","a":"not looked at"})"), "1|p");
  EXPECT_EQ(first.row(R"({"a":1,"a":nope})"), "malformed");
}

TEST(Json, DuplicateMapKeysByPolicy) {
  const auto entries = [](const char* policy) {
    JsonTable table({{"m", "MAP<STRING, ARRAY<INT>>"}}, {{"json.duplicate-keys", policy}});
    const DecodedRows decoded = table.decode({R"({"m":{"a":[1],"b":[2],"a":[3,4]}})", R"({"m":{"c":[9]}})"});
    EXPECT_TRUE(decoded.errors.empty());
    const auto& map = static_cast<const arrow::MapArray&>(*decoded.rows->column(0));
    const auto& lists = static_cast<const arrow::ListArray&>(*map.items());
    return map.keys()->ToString() + lists.values()->ToString();
  };
  const auto squeeze = [](std::string text) {
    std::string result;
    for (char c : text) {
      if (c != ' ' && c != '\n') result += c;
    }
    return result;
  };
  EXPECT_EQ(squeeze(entries("last")), R"(["b","a","c"][2,3,4,9])");
  EXPECT_EQ(squeeze(entries("first")), R"(["a","b","c"][1,2,9])");
}

TEST(Json, UnknownFields) {
  JsonTable reject({{"a", "INT"}, {"r", "ROW<b INT>"}}, {{"json.unknown-fields", "reject"}});
  EXPECT_EQ(reject.row(R"({"a":1,"z":2})"), "unknown_field");
  const ErrorRecord error = reject.error(R"({"a":1,"r":{"x/y~":2}})");
  EXPECT_EQ(error.code, ErrorCode::unknown_field);
  EXPECT_EQ(error.field, "/r/x~1y~0");
  EXPECT_EQ(error.byte, 12);

  JsonTable keep({{"a", "INT"}, {"rest", "STRING"}},
                 {{"json.unknown-fields", "keep"}, {"json.rest-column", "rest"}});
  EXPECT_EQ(keep.row(R"({"z": [1, 2.50],"a":1,"q\u0041" : "x\n"})"), R"(1|{"z":[1, 2.50],"q\u0041":"x\n"})");
  EXPECT_EQ(keep.row(R"({"a":1})"), "1|null");
  EXPECT_EQ(keep.row(R"({"rest":5})"), R"(null|{"rest":5})");
  JsonTable last(
      {{"rest", "STRING"}},
      {{"json.unknown-fields", "keep"}, {"json.rest-column", "rest"}, {"json.duplicate-keys", "last"}});
  EXPECT_EQ(last.row(R"({"z":1,"y":2,"z":3})"), R"({"z":3,"y":2})");

  EXPECT_FALSE(make_json_decoder({{"a", "INT"}}, {{"json.unknown-fields", "keep"}}).ok());
  EXPECT_FALSE(make_json_decoder({{"a", "INT"}}, {{"json.rest-column", "a"}}).ok());
  EXPECT_FALSE(
      make_json_decoder({{"a", "INT"}}, {{"json.unknown-fields", "keep"}, {"json.rest-column", "a"}}).ok());
  EXPECT_FALSE(
      make_json_decoder({{"a", "INT"}}, {{"json.unknown-fields", "keep"}, {"json.rest-column", "b"}}).ok());
}

TEST(Json, ManyUnknownKeysAreNotRemembered) {
  JsonTable table({{"a", "INT"}}, {});
  for (int round = 0; round < 3; ++round) {
    std::string payload = "{";
    for (int i = 0; i < 2000; ++i) payload += "\"u" + std::to_string(round * 2000 + i) + "\":1,";
    EXPECT_EQ(table.row(payload + "\"a\":7}"), "7");
    EXPECT_EQ(table.row(payload + "\"u" + std::to_string(round * 2000 + 1999) + "\":7}"), "duplicate_key");
  }
}

TEST(Json, Limits) {
  JsonTable small({{"a", "STRING"}}, {{"json.max-size", "20 b"}});
  EXPECT_EQ(small.row("{\"a\":\"0123456789ab\"}"), "0123456789ab");
  EXPECT_EQ(small.row("{\"a\":\"0123456789abc\"}"), "too_large");
  JsonTable flat({{"a", "ARRAY<ARRAY<INT>>"}, {"r", "ROW<x ROW<y INT>>"}}, {{"json.max-depth", "3"}});
  EXPECT_NE(flat.row("{\"a\":[[1]]}"), "too_deep");
  EXPECT_NE(flat.row("{\"z\":[[1]]}"), "too_deep");
  EXPECT_EQ(flat.row("{\"z\":[[[1]]]}"), "too_deep");
  EXPECT_EQ(flat.row("{\"r\":{\"x\":{\"z\":[]}}}"), "too_deep");
  EXPECT_EQ(flat.row("[[[]]]"), "wrong_type");
  EXPECT_EQ(flat.row("[[[[]]]]"), "too_deep");
  JsonTable shallow({{"a", "ARRAY<ARRAY<INT>>"}}, {{"json.max-depth", "2"}});
  EXPECT_EQ(shallow.row("{\"a\":[[1]]}"), "too_deep");
  JsonTable table({{"a", "INT"}}, {});
  EXPECT_EQ(table.row("{\"z\":" + std::string(500000, '[') + std::string(500000, ']') + "}"), "too_deep");
  EXPECT_EQ(table.row(std::string(1000000, '[')), "too_deep");
  EXPECT_EQ(table.row("{\"z\":" + std::string(63, '[') + std::string(63, ']') + ",\"a\":1}"), "1");
  EXPECT_FALSE(make_json_decoder({{"a", "INT"}}, {{"json.max-size", "2 gb"}}).ok());
  EXPECT_FALSE(make_json_decoder({{"a", "INT"}}, {{"json.max-depth", "0"}}).ok());
}

TEST(Json, Leniencies) {
  const OptionTexts strings = {{"json.allow-strings-as-numbers", "true"}};
  EXPECT_EQ(one("BIGINT", "\"-12\"", strings), "-12");
  EXPECT_EQ(one("DOUBLE", "\"1.5\"", strings), "1.5");
  EXPECT_EQ(one("TINYINT", "\"300\"", strings), "out_of_range");
  for (const char* bad : {"\"\"", "\"1x\"", "\"01\"", "\" 1\"", "\"1.5\""})
    EXPECT_EQ(one("INT", bad, strings), "wrong_type") << bad;
  const OptionTexts numbers = {{"json.allow-numbers-as-strings", "true"}};
  EXPECT_EQ(one("STRING", "1.50", numbers), "1.50");
  EXPECT_EQ(one("VARCHAR(2)", "123", numbers), "out_of_range");
  EXPECT_EQ(one("STRING", "01", numbers), "malformed");
  EXPECT_EQ(one("STRING", "true", numbers), "wrong_type");
  const OptionTexts integral = {{"json.allow-integral-floats", "true"}};
  EXPECT_EQ(one("INT", "1.0", integral), "1");
  EXPECT_EQ(one("INT", "1.5e1", integral), "15");
  EXPECT_EQ(one("INT", "1.5", integral), "wrong_type");
  EXPECT_EQ(one("INT", "1e30", integral), "out_of_range");
  const OptionTexts nulls = {{"json.null-literals", "N/A,-"}};
  for (const char* type : {"INT", "STRING", "DOUBLE", "BOOLEAN", "DATE", "TIME(3)", "TIMESTAMP(3)",
                           "DECIMAL(4,2)", "BYTES", "ARRAY<INT>", "ROW<a INT>"}) {
    EXPECT_EQ(one(type, "\"N/A\"", nulls), "null") << type;
    EXPECT_EQ(one(type, "\"-\"", nulls), "null") << type;
  }
  EXPECT_EQ(one("STRING", "\"\"", nulls), "");
  EXPECT_EQ(one("STRING NOT NULL", "\"N/A\"", nulls), "missing_required");
}

TEST(Json, ErrorsSayWhatWasFoundAndWhere) {
  JsonTable table({{"id", "BIGINT"}, {"items", "ARRAY<ROW<price DECIMAL(6,2), `a/b` INT>>"}}, {});
  ErrorRecord error = table.error(R"({"id":"12a"})");
  EXPECT_EQ(error.message, "expected BIGINT, found string \"12a\"");
  EXPECT_EQ(error.field, "/id");
  EXPECT_EQ(error.byte, 6);
  error = table.error(R"({"id":1,"items":[{"price":1},{},{"price":true}]})");
  EXPECT_EQ(error.field, "/items/2/price");
  EXPECT_EQ(error.message, "expected DECIMAL(6, 2), found true");
  EXPECT_EQ(error.byte, 41);
  error = table.error(R"({"items":[{"a/b":[]}]})");
  EXPECT_EQ(error.field, "/items/0/a~1b");
  error = table.error("{\"id\":\"" + std::string(39, 'x') + "éé\"}");
  EXPECT_EQ(error.message, "expected BIGINT, found string \"" + std::string(39, 'x') + "…\"");
  error = table.error("{\"id\":1,,}");
  EXPECT_EQ(error.byte, 8);
  error = table.error("{\"id\":1");
  EXPECT_EQ(error.byte, 7);
  EXPECT_EQ(error.message, "the payload ends before ',' or '}'");
  error = table.error("{\"id\":tru\x7f}");
  EXPECT_EQ(error.message, "expected a value, found 'tru\\x7f}'");
}

TEST(Json, KeysInAnyOrderAndShape) {
  JsonTable table(
      {{"a", "INT"}, {"b", "INT"}, {"a_key_that_is_longer_than_thirty_two_bytes", "INT"}, {"q\"}", "INT"}},
      {});
  const std::string longest = "\"a_key_that_is_longer_than_thirty_two_bytes\"";
  const DecodedRows decoded = table.decode({
      "{\"a\":1,\"b\":2," + longest + ":3,\"q\\\"}\":4}",
      "{" + longest + ":3,\"b\":2,\"a\":1,\"q\\\"}\":4}",
      "{" + longest + ": 3 , \"x\":0,\"b\" :2,\"q\\\"}\":4,\"a\":1}",
      "{\"a_key_that_is_longer_than_thirty_two_bytez\":9,\"a\":1,\"b\":2," + longest + ":3,\"q\\\"}\":4}",
      "{\"a\":1,\"b\":2," + longest + ":3,\"q\\\"}\":4}",
  });
  ASSERT_TRUE(decoded.errors.empty()) << decoded.errors[0].message;
  for (int column = 0; column < 4; ++column) {
    for (int row = 0; row < 5; ++row) {
      EXPECT_EQ(static_cast<const arrow::Int32Array&>(*decoded.rows->column(column)).Value(row), column + 1)
          << row;
    }
  }
  // A key that seems to be there because the next payload goes on.
  EXPECT_EQ(table.decode({"{\"a\":1,\"q}", "\":1}"}).errors.size(), 2u);
}

TEST(Json, BadRowsLeaveTheirNeighboursAlone) {
  const ColumnTexts columns = {{"id", "INT NOT NULL"},
                               {"s", "STRING"},
                               {"l", "ARRAY<ROW<x STRING, y ARRAY<INT>>>"},
                               {"m", "MAP<STRING, STRING>"},
                               {"end", "INT NOT NULL"}};
  const std::string body = R"("s":"text","l":[{"x":"one","y":[1,2]},{"x":null,"y":[]}],"m":{"k":"v"},)";
  JsonTable table(columns, {});
  std::vector<std::string> good;
  std::vector<std::string> mixed;
  std::vector<uint32_t> rows;
  for (int i = 0; i < 20; ++i) {
    good.push_back("{\"id\":" + std::to_string(i) + "," + body + "\"end\":1}");
    // Bad at the very end, after everything was written, and bad inside nested values.
    mixed.push_back("{\"id\":" + std::to_string(i) + "," + body + "\"end\":\"x\"}");
    mixed.push_back(
        "{\"id\":7,\"s\":\"junk\",\"l\":[{\"x\":\"a\",\"y\":[1,2,3,4]},{\"x\":\"b\",\"y\":[1,\"bad\"]}],"
        "\"end\":1}");
    mixed.push_back("{\"m\":{\"k\":\"v\",\"l\":\"w\",\"k\":\"x\"}}");
    rows.push_back(static_cast<uint32_t>(mixed.size()));
    mixed.push_back(good.back());
    mixed.push_back("{\"id\":1,\"s\":\"cut");
    mixed.push_back("");
  }
  const DecodedRows expected = table.decode(good);
  const DecodedRows found = table.decode(mixed);
  EXPECT_TRUE(found.rows->Equals(*expected.rows));
  EXPECT_EQ(found.event_of_row, rows);
  EXPECT_EQ(found.errors.size(), 100u);
}

TEST(Json, DecodesARangeOfEvents) {
  JsonTable table({{"a", "INT"}}, {});
  const EventBatch batch = batch_of({"{\"a\":0}", "x", "{\"a\":2}", "y", "{\"a\":4}"});
  const DecodedRows decoded = *table.decoder().decode(batch, 2, 4);
  ASSERT_EQ(decoded.event_of_row, std::vector<uint32_t>{2});
  ASSERT_EQ(decoded.errors.size(), 1u);
  EXPECT_EQ(decoded.errors[0].event, 3u);
  EXPECT_EQ(table.decoder().decode(batch, 2, 2)->rows->num_rows(), 0);
}

TEST(Json, AbsentPayloadIsMalformed) {
  JsonTable table({{"a", "INT"}}, {});
  EventBatch batch = batch_of({"{}"});
  batch.events[0].payload = {};
  const DecodedRows decoded = *table.decoder().decode(batch, 0, 1);
  ASSERT_EQ(decoded.errors.size(), 1u);
  EXPECT_EQ(decoded.errors[0].code, ErrorCode::malformed);
}

TEST(Json, RefusesTypesThatJsonCannotHold) {
  ColumnSpec column;
  column.name = "d";
  column.type.arrow = arrow::duration(arrow::TimeUnit::SECOND);
  Diagnostics diagnostics;
  const FormatInfo format = json_format();
  const Options options = validate_options("format 'json'", format.options, {}, {}, diagnostics);
  const auto made = format.create({{column}, &options});
  ASSERT_FALSE(made.ok());
  EXPECT_NE(made.status().message().find("'d'"), std::string::npos);
  column.type.arrow = arrow::map(arrow::float64(), arrow::utf8());
  EXPECT_FALSE(format.create({{column}, &options}).ok());
}

}  // namespace
}  // namespace weir
