#include "sinks/clickhouse/clickhouse_sink.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include "sinks/clickhouse/fake_server_test.h"

namespace weir {
namespace {

constexpr const char* kApp = "weir/p/s/0";
constexpr const char* kReplay = "weir/p/s/_replay";

std::string text(int64_t number) { return "<" + std::to_string(number) + ">"; }

// Values <from> to <next - 1>, as a runtime hands them over.
std::shared_ptr<arrow::RecordBatch> rows(int64_t from, int64_t next) {
  arrow::StringBuilder values, partitions;
  arrow::Int64Builder offsets;
  for (int64_t i = from; i < next; ++i) {
    EXPECT_TRUE(values.Append(text(i)).ok() && partitions.Append("0").ok() && offsets.Append(i).ok());
  }
  auto schema = arrow::schema({arrow::field("v", arrow::utf8(), false),
                               arrow::field(kPartitionColumn, arrow::utf8(), false),
                               arrow::field(kOffsetColumn, arrow::int64(), false)});
  return arrow::RecordBatch::Make(schema, next - from,
                                  {*values.Finish(), *partitions.Finish(), *offsets.Finish()});
}

// One table, one state folder, one error lake; processes come and go.
class World {
 public:
  FakeServer server;
  FakeFiles files;
  std::map<std::pair<std::string, int64_t>, std::multiset<std::string>> refused;  // by log and sequence
  std::vector<std::string> said;
  int64_t batch = 10;

  ClickHouseSinkSettings settings() {
    ClickHouseSinkSettings settings;
    settings.pipeline = "p";
    settings.target.sink = "out";
    settings.target.schema = arrow::schema({arrow::field("v", arrow::utf8(), false)});
    settings.target.database = "default";
    settings.target.table = "out";
    settings.compression = Compression::none;
    settings.retry.max_attempts = 2;
    settings.max_attempts = 3;
    settings.clock = &clock_;
    settings.connect = [this]() -> Result<std::unique_ptr<ClickHouseConnection>> {
      return std::make_unique<ClickHouseConnection>(ClickHouseConnection::Settings{{"http://a"}, "", ""},
                                                    std::make_unique<FakeHttp>(server));
    };
    settings.open_state = [this]() -> Result<std::unique_ptr<ObjectStore>> {
      return std::unique_ptr<ObjectStore>(std::make_unique<FakeObjects>(files));
    };
    settings.store_refused = [this](const RefusedRows& found) -> Status {
      EXPECT_EQ(found.rows->num_rows(), static_cast<int64_t>(found.messages.size()));
      auto [place, first] = refused.try_emplace({found.log_id, found.sequence});
      if (!first) return {};
      const auto& values = static_cast<const arrow::StringArray&>(*found.rows->column(0));
      for (int64_t i = 0; i < values.length(); ++i) place->second.insert(values.GetString(i));
      return {};
    };
    settings.log = [this](const std::string& words) { said.push_back(words); };
    return settings;
  }

  // A process that reads from its stand to `end` and dies at the first failure.
  Status process(int64_t end) {
    ClickHouseSink sink(settings());
    auto stands = sink.open("weir/p/");
    if (!stands.ok()) return stands.status();
    int64_t at = stands->count(kApp) != 0 ? stands->at(kApp) : 0;
    while (at < end) {
      int64_t next = std::min(end, at + batch);
      WEIR_TRY(commit(sink, at, next));
      at = next;
    }
    return {};
  }

  Status commit(Sink& sink, int64_t from, int64_t next, bool authority = true) {
    WEIR_TRY(sink.append(rows(from, next)));
    auto sealed = sink.seal();
    if (!sealed.ok()) return sealed.status();
    CommitRequest request;
    request.plan_hash = 7;
    request.authority = authority;
    request.ranges = {{kApp, from, next}};
    return sink.commit(**sealed, request);
  }

