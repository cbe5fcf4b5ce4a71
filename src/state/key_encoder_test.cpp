#include "state/key_encoder.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/json/from_string.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <unordered_set>

namespace weir {
namespace {

struct Column {
  std::shared_ptr<arrow::DataType> type;
  std::string values;  // JSON
  bool nullable = true;
};

std::shared_ptr<arrow::RecordBatch> batch_of(const std::vector<Column>& columns) {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (const Column& column : columns) {
    fields.push_back(arrow::field("c" + std::to_string(fields.size()), column.type, column.nullable));
    arrays.push_back(*arrow::json::ArrayFromJSONString(column.type, column.values));
  }
  return arrow::RecordBatch::Make(arrow::schema(fields), arrays.at(0)->length(), arrays);
}

KeyEncoder encoder_of(const arrow::RecordBatch& batch) {
  std::vector<int> columns(static_cast<size_t>(batch.num_columns()));
  for (size_t i = 0; i < columns.size(); ++i) columns[i] = static_cast<int>(i);
  return *KeyEncoder::create(*batch.schema(), columns);
}

EncodedKeys encode(const arrow::RecordBatch& batch) {
  EncodedKeys keys;
  encoder_of(batch).encode(batch, keys);
  return keys;
}

void expect_round_trip(const std::vector<Column>& columns) {
  const auto batch = batch_of(columns);
  const KeyEncoder encoder = encoder_of(*batch);
  EncodedKeys keys;
  // A slice, so that offsets into buffers and bitmaps are not 0.
  const auto slice = batch->Slice(1);
  encoder.encode(*slice, keys);
  ASSERT_EQ(keys.size(), static_cast<size_t>(slice->num_rows()));
  std::vector<std::string_view> views;
  for (size_t i = 0; i < keys.size(); ++i) {
    views.push_back(keys.key(i));
    EXPECT_EQ(keys.hashes[i], hash_key(keys.key(i), encoder.width()));
    bool null = false;
    for (int c = 0; c < slice->num_columns(); ++c) null = null || slice->column(c)->IsNull(i);
    EXPECT_EQ(!keys.has_null.empty() && keys.has_null[i] != 0, null) << i;
  }
  const auto arrays = encoder.decode(views);
  ASSERT_TRUE(arrays.ok()) << arrays.status().message();
  for (int c = 0; c < slice->num_columns(); ++c) {
    EXPECT_TRUE((*arrays)[c]->ValidateFull().ok()) << c;
    EXPECT_TRUE((*arrays)[c]->Equals(*slice->column(c), arrow::EqualOptions().nans_equal(true)))
        << columns[c].type->ToString() << ": " << (*arrays)[c]->ToString();
  }
}

TEST(KeyEncoder, EveryTypeComesBack) {
  const std::string numbers = "[7, 0, null, 3, 127, 7]";
  const std::string texts = R"(["x", "", null, "abcd", "ä", "x"])";
  const std::vector<Column> columns = {
      {arrow::boolean(), "[true, true, null, false, true, false]"},
      {arrow::int8(), "[1, -128, null, 127, 0, -1]"},
      {arrow::int16(), "[1, -32768, null, 32767, 0, -1]"},
      {arrow::int32(), "[1, -2147483648, null, 2147483647, 0, -1]"},
      {arrow::int64(), "[1, -9223372036854775808, null, 9223372036854775807, 0, -1]"},
      {arrow::uint8(), numbers},
      {arrow::uint16(), numbers},
      {arrow::uint32(), "[1, 4294967295, null, 0, 5, 6]"},
      {arrow::uint64(), "[1, 18446744073709551615, null, 0, 5, 6]"},
      {arrow::float32(), "[1, 1.5, null, -2.25, NaN, 0]"},
      {arrow::float64(), "[1, 1.5, null, -2.25, NaN, 0]"},
      {arrow::date32(), numbers},
      {arrow::date64(), "[0, 86400000, null, 0, 86400000, 0]"},
      {arrow::time32(arrow::TimeUnit::MILLI), numbers},
      {arrow::time64(arrow::TimeUnit::MICRO), numbers},
      {arrow::timestamp(arrow::TimeUnit::MILLI), numbers},
      {arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"), numbers},
      {arrow::decimal128(12, 2), R"(["1.25", "-9999999999.99", null, "0.00", "1.25", "7.00"])"},
      {arrow::decimal256(50, 2), R"(["1.25", "-9999999999.99", null, "0.00", "1.25", "7.00"])"},
      {arrow::utf8(), texts},
      {arrow::large_utf8(), texts},
      {arrow::utf8_view(), R"(["x", "", null, "longer than the twelve bytes inline", "ä", "x"])"},
      {arrow::binary(), texts},
      {arrow::large_binary(), texts},
      {arrow::fixed_size_binary(3), R"(["abc", "xyz", null, "   ", "abc", "123"])"},
      {arrow::null(), "[null, null, null, null, null, null]"},
  };
  for (const Column& column : columns) {
    SCOPED_TRACE(column.type->ToString());
    expect_round_trip({column});
    expect_round_trip({column, {arrow::int64(), "[1, 2, 3, 4, 5, 6]", false}});
    expect_round_trip({{arrow::utf8(), R"([null, "ab", "", null, "c", "d"])"}, column});
  }
  expect_round_trip(columns);
}

TEST(KeyEncoder, WidthsAreAsTheHeaderSays) {
  const auto width = [](const std::vector<Column>& columns) {
    return encoder_of(*batch_of(columns)).width();
  };
  EXPECT_EQ(width({{arrow::int64(), "[]", false}}), 8U);
  EXPECT_EQ(width({{arrow::int64(), "[]"}}), 16U);
  EXPECT_EQ(width({{arrow::int8(), "[]", false}, {arrow::date32(), "[]"}}), 24U);
  EXPECT_EQ(width({{arrow::decimal128(5, 1), "[]", false}}), 16U);
  EXPECT_EQ(width({{arrow::int64(), "[]", false}, {arrow::utf8(), "[]", false}}), 0U);
  EXPECT_EQ(width(std::vector<Column>(65, {arrow::int64(), "[]"})), 65U * 8 + 16);
}

TEST(KeyEncoder, EqualValuesAreEqualKeysAndOthersAreNot) {
  const auto floats = encode(*batch_of({{arrow::float64(), "[0.0, -0.0, NaN, -NaN, 1, null, null]"}}));
  EXPECT_EQ(floats.key(0), floats.key(1));
  EXPECT_EQ(floats.key(2), floats.key(3));
  EXPECT_NE(floats.key(0), floats.key(4));
  EXPECT_EQ(floats.key(5), floats.key(6));
  EXPECT_NE(floats.key(5), floats.key(0)) << "NULL is not 0";
  const auto texts = encode(*batch_of({{arrow::utf8(), R"(["ab", "a", "", null, "a"])"},
                                       {arrow::utf8(), R"(["c", "bc", "abc", "abc", null])"}}));
  for (size_t i = 0; i < texts.size(); ++i) {
    for (size_t j = 0; j < i; ++j) EXPECT_NE(texts.key(i), texts.key(j)) << i << " " << j;
  }
}

TEST(KeyEncoder, NullColumnsAreToldApart) {
  const auto keys =
      encode(*batch_of({{arrow::int64(), "[null, 0, null, 0]"}, {arrow::int32(), "[0, null, null, 0]"}}));
  std::unordered_set<std::string_view> distinct;
  for (size_t i = 0; i < 4; ++i) distinct.insert(keys.key(i));
  EXPECT_EQ(distinct.size(), 4U);
  EXPECT_EQ(keys.has_null, (std::vector<uint8_t>{1, 1, 1, 0}));
}

TEST(KeyEncoder, BuffersOfTheBatchBeforeDoNotShow) {
  const auto with_nulls = batch_of({{arrow::int64(), "[null, 1, 2]"}});
  const auto without = batch_of({{arrow::int64(), "[5, 1, 2]"}});
  const KeyEncoder encoder = encoder_of(*with_nulls);
  EncodedKeys keys;
  encoder.encode(*with_nulls, keys);
  encoder.encode(*without, keys);
  EXPECT_TRUE(keys.has_null.empty());
  EXPECT_EQ(std::string(keys.key(0)), std::string(encode(*without).key(0)));
}

TEST(KeyEncoder, NoColumnsIsOneKey) {
  const auto batch = batch_of({{arrow::int64(), "[1, 2, 3]"}});
  const KeyEncoder encoder = *KeyEncoder::create(*batch->schema(), {});
  EncodedKeys keys;
  encoder.encode(*batch, keys);
  EXPECT_EQ(encoder.width(), 0U);
  ASSERT_EQ(keys.size(), 3U);
  EXPECT_EQ(keys.key(0), keys.key(2));
  EXPECT_EQ(keys.hashes[0], keys.hashes[2]);
  EXPECT_TRUE((*encoder.decode({keys.key(0)})).empty());
}

TEST(KeyEncoder, RefusesNestedColumns) {
  const auto schema = arrow::schema({arrow::field("tags", arrow::list(arrow::utf8()))});
  const auto encoder = KeyEncoder::create(*schema, {0});
  ASSERT_FALSE(encoder.ok());
  EXPECT_NE(encoder.status().message().find("column 'tags'"), std::string::npos);
}

// Exchange and state files depend on these values: a change of them needs a new version of both.
TEST(KeyEncoder, HashesNeverChange) {
  const auto keys = encode(*batch_of({{arrow::int64(), "[0, 1, -1]", false}}));
  EXPECT_EQ(keys.hashes,
            (std::vector<uint64_t>{15470206552785649673U, 1103823038321199445U, 6107863232914887291U}));
  const auto pairs = encode(*batch_of({{arrow::int64(), "[0, 1, null]"}}));
  EXPECT_EQ(pairs.hashes,
            (std::vector<uint64_t>{17610913742559622441U, 16121012057201260116U, 17028272896811616752U}));
  const auto texts =
      encode(*batch_of({{arrow::utf8(), R"(["", "a", "a text that is longer than 16 bytes"])"}}));
  EXPECT_EQ(texts.hashes,
            (std::vector<uint64_t>{11125265403291471963U, 16273963185213418599U, 5347874177164896894U}));
}

// Keys as they come: in steps, of few bits, of short texts. Both ends of the hash must look random.
TEST(KeyEncoder, HashesSpread) {
  constexpr size_t kKeys = 1 << 16;
  constexpr size_t kBins = 1024;
  for (const int64_t step :
       {int64_t{1}, int64_t{1000}, int64_t{3600000000}, int64_t{1} << 32, int64_t{1} << 47}) {
    std::vector<size_t> slots(kBins);
    std::vector<size_t> shares(kBins);
    std::unordered_set<uint32_t> low;
    for (size_t i = 0; i < kKeys; ++i) {
      const auto value = static_cast<int64_t>(i) * step;
      const uint64_t hash = hash_fixed_key(reinterpret_cast<const uint8_t*>(&value), 1);
      ++slots[static_cast<uint32_t>(hash) >> 22];
      ++shares[share_of(hash, kBins)];
      low.insert(static_cast<uint32_t>(hash));
    }
    const auto chi_square = [](const std::vector<size_t>& bins) {
      double sum = 0;
      for (const size_t bin : bins) sum += (bin - 64.0) * (bin - 64.0) / 64.0;
      return sum;
    };
    // 1023 degrees of freedom: the deviation is 45.
    EXPECT_LT(chi_square(slots), 1023 + 6 * 45) << step;
    EXPECT_LT(chi_square(shares), 1023 + 6 * 45) << step;
    EXPECT_GT(low.size(), kKeys - 20) << step;
  }
}

}  // namespace
}  // namespace weir
