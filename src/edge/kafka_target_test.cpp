#include "edge/kafka_target.h"

#include <gtest/gtest.h>

#include <future>

namespace weir {
namespace {

EdgeTargetSpec spec(std::map<std::string, std::string> given) {
  EdgeTargetSpec result;
  result.name = "o";
  result.connector = "kafka";
  std::map<std::string, OptionValue> values;
  // A cluster inside the library; its address is not used.
  values["properties.bootstrap.servers"].text = "127.0.0.1:1";
  values["properties.test.mock.num.brokers"].text = "1";
  for (const auto& [name, value] : given) values[name].text = value;
  Diagnostics diagnostics;
  result.options = validate_options("target 'o'", kafka_target_option_specs(), values, {}, diagnostics);
  EXPECT_TRUE(diagnostics.status().ok()) << diagnostics.status().message();
  return result;
}

EdgeEvent event(std::string_view payload) {
  EdgeEvent made;
  made.payload = payload;
  made.subject = "o";
  return made;
}

Result<std::vector<EdgePosition>> publish(EventTarget& target, std::vector<EdgeEvent> events) {
  std::promise<Result<std::vector<EdgePosition>>> answered;
  target.publish(std::move(events), {}, [&](auto answer) { answered.set_value(std::move(answer)); });
  return answered.get_future().get();
}

TEST(KafkaTargetTest, AnswersWithThePositions) {
  auto target = open_kafka_target(spec({{"topic", "t.{type}"}}), "kafka:o", Clock::real());
  ASSERT_TRUE(target.ok()) << target.status().message();
  EXPECT_EQ((*target)->name(), "kafka:o");
  EXPECT_TRUE((*target)->reserve(1000).ok());
  EXPECT_EQ((*target)->reserve(1LL << 40).code(), Code::exhausted);
  std::vector<EdgeEvent> events;
  const std::string headers = R"({"ce-type":"made","x":"y"})";
  for (const char* payload : {"a", "b", ""}) {
    events.push_back(event(payload));
    events.back().key = "k";
    events.back().headers = headers;
  }
  auto first = publish(**target, events);
  ASSERT_TRUE(first.ok()) << first.status().message();
  ASSERT_EQ(first->size(), 1U);
  EXPECT_EQ(first->front().count, 3);
  auto second = publish(**target, events);
  ASSERT_TRUE(second.ok()) << second.status().message();
  EXPECT_EQ(second->front().first, first->front().first + 3);
  EXPECT_EQ(second->front().partition, first->front().partition);
}

TEST(KafkaTargetTest, AnEventThatIsTooLargeIsInvalidAndOneWithoutABrokerUnavailable) {
  auto target = open_kafka_target(spec({{"properties.message.max.bytes", "1000"}}), "kafka:o", Clock::real());
  ASSERT_TRUE(target.ok()) << target.status().message();
  const std::string large(2000, 'x');
  EXPECT_EQ(publish(**target, {event(large)}).status().code(), Code::invalid);
  EXPECT_TRUE(publish(**target, {event("x")}).ok());

  EdgeTargetSpec nobody;
  std::map<std::string, OptionValue> values;
  values["properties.bootstrap.servers"].text = "127.0.0.1:1";
  values["timeout"].text = "300 ms";
  Diagnostics diagnostics;
  nobody.options = validate_options("target 'o'", kafka_target_option_specs(), values, {}, diagnostics);
  auto away = open_kafka_target(nobody, "kafka:o", Clock::real());
  ASSERT_TRUE(away.ok()) << away.status().message();
  EXPECT_EQ(publish(**away, {event("x")}).status().code(), Code::unavailable);
}

TEST(KafkaTargetTest, WhatIsInFlightIsAnsweredAtTheEnd) {
  EdgeTargetSpec nobody;
  std::map<std::string, OptionValue> values;
  values["properties.bootstrap.servers"].text = "127.0.0.1:1";
  Diagnostics diagnostics;
  nobody.options = validate_options("target 'o'", kafka_target_option_specs(), values, {}, diagnostics);
  auto target = open_kafka_target(nobody, "kafka:o", Clock::real());
  ASSERT_TRUE(target.ok()) << target.status().message();
  std::promise<Status> answered;
  (*target)->publish({event("x")}, {}, [&](const auto& answer) { answered.set_value(answer.status()); });
  target->reset();
  EXPECT_EQ(answered.get_future().get().code(), Code::unavailable);
}

TEST(KafkaTargetTest, NamesThatCanBeNoTopicAreRefused) {
  EXPECT_EQ(open_kafka_target(spec({{"topic", "a b"}}), "kafka:o", Clock::real()).status().code(),
            Code::invalid);
  EXPECT_EQ(
      open_kafka_target(spec({{"properties.acks", "nonsense"}}), "kafka:o", Clock::real()).status().code(),
      Code::invalid);
}

}  // namespace
}  // namespace weir