  std::multiset<std::string> everything() const {
    std::multiset<std::string> all = server.stored;
    for (const auto& [_, values] : refused) all.insert(values.begin(), values.end());
    return all;
  }

  void wait_hours(int64_t hours) { clock_.set(clock_.now_us() + hours * 3'600'000'000); }

 private:
  ManualClock clock_{1'000'000};
};

std::multiset<std::string> values(int64_t end) {
  std::multiset<std::string> all;
  for (int64_t i = 0; i < end; ++i) all.insert(text(i));
  return all;
}

TEST(ClickHouseSink, CommitsAndRemembers) {
  World world;
  ASSERT_TRUE(world.process(25).ok());
  EXPECT_EQ(world.server.stored, values(25));
  ASSERT_EQ(world.server.statements.size(), 1U);
  ClickHouseSink sink(world.settings());
  auto stands = sink.open("weir/p/");
  ASSERT_TRUE(stands.ok());
  EXPECT_EQ(stands->at(kApp), 25);
  EXPECT_EQ(stands->at("weir/p/_plan"), 7);
  EXPECT_EQ(stands->at("weir/p/_authority"), 1);
  EXPECT_EQ(sink.memory(), Memory::state);
}

// Whatever single change of the state fails, done or not, the next process makes it whole.
TEST(ClickHouseSink, AnyLostWriteIsMadeGood) {
  for (bool refusing : {false, true}) {
    World whole;
    if (refusing)
      whole.server.refuses = [](const std::string& body) { return body.find("<13>") != std::string::npos; };
    ASSERT_TRUE(whole.process(30).ok());
    ASSERT_GT(whole.files.changes, 5);
    for (int at = 0; at < whole.files.changes; ++at) {
      for (bool after : {false, true}) {
        World world;
        world.server.refuses = whole.server.refuses;
        world.files.fail_in = at;
        world.files.fail_after = after;
        Status first = world.process(30);
        if (!first.ok()) {
          ASSERT_TRUE(world.process(30).ok()) << at << after;
        }
        EXPECT_EQ(world.everything(), values(30)) << at << after << refusing;
        EXPECT_EQ(world.server.stored.count("<13>"), refusing ? 0U : 1U);
      }
    }
  }
}

// Pieces that were found to be refused stay cut, although the next process would get them stored whole.
TEST(ClickHouseSink, AConstraintThatIsDroppedBetweenTwoProcessesDoublesNothing) {
  auto refuses = [](const std::string& body) { return body.find("<13>") != std::string::npos; };
  World whole;
  whole.batch = 30;
  whole.server.refuses = refuses;
  ASSERT_TRUE(whole.process(30).ok());
  int ended = 0;
  for (int at = 0; at < whole.files.changes; ++at) {
    for (bool after : {false, true}) {
      World world;
      world.batch = 30;
      world.server.refuses = refuses;
      world.files.fail_in = at;
      world.files.fail_after = after;
      if (!world.process(30).ok()) ++ended;
      world.server.refuses = [](const std::string&) { return false; };
      ASSERT_TRUE(world.process(30).ok()) << at << after;
      EXPECT_EQ(world.everything(), values(30)) << at << after;
    }
  }
  EXPECT_GT(ended, 10);
}

// The same for requests to the server: with one attempt only, so that each loss ends the process.
TEST(ClickHouseSink, AnyLostAnswerIsMadeGood) {
  for (bool refusing : {false, true}) {
    for (int at = 0;; ++at) {
      bool reached = false;
      for (bool after : {false, true}) {
        World world;
        if (refusing)
          world.server.refuses = [](const std::string& body) {
            return body.find("<13>") != std::string::npos;
          };
        world.server.fail_in = at;
        world.server.fail_after = after;
        (void)world.process(30);
        reached = reached || world.server.fail_in < 0;
        world.server.fail_in = -1;
        ASSERT_TRUE(world.process(30).ok()) << at << after;
        EXPECT_EQ(world.everything(), values(30)) << at << after << refusing;
      }
      if (!reached) break;
    }
  }
}

TEST(ClickHouseSink, AVoidEntryIsReadAgain) {
  World world;
  ASSERT_TRUE(world.process(10).ok());
  // The entry is written, then the state cannot be reached: the rows are gone with the process.
  world.server.errors = {"252: Too many parts", "252: Too many parts"};
  EXPECT_EQ(world.process(20).code(), Code::unavailable);
  world.server.refuses = [](const std::string& body) { return body.find("<13>") != std::string::npos; };
  ASSERT_TRUE(world.process(20).ok());
  EXPECT_EQ(world.everything(), values(20));
  EXPECT_EQ(world.server.stored.count("<13>"), 0U);
  EXPECT_EQ(world.files.objects.count(entry_path(2, "verdict")), 1U);
}

TEST(ClickHouseSink, RefusedRowsAreFoundOneByOne) {
  World world;
  world.batch = 1000;
  auto bad = [](const std::string& body, const char* value) { return body.find(value) != std::string::npos; };
  world.server.refuses = [&](const std::string& body) {
    return bad(body, "<0>") || bad(body, "<499>") || bad(body, "<999>");
  };
  ASSERT_TRUE(world.process(1000).ok());
  EXPECT_EQ(world.everything(), values(1000));
  ASSERT_EQ(world.refused.size(), 1U);
  EXPECT_EQ(world.refused.begin()->second, (std::multiset<std::string>{"<0>", "<499>", "<999>"}));
  EXPECT_LT(world.server.inserts.size(), 80U) << "by halves, not row by row";
}

TEST(ClickHouseSink, PassingErrorsAreTriedAgainAndSaid) {
  World world;
  world.server.errors = {"241: memory limit", "", "242: read-only", ""};
  ASSERT_TRUE(world.process(20).ok());
  EXPECT_EQ(world.server.stored, values(20));
  ASSERT_FALSE(world.said.empty());
  EXPECT_NE(world.said[0].find("trying again"), std::string::npos);
}

TEST(ClickHouseSink, WhatAPersonMustChangeEndsWithWords) {
  World world;
  world.server.errors = {"516: Authentication failed"};
  Status denied = world.process(10);
  EXPECT_EQ(denied.code(), Code::denied);
  World altered;
  altered.server.errors = {"16: No such column v in table"};
  Status changed = altered.process(10);
  EXPECT_EQ(changed.code(), Code::invalid);
  EXPECT_NE(changed.message().find("altered"), std::string::npos);
  ASSERT_TRUE(altered.process(10).ok()) << "the next start reads the rows again";
  EXPECT_EQ(altered.server.stored, values(10));
}

TEST(ClickHouseSink, OfTwoWorkersOneLosesAndNothingDoubles) {
  World world;
  ClickHouseSink one(world.settings()), other(world.settings());
  ASSERT_TRUE(one.open("weir/p/").ok());
  ASSERT_TRUE(world.commit(one, 0, 10).ok());
  ASSERT_TRUE(other.open("weir/p/").ok());
  ASSERT_TRUE(world.commit(one, 10, 20).ok());
  ASSERT_TRUE(world.commit(other, 10, 20).ok()) << "the very same range is there";
  ASSERT_TRUE(world.commit(other, 20, 30).ok());
  EXPECT_EQ(world.commit(one, 20, 35).code(), Code::lost_ownership);
  EXPECT_EQ(world.server.stored, values(30));
}

TEST(ClickHouseSink, WhoeverComesFinishesTheOtherWorkersEntry) {
  World world;
  ClickHouseSink one(world.settings()), other(world.settings());
  ASSERT_TRUE(one.open("weir/p/").ok());
  ASSERT_TRUE(other.open("weir/p/").ok());
  world.server.errors = {"252: Too many parts", "252: Too many parts"};
  ASSERT_EQ(world.commit(one, 0, 10).code(), Code::unavailable);
  CommitRequest request;
  request.ranges = {{"weir/p/s/1", 0, 5}};
  ASSERT_TRUE(other.append(rows(100, 105)).ok());
  auto sealed = other.seal();
  ASSERT_TRUE(other.commit(**sealed, request).ok());
  auto expected = values(10);
  for (int64_t i = 100; i < 105; ++i) expected.insert(text(i));
  EXPECT_EQ(world.server.stored, expected);
  ASSERT_TRUE(world.commit(one, 0, 10).ok());
  EXPECT_EQ(world.server.stored, expected);
}

TEST(ClickHouseSink, AFollowerTrimsAndTakesLaterStarts) {
  World world;
  ClickHouseSink sink(world.settings());
  ASSERT_TRUE(sink.open("weir/p/").ok());
  ASSERT_TRUE(world.commit(sink, 0, 10, false).ok());
  EXPECT_EQ(sink.open("weir/p/")->at(kApp), 10);
  ASSERT_TRUE(world.commit(sink, 5, 5, false).ok());
  ASSERT_TRUE(world.commit(sink, 10, 20, false).ok());
  EXPECT_EQ(world.server.stored, values(20));
}

TEST(ClickHouseSink, ReplayedRowsOutliveTheProcess) {
  World world;
  std::string persisted;
  {
    ClickHouseSink sink(world.settings());
    ASSERT_TRUE(sink.open("weir/p/").ok());
    ASSERT_TRUE(sink.append(rows(0, 10)).ok());
    auto sealed = sink.seal();
    auto text = sink.persist(**sealed);
    ASSERT_TRUE(text.ok());
    persisted = *text;
  }
  EXPECT_TRUE(world.server.stored.empty());
  ClickHouseSink sink(world.settings()), beside(world.settings());
  ASSERT_TRUE(sink.open("weir/p/").ok());
  ASSERT_TRUE(beside.open("weir/p/").ok());
  auto first = sink.commit_persisted(persisted, kReplay, 3, "{}");
  ASSERT_TRUE(first.ok()) << first.status().message();
  EXPECT_TRUE(*first);
  auto again = beside.commit_persisted(persisted, kReplay, 3, "{}");
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_FALSE(*again);
  EXPECT_EQ(world.server.stored, values(10));
  for (const auto& [path, _] : world.files.objects) EXPECT_FALSE(path.starts_with("sealed/")) << path;
  ASSERT_TRUE(world.commit(beside, 10, 20).ok());
  EXPECT_EQ(world.server.stored, values(20));
}

TEST(ClickHouseSink, AViewThatFailsIsNotTakenForARefusedRow) {
  World world;
  world.server.has_view = true;
  world.server.refuses = [](const std::string& body) { return body.find("<3>") != std::string::npos; };
  ClickHouseSink sink(world.settings());
  Status opened = sink.open("weir/p/").status();
  ASSERT_TRUE(opened.ok()) << opened.message();
  Status status = world.commit(sink, 0, 10);
  EXPECT_EQ(status.code(), Code::invalid);
  EXPECT_NE(status.message().find("materialized view"), std::string::npos) << status.message();
  EXPECT_TRUE(world.refused.empty());
}

// The INSERT took effect, its answer was lost, and the next start is late: the token may be forgotten.
TEST(ClickHouseSink, PastTheWindowTheTableItselfIsAsked) {
  for (bool has_column : {false, true}) {
    World world;
    world.server.engine = "ReplicatedMergeTree";
    world.server.table_exists = true;
    world.server.has_sequence = has_column;
    auto settings = world.settings();
    settings.retry.max_attempts = 1;
    {
      ClickHouseSink sink(settings);
      ASSERT_TRUE(sink.open("weir/p/").ok());
      ASSERT_TRUE(sink.append(rows(0, 10)).ok());
      auto sealed = sink.seal();
      world.server.fail_in = 0;
      world.server.fail_after = true;
      CommitRequest request;
      request.ranges = {{kApp, 0, 10}};
      ASSERT_EQ(sink.commit(**sealed, request).code(), Code::unavailable);
    }
    ASSERT_EQ(world.server.stored, values(10));
    world.server.tokens.clear();
    world.wait_hours(2);
    ClickHouseSink sink(settings);
    ASSERT_TRUE(sink.open("weir/p/").ok());
    if (has_column) {
      EXPECT_EQ(world.server.stored, values(10));
    } else {
      ASSERT_FALSE(world.said.empty());
      EXPECT_NE(world.said.back().find("at least once"), std::string::npos);
    }
  }
}

// A process stores number 2 and dies before it can say so, and the table is altered before the next start.
class Altered : public World {
 public:
  explicit Altered(bool has_sequence) {
    server.table_exists = true;
    server.has_sequence = has_sequence;
    EXPECT_TRUE(process(10).ok());
    files.fail_in = 1;  // `finished`, after the entry
    EXPECT_FALSE(process(20).ok());
    EXPECT_EQ(server.stored, values(20));
    server.altered_ago_s = 0;
  }
  static bool has(const std::string& text, const std::string& words) {
    return text.find(words) != std::string::npos;
  }
};

TEST(ClickHouseSink, WhatWasStoredBeforeTheTableWasAlteredIsNotReadAgain) {
  for (const char* code : {"16: No such column v", "469: Constraint c is violated"}) {
    for (bool has_view : {false, true}) {
      Altered world(true);
      world.server.has_view = has_view;
      world.server.errors = {code};
      Status next = world.process(20);
      if (has_view) {
        EXPECT_EQ(next.code(), Code::invalid) << "what the views made of it is not known";
        EXPECT_TRUE(Altered::has(next.message(), "materialized views")) << next.message();
        EXPECT_TRUE(Altered::has(next.message(), "start again")) << next.message();
      } else {
        EXPECT_TRUE(next.ok()) << next.message();
      }
      world.server.errors.clear();
      EXPECT_TRUE(world.process(30).ok());
      EXPECT_EQ(world.everything(), values(30)) << code << has_view;
    }
  }
}

TEST(ClickHouseSink, WhatCannotBeKnownOfAnAlteredTableStopsWithWords) {
  for (const char* code : {"16: No such column v", "469: Constraint c is violated"}) {
    Altered world(false);
    world.server.errors = {code};
    Status next = world.process(20);
    EXPECT_EQ(next.code(), Code::invalid) << code;
    EXPECT_TRUE(Altered::has(next.message(), "cannot be known")) << next.message();
    EXPECT_TRUE(Altered::has(next.message(), "at-least-once")) << next.message();
    EXPECT_TRUE(world.process(30).ok()) << "the ALTER was undone";
    EXPECT_EQ(world.everything(), values(30)) << code;
  }
}

TEST(ClickHouseSink, ABlockThatIsThereInPartIsNotReadAgain) {
  Altered world(true);
  world.server.stored_by_seq[2] = 7;
  world.server.errors = {"16: No such column v"};
  Status next = world.process(20);
  EXPECT_EQ(next.code(), Code::invalid);
  EXPECT_TRUE(Altered::has(next.message(), "7 of its 10 rows")) << next.message();
}

// Nothing of it can be there when the table is now what it was when the entry was made.
TEST(ClickHouseSink, ATableThatWasNotAlteredRefusesWhatItNeverTook) {
  World world;
  world.server.table_exists = true;
  world.server.refuses = [](const std::string& body) { return body.find("<13>") != std::string::npos; };
  ASSERT_TRUE(world.process(10).ok());
  world.files.fail_in = 1;  // the rows of the search
  ASSERT_FALSE(world.process(20).ok());
  Status next = world.process(20);
  ASSERT_TRUE(next.ok()) << next.message();
  EXPECT_EQ(world.everything(), values(20));
}

// A column goes while nothing is on its way: the process that is told so knows that nothing was stored.
TEST(ClickHouseSink, TheFirstAnswerIsBelievedWithoutTheColumn) {
  World world;
  world.server.table_exists = true;
  ASSERT_TRUE(world.process(10).ok());
  world.server.altered_ago_s = 0;
  world.server.errors = {"16: No such column v"};
  EXPECT_EQ(world.process(20).code(), Code::invalid);
  world.server.errors = {"16: No such column v"};
  EXPECT_EQ(world.process(20).code(), Code::invalid) << "read again, and refused again";
  ASSERT_TRUE(world.process(20).ok());
  EXPECT_EQ(world.everything(), values(20));
}

// Pieces that were taken are not sent again, so a window smaller than the search doubles nothing.
TEST(ClickHouseSink, ASearchThatGoesOnSendsNoAcceptedPieceAgain) {
  auto refuses = [](const std::string& body) {
    for (const char* bad : {"<3>", "<11>", "<18>", "<27>"})
      if (body.find(bad) != std::string::npos) return true;
    return false;
  };
  World whole;
  whole.batch = 32;
  whole.server.refuses = refuses;
  ASSERT_TRUE(whole.process(32).ok());
  int ended = 0;
  for (int at = 0; at < whole.files.changes; ++at) {
    for (bool after : {false, true}) {
      World world;
      world.batch = 32;
      world.server.refuses = refuses;
      world.server.remembered = 1;
      world.files.fail_in = at;
      world.files.fail_after = after;
      if (!world.process(32).ok()) ++ended;
      ASSERT_TRUE(world.process(32).ok()) << at << after;
      EXPECT_EQ(world.everything(), values(32)) << at << after;
    }
  }
  EXPECT_GT(ended, 20);
}

TEST(ClickHouseSink, ABlockOfBadRowsAloneIsNotCutToTheLast) {
  World world;
  world.batch = 20'000;
  world.server.refuses = [](const std::string&) { return true; };
  ASSERT_TRUE(world.process(20'000).ok());
  EXPECT_EQ(world.everything(), values(20'000));
  EXPECT_TRUE(world.server.stored.empty());
  EXPECT_LT(world.server.inserts.size(), 4000U);
}

TEST(ClickHouseSink, FullByRowsAndBytes) {
  World world;
  auto settings = world.settings();
  settings.max_rows = 15;
  ClickHouseSink sink(settings);
  ASSERT_TRUE(sink.open("weir/p/").ok());
  ASSERT_TRUE(sink.append(rows(0, 10)).ok());
  EXPECT_FALSE(sink.full());
  ASSERT_TRUE(sink.append(rows(10, 20)).ok());
  EXPECT_TRUE(sink.full());
  ASSERT_TRUE(sink.seal().ok());
  EXPECT_FALSE(sink.full());
  settings.max_rows = 1000;
  settings.max_bytes = 100;
  ClickHouseSink small(settings);
  ASSERT_TRUE(small.open("weir/p/").ok());
  ASSERT_TRUE(small.append(rows(0, 50)).ok());
  EXPECT_TRUE(small.full());
}

TEST(ClickHouseSink, AtLeastOnceKeepsNothing) {
  World world;
  world.server.knows_tokens = false;
  world.server.refuses = [](const std::string& body) { return body.find("<13>") != std::string::npos; };
  auto settings = world.settings();
  EXPECT_EQ(ClickHouseSink(settings).open("weir/p/").status().code(), Code::invalid);
  settings.target.exactly_once = false;
  settings.open_state = nullptr;
  ClickHousePlainSink sink(settings);
  ASSERT_TRUE(sink.open("weir/p/").ok());
  ASSERT_TRUE(world.commit(sink, 0, 10).ok());
  ASSERT_TRUE(world.commit(sink, 10, 20).ok());
  EXPECT_EQ(world.everything(), values(20));
  EXPECT_EQ(world.refused.size(), 1U);
  EXPECT_EQ(sink.memory(), Memory::none);
  EXPECT_EQ(sink.transactional(), nullptr);
}

}  // namespace
}  // namespace weir
