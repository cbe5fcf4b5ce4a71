#include "flink/gateway.h"

#include <gtest/gtest.h>

#include <deque>

namespace weir {
namespace {

using std::chrono::milliseconds;

// Answers in order; keeps what was asked.
class ScriptedClient final : public HttpClient {
 public:
  Result<HttpResponse> send(const HttpRequest& request) override {
    std::string asked = request.method + " " + request.url.substr(request.url.find("/v1"));
    for (const std::string_view part : request.body) asked += " " + std::string(part);
    this->asked.push_back(asked);
    if (answers.empty()) return Status::unavailable("nobody listens");
    HttpResponse answer = answers.front();
    answers.pop_front();
    return answer;
  }
  void answer(std::string body, int status = 200) { answers.push_back({status, {}, std::move(body)}); }

  std::deque<HttpResponse> answers;
  std::vector<std::string> asked;
};

class FlinkGatewayTest : public ::testing::Test {
 protected:
  void open() {
    client_.answer(R"({"productName":"Apache Flink","version":"2.2.0"})");
    client_.answer(R"({"sessionHandle":"s1"})");
    ASSERT_TRUE(gateway_.open().ok());
    client_.asked.clear();
  }
  void answer_rows(const std::string& rows) {
    client_.answer(R"({"operationHandle":"o1"})");
    client_.answer(R"({"resultType":"PAYLOAD","nextResultUri":"/v1/next","results":{"data":)" + rows + "}}");
    client_.answer(R"({"resultType":"EOS","results":{"data":[]}})");
  }

  ScriptedClient client_;
  ManualClock clock_{0};
  FlinkGateway gateway_{client_, "http://flink:8083", clock_};
};

TEST_F(FlinkGatewayTest, RunsAStatementToItsEnd) {
  open();
  client_.answer(R"({"operationHandle":"o1"})");
  client_.answer(R"({"resultType":"NOT_READY","nextResultUri":"/v1/again"})");
  client_.answer(
      R"({"resultType":"PAYLOAD","nextResultUri":"/v1/more","results":{"data":[{"fields":["a",1,null]}]}})");
  client_.answer(R"({"resultType":"EOS","results":{"data":[]}})");
  const auto rows = gateway_.execute("SELECT 'x'", milliseconds(1000));
  ASSERT_TRUE(rows.ok()) << rows.status().message();
  EXPECT_EQ(*rows, (std::vector<FlinkRow>{{"a", "1", ""}}));
  ASSERT_EQ(client_.asked.size(), 4u);
  EXPECT_EQ(client_.asked[0], R"(POST /v1/sessions/s1/statements {"statement":"SELECT 'x'"})");
  EXPECT_EQ(client_.asked[2], "GET /v1/again");
}

TEST_F(FlinkGatewayTest, ARefusalIsInFlinksWordsWithItsPlace) {
  open();
  client_.answer(R"({"operationHandle":"o1"})");
  client_.answer(
      R"({"errors":["Internal server error.","<Exception on server side:\na.B: x\n\tat y\n)"
      R"(Caused by: o.SqlExecutionException: Failed to execute the operation 1.\n\tat z\n)"
      R"(Caused by: o.a.f.ValidationException: SQL validation failed. From line 2, column 16 to line 2, )"
      R"(column 17: Column 'vv' not found in any table\n\tat z\n\t... 3 more\n)"
      R"(Caused by: o.CalciteContextException: From line 2, column 16 to line 2, column 17: Column )"
      R"('vv' not found in any table\nEnd of exception on server side>"]})",
      500);
  const Status status = gateway_.execute("INSERT", milliseconds(1000)).status();
  EXPECT_EQ(status.code(), Code::invalid);
  EXPECT_EQ(status.message(), "Flink: Column 'vv' not found in any table");
  EXPECT_EQ(gateway_.refusal().line, 2);
  EXPECT_EQ(gateway_.refusal().column, 16);
}

TEST(FlinkRefusalTest, AParseErrorIsShort) {
  const FlinkRefusal refusal = flink_refusal(
      "Internal\nCaused by: org.SqlParserException: SQL parse failed. Encountered \"FROM\" at line 2, column "
      "8.\n"
      "Was expecting one of:\n    \"ALL\" ...\n    \"ARRAY\" ...\n\tat x");
  EXPECT_EQ(refusal.words, "Encountered \"FROM\"");
  EXPECT_EQ(refusal.line, 2);
  EXPECT_EQ(refusal.column, 8);
}

TEST_F(FlinkGatewayTest, WhatIsNoGatewayIsSaidSo) {
  client_.answer(R"({"refresh-interval":3000})");
  const Status status = gateway_.open();
  EXPECT_EQ(status.code(), Code::unavailable);
  EXPECT_NE(status.message().find("is no SQL gateway"), std::string::npos) << status.message();
}

TEST_F(FlinkGatewayTest, JobsAreNewestFirst) {
  open();
  answer_rows(R"([{"fields":["1","p","FINISHED","2026-01-01T00:00:00"]},
                  {"fields":["2","p","RUNNING","2026-01-02T00:00:00"]}])");
  const auto jobs = gateway_.jobs();
  ASSERT_TRUE(jobs.ok());
  ASSERT_EQ(jobs->size(), 2u);
  EXPECT_EQ((*jobs)[0].id, "2");
  EXPECT_FALSE((*jobs)[0].ended());
  EXPECT_TRUE((*jobs)[1].ended());
}

TEST_F(FlinkGatewayTest, AJobIsStoppedWithASavepointWhereItIsTold) {
  open();
  answer_rows(R"([{"fields":["OK"]}])");
  answer_rows(R"([{"fields":["file:/s/1"]}])");
  const auto path = gateway_.stop("abc", "file:///it's");
  ASSERT_TRUE(path.ok()) << path.status().message();
  EXPECT_EQ(*path, "file:/s/1");
  EXPECT_NE(client_.asked[0].find("SET 'execution.checkpointing.savepoint-dir' = 'file:///it''s'"),
            std::string::npos)
      << client_.asked[0];
  EXPECT_NE(client_.asked[3].find("STOP JOB 'abc' WITH SAVEPOINT"), std::string::npos) << client_.asked[3];
}

}  // namespace
}  // namespace weir
