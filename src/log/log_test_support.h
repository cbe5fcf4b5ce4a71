// What the log's tests share: a folder that goes away, appends that wait, everything that a reader gives.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include "base/environment.h"
#include "log/log_reader.h"
#include "log/log_writer.h"

namespace weir {

class LogFolder {
 public:
  LogFolder() : path_(std::filesystem::temp_directory_path() / ("weir-log-" + random_hex_id())) {}
  ~LogFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string path(const std::string& name = "") const {
    return name.empty() ? path_.string() : (path_ / name).string();
  }

 private:
  std::filesystem::path path_;
};

inline constexpr int64_t kTestTimeUs = 1'763'000'000'000'000;

struct LogFixture {
  LogFolder folder;
  ManualClock clock{kTestTimeUs};
  LogWriterSettings settings;
  std::unique_ptr<LogWriter> writer;

  LogFixture() {
    settings.folder = folder.path();
    settings.stream = "orders";
    settings.segment_bytes = 1 << 20;
  }

  Status open() {
    writer.reset();
    auto opened = LogWriter::open(settings, clock);
    if (!opened.ok()) return opened.status();
    writer = *std::move(opened);
    return {};
  }

  Result<std::vector<LogAppended>> append(std::vector<LogPart> parts, LogKey key = {}) {
    std::promise<Result<std::vector<LogAppended>>> promise;
    auto answer = promise.get_future();
    writer->append(std::move(parts), std::move(key),
                   [&](auto result) { promise.set_value(std::move(result)); });
    return answer.get();
  }

  Result<std::vector<LogAppended>> append(const std::vector<std::string>& payloads, LogKey key = {},
                                          int partition = 0) {
    return append({part(partition, payloads)}, std::move(key));
  }

  // `payloads` must outlive the append.
  static LogPart part(int partition, const std::vector<std::string>& payloads) {
    LogPart part{partition, {}};
    for (const std::string& payload : payloads) {
      LogRecord record;
      record.payload = payload;
      record.subject = "orders";
      record.timestamp_us = kTestTimeUs;
      part.records.push_back(record);
    }
    return part;
  }

  std::string segment(int64_t base = 0, int partition = 0) const {
    char name[32];
    std::snprintf(name, sizeof name, "/%020lld.seg", static_cast<long long>(base));
    return folder.path("orders/" + std::to_string(partition)) + name;
  }

  Result<std::unique_ptr<LogReader>> reader(int64_t offset = 0, int partition = 0) const {
    return LogReader::open(folder.path(), "orders", partition, offset);
  }

  // Payloads from `offset` to the durable end; dense offsets are checked on the way.
  Result<std::vector<std::string>> payloads(int64_t offset = 0, int partition = 0, size_t max_events = 100,
                                            size_t max_bytes = 1 << 20) const {
    WEIR_ASSIGN(const auto reader, LogReader::open(folder.path(), "orders", partition, offset));
    std::vector<std::string> all;
    while (true) {
      WEIR_ASSIGN(const EventBatch batch, reader->read(max_events, max_bytes));
      EXPECT_EQ(batch.from, offset);
      EXPECT_EQ(batch.next, offset + static_cast<int64_t>(batch.events.size()));
      if (batch.events.empty()) return all;
      for (size_t i = 0; i < batch.events.size(); ++i) {
        EXPECT_EQ(batch.events[i].offset, offset++);
        all.emplace_back(batch.payload(i));
      }
    }
  }
};

inline void expect_log_says(const Status& status, Code code, const std::string& words, int line) {
  EXPECT_EQ(status.code(), code) << "line " << line << ": " << status.message();
  EXPECT_NE(status.message().find(words), std::string::npos) << "line " << line << ": " << status.message();
}
#define EXPECT_LOG_SAYS(status, code, words) expect_log_says(status, code, words, __LINE__)

}  // namespace weir
