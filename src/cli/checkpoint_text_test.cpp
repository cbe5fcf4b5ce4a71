#include "cli/checkpoint_text.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

constexpr int64_t kSecond = 1'000'000;

TEST(CheckpointText, DurationsAndSizes) {
  EXPECT_EQ(duration_text(0), "0 s");
  EXPECT_EQ(duration_text(59 * kSecond + 999), "59 s");
  EXPECT_EQ(duration_text(60 * kSecond), "1 min");
  EXPECT_EQ(duration_text((2 * 3600 + 10 * 60) * kSecond), "2 h 10 min");
  EXPECT_EQ(duration_text(3600 * kSecond), "1 h");
  EXPECT_EQ(duration_text((4 * 86400 + 3 * 3600) * kSecond), "4 d 3 h");
  EXPECT_EQ(bytes_text(1023), "1023 B");
  EXPECT_EQ(bytes_text(1024), "1.0 kB");
  EXPECT_EQ(bytes_text(3 << 20), "3.0 MB");
  EXPECT_EQ(bytes_text(int64_t{5000} << 40), "5000.0 TB");
}

TEST(CheckpointText, ListsTheNewestFirst) {
  const std::vector<EpochSummary> epochs = {{1, 10 * kSecond, 2048, ""}, {2, 0, 0, "it was cut"}};
  EXPECT_EQ(epochs_text("lake", epochs, 40 * kSecond),
            "set lake\n"
            "  epoch  age   size    state\n"
            "  2      ?     ?       damaged: it was cut\n"
            "  1      30 s  2.0 kB  whole\n");
  EXPECT_EQ(epochs_text("lake", {}, 0), "");
  EXPECT_EQ(epochs_json("lake", {epochs[0]}, 40 * kSecond),
            "{\"set\":\"lake\",\"epoch\":1,\"created_us\":10000000,\"age_us\":30000000,\"bytes\":2048,"
            "\"state\":\"whole\",\"problem\":\"\"}\n");
}

EpochManifest sample() {
  EpochManifest manifest;
  manifest.epoch = 42;
  manifest.created_us = 10 * kSecond;
  manifest.parallelism = 2;
  manifest.positions = {{"weir/p/orders/0", 17}, {"weir/p/orders/1", 5}};
  manifest.watermarks = {{"weir/p/orders/0", 3 * kSecond}, {"weir/p/orders/1", INT64_MIN}};
  manifest.merged = {{"orders", INT64_MAX}};
  manifest.sequences = {{"lake", 1234567}};
  manifest.states = {{"3-0", {"000000000042/a-3-0.state", 100, 1}},
                     {"3-1", {"000000000042/a-3-1.state", 60, 1}}};
  manifest.spools = {{"house", {{"000000000042/a-spool-house.rows", 70, 1}}}, {"empty", {}}};
  manifest.prepared = {{"lake", "weir/p/lake",
                        R"({"adds":[{"path":"part-1.parquet","stats":"…"}],"secret-key":"hunter2"})", "[]"}};
  return manifest;
}

TEST(CheckpointText, ShowsWhatARestartNeeds) {
  EXPECT_EQ(manifest_text("lake", sample(), "", 15 * kSecond),
            "set lake\n"
            "  epoch    42\n"
            "  written  1970-01-01T00:00:10.000000Z, 5 s ago\n"
            "  size     230 B\n"
            "  state    whole\n"
            "  shares   2\n"
            "  input    goes on\n"
            "  positions\n"
            "    weir/p/orders/0  next 17  watermark 1970-01-01T00:00:03.000000Z\n"
            "    weir/p/orders/1  next 5   watermark none yet\n"
            "  watermarks\n"
            "    orders  the input has ended\n"
            "  operators\n"
            "    3  160 B  2 shares\n"
            "  rows made so far\n"
            "    lake  1,234,567 rows\n"
            "  rows that wait for their sink's commit\n"
            "    house  70 B  1 file\n"
            "  prepared with this checkpoint\n"
            "    lake  weir/p/lake  1 file: part-1.parquet\n");
}

TEST(CheckpointText, NeverShowsWhatElseAHandleHolds) {
  const std::string text = manifest_text("lake", sample(), "its file is missing", 0);
  const std::string json = manifest_json("lake", sample(), "its file is missing", 0);
  EXPECT_EQ(text.find("hunter2"), std::string::npos);
  EXPECT_EQ(json.find("hunter2"), std::string::npos);
  EXPECT_NE(text.find("damaged: its file is missing"), std::string::npos);
  EXPECT_NE(json.find("\"state\":\"damaged\",\"problem\":\"its file is missing\""), std::string::npos);
  EXPECT_NE(json.find("\"files\":[\"part-1.parquet\"]"), std::string::npos);
  EXPECT_NE(json.find("\"operators\":{\"3\":{\"bytes\":160,\"shares\":2}}"), std::string::npos);
}

}  // namespace
}  // namespace weir
