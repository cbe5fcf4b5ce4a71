#include "schema/schema_history.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/environment.h"

namespace weir {
namespace {

using Columns = std::vector<SchemaColumn>;

class SchemaHistoryTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("weir-schema-" + random_hex_id());
    objects_ = *open_local_objects(folder_.string());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
  std::unique_ptr<ObjectStore> objects_;
};

const Columns kFirst = {{"id", "BIGINT", false}, {"amount", "DECIMAL(12, 2)", true}};
const Columns kSecond = {{"id", "BIGINT", false}, {"amount", "STRING", true}, {"note", "STRING", true}};

TEST_F(SchemaHistoryTest, EveryChangeIsAVersionAndNoChangeIsNone) {
  SchemaHistory history(*objects_, "p", "orders");
  EXPECT_EQ(history.newest()->number, 0);
  EXPECT_EQ(*history.record(kFirst, 0), 1);
  EXPECT_EQ(*history.record(kFirst, 1), 1);
  EXPECT_EQ(*history.record(kSecond, 2), 2);
  EXPECT_EQ(*history.record(kFirst, 3), 3);
  SchemaHistory again(*objects_, "p", "orders");
  EXPECT_EQ(again.newest()->number, 3);
  EXPECT_EQ(again.newest()->columns, kFirst);
  EXPECT_EQ(SchemaHistory(*objects_, "p", "other").newest()->number, 0);
}

TEST_F(SchemaHistoryTest, ADamagedOrNewerVersionIsRefused) {
  SchemaHistory history(*objects_, "p", "orders");
  ASSERT_TRUE(objects_->put("p/schemas/orders/000001.json", "{\"format\":").ok());
  EXPECT_EQ(history.newest().status().code(), Code::invalid);
  ASSERT_TRUE(objects_->put("p/schemas/orders/000002.json", R"({"format":"weir-schema","version":9})").ok());
  EXPECT_NE(history.record(kFirst, 0).status().message().find("newer Weir"), std::string::npos);
}

TEST(SchemaChanges, AreToldInWords) {
  EXPECT_EQ(schema_changes(kFirst, kFirst), std::vector<std::string>{});
  EXPECT_EQ(schema_changes(kFirst, kSecond),
            (std::vector<std::string>{"amount DECIMAL(12, 2) is now STRING", "note STRING is new"}));
  EXPECT_EQ(schema_changes({{"a", "INT", true}}, {{"a", "INT", false}}),
            std::vector<std::string>{"a INT is now INT NOT NULL"});
  EXPECT_EQ(schema_changes({{"a", "INT", true}}, {}), std::vector<std::string>{"a INT is gone"});
}

}  // namespace
}  // namespace weir
