#include "sinks/console/console_sinks.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <sstream>

namespace weir {
namespace {

// Two rows of (name, at) with the hidden columns.
std::shared_ptr<arrow::RecordBatch> two_rows() {
  arrow::StringBuilder names;
  arrow::TimestampBuilder times(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"),
                                arrow::default_memory_pool());
  arrow::StringBuilder partitions;
  arrow::Int64Builder offsets;
  EXPECT_TRUE(names.AppendValues({"a\"b", "c"}).ok());
  EXPECT_TRUE(times.AppendValues({0, 1'500'000}).ok());
  EXPECT_TRUE(partitions.AppendValues({"p", "p"}).ok());
  EXPECT_TRUE(offsets.AppendValues({1, 2}).ok());
  auto schema = arrow::schema({arrow::field("name", arrow::utf8()),
                               arrow::field("at", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")),
                               arrow::field(kPartitionColumn, arrow::utf8()),
                               arrow::field(kOffsetColumn, arrow::int64())});
  return arrow::RecordBatch::Make(
      schema, 2, {*names.Finish(), *times.Finish(), *partitions.Finish(), *offsets.Finish()});
}

TEST(PrintSink, WritesALineARowUpToTheLimit) {
  std::ostringstream out;
  auto sink = make_print_sink(out, "> ", 1);
  ASSERT_TRUE(sink->append(two_rows()).ok());
  EXPECT_EQ(out.str(), "> {\"name\":\"a\\\"b\",\"at\":\"1970-01-01T00:00:00Z\"}\n");
  EXPECT_EQ((*sink->seal())->rows, 2);
  EXPECT_EQ(sink->memory(), Memory::none);
}

TEST(PrintSink, WritesEveryRowWithoutALimit) {
  std::ostringstream out;
  auto sink = make_print_sink(out, "", -1);
  ASSERT_TRUE(sink->append(two_rows()).ok());
  EXPECT_NE(out.str().find("\"at\":\"1970-01-01T00:00:01.500Z\""), std::string::npos) << out.str();
}

}  // namespace
}  // namespace weir
