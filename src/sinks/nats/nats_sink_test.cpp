#include <arrow/type.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "sinks/nats/message_id.h"
#include "sinks/nats/nats_connector.h"
#include "sinks/nats/subject.h"

namespace weir {
namespace {

using Written = std::map<std::string, std::string>;

std::string refused(const Written& written) {
  std::map<std::string, OptionValue> values;
  values["url"].text = "nats://localhost:4222";
  values["stream"].text = "S";
  for (const auto& [name, text] : written) values[name].text = text;
  Diagnostics diagnostics;
  SinkContext context;
  context.options =
      validate_options("connector 'nats'", nats_sink_connector().options, values, {}, diagnostics);
  EXPECT_TRUE(diagnostics.status().ok()) << diagnostics.status().message();
  context.schema = arrow::schema({arrow::field("id", arrow::int64()), arrow::field("name", arrow::utf8()),
                                  arrow::field("tags", arrow::map(arrow::utf8(), arrow::utf8()))});
  return nats_sink_connector().check(context).message();
}

TEST(NatsSubject, OnlyWhatCanBePublishedOn) {
  for (const char* good : {"a", "orders.eu.1", "a-b_c.d$", "größe.ä", "a*b.c>"}) {
    EXPECT_TRUE(check_subject(good).ok()) << good;
  }
  for (const char* bad :
       {"", ".", "a.", ".a", "a..b", "a.*", ">", "a.>", "a b", "a\tb", "a\r\nPUB x 1", "a\x7F"}) {
    EXPECT_EQ(check_subject(bad).code(), Code::invalid) << bad;
  }
}

TEST(NatsSubject, FiltersTakeTokensAsTheServerDoes) {
  EXPECT_TRUE(takes_subject("a.b", "a.b"));
  EXPECT_TRUE(takes_subject("a.*", "a.b"));
  EXPECT_TRUE(takes_subject("a.*.c", "a.b.c"));
  EXPECT_TRUE(takes_subject("a.>", "a.b.c"));
  EXPECT_TRUE(takes_subject(">", "a"));
  EXPECT_FALSE(takes_subject("a.>", "a"));
  EXPECT_FALSE(takes_subject("a.*", "a"));
  EXPECT_FALSE(takes_subject("a.*", "a.b.c"));
  EXPECT_FALSE(takes_subject("a", "ab"));
  EXPECT_FALSE(takes_subject("a.b", "a"));
  EXPECT_FALSE(takes_subject("a", "a.b"));
}

// The ids of events 1, 1, 2 (the first gave two rows), in two INSERTs.
std::vector<std::string> ids_of(const std::string& table, const std::string& partition, uint64_t content) {
  MessageIds ids("p", table);
  std::vector<std::string> all;
  for (int insert = 0; insert < 2; ++insert) {
    ids.begin(partition);
    for (const int64_t offset : {1, 1, 2}) all.push_back(ids.next(offset, content));
  }
  return all;
}

TEST(NatsMessageIds, AreTheSameWhenReadAgainAndDifferentForAnythingElse) {
  const std::vector<std::string> first = ids_of("t", "S@1/>", 5);
  EXPECT_EQ(first, ids_of("t", "S@1/>", 5));
  std::set<std::string> distinct(first.begin(), first.end());
  for (const auto& others : {ids_of("u", "S@1/>", 5), ids_of("t", "S@2/>", 5), ids_of("t", "S@1/>", 6)}) {
    distinct.insert(others.begin(), others.end());
  }
  EXPECT_EQ(distinct.size(), 24u);
}

TEST(NatsMessageIds, DoNotDependOnWhereARunBegan) {
  MessageIds all("p", "t");
  MessageIds later("p", "t");
  all.begin("x");
  later.begin("x");
  std::string last;
  for (int64_t offset = 0; offset < 100'000; ++offset) last = all.next(offset, 1);
  EXPECT_EQ(last, later.next(99'999, 1));
}

TEST(NatsMessageIds, TheHashSeesEveryByteAndWhereThePartsEnd) {
  std::set<uint64_t> hashes;
  const std::string text = "abcdefghijklmnop";
  for (size_t size = 0; size <= text.size(); ++size) hashes.insert(content_hash(text.substr(0, size), 0));
  for (size_t at = 0; at < text.size(); ++at) {
    std::string changed = text;
    changed[at] = 'z';
    hashes.insert(content_hash(changed, 0));
  }
  hashes.insert(content_hash("b", content_hash("a", 0)));
  hashes.insert(content_hash("", content_hash("ab", 0)));
  hashes.insert(content_hash(std::string(1, '\0'), 0));
  EXPECT_EQ(hashes.size(), 17u + 16u + 3u);
}

TEST(NatsSinkConnector, WhatCannotBeMeantIsRefused) {
  EXPECT_EQ(refused({{"subject", "a.b"}}), "");
  EXPECT_EQ(refused({{"subject.from-column", "name"}, {"headers.column", "tags"}}), "");
  EXPECT_NE(refused({}).find("exactly one of 'subject'"), std::string::npos);
  EXPECT_NE(refused({{"subject", "a"}, {"subject.from-column", "name"}}).find("exactly one"),
            std::string::npos);
  EXPECT_NE(refused({{"subject", "a.>"}}).find("wildcard"), std::string::npos);
  EXPECT_NE(refused({{"subject.from-column", "nam"}}).find("'name'"), std::string::npos);
  EXPECT_NE(refused({{"subject.from-column", "id"}}).find("'subject.from-column'"), std::string::npos);
  EXPECT_NE(refused({{"subject", "a"}, {"headers.column", "name"}}).find("MAP<STRING"), std::string::npos);
  EXPECT_NE(refused({{"subject", "a"}, {"value.format", "raw"}}).find("exactly one column"),
            std::string::npos);
  EXPECT_NE(refused({{"subject", "a"}, {"publish.max-in-flight", "0"}}).find("between 1"), std::string::npos);
  EXPECT_NE(refused({{"subject", "a"}, {"publish.ack-timeout", "1 ms"}}).find("100 ms"), std::string::npos);
}

TEST(NatsSinkConnector, SaysThatItIsAtLeastOnce) {
  const SinkConnector connector = nats_sink_connector();
  Options with(connector.options, {});
  Options without(connector.options, {{"deduplicate", {"false", {}, {}}}});
  EXPECT_EQ(connector.guarantee(with).rfind("at least once", 0), 0u);
  EXPECT_EQ(connector.guarantee(without).rfind("at least once", 0), 0u);
  EXPECT_NE(connector.guarantee(with), connector.guarantee(without));
}

}  // namespace
}  // namespace weir
