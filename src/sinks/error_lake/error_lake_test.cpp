#include "sinks/error_lake/error_lake.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <cstring>

namespace weir {
namespace {

EventBatch one_event(const std::string& payload) {
  EventBatch batch;
  std::shared_ptr<char[]> bytes(new char[payload.size() + EventBatch::kPadding]());
  std::memcpy(bytes.get(), payload.data(), payload.size());
  batch.bytes = bytes;
  Event event;
  event.payload = {0, static_cast<int32_t>(payload.size())};
  event.offset = 42;
  batch.events = {event};
  batch.received_us = 5;
  return batch;
}

TEST(ErrorLake, KeepsExactBytesAndTellsTextAsUtf8) {
  EventBatch batch = one_event(std::string("\xff\0x", 3));
  ErrorRecord error;
  error.code = ErrorCode::invalid_utf8;
  error.message = "found \xff here";
  error.byte = 0;
  ErrorOrigin origin;
  origin.source = "orders";
  origin.partition = "P:1";
  auto rows = error_rows(origin, batch, {error});
  ASSERT_TRUE(rows.ok()) << rows.status().message();
  ASSERT_TRUE((*rows)->ValidateFull().ok());
  ASSERT_EQ((*rows)->num_columns(), error_lake_schema()->num_fields() + 2);
  auto text = [&](const char* name) {
    return std::string(static_cast<const arrow::StringArray&>(*(*rows)->GetColumnByName(name)).GetView(0));
  };
  EXPECT_EQ(text("id"), "orders/P:1/42");
  EXPECT_EQ(text("code"), "invalid_utf8");
  EXPECT_EQ(text("message"), "found \xEF\xBF\xBD here");
  EXPECT_EQ(static_cast<const arrow::BinaryArray&>(*(*rows)->GetColumnByName("payload")).GetView(0),
            std::string_view("\xff\0x", 3));
  for (const char* absent :
       {"sink", "subject", "key", "headers", "event_time", "schema_name", "schema_version"}) {
    EXPECT_TRUE((*rows)->GetColumnByName(absent)->IsNull(0)) << absent;
  }
  EXPECT_EQ(*error_rows(origin, batch, {}), nullptr);
}

TEST(ErrorLake, Places) {
  EXPECT_EQ(error_table_uri("s3://b/e", "p", "s"), "s3://b/e/p/s");
  EXPECT_EQ(error_table_uri("./e/", "p", "s"), "./e/p/s");
  EXPECT_EQ(resolved_table_uri("e", "p"), "e/p/_resolved");
  EXPECT_EQ(replay_folder("p", "s"), "p/_replay/s/");
  EXPECT_EQ(error_id("s", "0", 7, "lake"), "s/0/7/lake");
}

}  // namespace
}  // namespace weir
