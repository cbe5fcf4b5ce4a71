#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <thread>

#include "bridge/abi.h"
#include "bridge/bridge.h"
#include "bridge/rows_for_test.h"

namespace weir::bridge {
namespace {

using Rows = std::vector<std::string>;

// orders(id BIGINT, customer STRING, amount DOUBLE, items ARRAY<ROW<sku STRING, qty INT>>, tags
// ARRAY<STRING>,
//        address ROW<city STRING, geo ROW<lat DOUBLE>>, attributes MAP<STRING, STRING>)
std::shared_ptr<arrow::Schema> orders_schema() {
  auto item = arrow::struct_({arrow::field("sku", arrow::utf8()), arrow::field("qty", arrow::int32())});
  auto geo = arrow::struct_({arrow::field("lat", arrow::float64())});
  auto address = arrow::struct_({arrow::field("city", arrow::utf8()), arrow::field("geo", geo)});
  return arrow::schema({arrow::field("id", arrow::int64(), false), arrow::field("customer", arrow::utf8()),
                        arrow::field("amount", arrow::float64()), arrow::field("items", arrow::list(item)),
                        arrow::field("tags", arrow::list(arrow::utf8())), arrow::field("address", address),
                        arrow::field("attributes", arrow::map(arrow::utf8(), arrow::utf8()))});
}

std::shared_ptr<arrow::RecordBatch> orders() {
  return rows_of(
      orders_schema(),
      {
          R"({"id":1,"customer":"ann","amount":10.5,"items":[{"sku":"a","qty":1},{"sku":"b","qty":2}],"tags":["x","y"],"address":{"city":"Rome","geo":{"lat":41.9}},"attributes":[["k","v"]]})",
          R"({"id":2,"customer":"bob","amount":null,"items":[],"tags":null,"address":null,"attributes":[]})",
          R"({"id":3,"customer":null,"amount":-1,"items":null,"tags":[],"address":{"city":null,"geo":null},"attributes":null})",
          R"({"id":4,"customer":"dee","amount":99,"items":[{"sku":null,"qty":4}],"tags":["z"],"address":{"city":"Oslo","geo":{"lat":59.9}},"attributes":[["k","w"],["j","u"]]})",
      });
}

PlanRequest request(const std::string& query) {
  PlanRequest request;
  request.tables.push_back({.name = "orders", .schema = orders_schema()});
  request.query = query;
  return request;
}

StreamPlan planned(const PlanRequest& request) {
  PlanResult result = plan_query(request);
  EXPECT_TRUE(result.plan.has_value()) << request.query << ": " << result.error.status.message();
  return result.plan ? *std::move(result.plan) : StreamPlan{};
}

// Rows of all branches as JSON text with the row number, "3:[…]".
Rows run(const PlanRequest& request, int64_t now_us = 0) {
  Rows rows;
  StreamPlan plan = planned(request);
  for (const PlanBranch& branch : plan.branches) {
    auto result = branch.fragment->eval(orders(), now_us);
    EXPECT_TRUE(result.ok()) << result.status().message();
    if (!result.ok()) continue;
    EXPECT_TRUE((*result)->ValidateFull().ok());
    for (auto& row : text_of(**result)) rows.push_back(std::move(row));
  }
  return rows;
}

Rows run(const std::string& query, int64_t now_us = 0) { return run(request(query), now_us); }

PlanError failed(const PlanRequest& request) {
  PlanResult result = plan_query(request);
  EXPECT_FALSE(result.plan.has_value()) << request.query;
  EXPECT_EQ(result.error.status.code(), Code::invalid) << result.error.status.message();
  return result.error;
}
PlanError failed(const std::string& query) { return failed(request(query)); }

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(PlanQuery, FiltersAndProjects) {
  EXPECT_EQ(run("SELECT id, amount * 2 AS twice FROM orders WHERE amount > 0"),
            (Rows{"0:[1, 21]", "3:[4, 198]"}));
  EXPECT_EQ(run("SELECT id FROM orders"), (Rows{"0:[1]", "1:[2]", "2:[3]", "3:[4]"}));
  EXPECT_EQ(run("SELECT upper(customer) AS c FROM orders AS o WHERE o.customer IS NOT NULL"),
            (Rows{"0:[\"ANN\"]", "1:[\"BOB\"]", "3:[\"DEE\"]"}));
}

TEST(PlanQuery, OutputSchemaHasPlainTypesAndNoRowColumn) {
  StreamPlan plan = planned(request("SELECT id, upper(customer) AS c FROM orders"));
  EXPECT_EQ(plan.schema->ToString(), "id: int64 not null\nc: string");
  ASSERT_EQ(plan.branches.size(), 1u);
  EXPECT_EQ(plan.branches[0].source, "orders");
  EXPECT_TRUE(plan.deterministic);
  auto result = plan.branches[0].fragment->eval(orders(), 0);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ((*result)->schema()->ToString(), "id: int64 not null\nc: string\n_weir_row: int32 not null");
}

TEST(PlanQuery, AcceptsExpressions) {
  for (const char* query : {
           "SELECT * FROM orders",
           "SELECT o.* FROM orders o",
           "SELECT CASE WHEN amount > 5 THEN 'big' ELSE 'small' END AS size FROM orders",
           "SELECT CAST(id AS STRING) AS s, TRY_CAST(customer AS INT) AS i FROM orders",
           "SELECT address.city, address.geo.lat FROM orders",
           "SELECT o.address.geo.lat AS lat FROM orders o",
           "SELECT attributes['k'] AS k, tags[1] AS t, items[1].sku AS s, address['city'] AS c FROM orders",
           "SELECT COALESCE(customer, 'none') AS c, NULLIF(id, 3) AS n, customer LIKE 'a%' AS l FROM orders",
           "SELECT id IN (1, 2) AS i, id BETWEEN 1 AND 3 AS b FROM orders",
           "SELECT `id`, \"customer\" FROM `orders`",
           "SELECT EXTRACT(YEAR FROM TIMESTAMP '2020-01-01 00:00:00') AS y FROM orders",
           "SELECT TIMESTAMP '2020-01-01 00:00:00' + INTERVAL '5' SECOND AS t FROM orders",
           "WITH big AS (SELECT id FROM orders WHERE amount > 5) SELECT id FROM big",
           "SELECT x.id FROM (SELECT id FROM orders) AS x WHERE x.id > 1",
           "SELECT unnest(tags) AS tag FROM orders",
           "SELECT regexp_like(customer, '^a') AS r, md5(customer) AS m, date_trunc('day', now()) AS d FROM "
           "orders",
       }) {
    EXPECT_TRUE(plan_query(request(query)).plan.has_value())
        << query << ": " << plan_query(request(query)).error.status.message();
    run(query);
  }
}

TEST(PlanQuery, RefusesWhatNoOperatorDoes) {
  const std::pair<const char*, const char*> cases[] = {
      {"SELECT id FROM orders ORDER BY id", "ORDER BY"},
      {"SELECT id FROM orders LIMIT 3", "LIMIT"},
      {"SELECT id FROM orders WHERE id IN (SELECT id FROM orders)", "subquery"},
      {"SELECT (SELECT MAX(id) FROM orders) AS m FROM orders", "subquery"},
      {"SELECT id FROM orders WHERE EXISTS (SELECT 1 FROM orders)", "subquery"},
  };
  for (const auto& [query, found] : cases) {
    const PlanError error = failed(query);
    EXPECT_TRUE(has(error.status.message(), found)) << query << ": " << error.status.message();
    EXPECT_TRUE(has(error.status.message(), "is not in this version, which runs")) << error.status.message();
  }
  EXPECT_TRUE(has(failed("SELECT 1 AS one").status.message(), "FROM is needed"));
  EXPECT_TRUE(has(failed("SELECT * FROM (VALUES (1), (2)) AS v(a)").status.message(), "VALUES"));
  EXPECT_TRUE(has(failed("CREATE TABLE x (a INT)").status.message(), "SELECT is expected"));
  EXPECT_FALSE(failed("SELECT id FROM orders; SELECT id FROM orders").status.ok());
}

TEST(PlanQuery, ErrorsSayWhere) {
  PlanError error = failed("SELECT id,\n  custmer FROM orders");
  EXPECT_EQ(error.line, 2);
  EXPECT_EQ(error.column, 3);
  EXPECT_EQ(error.status.message(), "there is no column 'custmer'. Did you mean 'customer'?");
  error = failed("SELECT id FROM order");
  EXPECT_TRUE(has(error.status.message(), "order")) << error.status.message();
  error = failed("SELECT id FROM oders");
  EXPECT_EQ(error.line, 1);
  EXPECT_EQ(error.column, 16);
  EXPECT_EQ(error.status.message(), "there is no table or view 'oders'. Did you mean 'orders'?");
  EXPECT_EQ(failed("SELECT id FROM things").status.message(),
            "there is no table or view 'things'; there are: orders");
  error = failed("SELECT id,\n  uper(customer) AS c FROM orders");
  EXPECT_EQ(error.line, 2);
  EXPECT_EQ(error.column, 3);
  EXPECT_TRUE(has(error.status.message(), "there is no function 'uper'")) << error.status.message();
  error = failed("SELECT id FROM orders WHERE (id > 1");
  EXPECT_EQ(error.line, 1);
  EXPECT_GT(error.column, 0);
  EXPECT_FALSE(has(error.status.message(), "ParserError")) << error.status.message();
  EXPECT_FALSE(has(error.status.message(), "Line:")) << error.status.message();
  error = failed("SELECT id AS a, amount AS a FROM orders");
  EXPECT_TRUE(has(error.status.message(), "two columns are called 'a'")) << error.status.message();
}

TEST(PlanQuery, UnnestInTheSelectList) {
  EXPECT_EQ(run("SELECT id, unnest(tags) AS tag FROM orders"),
            (Rows{"0:[1, \"x\"]", "0:[1, \"y\"]", "3:[4, \"z\"]"}));
}

TEST(PlanQuery, CrossJoinUnnestFlattensRowsAndDropsEmpties) {
  const Rows expected = {"0:[1, \"a\", 1]", "0:[1, \"b\", 2]", "3:[4, null, 4]"};
  EXPECT_EQ(run("SELECT o.id, i.sku, i.qty FROM orders AS o CROSS JOIN UNNEST(o.items) AS i"), expected);
  EXPECT_EQ(run("SELECT id, s, q FROM orders CROSS JOIN UNNEST(items) AS i(s, q)"), expected);
  EXPECT_EQ(run("SELECT id, i.s, i.q FROM orders, UNNEST(items) AS i(s, q)"), expected);
  EXPECT_EQ(run("SELECT id, q FROM orders CROSS JOIN UNNEST(items) AS i(s, q) WHERE q > 1"),
            (Rows{"0:[1, 2]", "3:[4, 4]"}));
  EXPECT_EQ(run("SELECT i.* FROM orders CROSS JOIN UNNEST(items) AS i"),
            (Rows{"0:[\"a\", 1]", "0:[\"b\", 2]", "3:[null, 4]"}));
  EXPECT_EQ(run("SELECT id, tag FROM orders CROSS JOIN UNNEST(tags) AS t(tag)"),
            (Rows{"0:[1, \"x\"]", "0:[1, \"y\"]", "3:[4, \"z\"]"}));
  EXPECT_EQ(
      run("SELECT id, q, tag FROM orders CROSS JOIN UNNEST(items) AS i(s, q) CROSS JOIN UNNEST(tags) AS "
          "t(tag)"),
      (Rows{"0:[1, 1, \"x\"]", "0:[1, 1, \"y\"]", "0:[1, 2, \"x\"]", "0:[1, 2, \"y\"]", "3:[4, 4, \"z\"]"}));
  EXPECT_EQ(run("SELECT id, k, v FROM orders CROSS JOIN UNNEST(attributes) AS m(k, v)"),
            (Rows{"0:[1, \"k\", \"v\"]", "3:[4, \"k\", \"w\"]", "3:[4, \"j\", \"u\"]"}));
}

TEST(PlanQuery, LeftJoinUnnestKeepsEmpties) {
  EXPECT_EQ(run("SELECT id, tag FROM orders LEFT JOIN UNNEST(tags) AS t(tag) ON TRUE"),
            (Rows{"0:[1, \"x\"]", "0:[1, \"y\"]", "1:[2, null]", "2:[3, null]", "3:[4, \"z\"]"}));
  EXPECT_TRUE(has(failed("SELECT id FROM orders LEFT JOIN UNNEST(tags) AS t(tag) ON id = 1").status.message(),
                  "ON TRUE"));
  EXPECT_TRUE(has(failed("SELECT id FROM orders CROSS JOIN UNNEST(id) AS t(a)").status.message(), "BIGINT"));
  EXPECT_TRUE(
      has(failed("SELECT id FROM orders CROSS JOIN UNNEST(items) AS t(a)").status.message(), "2 column(s)"));
}

TEST(PlanQuery, UnnestOfAllEmptyBatches) {
  StreamPlan plan = planned(request("SELECT id, tag FROM orders LEFT JOIN UNNEST(tags) AS t(tag) ON TRUE"));
  auto result = plan.branches[0].fragment->eval(orders()->Slice(1, 2), 0);
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(text_of(**result), (Rows{"1:[2, null]", "2:[3, null]"}));
  result = plan.branches[0].fragment->eval(orders()->Slice(0, 0), 0);
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ((*result)->num_rows(), 0);
}

TEST(PlanQuery, SeveralLevelsOfUnnest) {
  PlanRequest nested = request("SELECT unnest(unnest(lists)) AS x, id FROM n");
  auto schema = arrow::schema(
      {arrow::field("id", arrow::int64()), arrow::field("lists", arrow::list(arrow::list(arrow::int64())))});
  nested.tables.push_back({.name = "n", .schema = schema});
  StreamPlan plan = planned(nested);
  ASSERT_EQ(plan.branches.size(), 1u);
  auto rows = rows_of(schema, {R"({"id":1,"lists":[[1,2],[3]]})", R"({"id":2,"lists":null})",
                               R"({"id":3,"lists":[[],[9]]})"});
  for (int again = 0; again < 3; ++again) {
    auto result = plan.branches[0].fragment->eval(rows, 0);
    ASSERT_TRUE(result.ok()) << result.status().message();
    EXPECT_EQ(text_of(**result), (Rows{"0:[1, 1]", "0:[2, 1]", "0:[3, 1]", "2:[9, 3]"}));
  }
}

// "[0,0,…]"
std::string zeros(int count) {
  std::string text = "[";
  for (int i = 0; i < count; ++i) text += i == 0 ? "0" : ",0";
  return text + "]";
}

// n(a ARRAY<BIGINT>, b ARRAY<BIGINT>, lists ARRAY<ARRAY<BIGINT>>, text STRING), with `query` over it.
struct FanOut {
  explicit FanOut(const std::string& query) {
    PlanRequest wanted = request(query);
    wanted.tables.push_back({.name = "n", .schema = schema});
    plan = planned(wanted);
  }
  // Rows of `a` and `b` with this many elements.
  std::shared_ptr<arrow::RecordBatch> crosses(int count, std::vector<int> lengths) {
    std::vector<std::string> lines;
    for (int length : lengths) lines.push_back("{\"a\":" + zeros(count) + ",\"b\":" + zeros(length) + "}");
    return rows_of(schema, lines);
  }
  auto eval(const std::shared_ptr<arrow::RecordBatch>& rows) {
    return plan.branches.at(0).fragment->eval(rows, 0);
  }

