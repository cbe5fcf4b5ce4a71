#include "log/log_writer.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <fstream>
#include <numeric>
#include <set>
#include <thread>

#include "base/objects.h"
#include "log/log_test_support.h"

namespace weir {
namespace {

using Texts = std::vector<std::string>;

Texts numbers(int from, int to) {
  Texts texts;
  for (int i = from; i < to; ++i) texts.push_back("{\"n\":" + std::to_string(i) + "}");
  return texts;
}

TEST(LogWriter, RecordsComeBackAsTheyWere) {
  LogFixture log;
  ASSERT_TRUE(log.open().ok());
  LogPart part{0, {}};
  const std::string binary("\0\xff\n", 3);
  part.records.push_back({"one", "k1", "{\"a\":\"b\"}", "s1", 11});
  part.records.push_back({"", "", "{\"a\":\"b\"}", "s1", 12});
  part.records.push_back({binary, std::nullopt, std::nullopt, "s2", 13});
  part.records.push_back({"four", "k4", "{}", "", 14});
  const auto appended = log.append({part});
  ASSERT_TRUE(appended.ok()) << appended.status().message();
  ASSERT_EQ(appended->size(), 1U);
  EXPECT_EQ((*appended)[0].first, 0);
  EXPECT_EQ((*appended)[0].last, 3);
  EXPECT_FALSE((*appended)[0].repeated);
  const auto reader = log.reader();
  ASSERT_TRUE(reader.ok()) << reader.status().message();
  const auto batch = (*reader)->read(100, 1 << 20);
  ASSERT_TRUE(batch.ok()) << batch.status().message();
  ASSERT_EQ(batch->events.size(), 4U);
  const auto check = [&](size_t i, const std::string& payload, int64_t timestamp,
                         const std::string& subject) {
    EXPECT_EQ(batch->payload(i), payload);
    EXPECT_EQ(batch->events[i].timestamp_us, timestamp);
    EXPECT_EQ(batch->view(batch->events[i].subject), subject);
    EXPECT_EQ(batch->events[i].offset, static_cast<int64_t>(i));
  };
  check(0, "one", 11, "s1");
  check(1, "", 12, "s1");
  check(2, binary, 13, "s2");
  check(3, "four", 14, "");
  EXPECT_EQ(batch->view(batch->events[0].key), "k1");
  EXPECT_EQ(batch->events[1].key.size, 0);
  EXPECT_LT(batch->events[2].key.size, 0);
  EXPECT_EQ(batch->view(batch->events[1].headers), "{\"a\":\"b\"}");
  EXPECT_LT(batch->events[2].headers.size, 0);
  EXPECT_EQ(batch->view(batch->events[3].headers), "{}");
}

TEST(LogWriter, SegmentsRollAndReadersFollow) {
  LogFixture log;
  log.settings.segment_bytes = 4096;
  ASSERT_TRUE(log.open().ok());
  Texts all;
  for (int i = 0; i < 60; ++i) {
    const Texts some = numbers(i * 10, i * 10 + 10);
    const auto appended = log.append(some);
    ASSERT_TRUE(appended.ok()) << appended.status().message();
    EXPECT_EQ((*appended)[0].first, i * 10);
    all.insert(all.end(), some.begin(), some.end());
  }
  EXPECT_EQ(*log.payloads(), all);
  EXPECT_EQ(*log.payloads(0, 0, 3), all);
  EXPECT_EQ(*log.payloads(0, 0, 100, 1), all);
  EXPECT_EQ(*log.payloads(333), Texts(all.begin() + 333, all.end()));
  EXPECT_EQ(log.payloads(600)->size(), 0U);
  EXPECT_FALSE(std::filesystem::exists(log.segment(1)));
  EXPECT_TRUE(std::filesystem::exists(log.folder.path("orders/0/00000000000000000000.sum")));
  ASSERT_TRUE(log.open().ok());
  EXPECT_EQ(*log.payloads(), all);
  EXPECT_EQ((*log.append({"x"}))[0].first, 600);
}

TEST(LogWriter, AFrameLargerThanASegmentGetsOneOfItsOwn) {
  LogFixture log;
  log.settings.segment_bytes = 4096;
  ASSERT_TRUE(log.open().ok());
  const std::string large(3 << 20, 'x');
  ASSERT_TRUE(log.append({"a"}).ok());
  ASSERT_TRUE(log.append({large}).ok());
  ASSERT_TRUE(log.append({"b"}).ok());
  EXPECT_EQ(*log.payloads(), (Texts{"a", large, "b"}));
  ASSERT_TRUE(log.open().ok());
  EXPECT_EQ(*log.payloads(), (Texts{"a", large, "b"}));
}

TEST(LogWriter, ASecondWriterIsRefused) {
  LogFixture log;
  ASSERT_TRUE(log.open().ok());
  const auto second = LogWriter::open(log.settings, log.clock);
  EXPECT_LOG_SAYS(second.status(), Code::already_exists, "held by process " + std::to_string(getpid()));
  log.writer.reset();
  EXPECT_TRUE(log.open().ok());
}

TEST(LogWriter, ConcurrentAppendsShareRoundsAndKeepOrder) {
  LogFixture log;
  log.settings.partitions = 2;
  log.settings.segment_bytes = 64 << 10;
  ASSERT_TRUE(log.open().ok());
  std::vector<std::thread> threads;
  std::atomic<int> failed{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        const Texts mine{std::to_string(t) + "/" + std::to_string(i)};
        if (!log.append(mine, {}, t % 2).ok()) ++failed;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  for (int partition = 0; partition < 2; ++partition) {
    const auto read = log.payloads(0, partition);
    ASSERT_TRUE(read.ok()) << read.status().message();
    EXPECT_EQ(read->size(), 400U);
    std::map<std::string, int> next;
    for (const std::string& text : *read) {
      const size_t slash = text.find('/');
      EXPECT_EQ(next[text.substr(0, slash)]++, std::stoi(text.substr(slash + 1)));
    }
  }
}

TEST(LogWriter, AReaderBesideTheWriterSeesEverythingOnce) {
  LogFixture log;
  log.settings.segment_bytes = 16 << 10;
  ASSERT_TRUE(log.open().ok());
  auto reader = log.reader();
  ASSERT_TRUE(reader.ok());
  std::thread writing([&] {
    for (int i = 0; i < 400; ++i) {
      EXPECT_TRUE(
          log.append(Texts{std::to_string(i), std::string(static_cast<size_t>(i % 50) * 40, 'x')}).ok());
    }
  });
  Texts seen;
  while (seen.size() < 800) {
    const auto batch = (*reader)->read(37, 1 << 14);
    ASSERT_TRUE(batch.ok()) << batch.status().message();
    for (size_t i = 0; i < batch->events.size(); ++i) seen.emplace_back(batch->payload(i));
    if (batch->events.empty()) (*reader)->wait(std::chrono::milliseconds(50));
  }
  writing.join();
  for (int i = 0; i < 400; ++i) EXPECT_EQ(seen[static_cast<size_t>(i) * 2], std::to_string(i));
}

TEST(LogWriter, RoomIsReservedWhileSegmentsRoll) {
  LogFixture log;
  log.settings.segment_bytes = 4096;
  ASSERT_TRUE(log.open().ok());
  std::atomic<bool> done{false};
  std::thread reserving([&] {
    while (!done) EXPECT_TRUE(log.writer->reserve(3000).ok());
  });
  for (int i = 0; i < 200; ++i) EXPECT_TRUE(log.append(Texts{std::string(1000, 'x')}).ok());
  done = true;
  reserving.join();
  const auto read = log.payloads();
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->size(), 200U);
}

TEST(LogWriter, PartitionsAreAddedNeverRemoved) {
  LogFixture log;
  ASSERT_TRUE(log.open().ok());
  const std::string id = log.writer->info().id;
  ASSERT_TRUE(log.append({"a"}).ok());
  log.settings.partitions = 3;
  ASSERT_TRUE(log.open().ok());
  EXPECT_EQ(log.writer->info().id, id);
  EXPECT_EQ(log_stream_info(log.folder.path(), "orders")->partitions, 3);
  EXPECT_EQ((*log.append(Texts{"b"}, {}, 2))[0].first, 0);
  log.settings.partitions = 1;
  ASSERT_TRUE(log.open().ok());
  EXPECT_EQ(log.writer->info().partitions, 3);
  EXPECT_EQ(*log.payloads(0, 2), Texts{"b"});
  EXPECT_EQ(*log_streams(log.folder.path()), Texts{"orders"});
  log.writer.reset();
  std::filesystem::remove_all(log.folder.path("orders"));
  ASSERT_TRUE(log.open().ok());
  EXPECT_NE(log.writer->info().id, id);
}

TEST(LogWriter, WhatIsWrongIsRefusedWithWords) {
  LogFixture log;
  ASSERT_TRUE(log.open().ok());
  EXPECT_LOG_SAYS(log.append(Texts{"a"}, {}, 1).status(), Code::invalid, "no partition 1");
  EXPECT_LOG_SAYS(log.append(Texts{}).status(), Code::invalid, "without records");
  EXPECT_LOG_SAYS(log.append(Texts{"a"}, {std::string(256, 'k'), 1}).status(), Code::invalid, "255");
  EXPECT_LOG_SAYS(log.append({LogFixture::part(0, {"a"}), LogFixture::part(0, {"b"})}).status(),
                  Code::invalid, "twice");
  for (const char* name : {"", ".", "..", "../x", "a/b", "-a", "a b", ".hidden"}) {
    EXPECT_FALSE(is_log_stream_name(name)) << name;
    LogWriterSettings settings = log.settings;
    settings.stream = name;
    EXPECT_EQ(LogWriter::open(settings, log.clock).status().code(), Code::invalid) << name;
    EXPECT_EQ(LogReader::open(log.folder.path(), name, 0, 0).status().code(), Code::invalid) << name;
  }
  EXPECT_TRUE(is_log_stream_name("_edge"));
  EXPECT_TRUE(is_log_stream_name("a.b-C_9"));
  EXPECT_LOG_SAYS(log.reader(1).status(), Code::not_found, "0 to 0");
  EXPECT_LOG_SAYS(log.reader(0, 1).status(), Code::not_found, "no partition 1");
}

TEST(LogWriter, TooMuchThatWaitsIsExhausted) {
  LogFixture log;
  log.settings.max_waiting_bytes = 2000;
  ASSERT_TRUE(log.open().ok());
  const Texts payload{std::string(900, 'x')};
  std::atomic<int> stored{0}, refused{0}, other{0};
  const std::thread::id here = std::this_thread::get_id();
  for (int i = 0; i < 200; ++i) {
    log.writer->append({LogFixture::part(0, payload)}, {},
                       [&](const Result<std::vector<LogAppended>>& result) {
                         if (std::this_thread::get_id() == here) ++other;
                         if (result.ok()) {
                           ++stored;
                         } else if (result.status().code() == Code::exhausted) {
                           ++refused;
                         } else {
                           ++other;
                         }
                       });
  }
  log.writer.reset();  // ends only when all are answered
  EXPECT_EQ(stored + refused, 200);
  EXPECT_GT(refused, 0);
  EXPECT_EQ(other, 0);
  ASSERT_TRUE(log.open().ok());
  EXPECT_EQ(log.payloads()->size(), static_cast<size_t>(stored));
}

// ---- keys ----

TEST(LogKeys, ARepeatGetsTheSameOffsetsAlsoAfterARestart) {
  LogFixture log;
  log.settings.segment_bytes = 4096;
  ASSERT_TRUE(log.open().ok());
  ASSERT_TRUE(log.append({"before"}).ok());
  ASSERT_TRUE(log.append(Texts{"a", "b"}, {"key-1", 7}).ok());
  const auto expect_repeat = [&] {
    const auto again = log.append(Texts{"a", "b"}, {"key-1", 7});
    ASSERT_TRUE(again.ok()) << again.status().message();
    EXPECT_EQ((*again)[0].first, 1);
    EXPECT_EQ((*again)[0].last, 2);
    EXPECT_TRUE((*again)[0].repeated);
    EXPECT_LOG_SAYS(log.append(Texts{"z"}, {"key-1", 8}).status(), Code::already_exists, "'key-1'");
  };
  expect_repeat();
  ASSERT_TRUE(log.open().ok());  // from the newest segment
  expect_repeat();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(log.append({std::string(1000, 'x')}).ok());
  ASSERT_TRUE(log.open().ok());  // from a summary
  expect_repeat();
  std::filesystem::remove(log.folder.path("orders/0/00000000000000000000.sum"));
  ASSERT_TRUE(log.open().ok());  // from a closed segment
  expect_repeat();
  EXPECT_EQ(log.payloads()->size(), 23U);
  log.clock.set(kTestTimeUs + 24 * 3'600'000'000LL);
  const auto later = log.append(Texts{"z"}, {"key-1", 8});
  ASSERT_TRUE(later.ok()) << later.status().message();
  EXPECT_FALSE((*later)[0].repeated);
  EXPECT_EQ((*later)[0].first, 23);
  ASSERT_TRUE(log.open().ok());
  const auto newest = log.append(Texts{"z"}, {"key-1", 8});
  ASSERT_TRUE(newest.ok()) << newest.status().message();
  EXPECT_TRUE((*newest)[0].repeated);
  EXPECT_EQ((*newest)[0].first, 23);
}

TEST(LogKeys, RepeatsInFlightAreStoredOnce) {
  LogFixture log;
  ASSERT_TRUE(log.open().ok());
  const Texts payload{"a"};
  std::atomic<int> fresh{0}, repeated{0}, wrong{0};
  for (int i = 0; i < 64; ++i) {
    log.writer->append({LogFixture::part(0, payload)}, {"same", 1},
                       [&](const Result<std::vector<LogAppended>>& result) {
                         if (!result.ok() || (*result)[0].first != 0) ++wrong;
                         if (result.ok()) ++((*result)[0].repeated ? repeated : fresh);
                       });
  }
  log.writer.reset();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(fresh, 1);
  EXPECT_EQ(repeated, 63);
  ASSERT_TRUE(log.open().ok());
  EXPECT_EQ(log.payloads()->size(), 1U);
}

TEST(LogKeys, ARepeatCompletesWhatACrashLeftHalf) {
  LogFixture log;
  log.settings.partitions = 3;
  ASSERT_TRUE(log.open().ok());
  ASSERT_TRUE(log.append({LogFixture::part(0, {"a", "b"})}, {"key", 5}).ok());  // as a crash may leave it
  ASSERT_TRUE(log.open().ok());
  const Texts two{"a", "b"}, one{"c"};
  const std::vector<LogPart> whole = {LogFixture::part(2, one), LogFixture::part(0, two)};
  const auto completed = log.append(whole, {"key", 5});
  ASSERT_TRUE(completed.ok()) << completed.status().message();
  EXPECT_EQ((*completed)[0].partition, 2);
  EXPECT_FALSE((*completed)[0].repeated);
  EXPECT_TRUE((*completed)[1].repeated);
  EXPECT_EQ((*completed)[1].last, 1);
  ASSERT_TRUE(log.open().ok());
  const auto again = log.append(whole, {"key", 5});
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE((*again)[0].repeated && (*again)[1].repeated);
  EXPECT_EQ(log.payloads()->size(), 2U);
  EXPECT_EQ(log.payloads(0, 2)->size(), 1U);
}

TEST(LogKeys, ARepeatAfterPartitionsWereAddedIsStillOne) {
  LogFixture log;
  ASSERT_TRUE(log.open().ok());
  ASSERT_TRUE(log.append(Texts{"a", "b"}, {"whole", 5}).ok());
  ASSERT_TRUE(log.append(Texts{"c"}, {"half", 6}).ok());  // as a crash may leave two records
  log.settings.partitions = 2;
  ASSERT_TRUE(log.open().ok());
  const Texts a{"a"}, b{"b"};
  const auto again = log.append({LogFixture::part(1, a), LogFixture::part(0, b)}, {"whole", 5});
  ASSERT_TRUE(again.ok()) << again.status().message();
  ASSERT_EQ(again->size(), 1U);
  EXPECT_TRUE((*again)[0].repeated);
  EXPECT_EQ((*again)[0].last, 1);
  EXPECT_LOG_SAYS(log.append(Texts{"c", "d"}, {"half", 6}, 1).status(), Code::conflict, "more partitions");
  EXPECT_EQ(log.payloads()->size(), 3U);
  EXPECT_EQ(log.payloads(0, 1)->size(), 0U);
}

TEST(LogKeys, NoMoreThanItsBoundAreRememberedAndNoneIsForgottenEarly) {
  LogFixture log;
  log.settings.most_keys = 3;
  ASSERT_TRUE(log.open().ok());
  for (const char* key : {"a", "b", "c"}) ASSERT_TRUE(log.append(Texts{key}, {key, 1}).ok());
  EXPECT_LOG_SAYS(log.append(Texts{"d"}, {"d", 1}).status(), Code::exhausted,
                  "no more than 3 Idempotency-Keys");
  EXPECT_TRUE((*log.append(Texts{"a"}, {"a", 1}))[0].repeated);
  EXPECT_TRUE(log.append(Texts{"without"}).ok());
  ASSERT_TRUE(log.open().ok());
  EXPECT_EQ(log.append(Texts{"d"}, {"d", 1}).status().code(), Code::exhausted);
  log.clock.set(kTestTimeUs + std::chrono::microseconds(log.settings.key_window).count());
  EXPECT_FALSE((*log.append(Texts{"d"}, {"d", 1}))[0].repeated);
  EXPECT_EQ(log.payloads()->size(), 5U);
}

TEST(LogKeys, TheirBytesAreBoundedToo) {
  LogFixture log;
  log.settings.most_key_bytes = 2000;
  ASSERT_TRUE(log.open().ok());
  int stored = 0;
  const auto key = [](int i) { return std::to_string(i) + std::string(200, 'k'); };
  while (stored < 100 && log.append(Texts{"x"}, {key(stored), 1}).ok()) ++stored;
  EXPECT_GT(stored, 1);
  EXPECT_LT(stored, 10);
  log.clock.set(kTestTimeUs + std::chrono::microseconds(log.settings.key_window).count());
  EXPECT_TRUE(log.append(Texts{"x"}, {key(stored), 1}).ok());
}

// ---- retention ----

struct RetentionFixture : LogFixture {
  RetentionFixture() { settings.segment_bytes = 4096; }
  void fill() {
    ASSERT_TRUE(open().ok());
    for (int i = 0; i < 12; ++i)
      ASSERT_TRUE(append(Texts{std::string(1000, 'x')}, {std::to_string(i), 1}).ok());
  }
  int64_t first() const { return writer->extents()[0].first; }
};

TEST(LogRetention, BySize) {
  RetentionFixture log;
  log.settings.retention.max_bytes = 8000;
  log.fill();
  const auto before = log.writer->extents()[0];
  EXPECT_EQ(before.first, 0);
  EXPECT_EQ(before.next, 12);
  ASSERT_TRUE(log.writer->retain().ok());
  const auto after = log.writer->extents()[0];
  EXPECT_EQ(after.first, 6);
  EXPECT_LE(after.bytes, 8000);
  EXPECT_EQ(log.payloads(6)->size(), 6U);
  EXPECT_LOG_SAYS(log.payloads(5).status(), Code::not_found, "begins at 6");
  ASSERT_TRUE(log.open().ok());
  EXPECT_EQ(log.first(), 6);
  const auto again = log.append(Texts{std::string(1000, 'x')}, {"2", 1});
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_TRUE((*again)[0].repeated);  // its key is remembered longer than its record
  EXPECT_EQ((*again)[0].first, 2);
}

TEST(LogRetention, ByAgeButNeverTheNewestSegment) {
  RetentionFixture log;
  log.settings.retention.max_age = std::chrono::seconds(60);
  log.fill();
  log.clock.set(kTestTimeUs + 60'000'000);
  ASSERT_TRUE(log.writer->retain().ok());
  EXPECT_EQ(log.first(), 0);
  log.clock.set(kTestTimeUs + 60'000'001);
  ASSERT_TRUE(log.writer->retain().ok());
  EXPECT_EQ(log.first(), 9);
  EXPECT_TRUE(std::filesystem::exists(log.folder.path("orders/0/00000000000000000000.sum")));
  log.clock.set(kTestTimeUs + 25 * 3'600'000'000LL);
  ASSERT_TRUE(log.writer->retain().ok());
  EXPECT_FALSE(std::filesystem::exists(log.folder.path("orders/0/00000000000000000000.sum")));
  EXPECT_EQ(log.payloads(9)->size(), 3U);
}

TEST(LogRetention, ByWhatAllReadersHaveConsumed) {
  RetentionFixture log;
  log.settings.retention.consumed = true;
  log.settings.partitions = 2;
  log.fill();
  const std::string folder = log.folder.path();
  ASSERT_TRUE(log.writer->retain().ok());
  EXPECT_EQ(log.first(), 0);  // nobody reads
  ASSERT_TRUE(mark_log_reader(folder, "orders", "lake", 0, 8).ok());
  ASSERT_TRUE(mark_log_reader(folder, "orders", "slow", 0, 5).ok());
  ASSERT_TRUE(log.writer->retain().ok());
  EXPECT_EQ(log.first(), 3);
  ASSERT_TRUE(mark_log_reader(folder, "orders", "slow", 0, 12).ok());
  ASSERT_TRUE(mark_log_reader(folder, "orders", "new", 1, 0).ok());
  ASSERT_TRUE(log.writer->retain().ok());
  EXPECT_EQ(log.first(), 3);  // 'new' has passed nothing of partition 0
  std::filesystem::remove(folder + "/orders/readers/new.mark");
  ASSERT_TRUE(log.writer->retain().ok());
  EXPECT_EQ(log.first(), 6);
  std::ofstream(folder + "/orders/readers/slow.mark") << "nonsense";
  EXPECT_LOG_SAYS(log.writer->retain(), Code::invalid, "slow.mark");
  EXPECT_EQ(mark_log_reader(folder, "orders", "../x", 0, 1).code(), Code::invalid);
  EXPECT_EQ(mark_log_reader(folder, "orders", "lake", 2, 1).code(), Code::invalid);
  EXPECT_EQ(mark_log_reader(folder, "none", "lake", 0, 1).code(), Code::not_found);
}

TEST(LogRetention, AMarkIsOverwrittenInPlace) {
  RetentionFixture log;
  log.settings.partitions = 2;
  ASSERT_TRUE(log.open().ok());
  const std::string path = log.folder.path("orders/readers/lake.mark");
  ASSERT_TRUE(mark_log_reader(log.folder.path(), "orders", "lake", 0, 8).ok());
  // A full disk would have no room for another file: this one has a second name now, and both show the mark.
  std::filesystem::create_hard_link(path, log.folder.path("same"));
  ASSERT_TRUE(mark_log_reader(log.folder.path(), "orders", "lake", 0, 9).ok());
  ASSERT_TRUE(mark_log_reader(log.folder.path(), "orders", "lake", 1, 3).ok());
  const auto bytes = read_file(log.folder.path("same"));
  ASSERT_TRUE(bytes.ok());
  EXPECT_EQ(*bytes, *read_file(path));
  ASSERT_EQ(bytes->size(), 520U);
  EXPECT_EQ((*bytes)[8], 9);
  EXPECT_EQ((*bytes)[16], 3);
}

TEST(LogRetention, AReaderInADeletedSegmentFinishesItAndIsToldOfTheGap) {
  RetentionFixture log;
  log.settings.retention.max_bytes = 5000;
  log.fill();
  auto reader = log.reader(1);
  ASSERT_TRUE(reader.ok());
  ASSERT_TRUE(log.writer->retain().ok());
  auto batch = (*reader)->read(100, 1 << 20);
  ASSERT_TRUE(batch.ok()) << batch.status().message();
  EXPECT_EQ(batch->events.size(), 2U);
  EXPECT_LOG_SAYS((*reader)->read(100, 1 << 20).status(), Code::not_found, "offset 3");
}

// ---- full disks ----

TEST(LogDisk, AFullDiskStoresNothingOfARequest) {
  // RLIMIT_FSIZE is this process's; a child keeps it from the other tests.
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const auto run = []() -> int {
      LogFixture log;
      log.settings.partitions = 2;
      log.settings.segment_bytes = 4096;
      if (!log.open().ok()) return 1;
      if (!log.append(Texts{"a"}, {"k", 1}).ok()) return 2;
      const rlimit limit{8192, 8192};
      setrlimit(RLIMIT_FSIZE, &limit);
      const auto refused =
          log.append({LogFixture::part(0, {"b"}), LogFixture::part(1, {std::string(9000, 'x')})}, {"l", 1});
      if (refused.ok() || refused.status().code() != Code::exhausted) return 3;
      if (log.writer->reserve(9000).code() != Code::exhausted) return 4;
      if (!log.writer->reserve(100).ok()) return 5;
      const auto smaller = log.append({LogFixture::part(0, {"b"}), LogFixture::part(1, {"c"})}, {"l", 1});
      if (!smaller.ok() || (*smaller)[0].repeated || (*smaller)[0].first != 1) return 6;
      if (log.payloads()->size() != 2 || log.payloads(0, 1)->size() != 1) return 7;
      for (const auto& entry : std::filesystem::recursive_directory_iterator(log.folder.path())) {
        if (entry.is_regular_file() && entry.file_size() > 8192) return 8;
      }
      return log.open().ok() && log.payloads()->size() == 2 ? 0 : 9;
    };
    _exit(run());
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(LogDisk, AfterAFailedWriteNothingIsTakenAnyMore) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const auto run = []() -> int {
      LogFixture log;
      if (!log.open().ok()) return 1;
      if (!log.append(Texts{"a"}).ok()) return 2;
      const rlimit limit{1000, RLIM_INFINITY};
      setrlimit(RLIMIT_FSIZE, &limit);
      const auto failed = log.append(Texts{std::string(2000, 'x')}, {"k", 1});
      if (failed.ok() || failed.status().code() != Code::unavailable) return 3;
      const rlimit none{RLIM_INFINITY, RLIM_INFINITY};
      setrlimit(RLIMIT_FSIZE, &none);
      const auto after = log.append(Texts{"b"});
      if (after.ok() || after.status().code() != Code::unavailable) return 4;
      if (log.writer->reserve(1).code() != Code::unavailable) return 5;
      if (log.payloads()->size() != 1) return 6;
      if (!log.open().ok()) return 7;
      const auto again = log.append(Texts{"b"}, {"k", 1});
      return again.ok() && !(*again)[0].repeated && (*again)[0].first == 1 ? 0 : 8;
    };
    _exit(run());
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace weir
