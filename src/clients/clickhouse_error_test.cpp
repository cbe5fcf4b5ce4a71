#include "clients/clickhouse_error.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(ServerError, TheTextIsTakenApart) {
  auto modern = parse_server_error(
      "Code: 252. DB::Exception: Too many parts (300). (TOO_MANY_PARTS) (version 26.9.2.1)\nStack trace: x");
  EXPECT_EQ(modern.code, 252);
  EXPECT_EQ(modern.message, "Too many parts (300). (TOO_MANY_PARTS)");
  auto old = parse_server_error(
      "Code: 60, e.displayText() = DB::Exception: Table default.t doesn't exist., e.what() = DB::Exception");
  EXPECT_EQ(old.code, 60);
  EXPECT_EQ(old.message, "Table default.t doesn't exist.");
  auto proxy = parse_server_error("<html>Bad gateway</html>\r\nmore");
  EXPECT_EQ(proxy.code, 0);
  EXPECT_EQ(proxy.message, "<html>Bad gateway</html>");
  EXPECT_EQ(parse_server_error("").message, "");
}

TEST(ServerError, KindsSayWhatToDo) {
  auto kind = [](int code, int status = 500) { return classify_server_error(code, status, "words"); };
  for (int code : {241, 242, 164, 202, 252, 210, 999, 425})
    EXPECT_EQ(kind(code), ServerErrorKind::retry) << code;
  for (int code : {516, 192, 193, 497}) EXPECT_EQ(kind(code, 403), ServerErrorKind::denied) << code;
  for (int code : {60, 16, 53, 81}) EXPECT_EQ(kind(code, 404), ServerErrorKind::changed) << code;
  for (int code : {469, 349, 407, 691, 70}) EXPECT_EQ(kind(code), ServerErrorKind::row) << code;
  EXPECT_EQ(kind(62, 400), ServerErrorKind::fatal);  // a syntax error is ours
  EXPECT_EQ(kind(0, 502), ServerErrorKind::retry);
  EXPECT_EQ(kind(0, 401), ServerErrorKind::denied);
  EXPECT_EQ(kind(0, 404), ServerErrorKind::fatal);
  EXPECT_EQ(kind(0, 200), ServerErrorKind::none);
}

TEST(ServerError, ABlockOfTooManyPartitionsIsCutNotRepeated) {
  EXPECT_EQ(classify_server_error(252, 500, "Too many partitions for single INSERT block (more than 100)"),
            ServerErrorKind::row);
}

}  // namespace
}  // namespace weir
