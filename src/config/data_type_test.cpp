#include "config/data_type.h"

#include <arrow/type.h>
#include <gtest/gtest.h>

namespace weir {
namespace {

struct TypeCase {
  const char* written;
  const char* text;
  std::shared_ptr<arrow::DataType> arrow;
};

TEST(DataType, EveryScalarType) {
  using arrow::TimeUnit;
  const TypeCase cases[] = {
      {"boolean", "BOOLEAN", arrow::boolean()},
      {"TINYINT", "TINYINT", arrow::int8()},
      {"SMALLINT", "SMALLINT", arrow::int16()},
      {"INT", "INT", arrow::int32()},
      {"INTEGER", "INT", arrow::int32()},
      {"BIGINT", "BIGINT", arrow::int64()},
      {"FLOAT", "FLOAT", arrow::float32()},
      {"DOUBLE", "DOUBLE", arrow::float64()},
      {"DOUBLE PRECISION", "DOUBLE", arrow::float64()},
      {"DECIMAL", "DECIMAL(10, 0)", arrow::decimal128(10, 0)},
      {"DEC(5)", "DECIMAL(5, 0)", arrow::decimal128(5, 0)},
      {"NUMERIC(38, 38)", "DECIMAL(38, 38)", arrow::decimal128(38, 38)},
      {"STRING", "STRING", arrow::utf8()},
      {"VARCHAR(2147483647)", "STRING", arrow::utf8()},
      {"VARCHAR(20)", "VARCHAR(20)", arrow::utf8()},
      {"CHAR", "CHAR(1)", arrow::utf8()},
      {"BYTES", "BYTES", arrow::binary()},
      {"VARBINARY(4)", "VARBINARY(4)", arrow::binary()},
      {"BINARY(4)", "BINARY(4)", arrow::binary()},
      {"DATE", "DATE", arrow::date32()},
      {"TIME", "TIME(0)", arrow::time32(TimeUnit::MILLI)},
      {"TIME(3) WITHOUT TIME ZONE", "TIME(3)", arrow::time32(TimeUnit::MILLI)},
      {"TIME(6)", "TIME(6)", arrow::time64(TimeUnit::MICRO)},
      {"TIME(9)", "TIME(9)", arrow::time64(TimeUnit::NANO)},
      {"TIMESTAMP", "TIMESTAMP(6)", arrow::timestamp(TimeUnit::MICRO)},
      {"TIMESTAMP(0)", "TIMESTAMP(0)", arrow::timestamp(TimeUnit::MILLI)},
      {"TIMESTAMP(3) WITHOUT TIME ZONE", "TIMESTAMP(3)", arrow::timestamp(TimeUnit::MILLI)},
      {"TIMESTAMP(4)", "TIMESTAMP(4)", arrow::timestamp(TimeUnit::MICRO)},
      {"TIMESTAMP(9)", "TIMESTAMP(9)", arrow::timestamp(TimeUnit::NANO)},
      {"TIMESTAMP_LTZ(3)", "TIMESTAMP_LTZ(3)", arrow::timestamp(TimeUnit::MILLI, "UTC")},
      {"TIMESTAMP(3) WITH LOCAL TIME ZONE", "TIMESTAMP_LTZ(3)", arrow::timestamp(TimeUnit::MILLI, "UTC")},
      {"TIMESTAMP_LTZ", "TIMESTAMP_LTZ(6)", arrow::timestamp(TimeUnit::MICRO, "UTC")},
  };
  for (const TypeCase& c : cases) {
    Result<ParsedType> parsed = parse_type_text(c.written);
    ASSERT_TRUE(parsed.ok()) << c.written << ": " << parsed.status().message();
    EXPECT_EQ(parsed->type.text, c.text);
    EXPECT_TRUE(parsed->type.arrow->Equals(c.arrow)) << c.written << ": " << parsed->type.arrow->ToString();
    EXPECT_TRUE(parsed->nullable);
  }
}

TEST(DataType, LengthsAreKept) {
  EXPECT_EQ(parse_type_text("VARCHAR(20)")->type.max_length, 20);
  EXPECT_EQ(parse_type_text("CHAR")->type.max_length, 1);
  EXPECT_EQ(parse_type_text("VARBINARY(7)")->type.max_length, 7);
  EXPECT_EQ(parse_type_text("STRING")->type.max_length, -1);
  EXPECT_EQ(parse_type_text("VARCHAR(2147483647)")->type.max_length, -1);
}

TEST(DataType, NestingKeepsNullability) {
  Result<ParsedType> parsed = parse_type_text(
      "ROW<a INT NOT NULL, `b c` ARRAY<ROW(x MAP<STRING, DECIMAL(12,2) NOT NULL> 'a comment')> NOT NULL> NOT "
      "NULL");
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  EXPECT_FALSE(parsed->nullable);
  EXPECT_EQ(parsed->type.text,
            "ROW<`a` INT NOT NULL, `b c` ARRAY<ROW<`x` MAP<STRING, DECIMAL(12, 2) NOT NULL>>> NOT NULL>");
  auto map = arrow::map(arrow::utf8(), arrow::field("value", arrow::decimal128(12, 2), false));
  auto list = arrow::list(arrow::field("item", arrow::struct_({arrow::field("x", map)})));
  auto expected =
      arrow::struct_({arrow::field("a", arrow::int32(), false), arrow::field("b c", list, false)});
  EXPECT_TRUE(parsed->type.arrow->Equals(expected)) << parsed->type.arrow->ToString();
  ASSERT_EQ(parsed->type.children.size(), 2u);
  const DataType& array = parsed->type.children[1];
  ASSERT_EQ(array.children.size(), 1u);
  ASSERT_EQ(array.children[0].children.size(), 1u);
  EXPECT_EQ(array.children[0].children[0].children[1].text, "DECIMAL(12, 2)");
}

TEST(DataType, BadTypesSayWhatIsNear) {
  struct Case {
    const char* written;
    const char* fragment;
  };
  const Case cases[] = {
      {"BIGNIT", "1:1: error: unknown type BIGNIT. Did you mean 'BIGINT'?"},
      {"TEXT", "Did you mean 'STRING'?"},
      {"timestamptz", "Did you mean 'TIMESTAMP_LTZ'?"},
      {"GEOMETRY", "Expected one of BOOLEAN, TINYINT"},
      {"DECIMAL(39)", "1:9: error: found 39, expected the precision of DECIMAL, a whole number from 1 to 38"},
      {"DECIMAL(5,6)",
       "1:11: error: found 6, expected the scale of DECIMAL(5, …), a whole number from 0 to 5"},
      {"DECIMAL(5.5)", "found 5.5"},
      {"TIMESTAMP(10)",
       "1:11: error: found 10, expected the precision of TIMESTAMP, a whole number from 0 to 9"},
      {"TIMESTAMP(3) WITH TIME ZONE", "1:14: error: TIMESTAMP WITH TIME ZONE is not supported"},
      {"VARCHAR(0)", "expected the length of VARCHAR, a whole number from 1 to 2147483647"},
      {"ARRAY INT", "1:7: error: found INT, expected '<' after ARRAY"},
      {"ARRAY<INT", "expected '>' to close ARRAY<"},
      {"MAP<STRING>", "1:11: error: found '>', expected ',' and the type of the map's values"},
      {"ROW<a INT, a INT>", "1:12: error: the ROW has two fields named a"},
      {"ROW<>", "1:5: error: found '>', expected the name of a ROW field"},
      {"INT NOT", "expected NULL"},
      {"INT INT", "1:5: error: found INT, expected the end of the type"},
      {"`INT`", "found `INT`, expected a type"},
      {"", "found the end of the file, expected a type"},
  };
  for (const Case& c : cases) {
    Result<ParsedType> parsed = parse_type_text(c.written);
    ASSERT_FALSE(parsed.ok()) << c.written;
    EXPECT_NE(parsed.status().message().find(c.fragment), std::string::npos)
        << c.written << ": " << parsed.status().message();
  }
}

TEST(DataType, DepthIsBounded) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "ARRAY<";
  Result<ParsedType> parsed = parse_type_text(text);
  ASSERT_FALSE(parsed.ok());
  EXPECT_NE(parsed.status().message().find("nested more than 64 deep"), std::string::npos);
}

}  // namespace
}  // namespace weir
