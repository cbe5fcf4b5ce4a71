#include "sinks/clickhouse/column_type.h"

#include <arrow/type.h>
#include <gtest/gtest.h>

namespace weir {
namespace {

ClickHouseType parsed(const std::string& text) {
  Result<ClickHouseType> type = ClickHouseType::parse(text);
  EXPECT_TRUE(type.ok()) << text << ": " << type.status().message();
  return type.ok() ? *type : ClickHouseType();
}

std::string refusal(const std::string& text) {
  Result<ClickHouseType> type = ClickHouseType::parse(text);
  EXPECT_FALSE(type.ok()) << text;
  return type.status().message();
}

TEST(ClickHouseType, PrintsWhatItParsed) {
  for (const char* text : {"Bool",
                           "Int8",
                           "Int256",
                           "UInt64",
                           "UInt128",
                           "BFloat16",
                           "Float32",
                           "String",
                           "Date",
                           "Date32",
                           "Time",
                           "Time64(3)",
                           "UUID",
                           "IPv4",
                           "IPv6",
                           "DateTime",
                           "DateTime('Europe/Berlin')",
                           "DateTime64(3)",
                           "DateTime64(9, 'UTC')",
                           "Decimal(76, 4)",
                           "FixedString(16)",
                           "Enum8('a' = -128, 'it\\'s' = 1, 'back\\\\slash' = 2)",
                           "Enum16('x' = -32768, '' = 0)",
                           "Nullable(String)",
                           "LowCardinality(Nullable(String))",
                           "Array(Array(Nullable(UInt8)))",
                           "Map(LowCardinality(String), Array(Int64))",
                           "Tuple(String, Int64)",
                           "Tuple(a String, b Tuple(c UInt8))",
                           "Tuple(`a b` String, `1st` UInt8, `tick\\`s` UInt8)",
                           "Nested(a String, b Array(UInt8))",
                           "JSON",
                           "JSON(max_dynamic_paths=10, a.b UInt32, SKIP REGEXP 'x)')",
                           "Point",
                           "MultiPolygon",
                           "SimpleAggregateFunction(sum, Int64)",
                           "SimpleAggregateFunction(groupArrayArray(3), Array(String))",
                           "Array(SimpleAggregateFunction(anyLast, Nullable(String)))",
                           "Tuple()"}) {
    ClickHouseType type = parsed(text);
    EXPECT_EQ(type.to_string(), text);
    EXPECT_EQ(parsed(type.to_string()), type);
  }
}

TEST(ClickHouseType, ReadsOtherSpellings) {
  EXPECT_EQ(parsed("Decimal32(4)").to_string(), "Decimal(9, 4)");
  EXPECT_EQ(parsed("Decimal64(4)").to_string(), "Decimal(18, 4)");
  EXPECT_EQ(parsed("Decimal128(4)").to_string(), "Decimal(38, 4)");
  EXPECT_EQ(parsed("Decimal256(4)").to_string(), "Decimal(76, 4)");
  EXPECT_EQ(parsed("Decimal(5)").to_string(), "Decimal(5, 0)");
  EXPECT_EQ(parsed("DateTime64").to_string(), "DateTime64(3)");
  EXPECT_EQ(parsed("DateTime32('UTC')").to_string(), "DateTime('UTC')");
  EXPECT_EQ(parsed(" Map( String ,Int64 ) ").to_string(), "Map(String, Int64)");
  EXPECT_EQ(parsed("Enum8('a\\x41'=1)").enum_values[0].first, "aA");
}

TEST(ClickHouseType, KnowsWidthsAndNulls) {
  EXPECT_EQ(parsed("Decimal(9, 0)").fixed_width_bytes(), 4);
  EXPECT_EQ(parsed("Decimal(10, 0)").fixed_width_bytes(), 8);
  EXPECT_EQ(parsed("Decimal(19, 0)").fixed_width_bytes(), 16);
  EXPECT_EQ(parsed("Decimal(39, 0)").fixed_width_bytes(), 32);
  EXPECT_EQ(parsed("FixedString(7)").fixed_width_bytes(), 7);
  EXPECT_EQ(parsed("Enum16('a' = 1)").fixed_width_bytes(), 2);
  EXPECT_EQ(parsed("String").fixed_width_bytes(), 0);
  EXPECT_TRUE(parsed("Nullable(UInt8)").takes_null());
  EXPECT_TRUE(parsed("LowCardinality(Nullable(String))").takes_null());
  EXPECT_FALSE(parsed("LowCardinality(String)").takes_null());
  EXPECT_FALSE(parsed("Array(Nullable(String))").takes_null());
  EXPECT_EQ(parsed("LowCardinality(Nullable(String))").inner().kind, ClickHouseKind::string);
}

TEST(ClickHouseType, RefusesInWords) {
  EXPECT_NE(refusal("Variant(String, UInt8)").find("Variant"), std::string::npos);
  EXPECT_NE(refusal("Dynamic").find("String or JSON"), std::string::npos);
  EXPECT_NE(refusal("AggregateFunction(sum, UInt8)").find("SimpleAggregateFunction"), std::string::npos);
  EXPECT_NE(refusal("Object('json')").find("JSON"), std::string::npos);
  EXPECT_NE(refusal("IntervalDay").find("Int64"), std::string::npos);
  EXPECT_NE(refusal("Strin").find("Did you mean 'String'?"), std::string::npos);
  for (const char* text :
       {"", "Nullable", "Nullable(", "Nullable(String", "Array(String))", "Decimal(77, 0)", "Decimal(5, 6)",
        "DateTime64(10)", "FixedString(0)", "Enum8('a' = 128)", "Enum8('a)", "Map(String)",
        "Tuple(a String, UInt8)", "Nested(String)", "JSON(", "Enum8()"}) {
    refusal(text);
  }
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "Array(";
  EXPECT_NE(refusal(deep).find("too deeply"), std::string::npos);
}

std::string created(const std::shared_ptr<arrow::DataType>& type, bool nullable) {
  Result<ClickHouseType> made = clickhouse_type_for(*type, nullable);
  return made.ok() ? made->to_string() : made.status().message();
}

TEST(ClickHouseType, OfCreatedColumns) {
  EXPECT_EQ(created(arrow::utf8(), true), "Nullable(String)");
  EXPECT_EQ(created(arrow::binary(), false), "String");
  EXPECT_EQ(created(arrow::boolean(), false), "Bool");
  EXPECT_EQ(created(arrow::int16(), false), "Int16");
  EXPECT_EQ(created(arrow::uint64(), true), "Nullable(UInt64)");
  EXPECT_EQ(created(arrow::decimal128(12, 2), true), "Nullable(Decimal(12, 2))");
  EXPECT_EQ(created(arrow::decimal256(76, 5), false), "Decimal(76, 5)");
  EXPECT_EQ(created(arrow::date32(), false), "Date32");
  EXPECT_EQ(created(arrow::time32(arrow::TimeUnit::MILLI), false), "Int64");
  EXPECT_EQ(created(arrow::timestamp(arrow::TimeUnit::MILLI), false), "DateTime64(3, 'UTC')");
  EXPECT_EQ(created(arrow::timestamp(arrow::TimeUnit::NANO, "UTC"), true), "Nullable(DateTime64(9, 'UTC'))");
  EXPECT_EQ(created(arrow::list(arrow::field("item", arrow::utf8(), false)), true), "Array(String)");
  EXPECT_EQ(created(arrow::list(arrow::int32()), true), "Array(Nullable(Int32))");
  EXPECT_EQ(created(arrow::map(arrow::utf8(), arrow::int64()), true), "Map(String, Nullable(Int64))");
  auto row = arrow::struct_(
      {arrow::field("a b", arrow::int8(), false), arrow::field("l", arrow::list(arrow::int8()))});
  EXPECT_EQ(created(row, false), "Tuple(`a b` Int8, l Array(Nullable(Int8)))");
  EXPECT_EQ(created(row, true), "Tuple(`a b` Nullable(Int8), l Array(Nullable(Int8)))");
  EXPECT_NE(created(arrow::duration(arrow::TimeUnit::MILLI), false).find("no ClickHouse type"),
            std::string::npos);
  EXPECT_NE(created(arrow::struct_({}), false).find("without fields"), std::string::npos);
}

std::string stored(const std::shared_ptr<arrow::DataType>& type, const std::string& target) {
  return can_store(*type, parsed(target)).message();
}

TEST(CanStore, WhatFitsOrIsCheckedValueByValue) {
  for (const char* target : {"Int8", "Int64", "UInt16", "Int256", "Decimal(10, 2)", "Nullable(Int32)",
                             "LowCardinality(Int64)", "SimpleAggregateFunction(sum, Int64)"}) {
    EXPECT_EQ(stored(arrow::int64(), target), "") << target;
  }
  for (const char* target : {"String", "FixedString(3)", "UUID", "IPv4", "IPv6", "Enum8('a' = 1)", "JSON",
                             "LowCardinality(Nullable(String))"}) {
    EXPECT_EQ(stored(arrow::utf8(), target), "") << target;
  }
  EXPECT_EQ(stored(arrow::boolean(), "UInt8"), "");
  EXPECT_EQ(stored(arrow::timestamp(arrow::TimeUnit::MICRO), "DateTime"), "");
}

TEST(CanStore, NamesBothTypesAndWhatToDo) {
  EXPECT_EQ(stored(arrow::float64(), "Float32"),
            "DOUBLE cannot be stored in Float32: digits would be lost: CAST it AS FLOAT, or make the column "
            "Float64");
  EXPECT_EQ(stored(arrow::timestamp(arrow::TimeUnit::MILLI), "Nullable(Date)"),
            "TIMESTAMP(3) cannot be stored in Date: CAST it AS DATE, or make the column DateTime64");
  EXPECT_EQ(
      stored(arrow::decimal128(12, 4), "Decimal(12, 2)"),
      "DECIMAL(12, 4) cannot be stored in Decimal(12, 2): digits behind the point would be lost: CAST it to "
      "DECIMAL(12, 2), or alter the column");
  EXPECT_EQ(stored(arrow::utf8(), "Int64"),
            "STRING cannot be stored in Int64: CAST it to a type that fits, or make the column String");
  EXPECT_EQ(stored(arrow::int64(), "Float64"),
            "BIGINT cannot be stored in Float64: CAST it to a type that fits, or make the column Int64");
  EXPECT_NE(stored(arrow::list(arrow::int32()), "String"), "");
  EXPECT_NE(stored(arrow::int32(), "Array(Int32)"), "");
  EXPECT_NE(stored(arrow::dictionary(arrow::int32(), arrow::utf8()), "String"), "");
  auto row = arrow::struct_({arrow::field("a", arrow::int8()), arrow::field("b", arrow::utf8())});
  EXPECT_NE(stored(row, "Tuple(a Int8)").find("the Tuple has no element b"), std::string::npos);
  EXPECT_NE(stored(row, "Tuple(a Int8, b String, c String)").find("the ROW has no field c"),
            std::string::npos);
  EXPECT_NE(stored(row, "Tuple(Int8)").find("2 fields, the Tuple 1"), std::string::npos);
  EXPECT_NE(stored(row, "Tuple(a Int8, b Int8)").find("b: STRING cannot be stored in Int8"),
            std::string::npos);
}

TEST(MatchColumns, ByNameWithEveryProblem) {
  auto rows =
      arrow::list(arrow::struct_({arrow::field("k", arrow::utf8()), arrow::field("v", arrow::int64())}));
  auto schema = arrow::schema({arrow::field("id", arrow::int64()), arrow::field("n", rows)});
  std::vector<TableColumn> table = {{"n.v", parsed("Array(Int64)")},
                                    {"n.k", parsed("Array(String)")},
                                    {"added_at", parsed("DateTime")},
                                    {"id", parsed("UInt64")}};
  Result<std::vector<ColumnTarget>> targets = match_columns("t", *schema, table);
  ASSERT_TRUE(targets.ok()) << targets.status().message();
  ASSERT_EQ(targets->size(), 3u);
  EXPECT_EQ((*targets)[0].name, "id");
  EXPECT_EQ((*targets)[1].name, "n.k");
  EXPECT_EQ((*targets)[1].element_field, 0);
  EXPECT_EQ((*targets)[2].name, "n.v");
  EXPECT_EQ((*targets)[2].column, 1);

  table = {{"idd", parsed("UInt64")}, {"n.k", parsed("Array(UInt8)")}, {"n.x", parsed("Array(UInt8)")}};
  targets = match_columns("t", *schema, table);
  ASSERT_FALSE(targets.ok());
  EXPECT_EQ(targets.status().message(),
            "the ClickHouse table t does not take these rows:\n"
            "  column id: the table has no such column. Did you mean 'idd'? Add it (`id` Nullable(Int64)), "
            "or leave it "
            "out of the query.\n"
            "  column n.k: STRING cannot be stored in UInt8: CAST it to a type that fits, or make the column "
            "String\n"
            "  column n.v: the table has no such part of the Nested n\n"
            "  column n.x: the ROW of n has no such field");
}

}  // namespace
}  // namespace weir
