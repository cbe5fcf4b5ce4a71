#include "clients/nats_answer.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

using Kind = PublishAnswer::Kind;

TEST(NatsPublishAnswer, TellsWhetherALaterAttemptCanHelp) {
  EXPECT_EQ(parse_publish_answer(R"({"stream":"S","seq":7})").kind, Kind::stored);
  EXPECT_EQ(parse_publish_answer(R"({"stream":"S","seq":7})").stream, "S");
  EXPECT_EQ(parse_publish_answer(R"({"stream":"S","seq":7})").sequence, 7);
  EXPECT_EQ(parse_publish_answer(R"({"stream":"S","seq":7,"duplicate":true})").kind, Kind::duplicate);
  const PublishAnswer large = parse_publish_answer(
      R"({"error":{"code":400,"err_code":10054,"description":"message size exceeds maximum allowed"},"seq":0})");
  EXPECT_EQ(large.kind, Kind::too_large);
  EXPECT_EQ(large.message, "message size exceeds maximum allowed");
  EXPECT_EQ(parse_publish_answer(R"({"error":{"err_code":10097}})").kind, Kind::too_large);
  EXPECT_EQ(
      parse_publish_answer(R"({"error":{"err_code":10077,"description":"maximum bytes exceeded"}})").kind,
      Kind::full);
  EXPECT_EQ(parse_publish_answer(R"({"error":{"err_code":10109}})").kind, Kind::never);
  EXPECT_EQ(parse_publish_answer(R"({"error":{"err_code":10023}})").kind, Kind::full);
  EXPECT_EQ(parse_publish_answer(R"({"error":{}})").kind, Kind::not_now);
}

TEST(NatsPublishAnswer, WhatAnotherServiceSaysIsNoAcknowledgement) {
  for (const char* text :
       {"", "pong", "{", "[]", "{}", R"({"seq":1})", R"({"stream":3})", R"({"error":1})",
        R"({"error":"nope"})", R"({"ok":true})", R"({"stream":"S"})", R"({"stream":"S","seq":"1"})",
        R"({"stream":"S","seq":0})", R"({"stream":"S","seq":1.5})"}) {
    EXPECT_EQ(parse_publish_answer(text).kind, Kind::foreign) << text;
  }
}

TEST(NatsPublishAnswer, FieldsOfAnotherTypeAreNotThere) {
  const PublishAnswer odd = parse_publish_answer(R"({"error":{"err_code":"x","description":3}})");
  EXPECT_EQ(odd.kind, Kind::not_now);
  EXPECT_NE(odd.message, "");
  EXPECT_EQ(parse_publish_answer(R"({"stream":"S","seq":7,"duplicate":"yes"})").kind, Kind::stored);
}

}  // namespace
}  // namespace weir
