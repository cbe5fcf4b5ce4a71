#include "edge/event_text.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

std::string subject_of(const std::string& text, const Headers& headers, std::string_view subject = "orders") {
  auto made = NameTemplate::parse(text, NameKind::subject);
  EXPECT_TRUE(made.ok()) << made.status().message();
  EdgeEvent event;
  event.subject = subject;
  auto name = made->name(event, headers);
  return name.ok() ? *name : name.status().message();
}

TEST(EventHeadersTest, StringsOfAnObjectInOrder) {
  EventHeaders headers;
  EXPECT_EQ(headers.parse(R"({"a":"1","b":"x\ny","c":"\u00e4"})"),
            (Headers{{"a", "1"}, {"b", "x\ny"}, {"c", "ä"}}));
  EXPECT_TRUE(headers.parse("").empty());
  EXPECT_TRUE(headers.parse("{}").empty());
  EXPECT_TRUE(headers.parse("[1,2,3]").empty());
  EXPECT_TRUE(headers.parse("{\"a\"").empty());
}

TEST(NameTemplateTest, PlaceholdersAreWhatTheEventSays) {
  const Headers headers = {{"weir-stream", "s"}, {"ce-type", "com.x.made"}, {"ce-subject", "a/b"}};
  EXPECT_EQ(subject_of("in.{stream}.{type}.{subject}", headers), "in.s.com.x.made.a_b");
  EXPECT_EQ(subject_of("{stream}", {}), "orders");
  EXPECT_EQ(subject_of("{stream}.{type}.{subject}", {}, "t"), "t.t._");
  EXPECT_EQ(subject_of("fixed", headers), "fixed");
}

TEST(NameTemplateTest, NothingBecomesAWildcardABlankOrASystemSubject) {
  auto typed = [](const char* type) { return subject_of("{type}", {{"ce-type", type}}); };
  EXPECT_EQ(typed("a.*.>"), "a._._");
  EXPECT_EQ(typed("a b\tc\r\nPUB x"), "a_b_c__PUB_x");
  EXPECT_EQ(typed("..a..b."), "-._.a._.b._");
  EXPECT_EQ(typed("$JS.API.STREAM.DELETE.X"), "-JS.API.STREAM.DELETE.X");
  EXPECT_EQ(typed("_INBOX.1"), "-INBOX.1");
  EXPECT_EQ(typed("../../etc"), "-._._._._etc");
  EXPECT_EQ(subject_of("x.{type}", {{"ce-type", "$SYS"}}), "x._SYS");
  EXPECT_NE(typed(std::string(2000, 'x').c_str()).find("too long"), std::string::npos);
}

TEST(NameTemplateTest, TopicsAreOfLettersDigitsAndThree) {
  auto made = NameTemplate::parse("{type}", NameKind::topic);
  ASSERT_TRUE(made.ok());
  auto named = [&](std::string type) {
    auto name = made->name({}, {{"ce-type", std::move(type)}});
    return name.ok() ? *name : name.status().message();
  };
  EXPECT_EQ(named("com.x/ä*"), "com.x____");
  EXPECT_EQ(named(".."), "_");
  EXPECT_EQ(named("."), "_");
  EXPECT_NE(named(std::string(250, 'x')).find("too long"), std::string::npos);
}

TEST(NameTemplateTest, WhatCanBeNoNameIsRefused) {
  for (const char* text :
       {"", "a b", "a.*", ">", "a..b", ".a", "a.", "$SYS.x", "_INBOX.x", "{typ}", "{type"}) {
    EXPECT_EQ(NameTemplate::parse(text, NameKind::subject).status().code(), Code::invalid) << text;
  }
  EXPECT_EQ(NameTemplate::parse("a b", NameKind::topic).status().code(), Code::invalid);
  EXPECT_NE(NameTemplate::parse("{typ}", NameKind::topic).status().message().find("Did you mean 'type'?"),
            std::string::npos);
}

TEST(EventIdTest, KeyFirstThenTheCloudEvent) {
  const Headers event = {{"weir-stream", "orders"}, {"ce-source", "/s"}, {"ce-id", "7"}};
  EXPECT_TRUE(event_id("nats:a", "k", 3, "p", "x", event).starts_with("nats:a k:3:"));
  EXPECT_EQ(event_id("nats:a", "k", 3, "p", "x", event), event_id("nats:a", "k", 3, "p", "x", {}));
  EXPECT_NE(event_id("nats:a", "k", 3, "p", "x", event), event_id("nats:a", "k", 3, "p", "y", event));
  EXPECT_TRUE(event_id("nats:a", "", 3, "p", "x", event).starts_with("nats:a ce:/s 7:"));
  EXPECT_EQ(event_id("nats:a", "", 3, "p", "x", event), event_id("nats:a", "", 0, "p", "x", event));
  EXPECT_EQ(event_id("nats:a", "", 3, "p", "x", {{"ce-id", "7"}}), "");
}

TEST(EventIdTest, ACloudEventInTwoPlacesIsNoRepeat) {
  const Headers orders = {{"weir-stream", "orders"}, {"ce-source", "/s"}, {"ce-id", "7"}};
  const Headers audit = {{"weir-stream", "audit"}, {"ce-source", "/s"}, {"ce-id", "7"}};
  EXPECT_NE(event_id("nats:a", "", 0, "all", "x", orders), event_id("nats:a", "", 0, "all", "x", audit));
  EXPECT_NE(event_id("nats:a", "", 0, "one", "x", orders), event_id("nats:a", "", 0, "two", "x", orders));
  EXPECT_NE(event_id("nats:a", "", 0, "one", "x", orders), event_id("nats:a", "", 0, "one", "y", orders));
}

}  // namespace
}  // namespace weir
