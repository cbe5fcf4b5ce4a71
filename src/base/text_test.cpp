#include "base/text.h"

#include <gtest/gtest.h>

#include <limits>

namespace weir {
namespace {

using std::chrono::milliseconds;

TEST(Text, DurationsTakeEveryUnit) {
  EXPECT_EQ(*parse_duration("200 ms"), milliseconds(200));
  EXPECT_EQ(*parse_duration("250"), milliseconds(250));
  EXPECT_EQ(*parse_duration("10s"), milliseconds(10'000));
  EXPECT_EQ(*parse_duration(" 5 MIN "), milliseconds(300'000));
  EXPECT_EQ(*parse_duration("2 h"), milliseconds(7'200'000));
  EXPECT_EQ(*parse_duration("1 d"), milliseconds(86'400'000));
  EXPECT_EQ(*parse_duration("3 seconds"), milliseconds(3'000));
}

TEST(Text, BadDurationsSayWhatIsExpected) {
  for (const char* text :
       {"", "ten s", "10 x", "-1 s", "1.5 s", "s", "99999999999999999999 s", "9223372036854775807 d"}) {
    Result<milliseconds> duration = parse_duration(text);
    ASSERT_FALSE(duration.ok()) << text;
    EXPECT_EQ(duration.status().code(), Code::invalid);
    EXPECT_NE(duration.status().message().find(std::string("'") + text + "' is not a duration"),
              std::string::npos);
  }
}

TEST(Text, SizesArePowersOf1024) {
  EXPECT_EQ(*parse_size("100"), 100);
  EXPECT_EQ(*parse_size("100 b"), 100);
  EXPECT_EQ(*parse_size("512 kb"), 512 * 1024);
  EXPECT_EQ(*parse_size("64 MB"), 64 * 1024 * 1024);
  EXPECT_EQ(*parse_size("1gb"), 1024 * 1024 * 1024);
  EXPECT_FALSE(parse_size("64 mbit").ok());
  EXPECT_FALSE(parse_size("9223372036854775807 kb").ok());
}

TEST(Text, NearestNameFindsSlipsButNotStrangers) {
  std::vector<std::string> names = {"connector", "format", "path", "commit-interval"};
  EXPECT_EQ(nearest_name("conector", names), "connector");
  EXPECT_EQ(nearest_name("FORMAT", names), "format");
  EXPECT_EQ(nearest_name("commit_interval", names), "commit-interval");
  EXPECT_EQ(nearest_name("paht", names), "path");
  EXPECT_EQ(nearest_name("zebra", names), "");
  EXPECT_EQ(nearest_name("xy", {"ab"}), "");
  EXPECT_EQ(nearest_name("x", {"y"}), "");
  EXPECT_EQ(nearest_name("BIGNIT", {"INT", "BIGINT"}), "BIGINT");
  EXPECT_EQ(suggestion("formt", names), " Did you mean 'format'?");
  EXPECT_EQ(suggestion("zebra", names), "");
}

TEST(Text, ThousandsAreGrouped) {
  EXPECT_EQ(with_thousands(0), "0");
  EXPECT_EQ(with_thousands(999), "999");
  EXPECT_EQ(with_thousands(1000), "1,000");
  EXPECT_EQ(with_thousands(1234567), "1,234,567");
  EXPECT_EQ(with_thousands(-123), "-123");
  EXPECT_EQ(with_thousands(-1234), "-1,234");
  EXPECT_EQ(with_thousands(std::numeric_limits<int64_t>::min()), "-9,223,372,036,854,775,808");
}

TEST(SplitList, LeavesOutWhiteSpaceAndEmptyParts) {
  EXPECT_EQ(split_list(" a, b c ,,\td\n,"), (std::vector<std::string>{"a", "b c", "d"}));
  EXPECT_TRUE(split_list(" , ").empty());
}

}  // namespace
}  // namespace weir
