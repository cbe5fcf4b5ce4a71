#include "sources/generator/nexmark_events.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "config/data_type.h"
#include "schema/row_json.h"
#include "sources/test_support.h"

namespace weir {
namespace {

using nlohmann::json;
using Batch = std::shared_ptr<arrow::RecordBatch>;

ColumnSpec column(const std::string& name, const std::string& type, bool nullable = true) {
  ColumnSpec spec;
  spec.name = name;
  spec.type = parse_type_text(type)->type;
  spec.nullable = nullable;
  return spec;
}

TableSpec whole_table() {
  TableSpec table;
  table.name = "nexmark";
  for (const auto& field : nexmark_schema()->fields()) {
    table.columns.push_back(column(field->name(), sql_type(*field->type())));
  }
  return table;
}

std::shared_ptr<const NexmarkEvents> events_of(const NexmarkSettings& settings = {},
                                               const TableSpec& table = whole_table()) {
  auto events = NexmarkEvents::create(settings, table.columns);
  EXPECT_TRUE(events.ok()) << events.status().message();
  return *events;
}

Batch make(const NexmarkEvents& events, int64_t first, int64_t count, int64_t stride = 1) {
  std::vector<int64_t> times(static_cast<size_t>(count));
  Batch rows = events.make(first, stride, count, times.data());
  EXPECT_TRUE(rows->ValidateFull().ok()) << rows->ValidateFull().ToString();
  return rows;
}

std::vector<std::string> texts(const Batch& rows) {
  std::vector<std::string> out(static_cast<size_t>(rows->num_rows()));
  for (int64_t i = 0; i < rows->num_rows(); ++i) {
    append_json_row(*rows, i, rows->num_columns(), out[static_cast<size_t>(i)]);
  }
  return out;
}

// Polls all batches of a partition; joined.
Batch read(const TableSpec& table, const std::map<std::string, std::string>& options, size_t partition = 0,
           std::optional<int64_t> stored = {}, size_t batch_rows = 8192) {
  SourceContext context = context_for("generator", options, table);
  context.batch_rows = batch_rows;
  auto source = connector("generator").create(context);
  EXPECT_TRUE(source.ok()) << source.status().message();
  EXPECT_TRUE((*source)->bounded());
  const auto ids = *(*source)->discover({});
  auto reader = *(*source)->open(ids[partition], stored);
  arrow::RecordBatchVector parts;
  for (bool end = false; !end;) {
    EventBatch batch = *reader->poll(std::chrono::milliseconds(100));
    EXPECT_EQ(batch.rows->num_rows(), static_cast<int64_t>(batch.events.size()));
    EXPECT_EQ(batch.next - batch.from, batch.rows->num_rows());
    for (size_t i = 0; i < batch.events.size(); ++i) {
      EXPECT_EQ(batch.events[i].offset, batch.from + static_cast<int64_t>(i));
      EXPECT_EQ(batch.payload(i), "");
    }
    parts.push_back(batch.rows);
    end = batch.end;
  }
  return *arrow::ConcatenateRecordBatches(parts);
}

Status refusal(const TableSpec& table, std::map<std::string, std::string> options = {}) {
  options.emplace("kind", "nexmark");
  options.emplace("rows", "1");
  const Status status = connector("generator").create(context_for("generator", options, table)).status();
  EXPECT_EQ(status.code(), Code::invalid);
  return status;
}

TEST(Nexmark, AnEventIsAFunctionOfSeedAndNumber) {
  const auto events = events_of();
  const auto all = texts(make(*events, 0, 3000));
  const auto again = texts(make(*events, 1234, 777));
  EXPECT_EQ(again, std::vector<std::string>(all.begin() + 1234, all.begin() + 1234 + 777));
  const auto every_seventh = texts(make(*events, 3, 400, 7));
  for (size_t i = 0; i < every_seventh.size(); ++i) ASSERT_EQ(every_seventh[i], all[3 + 7 * i]);
  const int64_t late = 1'000'000'000'000;
  EXPECT_EQ(texts(make(*events, late, 1))[0], texts(make(*events, late - 1, 2))[1]);
  NexmarkSettings other;
  other.seed = 2;
  EXPECT_NE(texts(make(*events_of(other), 0, 100)), std::vector<std::string>(all.begin(), all.begin() + 100));
}

// The Java port (bench/peers/flink) and stored results stand on these very values.
TEST(Nexmark, ValuesStayWhatTheyAre) {
  const auto rows = texts(make(*events_of(), 1'000'000, 5));
  EXPECT_EQ(
      json::parse(rows[0])["person"],
      json::parse(
          R"({"id":21000,"name":"Kate Bartels",
    "emailAddress":"oxe@zeas.com","creditCard":"4284 9762 7654 7822","city":"Bend","state":"OR",
    "dateTime":"1970-01-01T00:01:40","extra":"zaldkjfwkgqvukqgoakzdvlqavmaskflcqdyrjbklvjkzjxouamhpygzabs)"
          R"(jjgfmgiacnwfndsmpsbfeeuciybnsjvurkpqmrkohqifdjjzjmsphvpbvdvdulflzlylnjsqnreokvqqfopvi"})"));
  json auction = json::parse(rows[1])["auction"];
  EXPECT_EQ(auction["extra"].get<std::string>().size(), 380U);
  auction.erase("extra");
  EXPECT_EQ(auction, json::parse(R"({"id":61000,"itemName":"urrsedb",
    "description":"stcixdjczryerr kks gktk  ku qozfmjlkdeufvqhnp wcn","initialBid":1103,"reserve":1535,
    "dateTime":"1970-01-01T00:01:40","expires":"1970-01-01T00:01:40.174","seller":20638,"category":10})"));
  EXPECT_EQ(json::parse(rows[4])["bid"], json::parse(R"({"auction":61000,"bidder":20548,"price":479,
    "channel":"Google","url":"https://www.nexmark.com/qvf/rtewy/jgc/item.htm?query=1",
    "dateTime":"1970-01-01T00:01:40","extra":"ssewyhnecetwslqxuyiqumocftdsrjnfofkkyagztubvzbbolhrnpdeykjnrxqqlsmz"})"));
}

TEST(Nexmark, ProportionsAndHotOnes) {
  const Batch rows = make(*events_of(), 500'000, 50'000);
  std::map<int, int> of_type;
  int hot_auctions = 0, hot_bidders = 0, hot_sellers = 0, hot_channels = 0;
  double log_price = 0;
  size_t bid_extra = 0;
  for (const std::string& text : texts(rows)) {
    const json row = json::parse(text);
    const int type = row["event_type"];
    ++of_type[type];
    EXPECT_EQ(row["person"].is_null(), type != 0);
    EXPECT_EQ(row["auction"].is_null(), type != 1);
    EXPECT_EQ(row["bid"].is_null(), type != 2);
    if (type == 1) hot_sellers += row["auction"]["seller"].get<int64_t>() % 100 == 0 ? 1 : 0;
    if (type != 2) continue;
    const json& bid = row["bid"];
    hot_auctions += bid["auction"].get<int64_t>() % 100 == 0 ? 1 : 0;
    hot_bidders += bid["bidder"].get<int64_t>() % 100 == 1 ? 1 : 0;
    hot_channels += bid["channel"].get<std::string>().starts_with("channel-") ? 0 : 1;
    log_price += std::log10(bid["price"].get<double>());
    bid_extra += bid["extra"].get<std::string>().size();
    EXPECT_EQ(bid["url"].get<std::string>().find("https://www.nexmark.com/"), 0U);
  }
  EXPECT_EQ(of_type, (std::map<int, int>{{0, 1000}, {1, 3000}, {2, 46'000}}));
  EXPECT_NEAR(hot_auctions / 46'000.0, 0.5 + 0.5 / 100, 0.02);
  EXPECT_NEAR(hot_bidders / 46'000.0, 0.75 + 0.25 / 100, 0.02);
  EXPECT_NEAR(hot_sellers / 3000.0, 0.75 + 0.25 / 100, 0.04);
  EXPECT_NEAR(hot_channels / 46'000.0, 0.5, 0.02);
  EXPECT_NEAR(log_price / 46'000.0, 5, 0.05);
  EXPECT_NEAR(static_cast<double>(bid_extra) / 46'000.0, 68, 1);
}

TEST(Nexmark, IdentifiersCountAndPointNearby) {
  int64_t person = 999, auction = 999;
  for (const std::string& text : texts(make(*events_of(), 0, 20'000))) {
    const json row = json::parse(text);
    if (row["event_type"] == 0) {
      EXPECT_EQ(row["person"]["id"], ++person);
      continue;
    }
    if (row["event_type"] == 1) {
      EXPECT_EQ(row["auction"]["id"], ++auction);
      EXPECT_GT(row["auction"]["expires"].get<std::string>(), row["auction"]["dateTime"].get<std::string>());
      EXPECT_LE(row["auction"]["seller"], person + 10);
      EXPECT_GE(row["auction"]["reserve"], row["auction"]["initialBid"]);
      continue;
    }
    const int64_t bid_on = row["bid"]["auction"];
    EXPECT_LE(bid_on, auction + 10);
    EXPECT_GE(bid_on, std::max<int64_t>(1000, auction - 200));
    EXPECT_GE(row["bid"]["bidder"], 1000);
    EXPECT_LE(row["bid"]["bidder"], person + 10);
  }
}

TEST(Nexmark, EventTimeFollowsTheRate) {
  NexmarkSettings settings;
  settings.start_us = 1'767'225'600'000'000;
  settings.event_rate = 3;
  const auto events = events_of(settings);
  std::vector<int64_t> times(7), later(2);
  (void)events->make(0, 1, 7, times.data());
  (void)events->make(4, 2, 2, later.data());
  const std::vector<int64_t> expected = {0, 333'333, 666'666, 1'000'000, 1'333'333, 1'666'666, 2'000'000};
  for (size_t i = 0; i < 7; ++i) EXPECT_EQ(times[i] - settings.start_us, expected[i]);
  EXPECT_EQ(later, (std::vector<int64_t>{times[4], times[6]}));
  const json row = json::parse(texts(make(*events, 5, 1))[0]);
  EXPECT_EQ(row["bid"]["dateTime"], "2026-01-01T00:00:01.666");
}

TEST(Nexmark, PartitionsShareTheEventsAndRestartInTheMiddle) {
  const TableSpec table = whole_table();
  const std::map<std::string, std::string> options = {
      {"kind", "nexmark"}, {"rows", "10001"}, {"partitions", "3"}, {"start-time", "1970-01-01"}};
  const auto all = texts(make(*events_of(), 0, 10'001));
  for (size_t partition = 0; partition < 3; ++partition) {
    const auto part = texts(read(table, options, partition, {}, 1000));
    ASSERT_EQ(part.size(), partition < 2 ? 3334U : 3333U);
    for (size_t i = 0; i < part.size(); ++i) ASSERT_EQ(part[i], all[i * 3 + partition]);
    const auto rest = texts(read(table, options, partition, 1777, 512));
    EXPECT_EQ(rest, std::vector<std::string>(part.begin() + 1777, part.end()));
  }
}

TEST(Nexmark, OnlyDeclaredColumnsAreMadeWithTheSameValues) {
  TableSpec table;
  table.columns = {column("bid", "ROW<extra STRING, price BIGINT, `dateTime` TIMESTAMP(3)>"),
                   column("event_type", "INT", false)};
  const auto part = texts(make(*events_of({}, table), 100, 200));
  const auto all = texts(make(*events_of(), 100, 200));
  for (size_t i = 0; i < part.size(); ++i) {
    const json row = json::parse(part[i]), whole = json::parse(all[i]);
    EXPECT_EQ(row.size(), 2U);
    EXPECT_EQ(row["event_type"], whole["event_type"]);
    if (whole["bid"].is_null()) {
      EXPECT_TRUE(row["bid"].is_null());
      continue;
    }
    EXPECT_EQ(row["bid"].size(), 3U);
    for (const char* name : {"extra", "price", "dateTime"}) EXPECT_EQ(row["bid"][name], whole["bid"][name]);
  }
}

TEST(Nexmark, FieldsOfAnotherEntityAreNull) {
  const Batch rows = make(*events_of(), 0, 50);
  const auto& bid = static_cast<const arrow::StructArray&>(*rows->GetColumnByName("bid"));
  EXPECT_EQ(bid.null_count(), 4);
  EXPECT_EQ(bid.GetFieldByName("price")->null_count(), 4);
  EXPECT_EQ(bid.GetFieldByName("url")->null_count(), 4);
}

TEST(Nexmark, WhatDoesNotFitIsExplained) {
  const auto message = [](std::vector<ColumnSpec> columns, std::map<std::string, std::string> options = {}) {
    TableSpec table;
    table.columns = std::move(columns);
    return refusal(table, std::move(options)).message();
  };
  EXPECT_NE(message({column("bids", "ROW<price BIGINT>")}).find("Did you mean 'bid'?"), std::string::npos);
  EXPECT_NE(message({column("bid", "ROW<prize BIGINT>")}).find("'price'"), std::string::npos);
  EXPECT_NE(
      message({column("bid", "ROW<price INT>")}).find("'bid.price' is declared as INT, Nexmark's is BIGINT"),
      std::string::npos);
  EXPECT_NE(message({column("bid", "ROW<`dateTime` TIMESTAMP(6)>")}).find("TIMESTAMP(3)"), std::string::npos);
  EXPECT_NE(message({column("bid", "ROW<channel VARCHAR(8)>")}).find("VARCHAR(8)"), std::string::npos);
  EXPECT_NE(message({column("bid", "STRING")}).find("ROW<"), std::string::npos);
  EXPECT_NE(message({column("bid", "ROW<price BIGINT>", false)}).find("NOT NULL"), std::string::npos);
  const std::vector<ColumnSpec> fine = {column("event_type", "INT")};
  EXPECT_NE(message(fine, {{"nexmark.event-rate", "0"}}).find("between 1 and"), std::string::npos);
  EXPECT_NE(message(fine, {{"time-step", "1 s"}}).find("nexmark.event-rate"), std::string::npos);
  EXPECT_NE(message(fine, {{"null-share", "0.1"}}).find("'null-share'"), std::string::npos);
  EXPECT_NE(message({column("a", "INT")}, {{"kind", "drawn"}, {"nexmark.bid-share", "1"}}).find("'kind'"),
            std::string::npos);
}

TEST(Nexmark, PositionsOfAnotherKindAreNotTakenOver) {
  const TableSpec table = whole_table();
  const SourceContext context = context_for("generator", {{"kind", "nexmark"}, {"rows", "1"}}, table);
  const auto source = connector("generator").create(context);
  EXPECT_TRUE((*source)->discover({"nexmark-seed-1/0-of-1"}).ok());
  EXPECT_EQ((*source)->discover({"seed-1/0-of-1"}).status().code(), Code::invalid);
}

}  // namespace
}  // namespace weir