  std::shared_ptr<arrow::Schema> schema = arrow::schema(
      {arrow::field("a", arrow::list(arrow::int64())), arrow::field("b", arrow::list(arrow::int64())),
       arrow::field("lists", arrow::list(arrow::list(arrow::int64()))), arrow::field("text", arrow::utf8())});
  StreamPlan plan;
};

TEST(PlanQuery, UnnestBeyondTheBoundIsTheEventsFailure) {
  FanOut cross("SELECT x, y FROM n CROSS JOIN UNNEST(a) AS t(x) CROSS JOIN UNNEST(b) AS u(y)");
  Status status = cross.eval(cross.crosses(1000, {1001})).status();
  EXPECT_EQ(status.code(), Code::invalid);
  EXPECT_EQ(status.message(), "UNNEST gives 1,001,000 rows, at most 1,000,000 an event");
  // The second array is repeated for each element of the first: 3 GB before a row of the cross is made.
  status = cross.eval(cross.crosses(20'000, {20'000})).status();
  EXPECT_EQ(status.code(), Code::invalid);
  EXPECT_EQ(status.message(), "UNNEST gives 3,051 MiB, at most 512 MiB an event");
}

TEST(PlanQuery, UnnestAtTheBoundWorksAndLargerBatchesSplit) {
  FanOut cross("SELECT x, y FROM n CROSS JOIN UNNEST(a) AS t(x) CROSS JOIN UNNEST(b) AS u(y)");
  auto rows = cross.crosses(1000, {1000, 400, 600, 1});
  EXPECT_EQ(cross.eval(rows).status().code(), Code::invalid);
  for (auto [from, length, expected] : {std::tuple{0, 1, 1'000'000}, {1, 2, 1'000'000}, {3, 1, 1000}}) {
    auto result = cross.eval(rows->Slice(from, length));
    ASSERT_TRUE(result.ok()) << result.status().message();
    EXPECT_EQ((*result)->num_rows(), expected);
  }
}

TEST(PlanQuery, UnnestOfSeveralColumnsAndLevelsIsBounded) {
  // At each of the inner lists, `b` is as long as ever.
  FanOut levels("SELECT unnest(unnest(lists)) AS x, unnest(b) AS y FROM n");
  auto line = [](int lists, int length) {
    std::string text = R"({"lists":[)";
    for (int i = 0; i < lists; ++i) text += i == 0 ? "[1,2]" : ",[1,2]";
    return text + "],\"b\":" + zeros(length) + "}";
  };
  auto rows = rows_of(levels.schema, {line(1001, 1001), line(1000, 1000), line(3, 1)});
  const Status status = levels.eval(rows->Slice(0, 1)).status();
  EXPECT_EQ(status.code(), Code::invalid);
  EXPECT_EQ(status.message(), "UNNEST gives more than 1,000,000 rows an event");
  EXPECT_EQ(levels.eval(rows->Slice(1, 2)).status().code(), Code::invalid);
  for (auto [row, expected] : {std::pair{1, 1'000'000}, {2, 6}}) {
    auto result = levels.eval(rows->Slice(row, 1));
    ASSERT_TRUE(result.ok()) << result.status().message();
    EXPECT_EQ((*result)->num_rows(), expected);
  }
  // The longer of the two: the shorter is filled with nulls, and nothing is multiplied.
  FanOut beside("SELECT unnest(a) AS x, unnest(b) AS y FROM n");
  auto result = beside.eval(beside.crosses(20'000, {30'000}));
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ((*result)->num_rows(), 30'000);
}

TEST(PlanQuery, UnnestBoundsWhatItRepeats) {
  FanOut beside("SELECT text, unnest(a) AS x FROM n");
  FanOut two("SELECT text, unnest(a) AS x, unnest(b) AS y FROM n");
  auto line = [](int length) {
    return R"({"a":)" + zeros(length) + R"(,"text":")" + std::string(100'000, 'x') + "\"}";
  };
  for (FanOut* fan_out : {&beside, &two}) {
    auto rows = rows_of(fan_out->schema, {line(10'000), line(100), R"({"a":)" + zeros(50'000) + "}"});
    const Status status = fan_out->eval(rows->Slice(0, 1)).status();
    EXPECT_EQ(status.code(), Code::invalid);
    EXPECT_EQ(status.message(), "UNNEST gives 953 MiB, at most 512 MiB an event");
    // Each row counts by its own size and repetitions.
    auto result = fan_out->eval(rows->Slice(1, 2));
    ASSERT_TRUE(result.ok()) << result.status().message();
    EXPECT_EQ((*result)->num_rows(), 50'100);
  }
}

TEST(PlanQuery, UnionAllGivesBranches) {
  PlanRequest both = request(
      "SELECT id, 'a' AS k FROM orders WHERE id < 2 UNION ALL SELECT x, 'b' FROM other "
      "UNION ALL SELECT id * 10, 'c' FROM orders WHERE id > 3");
  both.tables.push_back({.name = "other", .schema = arrow::schema({arrow::field("x", arrow::int32())})});
  StreamPlan plan = planned(both);
  ASSERT_EQ(plan.branches.size(), 3u);
  EXPECT_EQ(plan.branches[0].source, "orders");
  EXPECT_EQ(plan.branches[1].source, "other");
  EXPECT_EQ(plan.schema->field(0)->type()->id(), arrow::Type::INT64);
  EXPECT_EQ(text_of(**plan.branches[2].fragment->eval(orders(), 0)), (Rows{"3:[40, \"c\"]"}));
  auto other = rows_of(both.tables[1].schema, {R"({"x":7})"});
  EXPECT_EQ(text_of(**plan.branches[1].fragment->eval(other, 0)), (Rows{"0:[7, \"b\"]"}));
}

TEST(PlanQuery, AlwaysFalseGivesNoRow) {
  EXPECT_EQ(run("SELECT id FROM orders WHERE FALSE"), Rows{});
  EXPECT_EQ(run("SELECT id FROM orders WHERE 1 = 2 UNION ALL SELECT id FROM orders WHERE id = 4"),
            (Rows{"3:[4]"}));
  EXPECT_EQ(planned(request("SELECT id FROM orders WHERE FALSE")).schema->ToString(), "id: int64 not null");
}

TEST(PlanQuery, ComputedColumnsAndViews) {
  PlanRequest full = request("SELECT id, cents, who FROM rich");
  full.tables[0].computed = {{"cents", "CAST(amount * 100 AS BIGINT)"}, {"who", "upper(customer)"}};
  full.tables[0].order = {"who", "id", "cents", "amount"};
  full.views = {{"positive", "SELECT * FROM orders WHERE amount > 0"},
                {"rich", "SELECT * FROM positive WHERE cents > 2000"}};
  EXPECT_EQ(run(full), (Rows{"3:[4, 9900, \"DEE\"]"}));
  full.query = "SELECT * FROM rich";
  EXPECT_EQ(planned(full).schema->ToString(),
            "who: string\nid: int64 not null\ncents: int64\namount: double");
  full.query = "SELECT tags FROM orders";
  EXPECT_TRUE(has(failed(full).status.message(), "no column 'tags'"));
}

TEST(PlanQuery, ErrorsNameTheViewOrComputedColumn) {
  PlanRequest bad = request("SELECT id FROM v");
  bad.views = {{"v", "SELECT id,\n nothere FROM orders"}};
  PlanError error = failed(bad);
  EXPECT_EQ(error.view, "v");
  EXPECT_EQ(error.line, 2);
  EXPECT_EQ(error.column, 2);
  bad.views = {{"v", "SELECT id FROM orders LIMIT 1"}};
  EXPECT_EQ(failed(bad).view, "v");
  bad.views.clear();
  bad.tables[0].computed = {{"c", "amont + 1"}};
  bad.tables[0].order = {"id", "c"};
  error = failed(bad);
  EXPECT_EQ(error.view, "");
  EXPECT_TRUE(has(error.status.message(), "computed column 'c' of table 'orders'")) << error.status.message();
}

TEST(PlanQuery, NestedAccess) {
  EXPECT_EQ(run("SELECT address.city AS c, address.geo.lat AS l, attributes['k'] AS k, items[1].sku AS s, "
                "tags[2] AS t "
                "FROM orders"),
            (Rows{"0:[\"Rome\", 41.9, \"v\", \"a\", \"y\"]", "1:[null, null, null, null, null]",
                  "2:[null, null, null, null, null]", "3:[\"Oslo\", 59.9, \"w\", null, null]"}));
}

TEST(PlanQuery, UnsignedResultsAreBigints) {
  StreamPlan plan = planned(request("SELECT cardinality(tags) AS n FROM orders"));
  EXPECT_EQ(plan.schema->ToString(), "n: int64");
  EXPECT_EQ(run("SELECT cardinality(tags) AS n FROM orders WHERE id IN (1, 4)"), (Rows{"0:[2]", "3:[1]"}));
  PlanRequest typed = request("SELECT cardinality(tags) AS n FROM orders");
  typed.target = arrow::schema({arrow::field("n", arrow::int64())});
  EXPECT_EQ(planned(typed).schema->ToString(), "n: int64");
}

// A null row's NOT NULL fields have no nulls of their own, as Parquet's writer wants it; what reads them gets
// null.
TEST(PlanQuery, RequiredFieldsBelowNullRows) {
  auto inner = arrow::struct_({arrow::field("b", arrow::int32(), false)});
  auto row = arrow::struct_({arrow::field("a", arrow::int32(), false), arrow::field("r", inner, false)});
  auto schema = arrow::schema({arrow::field("v", row)});
  auto a = std::make_shared<arrow::Int32Array>(2, arrow::Buffer::FromVector(std::vector<int32_t>{1, 0}));
  auto r = std::make_shared<arrow::StructArray>(inner, 2, arrow::ArrayVector{a});
  auto valid = arrow::Buffer::FromVector(std::vector<uint8_t>{1});
  auto v = std::make_shared<arrow::StructArray>(row, 2, arrow::ArrayVector{a, r}, valid);
  auto fields = schema->fields();
  fields.push_back(arrow::field("_weir_row", arrow::int32(), false));
  auto rows = arrow::RecordBatch::Make(arrow::schema(fields), 2, arrow::ArrayVector{v, a});
  PlanRequest request;
  request.tables.push_back({.name = "t", .schema = schema});
  request.query = "SELECT v, v.a AS a, v.r.b AS b FROM t";
  StreamPlan plan = planned(request);
  auto result = plan.branches[0].fragment->eval(rows, 0);
  ASSERT_TRUE(result.ok()) << result.status().message();
  ASSERT_TRUE((*result)->ValidateFull().ok());
  const auto& out = static_cast<const arrow::StructArray&>(*(*result)->column(0));
  EXPECT_EQ(out.null_count(), 1);
  EXPECT_EQ(out.field(0)->null_count(), 0);
  EXPECT_EQ(out.field(1)->null_count(), 0);
  EXPECT_EQ(static_cast<const arrow::StructArray&>(*out.field(1)).field(0)->null_count(), 0);
  EXPECT_TRUE((*result)->column(1)->IsNull(1));
  EXPECT_TRUE((*result)->column(2)->IsNull(1));
}

TEST(PlanQuery, NowIsGivenByTheCaller) {
  const char* query =
      "SELECT now() AS a, CURRENT_TIMESTAMP AS b, current_date AS c, LOCALTIMESTAMP AS d, CURRENT_TIME AS e, "
      "CAST(now() AS STRING) AS f, CURRENT_TIMESTAMP(3) AS g FROM orders WHERE id = 1";
  StreamPlan plan = planned(request(query));
  EXPECT_FALSE(plan.deterministic);
  auto type = [&](int i) { return plan.schema->field(i)->type()->ToString(); };
  EXPECT_EQ(type(0), "timestamp[us, tz=UTC]");
  EXPECT_EQ(type(3), "timestamp[us]");
  EXPECT_EQ(run(query, 86'400'000'000 + 1'500'000),
            (Rows{"0:[1970-01-02 00:00:01.500000Z, 1970-01-02 00:00:01.500000Z, 1970-01-02, "
                  "1970-01-02 00:00:01.500000, 00:00:01.500000, \"1970-01-02T00:00:01.500Z\", "
                  "1970-01-02 00:00:01.500000Z]"}));
  EXPECT_EQ(run("SELECT current_date AS c FROM orders WHERE id = 1", -1), (Rows{"0:[1969-12-31]"}));
  EXPECT_EQ(run("SELECT id FROM orders WHERE now() > TIMESTAMP '2000-01-01 00:00:00'", 0), Rows{});
  EXPECT_EQ(
      run("SELECT id FROM orders WHERE now() > TIMESTAMP '2000-01-01 00:00:00'", int64_t{1} << 51).size(),
      4u);
}

TEST(PlanQuery, RandomIsNotDeterministic) {
  EXPECT_FALSE(planned(request("SELECT random() AS r FROM orders")).deterministic);
  EXPECT_FALSE(planned(request("SELECT uuid() AS r FROM orders")).deterministic);
}

TEST(PlanQuery, ABadRowIsInvalidAndOthersPass) {
  StreamPlan plan = planned(request("SELECT CAST(customer AS INT) AS n, id FROM orders"));
  auto result = plan.branches[0].fragment->eval(orders(), 0);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.status().code(), Code::invalid);
  EXPECT_TRUE(has(result.status().message(), "ann")) << result.status().message();
  result = plan.branches[0].fragment->eval(orders()->Slice(2, 1), 0);
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(text_of(**result), (Rows{"2:[null, 3]"}));
  plan = planned(request("SELECT 10 / (id - 1) AS q FROM orders"));
  EXPECT_EQ(plan.branches[0].fragment->eval(orders(), 0).status().code(), Code::invalid);
}

TEST(PlanQuery, AFunctionThatPanicsOnAValueIsThatRowsFailure) {
  // lpad asks for as much memory as the value says. The words reach the caller, and nobody else.
  testing::internal::CaptureStderr();
  StreamPlan plan = planned(request("SELECT lpad(customer, id * 3000000000000000000, 'x') AS x FROM orders"));
  const Status status = plan.branches[0].fragment->eval(orders(), 0).status();
  EXPECT_EQ(status.code(), Code::invalid) << status.message();
  EXPECT_TRUE(plan.branches[0].fragment->eval(orders()->Slice(0, 0), 0).ok());
  StreamPlan resized = planned(request("SELECT array_resize(tags, -id, 'x') AS x FROM orders"));
  const Status refused = resized.branches[0].fragment->eval(orders(), 0).status();
  EXPECT_EQ(refused.code(), Code::invalid) << refused.message();
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(PlanQuery, TargetCastsWhatWidens) {
  PlanRequest typed =
      request("SELECT CAST(id AS INT) AS a, id, NULL, customer, DATE '2020-02-03' FROM orders WHERE id = 1");
  typed.target = arrow::schema(
      {arrow::field("big", arrow::int64()), arrow::field("dec", arrow::decimal128(20, 1)),
       arrow::field("nothing", arrow::timestamp(arrow::TimeUnit::MICRO)), arrow::field("text", arrow::utf8()),
       arrow::field("at", arrow::timestamp(arrow::TimeUnit::MICRO))});
  StreamPlan plan = planned(typed);
  EXPECT_EQ(plan.schema->field_names(), (std::vector<std::string>{"big", "dec", "nothing", "text", "at"}));
  EXPECT_EQ(run(typed), (Rows{"0:[1, 1.0, null, \"ann\", 2020-02-03 00:00:00.000000]"}));
}

TEST(PlanQuery, TargetRefusesWhatLoses) {
  PlanRequest typed = request("SELECT amount, id AS small FROM orders");
  typed.target = arrow::schema({arrow::field("x", arrow::float64()), arrow::field("y", arrow::int32())});
  PlanError error = failed(typed);
  EXPECT_EQ(error.status.message(),
            "column 2 'y' is BIGINT in the query but INT in the sink: write CAST(small AS INT)");
  EXPECT_EQ(error.line, 1);
  EXPECT_EQ(error.column, 22);
  typed.query = "SELECT id FROM orders";
  error = failed(typed);
  EXPECT_EQ(error.status.message(), "the query gives 1 column(s) (id), the sink has 2 (x, y)");
  typed.query = "SELECT customer, 1 FROM orders";
  EXPECT_TRUE(
      has(failed(typed).status.message(), "column 1 'x' is STRING in the query but DOUBLE in the sink"));
}

TEST(PlanQuery, TreeIsReadable) {
  StreamPlan plan = planned(request("SELECT id, amount * 2 AS twice FROM orders WHERE customer = 'ann'"));
  EXPECT_TRUE(has(plan.tree_json, "\"node\":\"source\"")) << plan.tree_json;
  EXPECT_TRUE(has(plan.tree_json, "orders (id, customer, amount)")) << plan.tree_json;
  EXPECT_TRUE(has(plan.tree_json, "AS twice")) << plan.tree_json;
  EXPECT_FALSE(has(plan.tree_json, "_weir_row")) << plan.tree_json;
}

TEST(PlanQuery, FragmentsRunOnSeveralThreads) {
  StreamPlan plan =
      planned(request("SELECT id, CAST(now() AS BIGINT) AS t FROM orders CROSS JOIN UNNEST(tags) AS t(x)"));
  std::vector<std::thread> threads;
  for (int64_t thread = 1; thread <= 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 200; ++i) {
        auto result = plan.branches[0].fragment->eval(orders(), thread);
        ASSERT_TRUE(result.ok());
        ASSERT_EQ(text_of(**result)[0], "0:[1, " + std::to_string(thread) + "]");
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST(PlanQuery, RowsOfAnotherSchemaAreRefused) {
  StreamPlan plan = planned(request("SELECT id FROM orders"));
  auto wrong = rows_of(arrow::schema({arrow::field("id", arrow::int32())}), {R"({"id":1})"});
  EXPECT_EQ(plan.branches[0].fragment->eval(wrong, 0).status().code(), Code::internal);
  auto columns = orders()->columns();
  auto fields = orders()->schema()->fields();
  fields[0] = arrow::field("id", arrow::int32());
  columns[0] = *arrow::MakeArrayOfNull(arrow::int32(), 4);
  auto retyped = arrow::RecordBatch::Make(arrow::schema(fields), 4, columns);
  const Status status = plan.branches[0].fragment->eval(retyped, 0).status();
  EXPECT_EQ(status.code(), Code::internal);
  EXPECT_TRUE(has(status.message(), "column 'id'")) << status.message();
}

TEST(Abi, MisuseIsAnErrorNotACrash) {
  AbiError error;
  EXPECT_EQ(weir_plan(slice("{}"), nullptr, 0, nullptr, error.get()), WEIR_INTERNAL);
  WeirPlan* plan = nullptr;
  AbiError broken;
  EXPECT_EQ(weir_plan(slice("not json"), nullptr, 0, &plan, broken.get()), WEIR_INTERNAL);
  EXPECT_EQ(plan, nullptr);
  WeirText text{};
  EXPECT_EQ(weir_plan_describe(nullptr, &text, nullptr), WEIR_INTERNAL);
  EXPECT_EQ(weir_fragment_eval(nullptr, nullptr, nullptr, 0, nullptr, nullptr, nullptr), WEIR_INTERNAL);
  EXPECT_EQ(weir_delta_refresh(nullptr, nullptr), WEIR_INTERNAL);
  EXPECT_EQ(weir_writer_write(nullptr, slice("x"), nullptr), WEIR_INTERNAL);
  EXPECT_EQ(weir_writer_close(nullptr, nullptr), WEIR_INTERNAL);
  EXPECT_EQ(weir_query(slice("[]"), slice("SELECT 1"), nullptr, nullptr), WEIR_INTERNAL);
  weir_plan_free(nullptr);
  weir_fragment_free(nullptr);
  weir_delta_free(nullptr);
  weir_objects_free(nullptr);
  weir_writer_free(nullptr);
  weir_error_free(nullptr);
  weir_text_free({});
}

TEST(Abi, ABranchIsTakenOnce) {
  const char* request = R"({"tables":[],"views":[],"query":"SELECT 1 FROM t","target":false})";
  WeirPlan* plan = nullptr;
  AbiError error;
  EXPECT_EQ(weir_plan(slice(request), nullptr, 0, &plan, error.get()), WEIR_INVALID);
  EXPECT_TRUE(has(error.status(WEIR_INVALID).message(), "no table or view 't'"));
  WeirFragment* fragment = nullptr;
  EXPECT_EQ(weir_plan_take_fragment(nullptr, 0, &fragment, nullptr), WEIR_INTERNAL);
}

TEST(ScalarFunctions, AreListed) {
  const auto names = scalar_functions();
  for (const char* name :
       {"upper", "now", "current_date", "date_trunc", "array_length", "regexp_like", "sha256"}) {
    EXPECT_NE(std::find(names.begin(), names.end(), name), names.end()) << name;
  }
}

}  // namespace
}  // namespace weir::bridge
