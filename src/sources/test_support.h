// What the tests of every source need: options as validation leaves them, and a folder that goes away.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "base/environment.h"
#include "sources/sources.h"

namespace weir {

inline const SourceConnector& connector(const std::string& name) {
  for (const SourceConnector& source : all_sources()) {
    if (source.name == name) return source;
  }
  WEIR_CHECK(false, "no connector " + name);
}

inline SourceContext context_for(const std::string& name, const std::map<std::string, std::string>& values,
                                 const TableSpec& table, bool once = true) {
  std::map<std::string, OptionValue> written;
  for (const auto& [key, text] : values) written[key].text = text;
  Diagnostics diagnostics;
  SourceContext context;
  context.options =
      validate_options("connector '" + name + "'", connector(name).options, written, {}, diagnostics);
  EXPECT_TRUE(diagnostics.status().ok()) << diagnostics.status().message();
  context.pipeline = "test";
  context.table = &table;
  context.once = once;
  context.clock = &Clock::real();
  return context;
}

class TemporaryFolder {
 public:
  TemporaryFolder() : path_(std::filesystem::temp_directory_path() / ("weir-" + random_hex_id())) {
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  std::string path(const std::string& name = "") const {
    return name.empty() ? path_.string() : (path_ / name).string();
  }
  std::string write(const std::string& name, const std::string& bytes, bool append = false) const {
    std::ofstream(path(name), append ? std::ios::app | std::ios::binary : std::ios::binary) << bytes;
    return path(name);
  }

 private:
  std::filesystem::path path_;
};

struct SeenEvent {
  int64_t offset;
  std::string payload;
  std::string subject;
  std::string headers;
  int64_t timestamp_us;
  bool operator==(const SeenEvent&) const = default;
};

// Polls until the end, a failure, or `enough` events; checks the batch invariants on the way.
inline Status read_all(PartitionReader& reader, std::vector<SeenEvent>& seen, int64_t& next,
                       size_t enough = SIZE_MAX,
                       std::chrono::milliseconds patience = std::chrono::seconds(10)) {
  const int64_t deadline_ns = Clock::real().monotonic_ns() + patience.count() * 1'000'000;
  bool first = true;
  while (seen.size() < enough && Clock::real().monotonic_ns() < deadline_ns) {
    Result<EventBatch> batch = reader.poll(std::chrono::milliseconds(200));
    if (!batch.ok()) return batch.status();
    if (!first) {
      EXPECT_EQ(batch->from, next);
    }
    first = false;
    next = batch->next;
    int64_t last = batch->from - 1;
    for (size_t i = 0; i < batch->events.size(); ++i) {
      const Event& event = batch->events[i];
      EXPECT_GT(event.offset, last);
      EXPECT_LT(event.offset, batch->next);
      last = event.offset;
      seen.push_back({event.offset, std::string(batch->payload(i)), std::string(batch->view(event.subject)),
                      std::string(batch->view(event.headers)), event.timestamp_us});
    }
    if (batch->end) return {};
  }
  return {};
}

inline std::vector<std::string> payloads(const std::vector<SeenEvent>& seen) {
  std::vector<std::string> all;
  for (const SeenEvent& event : seen) all.push_back(event.payload);
  return all;
}

}  // namespace weir
