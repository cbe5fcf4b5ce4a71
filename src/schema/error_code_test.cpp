#include "schema/error_code.h"

#include <gtest/gtest.h>

#include <set>
#include <string_view>

namespace weir {
namespace {

TEST(ErrorCode, NamesAreUniqueAndRoundTrip) {
  std::set<std::string_view> names;
  for (ErrorCode code : all_error_codes()) {
    EXPECT_TRUE(names.insert(error_code_name(code)).second) << error_code_name(code);
    EXPECT_EQ(error_code_from_name(error_code_name(code)), code);
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(ErrorCode::producer_paused) + 1);
}

TEST(ErrorCode, NamesOfTheErrorLake) {
  EXPECT_EQ(error_code_name(ErrorCode::invalid_utf8), "invalid_utf8");
  EXPECT_EQ(error_code_from_name("sink_refused"), ErrorCode::sink_refused);
  EXPECT_EQ(error_code_from_name("no_such_code"), std::nullopt);
  EXPECT_EQ(error_code_from_name(""), std::nullopt);
}

}  // namespace
}  // namespace weir
