#include "sources/log/log_source.h"

#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "base/objects.h"
#include "log/log_writer.h"
#include "sources/test_support.h"

namespace weir {
namespace {

using Texts = std::vector<std::string>;
using Values = std::map<std::string, std::string>;
using std::chrono::milliseconds;

constexpr int64_t kTimeUs = 1'763'000'000'000'000;

struct LogSourceFixture {
  TemporaryFolder folder;
  ManualClock clock{kTimeUs};
  LogWriterSettings settings;
  std::unique_ptr<LogWriter> writer;
  TableSpec table;
  std::unique_ptr<Source> source;
  const Clock* reading_clock = &Clock::real();
  std::vector<std::string> lines;  // for the operator

  LogSourceFixture() {
    settings.folder = folder.path("log");
    settings.stream = "orders";
    settings.segment_bytes = 4096;
    table.name = "orders";
    open_writer();
  }

  void open_writer() {
    writer.reset();
    auto opened = LogWriter::open(settings, clock);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    writer = *std::move(opened);
  }

  void append(const Texts& payloads, int partition = 0) {
    LogPart part{partition, {}};
    for (const std::string& payload : payloads) {
      part.records.push_back({payload, std::nullopt, "{\"h\":\"1\"}", "orders", clock.now_us()});
    }
    std::promise<Status> promise;
    writer->append({part}, {}, [&](const auto& result) { promise.set_value(result.status()); });
    const Status status = promise.get_future().get();
    ASSERT_TRUE(status.ok()) << status.message();
  }

  void make_source(Values values = {}, bool once = false) {
    values.emplace("stream", "orders");
    values.emplace("path", settings.folder);
    SourceContext context = context_for("http", values, table, once);
    context.clock = reading_clock;
    context.log = [this](const std::string& line) { lines.push_back(line); };
    auto made = connector("http").create(std::move(context));
    ASSERT_TRUE(made.ok()) << made.status().message();
    source = *std::move(made);
  }

  // Opens partition `number` of a fresh source.
  Result<std::unique_ptr<PartitionReader>> open(std::optional<int64_t> stored = {}, Values values = {},
                                                bool once = false, size_t number = 0) {
    make_source(std::move(values), once);
    WEIR_ASSIGN(const Texts ids, source->discover({}));
    return source->open(ids.at(number), stored);
  }

  // Everything that a bounded read gives from `stored` on.
  Texts read_once(std::optional<int64_t> stored = {}, Values values = {}) {
    auto reader = open(stored, std::move(values), true);
    EXPECT_TRUE(reader.ok()) << reader.status().message();
    std::vector<SeenEvent> seen;
    int64_t next = 0;
    const Status status = read_all(**reader, seen, next);
    EXPECT_TRUE(status.ok()) << status.message();
    return payloads(seen);
  }

