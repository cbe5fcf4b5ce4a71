#include "formats/raw/raw_format.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <optional>

namespace weir {
namespace {

ColumnSpec column(std::shared_ptr<arrow::DataType> type, bool nullable = true) {
  ColumnSpec spec;
  spec.name = "payload";
  spec.type.text = type->ToString();
  spec.type.arrow = std::move(type);
  spec.nullable = nullable;
  return spec;
}

EventBatch batch_of(const std::vector<std::optional<std::string>>& payloads) {
  EventBatch batch;
  std::string all;
  for (const auto& payload : payloads) {
    Event event;
    event.offset = static_cast<int64_t>(batch.events.size());
    if (payload) event.payload = {static_cast<uint32_t>(all.size()), static_cast<int32_t>(payload->size())};
    if (payload) all += *payload;
    batch.events.push_back(event);
  }
  std::shared_ptr<char[]> bytes(new char[all.size() + EventBatch::kPadding]());
  std::copy(all.begin(), all.end(), bytes.get());
  batch.bytes = bytes;
  batch.next = static_cast<int64_t>(payloads.size());
  return batch;
}

DecodedRows decode(const ColumnSpec& spec, const EventBatch& batch, size_t begin, size_t end) {
  auto decoder = raw_format().create({{spec}});
  EXPECT_TRUE(decoder.ok()) << decoder.status().message();
  return *(*decoder)->decode(batch, begin, end);
}

TEST(RawFormat, KeepsEveryByte) {
  const std::string odd("\x00\xff{", 3);
  const EventBatch batch = batch_of({"first", odd, "", std::nullopt});
  const DecodedRows rows = decode(column(arrow::binary()), batch, 1, 4);
  ASSERT_TRUE(rows.rows->ValidateFull().ok());
  const auto& values = static_cast<const arrow::BinaryArray&>(*rows.rows->column(0));
  ASSERT_EQ(values.length(), 3);
  EXPECT_EQ(values.GetView(0), odd);
  EXPECT_EQ(values.GetView(1), "");
  EXPECT_TRUE(values.IsNull(2)) << "a tombstone is null";
  EXPECT_EQ(rows.event_of_row, (std::vector<uint32_t>{1, 2, 3}));
  EXPECT_TRUE(rows.errors.empty());
}

TEST(RawFormat, TextMustBeUtf8) {
  const EventBatch batch = batch_of({"ä", "\xff", "z"});
  const DecodedRows rows = decode(column(arrow::utf8()), batch, 0, 3);
  EXPECT_EQ(rows.rows->num_rows(), 2);
  ASSERT_EQ(rows.errors.size(), 1u);
  EXPECT_EQ(rows.errors[0].event, 1u);
  EXPECT_EQ(rows.errors[0].code, ErrorCode::invalid_utf8);
  EXPECT_EQ(rows.event_of_row, (std::vector<uint32_t>{0, 2}));
}

TEST(RawFormat, ATombstoneDoesNotFitNotNull) {
  const DecodedRows rows = decode(column(arrow::utf8(), false), batch_of({std::nullopt, ""}), 0, 2);
  ASSERT_EQ(rows.errors.size(), 1u);
  EXPECT_EQ(rows.errors[0].code, ErrorCode::missing_required);
  EXPECT_NE(rows.errors[0].message.find("scan.tombstones"), std::string::npos);
  EXPECT_EQ(rows.rows->num_rows(), 1);
}

TEST(RawFormat, OtherColumnsAreRefused) {
  EXPECT_EQ(raw_format().create({{column(arrow::int64())}}).status().code(), Code::invalid);
  EXPECT_EQ(raw_format().create({}).status().code(), Code::invalid);
  EXPECT_EQ(raw_format().create({{column(arrow::utf8()), column(arrow::utf8())}}).status().code(),
            Code::invalid);
}

}  // namespace
}  // namespace weir
