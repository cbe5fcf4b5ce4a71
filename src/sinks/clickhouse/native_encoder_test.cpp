// Exact bytes, written down from the format's description and the server's NativeReader; that ClickHouse
// itself reads them is shown by tests/integration/test_clickhouse_types.py.
#include "sinks/clickhouse/native_encoder.h"

#include <arrow/array.h>
#include <arrow/array/concatenate.h>
#include <arrow/array/util.h>
#include <arrow/buffer.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <initializer_list>

#include "sinks/clickhouse/native_text_values.h"

namespace weir {
namespace {

using ArrayPtr = std::shared_ptr<arrow::Array>;

// Bytes as two hexadecimal digits each; blanks are for the reader.
std::string bytes_of(const std::string& hex) {
  std::string out;
  for (size_t i = 0; i + 1 < hex.size();) {
    if (hex[i] == ' ') {
      ++i;
      continue;
    }
    out += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    i += 2;
  }
  return out;
}

std::string hex_of(std::string_view bytes) {
  std::string out;
  char digits[4];
  for (char byte : bytes) {
    std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned char>(byte));
    out += digits;
  }
  return out;
}

Result<EncodedBlock> encoded(const std::vector<ArrayPtr>& chunks, const std::string& type,
                             EncodeOptions options = {}) {
  auto schema = arrow::schema({arrow::field("x", chunks[0]->type())});
  WEIR_ASSIGN(ClickHouseType parsed, ClickHouseType::parse(type));
  WEIR_ASSIGN(NativeEncoder encoder, NativeEncoder::create(*schema, {{"x", parsed, 0, -1}}, options));
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  for (const ArrayPtr& chunk : chunks) {
    batches.push_back(arrow::RecordBatch::Make(schema, chunk->length(), {chunk}));
  }
  return encoder.encode(batches);
}

// The column's data in hexadecimal, behind the block's header, which is checked. Also tries the rows one by
// one, cut from the middle of a larger array: the bytes must be the same.
std::string data_of(const ArrayPtr& array, const std::string& type, EncodeOptions options = {}) {
  Result<EncodedBlock> block = encoded({array}, type, options);
  if (!block.ok()) return block.status().message();
  std::string header;
  header += '\x01';
  header += static_cast<char>(array->length());
  header += "\x01x";
  header += static_cast<char>(type.size());
  header += type;
  std::string whole(block->bytes.view());
  EXPECT_EQ(whole.substr(0, header.size()), header);
  EXPECT_TRUE(block->refused.empty());

  ArrayPtr twice = *arrow::Concatenate({array, array});
  std::vector<ArrayPtr> rows;
  for (int64_t i = 0; i < array->length(); ++i) rows.push_back(twice->Slice(array->length() + i, 1));
  Result<EncodedBlock> again = encoded(rows, type, options);
  EXPECT_TRUE(again.ok());
  EXPECT_EQ(hex_of(again->bytes.view()), hex_of(whole)) << "cut into rows";
  return hex_of(whole.substr(header.size()));
}

std::string hex(const std::string& spaced) { return hex_of(bytes_of(spaced)); }

template <typename Builder, typename Value>
ArrayPtr array_of(Builder&& builder, std::initializer_list<std::optional<Value>> values) {
  for (const auto& value : values) {
    EXPECT_TRUE((value ? builder.Append(*value) : builder.AppendNull()).ok());
  }
  return *builder.Finish();
}

ArrayPtr longs(std::initializer_list<std::optional<int64_t>> values) {
  return array_of<arrow::Int64Builder, int64_t>(arrow::Int64Builder(), values);
}
ArrayPtr texts(std::initializer_list<std::optional<std::string>> values) {
  return array_of<arrow::StringBuilder, std::string>(arrow::StringBuilder(), values);
}
ArrayPtr moments(arrow::TimeUnit::type unit, std::initializer_list<std::optional<int64_t>> values) {
  return array_of<arrow::TimestampBuilder, int64_t>(
      arrow::TimestampBuilder(arrow::timestamp(unit), arrow::default_memory_pool()), values);
}

TEST(NativeEncoder, IntegersAndFloats) {
  EXPECT_EQ(data_of(longs({1, -2}), "Int64"), hex("01 00000000000000 fe ffffffffffffff"));
  EXPECT_EQ(data_of(longs({1, -2}), "Int16"), hex("0100 feff"));
  EXPECT_EQ(data_of(longs({255}), "UInt8"), hex("ff"));
  EXPECT_EQ(data_of(longs({-2}), "Int128"), hex("feffffffffffffff ffffffffffffffff"));
  EXPECT_EQ(data_of(longs({1}), "UInt256"), hex("01" + std::string(62, '0')));
  EXPECT_EQ(data_of(longs({1, std::nullopt, 3}), "Nullable(Int32)"),
            hex("00 01 00  01000000 00000000 03000000"));
  EXPECT_EQ(data_of(array_of<arrow::DoubleBuilder, double>(arrow::DoubleBuilder(), {1.0}), "Float64"),
            hex("000000000000f03f"));
  EXPECT_EQ(data_of(array_of<arrow::FloatBuilder, float>(arrow::FloatBuilder(), {1.0f}), "Float64"),
            hex("000000000000f03f"));
  EXPECT_EQ(data_of(array_of<arrow::BooleanBuilder, bool>(arrow::BooleanBuilder(),
                                                          {true, false, std::nullopt, true}),
                    "Nullable(Bool)"),
            hex("00 00 01 00  01 00 00 01"));
}

TEST(NativeEncoder, Decimals) {
  auto decimals = [](std::shared_ptr<arrow::DataType> type,
                     std::initializer_list<std::optional<arrow::Decimal128>> v) {
    return array_of<arrow::Decimal128Builder, arrow::Decimal128>(arrow::Decimal128Builder(type), v);
  };
  ArrayPtr some = decimals(arrow::decimal128(9, 2), {arrow::Decimal128(-125), std::nullopt});
  EXPECT_EQ(data_of(some, "Nullable(Decimal(9, 2))"), hex("00 01 83ffffff 00000000"));
  EXPECT_EQ(data_of(some, "Nullable(Decimal(18, 3))"), hex("00 01 1efbffffffffffff 0000000000000000"));
  ArrayPtr one = decimals(arrow::decimal128(38, 2), {arrow::Decimal128(-1)});
  EXPECT_EQ(data_of(one, "Decimal(38, 2)"), std::string(32, 'f'));
  EXPECT_EQ(data_of(one, "Decimal(76, 2)"), std::string(64, 'f'));
  EXPECT_EQ(data_of(longs({2}), "Decimal(9, 1)"), hex("14000000"));
}

TEST(NativeEncoder, DatesAndTimes) {
  ArrayPtr days = array_of<arrow::Date32Builder, int32_t>(arrow::Date32Builder(), {1, std::nullopt});
  EXPECT_EQ(data_of(days, "Nullable(Date)"), hex("00 01 0100 0000"));
  EXPECT_EQ(data_of(days, "Nullable(Date32)"), hex("00 01 01000000 00000000"));
  ArrayPtr seconds = moments(arrow::TimeUnit::MILLI, {2000, std::nullopt});
  EXPECT_EQ(data_of(seconds, "Nullable(DateTime)"), hex("00 01 02000000 00000000"));
  EXPECT_EQ(data_of(seconds, "Nullable(DateTime64(3))"), hex("00 01 d007000000000000 0000000000000000"));
  EXPECT_EQ(data_of(seconds, "Nullable(DateTime64(0))"), hex("00 01 0200000000000000 0000000000000000"));
  EXPECT_EQ(data_of(moments(arrow::TimeUnit::MICRO, {-1}), "DateTime64(9)"), hex("18fcffffffffffff"));
}

TEST(NativeEncoder, Texts) {
  EXPECT_EQ(data_of(texts({"ab", "", std::nullopt, "c"}), "Nullable(String)"),
            hex("00 00 01 00  02 6162 00 00 01 63"));
  EXPECT_EQ(data_of(texts({"ab", "c"}), "FixedString(3)"), hex("616200 630000"));
  EXPECT_EQ(data_of(texts({"b", std::nullopt, "a"}), "Nullable(Enum8('b' = -2, 'a' = 7))"),
            hex("00 01 00 fe fe 07"))
      << "no value that has no name, even under NULL";
  EXPECT_EQ(data_of(texts({"61f0c404-5cb3-11e7-907b-a6006ad3dba0"}), "UUID"),
            hex("e711b35c04c4f061 a0dbd36a00a67b90"));
  EXPECT_EQ(data_of(texts({"192.168.0.1"}), "IPv4"), hex("0100a8c0"));
  EXPECT_EQ(data_of(texts({"2001:db8::1"}), "IPv6"), hex("20010db8000000000000000000000001"));
  EXPECT_EQ(data_of(texts({"{}"}), "JSON"), hex("0100000000000000 02 7b7d"));
}

TEST(NativeEncoder, TextsOfEveryLength) {
  // Around the sizes at which the copying changes, and at the end of a buffer.
  arrow::StringBuilder builder;
  std::string expected;
  for (size_t length :
       {0u, 1u, 31u, 32u, 33u, 63u, 64u, 65u, 96u, 97u, 127u, 128u, 129u, 300u, 16383u, 16384u, 5u}) {
    std::string text;
    for (size_t i = 0; i < length; ++i) text += static_cast<char>('a' + (i * 7 + length) % 26);
    EXPECT_TRUE(builder.Append(text).ok());
    NativeBuffer one;
    one.append_string(text);
    expected += std::string(one.view());
  }
  EXPECT_EQ(data_of(*builder.Finish(), "String"), hex_of(expected));
}

TEST(NativeEncoder, LowCardinality) {
  EXPECT_EQ(data_of(texts({"a", "b", "a"}), "LowCardinality(String)"),
            hex("0100000000000000 0006000000000000 0200000000000000 01 61 01 62 0300000000000000 00 01 00"));
  EXPECT_EQ(
      data_of(texts({"a", std::nullopt, "", "a"}), "LowCardinality(Nullable(String))"),
      hex("0100000000000000 0006000000000000 0300000000000000 00 01 61 00 0400000000000000 01 00 02 01"));
  EXPECT_EQ(data_of(longs({5, 5}), "LowCardinality(Int16)"),
            hex("0100000000000000 0006000000000000 0100000000000000 0500 0200000000000000 00 00"));
}

TEST(NativeEncoder, LowCardinalityIndexesGrowWithTheDictionary) {
  for (auto [keys, type, width] : {std::tuple{256, 0, 1}, {257, 1, 2}, {65536, 1, 2}, {65537, 2, 4}}) {
    arrow::StringBuilder builder;
    size_t key_bytes = 0;
    for (int i = 0; i < keys; ++i) {
      std::string text = "a rather long key " + std::to_string(i);
      key_bytes += text.size() + 1;
      ASSERT_TRUE(builder.Append(text).ok());
    }
    ArrayPtr array = *builder.Finish();
    Result<EncodedBlock> block = encoded({array, array}, "LowCardinality(String)");
    ASSERT_TRUE(block.ok());
    std::string_view bytes = block->bytes.view();
    const size_t indexes = static_cast<size_t>(2 * keys * width);
    const size_t data = 8 * 4 + key_bytes + indexes;
    ASSERT_GT(bytes.size(), data);
    bytes = bytes.substr(bytes.size() - data);
    EXPECT_EQ(bytes[8], static_cast<char>(type));
    const auto last = static_cast<uint32_t>(keys - 1);
    EXPECT_EQ(hex_of(bytes.substr(data - static_cast<size_t>(width))),
              hex_of({reinterpret_cast<const char*>(&last), static_cast<size_t>(width)}));
  }
}

TEST(NativeEncoder, ArraysMapsAndTuples) {
  auto* pool = arrow::default_memory_pool();
  auto values = std::make_shared<arrow::Int32Builder>();
  arrow::ListBuilder lists(pool, values);
  ASSERT_TRUE(lists.Append().ok() && values->Append(7).ok() && values->AppendNull().ok());
  ASSERT_TRUE(lists.AppendNull().ok() && lists.Append().ok() && values->Append(9).ok());
  EXPECT_EQ(data_of(*lists.Finish(), "Array(Nullable(Int8))"),
            hex("0200000000000000 0200000000000000 0300000000000000  00 01 00  07 00 09"));

  auto keys = std::make_shared<arrow::StringBuilder>();
  auto items = std::make_shared<arrow::Int32Builder>();
  arrow::MapBuilder maps(pool, keys, items);
  ASSERT_TRUE(maps.Append().ok() && keys->Append("k").ok() && items->Append(5).ok() && maps.Append().ok());
  EXPECT_EQ(data_of(*maps.Finish(), "Map(String, Int8)"),
            hex("0100000000000000 0100000000000000  01 6b  05"));

  ArrayPtr rows =
      *arrow::StructArray::Make({longs({1, 2}), texts({"x", "y"})}, std::vector<std::string>{"a", "b"});
  EXPECT_EQ(data_of(rows, "Tuple(b String, a Int8)"), hex("01 78 01 79  01 02"));
  EXPECT_EQ(data_of(rows, "Tuple(Int8, String)"), hex("01 02  01 78 01 79"));
}

TEST(NativeEncoder, PrefixesStandBeforeAllData) {
  auto* pool = arrow::default_memory_pool();
  auto values = std::make_shared<arrow::StringBuilder>();
  arrow::ListBuilder lists(pool, values);
  ASSERT_TRUE(lists.Append().ok() && values->Append("a").ok());
  EXPECT_EQ(
      data_of(*lists.Finish(), "Array(LowCardinality(String))"),
      hex("0100000000000000  0100000000000000  0006000000000000 0100000000000000 01 61 0100000000000000 00"));
  ASSERT_TRUE(lists.Append().ok());
  EXPECT_EQ(data_of(*lists.Finish(), "Array(LowCardinality(String))"),
            hex("0100000000000000  0000000000000000"));
}

// Arrays as Arrow allows them but builders do not make them: something stands under a NULL.
TEST(NativeEncoder, WhatStandsUnderNullDoesNotCount) {
  auto valid = arrow::Buffer::FromString(std::string(1, '\x05'));  // rows 0 and 2
  auto hidden = [&](const ArrayPtr& array) {
    std::shared_ptr<arrow::ArrayData> data = array->data()->Copy();
    data->buffers[0] = valid;
    data->null_count = arrow::kUnknownNullCount;
    return arrow::MakeArray(data);
  };
  EXPECT_EQ(data_of(hidden(longs({1, 999999, 3})), "Nullable(Int8)"), hex("00 01 00 01 00 03"));
  EXPECT_EQ(data_of(hidden(longs({1, 2, 3})), "Nullable(Int64)"),
            hex("00 01 00 0100000000000000 0000000000000000 0300000000000000"));
  EXPECT_EQ(data_of(hidden(texts({"a", "hidden", "b"})), "Nullable(String)"), hex("00 01 00 01 61 00 01 62"));
  EXPECT_EQ(
      data_of(hidden(texts({"::1", "bad", "::2"})), "Nullable(IPv6)"),
      hex("00 01 00" + std::string(30, '0') + "01" + std::string(32, '0') + std::string(30, '0') + "02"));

  auto* pool = arrow::default_memory_pool();
  auto values = std::make_shared<arrow::Int32Builder>();
  arrow::ListBuilder lists(pool, values);
  for (int i = 1; i <= 3; ++i) ASSERT_TRUE(lists.Append().ok() && values->Append(i).ok());
  EXPECT_EQ(data_of(hidden(*lists.Finish()), "Array(Int8)"),
            hex("0100000000000000 0100000000000000 0200000000000000 01 03"));
  ArrayPtr rows = *arrow::StructArray::Make({longs({1, 2, 3})}, std::vector<std::string>{"a"});
  EXPECT_EQ(data_of(hidden(rows), "Tuple(a Nullable(Int8))"), hex("00 01 00 01 00 03"));
  EXPECT_EQ(data_of(hidden(rows), "Nullable(Tuple(a Int8))"), hex("00 01 00 01 00 03"));
}

TEST(NativeEncoder, RefusedRowsAreLeftOutOfEveryColumn) {
  auto schema = arrow::schema({arrow::field("n", arrow::int64()), arrow::field("u", arrow::utf8())});
  auto batch = arrow::RecordBatch::Make(
      schema, 5,
      {longs({1, 1000, 3, 4, std::nullopt}), texts({"1.1.1.1", "bad", "worse", "4.4.4.4", "5.5.5.5"})});
  Result<NativeEncoder> encoder = NativeEncoder::create(
      *schema, {{"n", *ClickHouseType::parse("Int8"), 0, -1}, {"u", *ClickHouseType::parse("IPv4"), 1, -1}});
  ASSERT_TRUE(encoder.ok());
  EXPECT_EQ(encoder->column_list(), "`n`, `u`");
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches = {batch->Slice(0, 2), batch->Slice(2)};
  EncodedBlock block;
  for (int round = 0; round < 2; ++round) {  // the second time with the memory of the first
    ASSERT_TRUE(encoder->encode(batches, &block).ok());
    EXPECT_EQ(block.rows, 2);
    ASSERT_EQ(block.refused.size(), 3u);
    EXPECT_EQ(block.refused[0].row, 1);
    EXPECT_EQ(block.refused[0].column, "n");
    EXPECT_EQ(block.refused[0].message, "1000 is outside the range of Int8");
    EXPECT_EQ(block.refused[1].row, 2);
    EXPECT_EQ(block.refused[1].column, "u");
    EXPECT_EQ(block.refused[1].message, "\"worse\" is no IPv4 address");
    EXPECT_EQ(block.refused[2].row, 4);
    EXPECT_EQ(hex_of(block.bytes.view()),
              hex("02 02  01 6e 04 496e7438 01 04  01 75 04 49507634 01010101 04040404"));
  }
}

TEST(NativeEncoder, NoRowsAreNoBlock) {
  Result<EncodedBlock> block = encoded({longs({})}, "Int64");
  ASSERT_TRUE(block.ok());
  EXPECT_TRUE(block->bytes.empty());
  block = encoded({longs({std::nullopt})}, "Int64");
  EXPECT_TRUE(block->bytes.empty());
  EXPECT_EQ(block->refused.size(), 1u);
}

TEST(NativeEncoder, NullAsDefault) {
  EncodeOptions defaults{true};
  EXPECT_EQ(data_of(longs({1, std::nullopt}), "Int8", defaults), hex("01 00"));
  EXPECT_EQ(data_of(texts({std::nullopt, "a"}), "Enum8('z' = 5, 'a' = 3)", defaults), hex("03 03"));
  EXPECT_EQ(data_of(std::make_shared<arrow::NullArray>(2), "String", defaults), hex("00 00"));
  EXPECT_EQ(data_of(std::make_shared<arrow::NullArray>(2), "Nullable(Int16)"), hex("01 01 0000 0000"));
}

TEST(NativeEncoder, ManyRowsWithNulls) {
  // Longer than the words in which bitmaps are read, at every shift of a slice.
  arrow::Int64Builder builder;
  for (int i = 0; i < 700; ++i)
    ASSERT_TRUE((i % 97 == 3 ? builder.AppendNull() : builder.Append(i % 50)).ok());
  ArrayPtr array = *builder.Finish();
  for (int64_t from = 0; from < 70; ++from) {
    std::string map, values;
    for (int64_t i = from; i < 700; ++i) {
      bool null = i % 97 == 3;
      map += static_cast<char>(null ? 1 : 0);
      values += static_cast<char>(null ? 0 : i % 50);
    }
    Result<EncodedBlock> block = encoded({array->Slice(from)}, "Nullable(Int8)");
    ASSERT_TRUE(block.ok());
    EXPECT_TRUE(block->bytes.view().ends_with(map + values)) << from;
  }
}

TEST(NativeTextValues, Ipv6) {
  uint8_t out[16];
  auto text = [&](const char* address) {
    return parse_ipv6(address, out) ? hex_of({reinterpret_cast<const char*>(out), 16}) : std::string("no");
  };
  EXPECT_EQ(text("::"), std::string(32, '0'));
  EXPECT_EQ(text("1::"), "0001" + std::string(28, '0'));
  EXPECT_EQ(text("::ffff:1.2.3.4"), "00000000000000000000ffff01020304");
  EXPECT_EQ(text("1.2.3.4"), "00000000000000000000ffff01020304");
  EXPECT_EQ(text("1:2:3:4:5:6:7:8"), "00010002000300040005000600070008");
  EXPECT_EQ(text("1:2:3:4:5:6:1.2.3.4"), "00010002000300040005000601020304");
  EXPECT_EQ(text("1:2:3::7:8"), "00010002000300000000000000070008");
  for (const char* bad :
       {"", ":", "1", "1:", ":1", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "1::2::3",
        "g::", "12345::", "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3", "1.2.3.256", "::1 "}) {
    EXPECT_EQ(text(bad), "no") << bad;
  }
}

TEST(NativeTextValues, Uuid) {
  uint8_t out[16];
  EXPECT_TRUE(parse_uuid("61F0C4045CB311E7907BA6006AD3DBA0", out));
  EXPECT_EQ(hex_of({reinterpret_cast<const char*>(out), 16}), "e711b35c04c4f061a0dbd36a00a67b90");
  EXPECT_FALSE(parse_uuid("61f0c404-5cb3-11e7-907b-a6006ad3dba", out));
  EXPECT_FALSE(parse_uuid("61f0c404-5cb3-11e7-907b+a6006ad3dba0", out));
  EXPECT_FALSE(parse_uuid("61f0c404-5cb3-11e7-907b-a6006ad3dbag", out));
}

TEST(NativeTextValues, JsonObjects) {
  for (const char* good : {"{}", " { \"a\" : [ 1 , -2.5e+3, true, false, null, \"\\u00e4\\n\" ] , \"b\":{}} ",
                           "{\"0\":0}", "{\"a\":0.5}"}) {
    EXPECT_EQ(json_object_problem(good), "") << good;
  }
  for (const char* bad :
       {"", "[]", "1", "null", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{\"a\":01}", "{\"a\":1.}",
        "{\"a\":\"\\x\"}", "{\"a\":\"\n\"}", "{a:1}", "{} {}", "{\"a\":tru}", "{\"a\":\"\\u12\"}"}) {
    EXPECT_NE(json_object_problem(bad), "") << bad;
  }
  std::string deep = "{\"a\":";
  for (int i = 0; i < 100000; ++i) deep += "[";
  EXPECT_NE(json_object_problem(deep), "");
}

}  // namespace
}  // namespace weir
