#include "formats/csv/csv_decoder.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>

#include "config/data_type.h"
#include "formats/csv/csv_format.h"
#include "formats/formats.h"

namespace weir {
namespace {

using Columns = std::vector<std::pair<std::string, std::string>>;
using Texts = std::map<std::string, std::string>;

Result<std::unique_ptr<Decoder>> make(const Columns& columns, const Texts& options) {
  FormatContext context;
  for (const auto& [name, text] : columns) {
    auto parsed = parse_type_text(text);
    EXPECT_TRUE(parsed.ok()) << text;
    ColumnSpec spec;
    spec.name = name;
    spec.type = parsed->type;
    spec.nullable = parsed->nullable;
    context.columns.push_back(std::move(spec));
  }
  const FormatInfo format = csv_format();
  std::map<std::string, OptionValue> values;
  for (const auto& [name, text] : options) values["csv." + name].text = text;
  Diagnostics diagnostics;
  const Options validated = validate_options("format 'csv'", format.options, values, {}, diagnostics);
  if (diagnostics.has_errors()) return diagnostics.status();
  context.options = &validated;
  return format.create(context);
}

// Payloads touch each other, and more digits follow the last one.
EventBatch batch_of(const std::vector<std::string>& payloads) {
  EventBatch batch;
  std::string bytes;
  for (const std::string& payload : payloads) {
    Event event;
    event.payload = {static_cast<uint32_t>(bytes.size()), static_cast<int32_t>(payload.size())};
    event.offset = static_cast<int64_t>(batch.events.size());
    batch.events.push_back(event);
    bytes += payload;
  }
  bytes += std::string(EventBatch::kPadding, '7');
  std::shared_ptr<char[]> copy(new char[bytes.size()]);
  std::memcpy(copy.get(), bytes.data(), bytes.size());
  batch.bytes = copy;
  return batch;
}

// Each event's values, or its error as "code@byte /field: message".
std::vector<std::string> rows(const Columns& columns, const Texts& options,
                              const std::vector<std::string>& payloads) {
  auto decoder = make(columns, options);
  EXPECT_TRUE(decoder.ok()) << decoder.status().message();
  if (!decoder.ok()) return {};
  const DecodedRows decoded = *(*decoder)->decode(batch_of(payloads), 0, payloads.size());
  EXPECT_TRUE(decoded.rows->ValidateFull().ok());
  EXPECT_EQ(decoded.rows->num_rows(), static_cast<int64_t>(decoded.event_of_row.size()));
  std::map<uint32_t, std::string> by_event;
  for (size_t row = 0; row < decoded.event_of_row.size(); ++row) {
    std::string text;
    for (int i = 0; i < decoded.rows->num_columns(); ++i) {
      const auto scalar = *decoded.rows->column(i)->GetScalar(static_cast<int64_t>(row));
      text += (i == 0 ? "" : "|") + scalar->ToString();
    }
    by_event[decoded.event_of_row[row]] = text;
  }
  for (const ErrorRecord& error : decoded.errors) {
    by_event[error.event] = std::string(error_code_name(error.code)) + "@" + std::to_string(error.byte) +
                            (error.field.empty() ? "" : " " + error.field) + ": " + error.message;
  }
  std::vector<std::string> texts;
  for (auto& [event, text] : by_event) texts.push_back(std::move(text));
  return texts;
}

std::string one(const std::string& type, const std::string& field, const Texts& options = {}) {
  const std::string text = rows({{"v", type}, {"w", "STRING"}}, options, {field + ",x"}).at(0);
  return text.ends_with("|x") ? text.substr(0, text.size() - 2) : text.substr(0, text.find('@'));
}

TEST(Csv, IsRegistered) {
  for (const FormatInfo& format : all_formats()) {
    if (format.name != "csv") continue;
    for (const OptionSpec& option : format.options) EXPECT_EQ(option.name.rfind("csv.", 0), 0u);
    return;
  }
  FAIL() << "no format 'csv'";
}

TEST(Csv, EveryType) {
  EXPECT_EQ(one("BOOLEAN", "true"), "true");
  EXPECT_EQ(one("BOOLEAN", "TRUE"), "wrong_type");
  EXPECT_EQ(one("TINYINT", "-128"), "-128");
  EXPECT_EQ(one("TINYINT", "128"), "out_of_range");
  EXPECT_EQ(one("INT", "2147483647"), "2147483647");
  EXPECT_EQ(one("INT", "2147483648"), "out_of_range");
  EXPECT_EQ(one("BIGINT", "-9223372036854775808"), "-9223372036854775808");
  EXPECT_EQ(one("BIGINT", "9223372036854775808"), "out_of_range");
  EXPECT_EQ(one("BIGINT", "0"), "0");
  for (const char* bad : {"01", "-01", "1.0", "1e3", "+1", " 1", "-", "1x", "0x1"}) {
    EXPECT_EQ(one("BIGINT", bad), "wrong_type") << bad;
  }
  EXPECT_EQ(one("DOUBLE", "-1.5e3"), "-1500");
  EXPECT_EQ(one("DOUBLE", "1e999"), "out_of_range");
  EXPECT_EQ(one("DOUBLE", "NaN"), "wrong_type");
  EXPECT_EQ(one("FLOAT", "0.5"), "0.5");
  EXPECT_EQ(one("DECIMAL(5,2)", "123.45"), "123.45");
  EXPECT_EQ(one("DECIMAL(5,2)", "123.456"), "out_of_range");
  EXPECT_EQ(one("DECIMAL(5,2)", "1234.5"), "out_of_range");
  EXPECT_EQ(one("STRING", "déjà"), "déjà");
  EXPECT_EQ(one("VARCHAR(4)", "déjà"), "déjà");
  EXPECT_EQ(one("VARCHAR(3)", "déjà"), "out_of_range");
  EXPECT_EQ(one("BYTES", "aGk="), "hi");
  EXPECT_EQ(one("BYTES", "?"), "wrong_type");
  EXPECT_EQ(one("BYTES", "hi", {{"binary-encoding", "utf8"}}), "hi");
  EXPECT_EQ(one("VARBINARY(1)", "aGk="), "out_of_range");
  EXPECT_EQ(one("DATE", "2026-11-21"), "2026-11-21");
  EXPECT_EQ(one("DATE", "2026-02-30"), "bad_timestamp");
  EXPECT_EQ(one("TIME(3)", "12:34:56.789"), "12:34:56.789");
  EXPECT_EQ(one("TIMESTAMP(3)", "2026-11-21T10:00:00+02:00"), "2026-11-21 08:00:00.000");
  EXPECT_EQ(one("TIMESTAMP(3)", "2026-11-21"), "bad_timestamp");
  EXPECT_EQ(one("TIMESTAMP(3)", "2026-11-21 10:00:00.1234"), "bad_timestamp");
  EXPECT_EQ(one("TIMESTAMP(3)", "1500", {{"timestamp-format", "epoch-ms"}}), "1970-01-01 00:00:01.500");
  EXPECT_EQ(one("TIMESTAMP(3)", "1", {{"timestamp-format", "epoch-us"}}), "bad_timestamp");
  EXPECT_EQ(one("TIMESTAMP(3)", "1.5", {{"timestamp-format", "epoch-s"}}), "wrong_type");
  EXPECT_EQ(one("TIMESTAMP(3)", "9223372036854775807", {{"timestamp-format", "epoch-s"}}), "out_of_range");
  EXPECT_FALSE(make({{"v", "ARRAY<INT>"}}, {}).ok());
  EXPECT_FALSE(make({{"v", "ROW<a INT>"}}, {}).ok());
}

TEST(Csv, NullsAndEmptyFields) {
  const Columns columns = {{"a", "INT"}, {"s", "STRING"}, {"n", "STRING NOT NULL"}};
  EXPECT_EQ(rows(columns, {}, {",,x", "1,\"\",\"\"", "1,x,", "\"\",a,b"}),
            (std::vector<std::string>{"null|null|x", "1||",
                                      "missing_required@4 /n: the field is empty, and its column is NOT NULL",
                                      "wrong_type@0 /a: expected INT, found ''"}));
  EXPECT_EQ(
      rows(columns, {{"null-literal", "\\N"}}, {"\\N,,\"\\N\"", "\\N,\\N,", "1,2,\\N"}),
      (std::vector<std::string>{"null||\\N", "null|null|",
                                "missing_required@4 /n: the null literal, and its column is NOT NULL"}));
  EXPECT_EQ(rows({{"a", "INT"}}, {}, {"", "5", "\n"}), (std::vector<std::string>{"null", "5", "null"}));
}

TEST(Csv, Quoting) {
  const Columns columns = {{"a", "STRING"}, {"b", "STRING"}};
  EXPECT_EQ(
      rows(columns, {},
           {R"("x,y","a ""b"" c")", "\"two\r\nlines\",\"\"\"\"", "a,b\r\n", R"(a b,"7")", R"(say "hi",b)",
            R"("a"b,c)", R"("open,c)", "a\nb,c", R"("a)", R"(")"}),
      (std::vector<std::string>{
          "x,y|a \"b\" c", "two\r\nlines|\"", "a|b", "a b|7",
          "malformed@4: a quote inside a field that does not begin with one",
          "malformed@3: something stands between a closing quote and the next delimiter",
          "malformed@0: a quoted field that does not end",
          "malformed@1: a line end inside the record: an event is one record, and only quoted fields may "
          "hold line ends",
          "malformed@0: a quoted field that does not end", "malformed@0: a quoted field that does not end"}));
  EXPECT_EQ(
      rows(columns, {{"escape", "\\"}}, {R"("a\"b","c\\")", R"("a""b",\c)", R"("a\)"}),
      (std::vector<std::string>{"a\"b|c\\", "a\"b|\\c", "malformed@0: a quoted field that does not end"}));
  EXPECT_EQ(rows(columns, {{"quote", "none"}}, {R"(say "hi","b")"}),
            (std::vector<std::string>{"say \"hi\"|\"b\""}));
  EXPECT_EQ(rows(columns, {{"delimiter", "\\t"}, {"quote", "'"}}, {"'a\tb'\tc,d"}),
            (std::vector<std::string>{"a\tb|c,d"}));
  EXPECT_EQ(rows(columns, {{"trim", "true"}}, {" a , \"b \" ", "  ,x"}),
            (std::vector<std::string>{"a|b ", "null|x"}));
}

TEST(Csv, CountOfFields) {
  const Columns columns = {{"a", "INT"}, {"b", "INT"}, {"c", "INT NOT NULL"}};
  EXPECT_EQ(
      rows(columns, {}, {"1,2", "1,2,3,4", "1,2,3,", "1,2,3"}),
      (std::vector<std::string>{
          "missing_required@3 /c: the record has 2 fields, the table 3 fields ('csv.allow-missing-columns' "
          "makes the last ones null)",
          "unknown_field@6: the record has 4 fields, the table 3 fields ('csv.ignore-extra-columns' leaves "
          "out the last ones)",
          "unknown_field@6: the record has 4 fields, the table 3 fields ('csv.ignore-extra-columns' leaves "
          "out the last ones)",
          "1|2|3"}));
  EXPECT_EQ(rows({{"a", "INT"}, {"b", "INT"}, {"c", "INT"}}, {{"allow-missing-columns", "true"}}, {"1", ","}),
            (std::vector<std::string>{"1|null|null", "null|null|null"}));
  EXPECT_EQ(rows(columns, {{"allow-missing-columns", "true"}}, {"1"}).at(0).substr(0, 21),
            "missing_required@1 /c");
  EXPECT_EQ(rows(columns, {{"ignore-extra-columns", "true"}}, {"1,2,3,x,\"y\"", "1,2,3,\"y"}),
            (std::vector<std::string>{"1|2|3", "malformed@6: a quoted field that does not end"}));
}

TEST(Csv, Headers) {
  const Columns columns = {{"a", "STRING"}, {"b", "STRING"}};
  EXPECT_EQ(rows(columns, {}, {"a,b"}).size(), 1u);
  EXPECT_EQ(rows(columns, {{"header", "names"}}, {"a,b", "\"a\",b\r\n", "a,b,c", "b,a", "a"}).size(), 3u);
  EXPECT_EQ(rows(columns, {{"header", "first"}}, {"x,y", "a,b"}), (std::vector<std::string>{"a|b"}));
}

TEST(Csv, WhatIsNoRecord) {
  const Columns columns = {{"a", "STRING"}};
  EXPECT_EQ(rows(columns, {{"max-size", "3 b"}}, {"abc", "abcd"}),
            (std::vector<std::string>{"abc", "too_large@-1: 4 bytes, csv.max-size is 3"}));
  EXPECT_EQ(rows(columns, {}, {"a\xff", "ok"}),
            (std::vector<std::string>{"invalid_utf8@-1: not UTF-8", "ok"}));
  auto decoder = make(columns, {});
  EventBatch batch = batch_of({"x"});
  batch.events[0].payload = {};
  EXPECT_EQ((*decoder)->decode(batch, 0, 1)->errors.size(), 1u);
}

TEST(Csv, BadRowsLeaveTheirNeighboursAlone) {
  EXPECT_EQ(
      rows({{"s", "STRING"}, {"n", "INT"}}, {}, {"one,1", "a long text that is rolled back,x", "two,2"}),
      (std::vector<std::string>{"one|1", "wrong_type@32 /n: expected INT, found 'x'", "two|2"}));
}

TEST(Csv, OptionsThatCannotBe) {
  const Columns columns = {{"a", "STRING"}};
  for (const char* bad : {"", "ab", "1", "x", "-", ".", "\n", "é", ":"}) {
    EXPECT_FALSE(make(columns, {{"delimiter", bad}}).ok()) << bad;
  }
  EXPECT_FALSE(make(columns, {{"delimiter", "\""}}).ok());
  EXPECT_FALSE(make(columns, {{"escape", ","}}).ok());
  EXPECT_FALSE(make(columns, {{"escape", "\\"}, {"quote", "none"}}).ok());
  EXPECT_FALSE(make(columns, {{"max-size", "0"}}).ok());
  EXPECT_FALSE(make(columns, {{"header", "yes"}}).ok());
}

}  // namespace
}  // namespace weir
