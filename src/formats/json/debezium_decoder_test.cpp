#include "formats/json/debezium_decoder.h"

#include <gtest/gtest.h>

#include "formats/json/json_test_table.h"

namespace weir {
namespace {

Result<std::unique_ptr<Decoder>> make(const ColumnTexts& columns, const OptionTexts& given) {
  FormatContext context;
  for (const auto& [name, text] : columns) {
    auto parsed = parse_type_text(text);
    ColumnSpec spec;
    spec.name = name;
    spec.type = parsed->type;
    spec.nullable = parsed->nullable;
    context.columns.push_back(std::move(spec));
  }
  std::map<std::string, OptionValue> values;
  for (const auto& [name, text] : given) values["debezium-json." + name].text = text;
  const Options options(debezium_json_format().options, std::move(values));
  context.options = &options;
  return debezium_json_format().create(context);
}

// By row "event±: values", then by error "event code field".
std::vector<std::string> decode(const std::vector<std::string>& payloads, const OptionTexts& options = {},
                                const ColumnTexts& columns = {{"id", "BIGINT NOT NULL"}, {"s", "STRING"}}) {
  auto decoder = make(columns, options);
  EXPECT_TRUE(decoder.ok()) << decoder.status().message();
  EventBatch batch = batch_of(payloads);
  for (size_t i = 0; i < payloads.size(); ++i) {
    if (payloads[i].empty()) batch.events[i].payload = {};
  }
  auto decoded = (*decoder)->decode(batch, 0, payloads.size());
  EXPECT_TRUE(decoded.ok()) << decoded.status().message();
  EXPECT_TRUE(decoded->rows->ValidateFull().ok());
  EXPECT_EQ(static_cast<size_t>(decoded->rows->num_rows()), decoded->event_of_row.size());
  std::vector<std::string> shown;
  for (size_t row = 0; row < decoded->event_of_row.size(); ++row) {
    std::string text = std::to_string(decoded->event_of_row[row]);
    if (!decoded->weights.empty()) text += decoded->weights[row] > 0 ? "+" : "-";
    text += ":";
    for (int i = 0; i < decoded->rows->num_columns(); ++i) {
      text += " " + (*decoded->rows->column(i)->GetScalar(static_cast<int64_t>(row)))->ToString();
    }
    shown.push_back(text);
  }
  for (const ErrorRecord& error : decoded->errors) {
    shown.push_back(std::to_string(error.event) + " " + std::string(error_code_name(error.code)) + " " +
                    error.field);
  }
  return shown;
}

using Lines = std::vector<std::string>;

const Lines kOperations = {
    R"({"before":null,"after":{"id":1,"s":"a"},"op":"c","ts_ms":1,"source":{"db":"x"}})",
    R"({"before":{"id":1,"s":"a"},"after":{"id":1,"s":"b"},"op":"u"})",
    R"({"op":"d","before":{"id":1,"s":"b"},"after":null})",
    "",
    R"({"op":"r","after":{"id":2,"s":null}})",
    R"({"op":"m","message":{}})",
};

TEST(Debezium, OperationsAsAChangelog) {
  EXPECT_EQ(decode(kOperations), (Lines{"0+: 1 a", "1-: 1 a", "1+: 1 b", "2-: 1 b", "4+: 2 null"}));
  EXPECT_EQ(decode(kOperations, {{"schema-include", "false"}}), decode(kOperations));
}

TEST(Debezium, OperationsAsRows) {
  EXPECT_EQ(decode(kOperations, {{"as", "rows"}, {"op-column", "op"}},
                   {{"id", "BIGINT NOT NULL"}, {"op", "STRING"}, {"s", "STRING"}}),
            (Lines{"0: 1 c a", "1: 1 u b", "2: 1 d b", "4: 2 r null"}));
}

TEST(Debezium, TheEnvelopeBesideItsSchema) {
  Lines wrapped;
  for (const std::string& each : kOperations) {
    wrapped.push_back(each.empty() ? ""
                                   : R"({"schema":{"type":"struct","fields":[]},"payload":)" + each + "}");
  }
  EXPECT_EQ(decode(wrapped), decode(kOperations));
  EXPECT_EQ(decode(wrapped, {{"schema-include", "true"}}), decode(kOperations));
  EXPECT_EQ(decode({wrapped[0], kOperations[4]}), (Lines{"0+: 1 a", "1+: 2 null"}));
}

TEST(Debezium, WhatIsNoChange) {
  EXPECT_EQ(decode({R"({"after":{"id":1}})", R"({"op":"c","after":null})", R"({"op":"d","before":null})",
                    R"({"op":"u","after":{"id":1}})", R"({"op":"t"})", R"({"op":"x"})",
                    R"({"op":"c","after":{"id":"x"}})", R"({"op":"c","after":{"s":"x"}})", "[1]", "{",
                    R"({"payload":{"op":"c"}})", R"({"op":"c","after":{"id":3}})"}),
            (Lines{"11+: 3 null", "0 missing_required /op", "1 missing_required /after",
                   "2 missing_required /before", "3 missing_required /before", "4 malformed /op",
                   "5 malformed /op", "6 wrong_type /after/id", "7 missing_required /after/id",
                   "8 wrong_type ", "9 malformed ", "10 missing_required /payload/after"}));
  // As rows an update needs no 'before'.
  EXPECT_EQ(decode({R"({"op":"u","after":{"id":1}})"}, {{"as", "rows"}}), (Lines{"0: 1 null"}));
}

TEST(Debezium, NothingAtAll) { EXPECT_EQ(decode({"", ""}), Lines{}); }

TEST(Debezium, NestedAndFixedColumns) {
  EXPECT_EQ(
      decode({R"({"op":"u","before":{"a":[1],"t":"2026-11-21T10:00:00Z"},"after":{"a":[1,2],"t":null}})"}, {},
             {{"a", "ARRAY<INT>"}, {"t", "TIMESTAMP(3)"}})
          .size(),
      2u);
}

TEST(Debezium, OptionsThatCannotBe) {
  EXPECT_FALSE(make({{"id", "INT"}}, {{"op-column", "op"}}).ok());
  EXPECT_FALSE(make({{"op", "INT"}, {"id", "INT"}}, {{"op-column", "op"}}).ok());
  EXPECT_FALSE(make({{"op", "STRING"}}, {{"op-column", "op"}}).ok());
}

}  // namespace
}  // namespace weir
