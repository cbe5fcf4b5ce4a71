#include "cli/metrics.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

PausedInputs producers(int shown, int64_t count) {
  PausedInputs inputs;
  for (int i = 0; i < shown; ++i) {
    PausedInput input;
    input.source = "orders";
    input.producer = "p" + std::to_string(i);
    input.until_ns = 60'000'000'000;
    inputs.first.push_back(input);
  }
  inputs.count = count;
  return inputs;
}

TEST(PausedText, NamesTheFirstAndCountsTheRest) {
  PipelineStats stats;
  EXPECT_EQ(paused_text(stats, 0), "");
  stats.set_paused("orders", producers(1, 1));
  EXPECT_EQ(paused_text(stats, 0), " paused=orders(producer=p0, 60 s)");
  EXPECT_EQ(paused_text(stats, 59'500'000'000), " paused=orders(producer=p0, 1 s)");
  stats.set_paused("orders", producers(10, 500));
  EXPECT_EQ(paused_text(stats, 0),
            " paused=orders(producer=p0, 60 s),orders(producer=p1, 60 s),orders(producer=p2, 60 s)+497");
  stats.set_paused("orders", {});
  EXPECT_EQ(paused_text(stats, 0), "");
}

TEST(PausedText, AWholeSourceAndAStrangeName) {
  PipelineStats stats;
  PausedInputs inputs = producers(1, 1);
  inputs.first[0].whole_source = true;
  stats.set_paused("a", inputs);
  inputs.first[0].whole_source = false;
  inputs.first[0].producer = "x\r\n\033[2J";
  stats.set_paused("b", inputs);
  EXPECT_EQ(paused_text(stats, 0), " paused=a(60 s),b(producer=x???[2J, 60 s)");
}

struct Fixture {
  PipelinePlan plan;
  PipelineStats stats;
  MetricsText text;

  Fixture() {
    plan.spec.name = "a\"b";
    auto source = std::make_unique<SourcePlan>();
    source->table.name = "orders";
    source->error_budget.share = 0.5;
    plan.sources.push_back(std::move(source));
    plan.sources.push_back(std::make_unique<SourcePlan>());  // without a budget
  }
  std::string render() { return text.render({{&plan, &stats, true}}); }
};

bool has(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(Metrics, EveryNumberUnderItsName) {
  Fixture f;
  f.stats.events = 7;
  f.stats.set_aside = 3;
  f.stats.set_paused("orders", producers(1, 4));
  std::string text = f.render();
  EXPECT_TRUE(has(text, "# TYPE weir_events_total counter")) << text;
  EXPECT_TRUE(has(text, "weir_events_total{pipeline=\"a\\\"b\"} 7")) << text;
  EXPECT_TRUE(has(text, "weir_set_aside_total{pipeline=\"a\\\"b\"} 3")) << text;
  EXPECT_TRUE(has(text, "weir_paused{pipeline=\"a\\\"b\",source=\"orders\"} 4")) << text;
  EXPECT_TRUE(has(text, "weir_running{pipeline=\"a\\\"b\"} 1")) << text;
  EXPECT_EQ(text.find("source=\"\""), std::string::npos) << text;
  EXPECT_EQ(text.find("weir_lag{"), std::string::npos) << "unknown: not told\n" << text;
  f.stats.lag = 0;
  f.stats.set_paused("orders", {});
  text = f.render();
  EXPECT_TRUE(has(text, "weir_lag{pipeline=\"a\\\"b\"} 0")) << text;
  EXPECT_TRUE(has(text, "weir_paused{pipeline=\"a\\\"b\",source=\"orders\"} 0")) << text;
}

TEST(Metrics, CountersNeverFall) {
  Fixture f;
  f.stats.events = 100;
  f.render();
  f.stats.events = 60;  // what was not committed is read again
  EXPECT_TRUE(has(f.render(), "weir_events_total{pipeline=\"a\\\"b\"} 100"));
  f.stats.events = 130;
  EXPECT_TRUE(has(f.render(), "weir_events_total{pipeline=\"a\\\"b\"} 130"));
}

}  // namespace
}  // namespace weir