  // As many segments as there are payloads of this size.
  void fill(int count) {
    for (int i = 0; i < count; ++i) append({std::to_string(i) + std::string(3000, 'x')});
  }
  int64_t retain_bytes(int64_t bytes) {
    settings.retention.max_bytes = bytes;
    open_writer();
    EXPECT_TRUE(writer->retain().ok());
    return writer->extents()[0].first;
  }
};

void expect_status(const Status& status, Code code, const std::string& words, int line) {
  EXPECT_EQ(status.code(), code) << "line " << line << ": " << status.message();
  EXPECT_NE(status.message().find(words), std::string::npos) << "line " << line << ": " << status.message();
}
#define EXPECT_STATUS(status, code, words) expect_status(status, code, words, __LINE__)

TEST(LogSource, ReadsWhatIsThereAndEnds) {
  LogSourceFixture log;
  log.append({"a", "b"});
  log.append({"c"});
  auto reader = log.open({}, {}, true);
  ASSERT_TRUE(reader.ok()) << reader.status().message();
  log.append({"after the start"});
  EXPECT_EQ((*reader)->lag(), 3);
  std::vector<SeenEvent> seen;
  int64_t next = 0;
  ASSERT_TRUE(read_all(**reader, seen, next).ok());
  EXPECT_EQ(payloads(seen), (Texts{"a", "b", "c"}));
  EXPECT_EQ(next, 3);
  EXPECT_EQ((*reader)->lag(), 0);
  EXPECT_EQ(seen[1].offset, 1);
  EXPECT_EQ(seen[1].subject, "orders");
  EXPECT_EQ(seen[1].headers, "{\"h\":\"1\"}");
  EXPECT_EQ(seen[1].timestamp_us, kTimeUs);
  EXPECT_EQ(log.read_once(1), (Texts{"b", "c", "after the start"}));
  EXPECT_EQ(log.read_once(4), Texts());
  EXPECT_FALSE(std::filesystem::exists(log.settings.folder + "/orders/readers"));  // it has committed nothing
}

TEST(LogSource, FollowsTheWriter) {
  LogSourceFixture log;
  auto reader = log.open();
  ASSERT_TRUE(reader.ok());
  std::thread writing([&] {
    for (int i = 0; i < 50; ++i) log.append({std::to_string(i)});
  });
  std::vector<SeenEvent> seen;
  int64_t next = 0;
  EXPECT_TRUE(read_all(**reader, seen, next, 50).ok());
  writing.join();
  ASSERT_EQ(seen.size(), 50U);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(seen[static_cast<size_t>(i)].payload, std::to_string(i));
  const auto none = (*reader)->poll(milliseconds(1));
  ASSERT_TRUE(none.ok());
  EXPECT_EQ(none->from, 50);
  EXPECT_EQ(none->next, 50);
  log.open_writer();  // the same stream, a new process
  log.append({"again"});
  EXPECT_TRUE(read_all(**reader, seen, next, 51).ok());
  EXPECT_EQ(seen.back().payload, "again");
}

TEST(LogSource, StartupModes) {
  LogSourceFixture log;
  log.append({"a", "b"});
  log.clock.set(kTimeUs + 5'000'000);
  log.append({"c"});
  EXPECT_EQ(log.read_once({}, {{"scan.startup.mode", "latest-offset"}}), Texts());
  const Values at{{"scan.startup.mode", "timestamp"},
                  {"scan.startup.timestamp-millis", std::to_string(kTimeUs / 1000 + 1)}};
  EXPECT_EQ(log.read_once({}, at), Texts{"c"});
  EXPECT_EQ(log.read_once(0, at), (Texts{"a", "b", "c"}));
  auto latest = log.open({}, {{"scan.startup.mode", "latest-offset"}});
  ASSERT_TRUE(latest.ok());
  const auto first = (*latest)->poll(milliseconds(0));
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->from, 2);  // the start is a position, so that a restart does not skip what comes now
  EXPECT_EQ(first->next, 3);
  EXPECT_TRUE(first->events.empty());
  std::map<std::string, OptionValue> none;
  auto made = connector("http").create(
      context_for("http", {{"stream", "orders"}, {"scan.startup.mode", "timestamp"}}, log.table));
  EXPECT_STATUS(made.status(), Code::invalid, "scan.startup.timestamp-millis");
  made = connector("http").create(context_for("http", {{"stream", "../orders"}}, log.table));
  EXPECT_STATUS(made.status(), Code::invalid, "no name of a stream");
}

TEST(LogSource, AddedPartitionsAreFoundAndReadFromTheirBeginning) {
  LogSourceFixture log;
  log.append({"old"});
  log.make_source({{"scan.startup.mode", "latest-offset"}});
  const auto before = log.source->discover({});
  ASSERT_TRUE(before.ok());
  ASSERT_EQ(before->size(), 1U);
  EXPECT_TRUE(log.source->may_grow());
  log.settings.partitions = 2;
  log.open_writer();
  log.append({"in the new one"}, 1);
  const auto after = log.source->discover(*before);
  ASSERT_TRUE(after.ok());
  ASSERT_EQ(after->size(), 2U);
  EXPECT_EQ(after->front(), before->front());
  EXPECT_EQ(after->front(), "orders@" + log.writer->info().id + "/0");
  auto reader = log.source->open(after->back(), {});
  ASSERT_TRUE(reader.ok());
  std::vector<SeenEvent> seen;
  int64_t next = 0;
  ASSERT_TRUE(read_all(**reader, seen, next, 1).ok());
  EXPECT_EQ(payloads(seen), Texts{"in the new one"});
}

TEST(LogSource, APositionOfAnotherStreamIsRefused) {
  LogSourceFixture log;
  log.make_source();
  const std::string id = log.source->discover({})->front();
  EXPECT_TRUE(log.source->discover({id}).ok());
  EXPECT_STATUS(log.source->discover({"others@1/0"}).status(), Code::invalid, "not of stream 'orders'");
  EXPECT_STATUS(log.source->discover({id.substr(0, id.size() - 1) + "7"}).status(), Code::invalid,
                "only 1 partitions");
  log.writer.reset();
  std::filesystem::remove_all(log.settings.folder + "/orders");
  EXPECT_STATUS(log.source->discover({id}).status(), Code::not_found, "[[stream]]");
  log.clock.set(kTimeUs + 1'000'000);
  log.open_writer();
  EXPECT_STATUS(log.source->discover({}).status(), Code::invalid, "created anew");  // while it runs
  log.make_source();
  EXPECT_STATUS(log.source->discover({id}).status(), Code::invalid,
                "created anew at 2025-11-13T02:13:21.000000Z");
  EXPECT_STATUS(log.source->open(id, 0).status(), Code::invalid, "Give the pipeline a new name");
}

TEST(LogSource, PositionsThatTheLogDoesNotHold) {
  LogSourceFixture log;
  log.fill(6);
  EXPECT_STATUS(log.open(9).status(), Code::invalid, "restored");
  auto live = log.open(1);
  ASSERT_TRUE(live.ok());
  auto tolerant = log.open(1, {{"scan.on-gap", "continue"}});
  ASSERT_TRUE(tolerant.ok());
  const int64_t first = log.retain_bytes(8000);
  ASSERT_GT(first, 2);
  EXPECT_STATUS(log.open(1).status(), Code::invalid, "'scan.on-gap'");
  Values on_gap{{"scan.on-gap", "continue"}};
  auto later = log.open(1, on_gap);
  ASSERT_TRUE(later.ok()) << later.status().message();
  for (auto* reader : {&*later, &*tolerant}) {
    std::vector<SeenEvent> seen;
    int64_t next = 1;
    for (int reads = 0; next < 6 && reads < 10; ++reads) {
      ASSERT_TRUE(read_all(**reader, seen, next, seen.size() + 1, milliseconds(500)).ok());
    }
    EXPECT_EQ(seen.back().offset, 5);
    EXPECT_EQ(next, 6);
  }
  ASSERT_EQ(log.lines.size(), 2U);
  for (const std::string& line : log.lines) {
    EXPECT_NE(line.find(" to " + std::to_string(first - 1) + " before they were read"), std::string::npos)
        << line;
  }
  // A reader that is in a deleted segment ends it and is told then.
  Status status;
  for (int polls = 0; status.ok() && polls < 10; ++polls) status = (*live)->poll(milliseconds(0)).status();
  EXPECT_STATUS(status, Code::invalid, "retention has deleted events");
}

TEST(LogSource, AcknowledgedEventsMayGo) {
  LogSourceFixture log;
  log.settings.retention.consumed = true;
  log.open_writer();
  log.fill(6);
  {
    auto reader = log.open();
    ASSERT_TRUE(reader.ok());
    ASSERT_TRUE(log.writer->retain().ok());
    EXPECT_EQ(log.writer->extents()[0].first, 0);
    EXPECT_TRUE((*reader)->acknowledge(2).ok());
    EXPECT_TRUE((*reader)->acknowledge(5).ok());
  }  // the last mark is written when the reader goes
  ASSERT_TRUE(log.writer->retain().ok());
  EXPECT_EQ(log.writer->extents()[0].first, 5);
  EXPECT_TRUE(std::filesystem::exists(log.settings.folder + "/orders/readers/test.orders.mark"));
  log.table.name = "Bestellungen / ü";
  {
    EXPECT_TRUE(log.open().ok());
  }
  size_t readers = 0;
  for (const auto& entry : std::filesystem::directory_iterator(log.settings.folder + "/orders/readers")) {
    readers += entry.path().extension() == ".mark" ? 1 : 0;
  }
  EXPECT_EQ(readers, 2U);
}

TEST(LogSource, AMarkThatCannotBeWrittenStopsNoReading) {
  LogSourceFixture log;
  log.fill(2);
  log.reading_clock = &log.clock;
  std::ofstream(log.settings.folder + "/orders/readers") << "where the marks' folder would be";
  auto reader = log.open();
  ASSERT_TRUE(reader.ok()) << reader.status().message();
  ASSERT_EQ(log.lines.size(), 1U);
  EXPECT_NE(log.lines[0].find("stream 'orders', partition 0: what was read cannot be marked"),
            std::string::npos)
      << log.lines[0];
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE((*reader)->acknowledge(i).ok());
    log.clock.set(log.clock.now_us() + 2'000'000);
    const auto batch = (*reader)->poll(milliseconds(0));
    ASSERT_TRUE(batch.ok()) << batch.status().message();
  }
  EXPECT_EQ(log.lines.size(), 1U);
  std::filesystem::remove(log.settings.folder + "/orders/readers");
  log.clock.set(log.clock.now_us() + 2'000'000);
  EXPECT_TRUE((*reader)->poll(milliseconds(0)).ok());
  EXPECT_TRUE(std::filesystem::exists(log.settings.folder + "/orders/readers/test.orders.mark"));
}

TEST(LogSource, ProbeSaysWhatToDo) {
  LogSourceFixture log;
  const auto probe = [&](const Values& values) {
    return connector("http").probe(context_for("http", values, log.table));
  };
  EXPECT_TRUE(probe({{"stream", "orders"}, {"path", log.settings.folder}}).ok());
  EXPECT_STATUS(probe({{"stream", "other"}, {"path", log.settings.folder}}), Code::not_found,
                "It has: orders");
  EXPECT_STATUS(probe({{"stream", "other"}, {"path", log.settings.folder + "/none"}}), Code::not_found,
                "There is no log yet");
}

TEST(LogSource, DamageStopsWithFileAndByte) {
  LogSourceFixture log;
  log.append({"a", "b"});
  const std::string path = log.settings.folder + "/orders/0/00000000000000000000.seg";
  std::string bytes = *read_file(path);
  bytes[150] = static_cast<char>(bytes[150] ^ 4);
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  auto reader = log.open();
  ASSERT_TRUE(reader.ok());
  EXPECT_STATUS((*reader)->poll(milliseconds(0)).status(), Code::invalid,
                "00000000000000000000.seg is damaged at byte 64");
}

}  // namespace
}  // namespace weir
