#include "sinks/clickhouse/log_entry.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

LogEntry entry() {
  LogEntry entry;
  entry.id = "abc";
  entry.incarnation = "ff00aa0123";
  entry.seq = 42;
  entry.created_us = 7;
  entry.plan_hash = -5;
  entry.ranges = {{"weir/p/s/0", 10, 20}};
  entry.before = {{"weir/p/s/0", 10}, {"weir/p/s/1", 3}};
  entry.stands = {{"weir/p/s/0", 20}, {"weir/p/s/1", 3}};
  EntryPart part;
  part.database = "default";
  part.table = "t`\n\"";
  part.columns = {{"a", "Array(String)"}, {"_weir_seq", "UInt64"}};
  part.encoding = "lz4";
  part.rows = 3;
  part.has_sequence = true;
  part.block = entry.store(std::string("line\nbreak\0zero", 15));
  entry.parts.push_back(part);
  entry.refused = entry.store("ipc");
  entry.refused_messages = {"bad \xff bytes"};
  return entry;
}

TEST(LogEntry, SurvivesAsText) {
  LogEntry written = entry();
  auto read = LogEntry::parse(written.to_text());
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->id, "abc");
  EXPECT_EQ(read->incarnation, written.incarnation);
  EXPECT_EQ(read->seq, 42);
  EXPECT_EQ(read->plan_hash, -5);
  ASSERT_EQ(read->ranges.size(), 1U);
  EXPECT_EQ(read->ranges[0].next, 20);
  EXPECT_EQ(read->before, written.before);
  EXPECT_EQ(read->stands, written.stands);
  ASSERT_EQ(read->parts.size(), 1U);
  EXPECT_EQ(read->parts[0].table, written.parts[0].table);
  EXPECT_EQ(read->parts[0].columns, written.parts[0].columns);
  EXPECT_TRUE(read->parts[0].has_sequence);
  EXPECT_EQ(read->view(read->parts[0].block), std::string_view("line\nbreak\0zero", 15));
  EXPECT_EQ(read->view(read->refused), "ipc");
  EXPECT_EQ(read->refused_messages.size(), 1U);
  EXPECT_EQ(read->to_text().substr(0, 10), written.to_text().substr(0, 10));
}

TEST(LogEntry, EveryDamageIsNoticed) {
  const std::string text = entry().to_text();
  for (size_t cut = 0; cut < text.size(); cut += 3)
    EXPECT_FALSE(LogEntry::parse(text.substr(0, cut)).ok()) << cut;
  size_t body = text.find('\n') + 1;
  for (size_t at = body; at < text.size(); ++at) {
    std::string damaged = text;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    EXPECT_FALSE(LogEntry::parse(damaged).ok()) << at;
  }
}

TEST(LogEntry, ANewerFormatIsRefusedWithWords) {
  std::string text = entry().to_text();
  text.replace(text.find("\"version\":1"), 11, "\"version\":9");
  auto read = LogEntry::parse(text);
  EXPECT_EQ(read.status().code(), Code::invalid);
  EXPECT_NE(read.status().message().find("version 9"), std::string::npos);
}

TEST(LogEntry, TokensTellPartsAndPiecesApart) {
  LogEntry one = entry();
  EXPECT_EQ(deduplication_token(one, "out", 0, ""), "ff00aa0123/out/42");
  EXPECT_EQ(deduplication_token(one, "out", 0, "01"), "ff00aa0123/out/42/01");
  one.parts.push_back(one.parts[0]);
  EXPECT_EQ(deduplication_token(one, "out", 1, ""), "ff00aa0123/out/42/p1");
  EXPECT_EQ(deduplication_token(one, "out", 1, "0"), "ff00aa0123/out/42/p1/0");
}

TEST(LogEntry, SequenceValuesAreNeverNegative) {
  EXPECT_EQ(sequence_value("000001ff", 5), (int64_t{1} << 40) + 5);
  EXPECT_GT(sequence_value("ffffffff", 1), 0);
  EXPECT_NE(sequence_value("0000010", 5), sequence_value("0000020", 5));
}

}  // namespace
}  // namespace weir
