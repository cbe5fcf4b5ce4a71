#include "sources/generator/generator_source.h"

#include <arrow/type.h>

#include <nlohmann/json.hpp>
#include <set>

#include "sources/generator/row_generator.h"
#include "sources/test_support.h"

namespace weir {
namespace {

using nlohmann::json;

ColumnSpec column(const std::string& name, std::shared_ptr<arrow::DataType> type, bool nullable = true) {
  ColumnSpec spec;
  spec.name = name;
  spec.type.arrow = std::move(type);
  spec.nullable = nullable;
  return spec;
}

TableSpec orders() {
  TableSpec table;
  table.name = "orders";
  table.columns = {column("id", arrow::int64(), false),
                   column("qty", arrow::int8()),
                   column("amount", arrow::decimal128(12, 2)),
                   column("price", arrow::float64()),
                   column("customer", arrow::utf8()),
                   column("raw", arrow::binary()),
                   column("ok", arrow::boolean()),
                   column("day", arrow::date32()),
                   column("at", arrow::timestamp(arrow::TimeUnit::MILLI), false),
                   column("tags", arrow::list(arrow::utf8())),
                   column("m", arrow::map(arrow::utf8(), arrow::int32())),
                   column("place", arrow::struct_({arrow::field("city", arrow::utf8()),
                                                   arrow::field("n", arrow::int32())}))};
  return table;
}

std::vector<SeenEvent> generate(const TableSpec& table, const std::map<std::string, std::string>& options,
                                std::optional<int64_t> stored = {}, size_t partition = 0,
                                size_t batch_rows = 8192) {
  SourceContext context = context_for("generator", options, table);
  context.batch_rows = batch_rows;
  Result<std::unique_ptr<Source>> source = connector("generator").create(context);
  EXPECT_TRUE(source.ok()) << source.status().message();
  const std::vector<std::string> ids = *(*source)->discover({});
  std::unique_ptr<PartitionReader> reader = *(*source)->open(ids[partition], stored);
  std::vector<SeenEvent> seen;
  int64_t next = -1;
  EXPECT_TRUE(read_all(*reader, seen, next).ok());
  return seen;
}

Status create(const TableSpec& table, const std::map<std::string, std::string>& options) {
  return connector("generator").create(context_for("generator", options, table)).status();
}

TEST(Generator, DocumentsFollowTheSchema) {
  const TableSpec table = orders();
  const std::vector<SeenEvent> seen = generate(table, {{"rows", "500"},
                                                       {"fields.id.kind", "sequence"},
                                                       {"fields.id.min", "1"},
                                                       {"fields.amount.min", "10.5"},
                                                       {"fields.amount.max", "99.99"},
                                                       {"fields.customer.values", "ann,bob"},
                                                       {"fields.place.n.max", "3"},
                                                       {"time-step", "1 min"}});
  ASSERT_EQ(seen.size(), 500u);
  for (size_t i = 0; i < seen.size(); ++i) {
    const json row = json::parse(seen[i].payload);
    EXPECT_EQ(row["id"], i + 1);
    EXPECT_GE(row["amount"].get<double>(), 10.5);
    EXPECT_LE(row["amount"].get<double>(), 99.99);
    EXPECT_TRUE(row["customer"] == "ann" || row["customer"] == "bob");
    EXPECT_LE(row["place"]["n"].get<int>(), 3);
    EXPECT_LE(row["qty"].get<int>(), 127);
    EXPECT_TRUE(row["ok"].is_boolean() && row["tags"].is_array() && row["m"].is_object() &&
                row["price"].is_number());
  }
  EXPECT_EQ(json::parse(seen[61].payload)["at"], "2026-01-01T01:01:00.000");
  EXPECT_EQ(json::parse(seen[0].payload)["day"], "2026-01-01");
}

TEST(Generator, EveryPositionGivesTheSameRowsAgain) {
  const TableSpec table = orders();
  const std::map<std::string, std::string> options = {
      {"rows", "300"}, {"seed", "7"}, {"broken-share", "0.2"}, {"null-share", "0.1"}, {"partitions", "2"}};
  const std::vector<SeenEvent> all = generate(table, options, {}, 1);
  ASSERT_EQ(all.size(), 150u);
  EXPECT_EQ(generate(table, options, {}, 1, 1), all);
  for (const size_t from : {0u, 1u, 77u, 149u, 150u}) {
    EXPECT_EQ(generate(table, options, static_cast<int64_t>(from), 1),
              std::vector<SeenEvent>(all.begin() + static_cast<long>(from), all.end()));
  }
  EXPECT_NE(generate(table, options, {}, 0), all);
}

TEST(Generator, PartitionsShareTheRows) {
  TableSpec table;
  table.columns = {column("id", arrow::int64(), false)};
  std::set<int64_t> ids;
  for (size_t partition = 0; partition < 3; ++partition) {
    for (const SeenEvent& event : generate(
             table, {{"rows", "100"}, {"partitions", "3"}, {"fields.id.kind", "sequence"}}, {}, partition)) {
      EXPECT_TRUE(ids.insert(json::parse(event.payload)["id"].get<int64_t>()).second);
    }
  }
  EXPECT_EQ(ids.size(), 100u);
  EXPECT_EQ(*ids.rbegin(), 99);
}

TEST(Generator, BrokenShareIsKept) {
  TableSpec table;
  table.columns = {column("id", arrow::int32(), false)};
  size_t broken = 0;
  for (const SeenEvent& event :
       generate(table, {{"rows", "20000"}, {"broken-share", "0.1"}, {"broken-codes", "malformed"}})) {
    broken += json::accept(event.payload) ? 0 : 1;
  }
  EXPECT_NEAR(static_cast<double>(broken), 2000, 200);
}

TEST(Generator, EachCodeBreaksInItsOwnWay) {
  const TableSpec table = orders();
  const auto broken = [&](const std::string& code) {
    return generate(table, {{"rows", "1"}, {"broken-share", "1"}, {"broken-codes", code}})[0].payload;
  };
  EXPECT_FALSE(json::accept(broken("malformed")));
  EXPECT_FALSE(json::accept(broken("invalid_utf8")));
  EXPECT_NE(broken("invalid_utf8").find("\xC3\x28"), std::string::npos);
  const json without = json::parse(broken("missing_required"));
  EXPECT_NE(without.contains("id"), without.contains("at"));
  EXPECT_NE(broken("wrong_type").find("{\"broken\":true}"), std::string::npos);
  const std::string out_of_range = broken("out_of_range");
  EXPECT_TRUE(out_of_range.find("\"qty\":300") != std::string::npos ||
              out_of_range.find("\"id\":9223372036854775808") != std::string::npos);
  EXPECT_EQ(json::parse(broken("bad_timestamp"))["at"], "2026-13-45T99:99:99");
  EXPECT_TRUE(json::parse(broken("unknown_field")).contains("_broken"));
  EXPECT_GT(broken("too_deep").size(), 8000u);
  size_t keys = 0;
  const json counted = json::parse(broken("duplicate_key"), [&](int depth, json::parse_event_t event, json&) {
    keys += event == json::parse_event_t::key && depth == 1 ? 1 : 0;
    return true;
  });
  EXPECT_EQ(keys, table.columns.size() + 1) << counted;
}

TEST(Generator, NullShareSparesRequiredFields) {
  size_t nulls = 0;
  for (const SeenEvent& event : generate(orders(), {{"rows", "1000"}, {"null-share", "0.5"}})) {
    const json row = json::parse(event.payload);
    EXPECT_FALSE(row["id"].is_null() || row["at"].is_null());
    nulls += row["qty"].is_null() ? 1 : 0;
  }
  EXPECT_NEAR(static_cast<double>(nulls), 500, 100);
}

TEST(Generator, RateIsKept) {
  TableSpec table;
  table.columns = {column("id", arrow::int64(), false)};
  const int64_t begin_ns = Clock::real().monotonic_ns();
  EXPECT_EQ(generate(table, {{"rows", "300"}, {"rate", "1000"}}).size(), 300u);
  const double elapsed_s = static_cast<double>(Clock::real().monotonic_ns() - begin_ns) / 1e9;
  EXPECT_GE(elapsed_s, 0.28);
  EXPECT_LT(elapsed_s, 3);
}

TEST(Generator, WrongOptionsAreExplained) {
  const TableSpec table = orders();
  const auto message = [&](std::map<std::string, std::string> options) {
    options.emplace("rows", "1");
    const Status status = create(table, options);
    EXPECT_EQ(status.code(), Code::invalid);
    return status.message();
  };
  EXPECT_NE(message({{"fields.custmer.length", "3"}}).find("customer.length"), std::string::npos);
  EXPECT_NE(message({{"broken-codes", "malfromed"}}).find("'malformed'"), std::string::npos);
  EXPECT_NE(message({{"broken-share", "2"}}).find("between 0 and 1"), std::string::npos);
  EXPECT_NE(message({{"start-time", "yesterday"}}).find("start-time"), std::string::npos);
  EXPECT_NE(message({{"fields.qty.min", "5"}, {"fields.qty.max", "4"}}).find("below"), std::string::npos);
  TableSpec texts;
  texts.columns = {column("a", arrow::utf8())};
  EXPECT_EQ(create(texts, {{"rows", "1"}, {"broken-codes", "out_of_range"}}).code(), Code::invalid);
  EXPECT_EQ(create(texts, {}).code(), Code::invalid) << "once without rows";
}

TEST(Generator, AnotherSeedDoesNotTakeOverPositions) {
  const TableSpec table = orders();
  SourceContext context = context_for("generator", {{"rows", "1"}, {"seed", "2"}}, table);
  EXPECT_EQ((*connector("generator").create(context))->discover({"seed-1/0-of-1"}).status().code(),
            Code::invalid);
}

}  // namespace
}  // namespace weir
