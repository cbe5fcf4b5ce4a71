#include "runtime/budget_gate.h"

#include <gtest/gtest.h>

#include <cstring>

namespace weir {
namespace {

struct Given {
  std::string key;
  std::string headers;
};

EventBatch batch_of(const std::vector<Given>& given) {
  std::string text;
  EventBatch batch;
  auto put = [&](const std::string& value) {
    Slice slice;
    if (value.empty()) return slice;
    slice = {static_cast<uint32_t>(text.size()), static_cast<int32_t>(value.size())};
    text += value;
    return slice;
  };
  for (const Given& one : given) {
    Event event;
    event.offset = 100 + 2 * static_cast<int64_t>(batch.events.size());
    event.key = put(one.key);
    event.headers = put(one.headers);
    batch.events.push_back(event);
  }
  auto bytes = std::shared_ptr<char[]>(new char[text.size() + EventBatch::kPadding]());
  std::memcpy(bytes.get(), text.data(), text.size());
  batch.bytes = bytes;
  batch.from = 100;
  batch.next = 100 + 2 * static_cast<int64_t>(given.size());
  return batch;
}

ErrorBudgetPlan by(ErrorBudgetPlan::By by, const std::string& header = "") {
  ErrorBudgetPlan plan;
  plan.by = by;
  plan.header = header;
  plan.share = 0.5;
  plan.min_events = 1;
  return plan;
}

std::vector<ErrorRecord> errors_of(const std::vector<uint32_t>& events) {
  std::vector<ErrorRecord> errors;
  for (uint32_t event : events) {
    ErrorRecord record;
    record.event = event;
    errors.push_back(record);
  }
  return errors;
}

using Indexes = std::vector<uint32_t>;

TEST(HeaderValue, IsFoundAsWritten) {
  EXPECT_EQ(header_value(R"({"a":"1","tenant":"acme"})", "\"tenant\""), "acme");
  EXPECT_EQ(header_value(R"({ "tenant" : "x\"y" })", "\"tenant\""), "x\\\"y");
  EXPECT_EQ(header_value(R"({"a\"":"1","b":"2"})", "\"b\""), "2");
  EXPECT_EQ(header_value(R"({"a":"tenant"})", "\"tenant\""), "");
  EXPECT_EQ(header_value("", "\"tenant\""), "");
  EXPECT_EQ(header_value(R"({"a":null,"tenant":"acme"})", "\"tenant\""), "acme");
  EXPECT_EQ(header_value(R"({"tenant":null,"b":"2"})", "\"tenant\""), "");
  EXPECT_EQ(header_value(R"({"a":nul,"tenant":"acme"})", "\"tenant\""), "");
  for (const char* broken :
       {"{", "{\"", "{\"a", "{\"a\"", "{\"a\":", "{\"a\":1}", "{\"a\":\"\\", "[1]", "{}"}) {
    EXPECT_EQ(header_value(broken, "\"tenant\""), "") << broken;
  }
}

TEST(BudgetGate, OffIsNothing) {
  BudgetGate gate(nullptr);
  auto batch = batch_of({{"a", ""}});
  EXPECT_TRUE(gate.admit(batch, 0, 1, 0).empty());
  gate.observe(errors_of({0}), 0);
  EXPECT_FALSE(gate.source_paused(0));
}

TEST(BudgetGate, SetsAsideTheEventsOfAPausedProducer) {
  ErrorBudget budget(by(ErrorBudgetPlan::By::key));
  BudgetGate gate(&budget);
  auto batch = batch_of({{"a", ""}, {"b", ""}, {"b", ""}, {"a", ""}, {"", ""}, {"b", ""}});
  EXPECT_TRUE(gate.admit(batch, 0, 6, 0).empty());
  gate.observe(errors_of({1, 1, 2, 5}), 0);  // twice in one event: two INSERTs refused it
  EXPECT_EQ(gate.admit(batch, 0, 6, 1), (Indexes{1, 2, 5}));
  EXPECT_EQ(gate.admit(batch, 2, 5, 1), (Indexes{2}));
  gate.observe(errors_of({2}), 1);
}

TEST(BudgetGate, AnEventCountsOnceHoweverManyInsertsRefuseIt) {
  ErrorBudget budget(by(ErrorBudgetPlan::By::key));
  BudgetGate gate(&budget);
  auto batch = batch_of({{"a", ""}, {"a", ""}});
  gate.admit(batch, 0, 2, 0);
  gate.observe(errors_of({0, 0, 0}), 0);  // one of two is bad: half
  EXPECT_TRUE(gate.admit(batch, 0, 2, 1).empty());
}

TEST(BudgetGate, EventsWithoutTheHeaderAreOneProducer) {
  ErrorBudget budget(by(ErrorBudgetPlan::By::header, "tenant"));
  BudgetGate gate(&budget);
  auto batch =
      batch_of({{"", R"({"tenant":"x"})"}, {"", R"({"other":"x"})"}, {"", ""}, {"", R"({"tenant":"x"})"}});
  gate.admit(batch, 0, 4, 0);
  gate.observe(errors_of({1, 2}), 0);
  EXPECT_EQ(gate.admit(batch, 0, 4, 1), (Indexes{1, 2}));
}

TEST(BudgetGate, OfASourceNothingIsSetAside) {
  ErrorBudget budget(by(ErrorBudgetPlan::By::source));
  BudgetGate gate(&budget);
  auto batch = batch_of({{"a", ""}, {"b", ""}});
  gate.admit(batch, 0, 2, 0);
  gate.observe(errors_of({0, 1}), 0);
  EXPECT_TRUE(gate.source_paused(1));
  EXPECT_TRUE(gate.admit(batch, 0, 2, 1).empty());  // read before: it goes on its way
}

TEST(BudgetGate, FollowsWhatAFormerRunDecided) {
  ErrorBudget budget(by(ErrorBudgetPlan::By::key));
  BudgetGate gate(&budget);
  auto batch = batch_of({{"a", ""}, {"b", ""}, {"b", ""}, {"a", ""}});  // offsets 100, 102, 104, 106
  EXPECT_EQ(gate.follow({50, 102, 103, 106, 200}, batch, 0, 4), (Indexes{1, 3}));
  EXPECT_EQ(gate.follow({102, 106}, batch, 2, 4), (Indexes{3}));
  EXPECT_TRUE(gate.follow({}, batch, 0, 4).empty());
  gate.observe(errors_of({0, 1, 2, 3}), 0);  // of what is read again nothing counts
  EXPECT_TRUE(gate.admit(batch, 0, 4, 1).empty());
}

}  // namespace
}  // namespace weir
