#include "sinks/clickhouse/sink_log.h"

#include <gtest/gtest.h>

#include "sinks/clickhouse/fake_server_test.h"

namespace weir {
namespace {

std::unique_ptr<SinkLog> open(FakeFiles& files) {
  auto log = SinkLog::open(std::make_unique<FakeObjects>(files));
  EXPECT_TRUE(log.ok()) << log.status().message();
  EXPECT_TRUE((*log)->load().ok());
  return *std::move(log);
}

std::unique_ptr<LogEntry> next(SinkLog& log, int64_t stand) {
  auto entry = std::make_unique<LogEntry>();
  entry->incarnation = log.incarnation();
  entry->seq = log.next_seq();
  entry->before = log.stands();
  entry->stands = {{"a", stand}};
  EntryPart part;
  part.rows = 1;
  part.block = entry->store("block");
  entry->parts.push_back(part);
  return entry;
}

void commit(SinkLog& log, int64_t stand) {
  ASSERT_TRUE(log.append(next(log, stand)).ok());
  ASSERT_NE(log.open_entry(), nullptr);
  ASSERT_TRUE(log.finish(*log.open_entry()).ok());
}

TEST(SinkLog, OneIncarnationForAllWhoOpenIt) {
  FakeFiles files;
  auto one = open(files), other = open(files);
  EXPECT_TRUE(one->is_new());
  EXPECT_FALSE(other->is_new());
  EXPECT_EQ(one->incarnation(), other->incarnation());
  FakeFiles lost;
  EXPECT_NE(open(lost)->incarnation(), one->incarnation());
}

TEST(SinkLog, TheNewestEntryHoldsThePositions) {
  FakeFiles files;
  auto log = open(files);
  for (int64_t stand = 1; stand <= 20; ++stand) commit(*log, stand);
  auto later = open(files);
  EXPECT_EQ(later->stands().at("a"), 20);
  EXPECT_EQ(later->open_entry(), nullptr);
  EXPECT_EQ(later->next_seq(), 21);
  EXPECT_LT(files.objects.size(), 10U) << "old entries are removed";
}

TEST(SinkLog, AnUnfinishedEntryIsOpenForWhoeverComes) {
  FakeFiles files;
  auto log = open(files);
  commit(*log, 1);
  ASSERT_TRUE(log->append(next(*log, 2)).ok());
  auto later = open(files);
  ASSERT_NE(later->open_entry(), nullptr);
  EXPECT_EQ(later->open_entry()->seq, 2);
  EXPECT_EQ(later->stands().at("a"), 2);
  ASSERT_TRUE(later->finish(*later->open_entry()).ok());
  EXPECT_EQ(open(files)->open_entry(), nullptr);
}

TEST(SinkLog, TheSecondOfTwoWritersLoses) {
  FakeFiles files;
  auto one = open(files), other = open(files);
  commit(*one, 1);
  EXPECT_EQ(other->append(next(*other, 7)).code(), Code::conflict);
  EXPECT_FALSE(other->loaded());
  ASSERT_TRUE(other->load().ok());
  EXPECT_EQ(other->stands().at("a"), 1);
  commit(*other, 7);
}

TEST(SinkLog, AWriterThatSleptThroughPruningTakesItsEntryBack) {
  FakeFiles files;
  auto sleeper = open(files), log = open(files);
  for (int64_t stand = 1; stand <= 20; ++stand) commit(*log, stand);
  ASSERT_EQ(files.objects.count(entry_path(1, "entry")), 0U);
  EXPECT_EQ(sleeper->append(next(*sleeper, 99)).code(), Code::conflict);
  EXPECT_EQ(files.objects.count(entry_path(1, "entry")), 0U);
  EXPECT_EQ(open(files)->stands().at("a"), 20);
}

TEST(SinkLog, ALostAnswerShowsAsTheNewestEntry) {
  for (bool after : {false, true}) {
    FakeFiles files;
    auto log = open(files);
    commit(*log, 1);
    files.fail_in = 0;
    files.fail_after = after;
    EXPECT_EQ(log->append(next(*log, 2)).code(), Code::unavailable);
    EXPECT_FALSE(log->loaded());
    ASSERT_TRUE(log->load().ok());
    EXPECT_EQ(log->stands().at("a"), after ? 2 : 1);
  }
}

TEST(SinkLog, AVoidEntryMovesNothing) {
  FakeFiles files;
  auto log = open(files);
  commit(*log, 1);
  ASSERT_TRUE(log->append(next(*log, 2)).ok());
  auto decided = log->decide(2, Verdict::voided);
  ASSERT_TRUE(decided.ok());
  EXPECT_EQ(*decided, Verdict::voided);
  log->resolve_void();
  EXPECT_EQ(log->stands().at("a"), 1);
  auto later = open(files);
  EXPECT_EQ(later->open_entry(), nullptr);
  EXPECT_EQ(later->stands().at("a"), 1);
  commit(*later, 2);
  EXPECT_EQ(open(files)->stands().at("a"), 2);
}

TEST(SinkLog, TheFirstVerdictCounts) {
  FakeFiles files;
  auto log = open(files);
  ASSERT_TRUE(log->append(next(*log, 2)).ok());
  EXPECT_EQ(*log->verdict(1), Verdict::none);
  EXPECT_EQ(*log->decide(1, Verdict::split), Verdict::split);
  EXPECT_EQ(*log->decide(1, Verdict::voided), Verdict::split);
  EXPECT_NE(open(files)->open_entry(), nullptr) << "a split entry is still to be carried out";
}

TEST(SinkLog, StepsComeBackInOrder) {
  FakeFiles files;
  auto log = open(files);
  ASSERT_TRUE(log->append(next(*log, 2)).ok());
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(log->add_step(1, std::to_string(i)).ok());
  auto later = open(files);
  ASSERT_TRUE(later->add_step(1, "12").ok()) << "goes on behind what is there";
  auto steps = later->steps(1);
  ASSERT_TRUE(steps.ok());
  ASSERT_EQ(steps->size(), 13U);
  for (size_t i = 0; i < steps->size(); ++i) EXPECT_EQ((*steps)[i], std::to_string(i));
}

TEST(SinkLog, AnEntryWithoutRowsIsDoneWhenItIsWritten) {
  FakeFiles files;
  auto log = open(files);
  auto entry = next(*log, 5);
  entry->parts.clear();
  ASSERT_TRUE(log->append(std::move(entry)).ok());
  EXPECT_EQ(log->open_entry(), nullptr);
  EXPECT_EQ(open(files)->open_entry(), nullptr);
  EXPECT_EQ(open(files)->stands().at("a"), 5);
}

TEST(SinkLog, DamageIsTold) {
  FakeFiles files;
  files.objects["log.json"] = "nonsense";
  EXPECT_FALSE(SinkLog::open(std::make_unique<FakeObjects>(files)).ok());
  files.objects["log.json"] = R"({"version":2,"incarnation":"x"})";
  EXPECT_EQ(SinkLog::open(std::make_unique<FakeObjects>(files)).status().code(), Code::invalid);
}

}  // namespace
}  // namespace weir
