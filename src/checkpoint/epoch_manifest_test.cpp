#include "checkpoint/epoch_manifest.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "base/crc32c.h"

namespace weir {
namespace {

EpochManifest full() {
  EpochManifest manifest;
  manifest.epoch = 42;
  manifest.created_us = 1'790'000'000'123'456;
  manifest.plan_hash = INT64_MIN;
  manifest.parallelism = 2;
  manifest.ended = true;
  manifest.positions = {{"weir/p/orders/0", 17}, {"weir/p/orders/1", INT64_MAX}};
  manifest.watermarks = {{"weir/p/orders/0", INT64_MIN}};
  manifest.merged = {{"orders", -5}};
  manifest.sequences = {{"lake", 0}, {"lake#2", 99}};
  manifest.states = {{"3-0", {"000000000042/ab-3-0.state", 1 << 30, 0xdeadbeef}},
                     {"3-1", {"000000000042/ab-3-1.state", 16, 0x00000001}}};
  manifest.spools = {
      {"lake", {{"000000000041/ab-spool-lake.rows", 5, 7}, {"000000000042/ab-spool-lake.rows", 6, 8}}},
      {"house", {}}};
  manifest.prepared_epochs = {{"lake", 40}};
  manifest.prepared = {{"house", "weir/p/house", R"({"files":["a \" b"]})", "[]"}};
  return manifest;
}

Result<EpochManifest> parse(std::string_view text) {
  bool newer = false;
  auto parsed = parse_manifest(text, "000000000042.json", newer);
  EXPECT_FALSE(newer);
  return parsed;
}

std::string closed(const std::string& body) {
  char crc[16];
  std::snprintf(crc, sizeof crc, "%08x", crc32c(body.data(), body.size()));
  return body + "{\"crc32c\":\"" + crc + "\"}\n";
}

TEST(EpochManifest, IsReadAsItWasWritten) {
  const std::string text = *encode_manifest(full());
  auto parsed = parse(text);
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  EXPECT_EQ(*encode_manifest(*parsed), text);
  EXPECT_EQ(parsed->positions, full().positions);
  EXPECT_EQ(parsed->plan_hash, INT64_MIN);
  EXPECT_EQ(parsed->states["3-0"].crc, 0xdeadbeef);
  EXPECT_EQ(parsed->spools["lake"][1].path, "000000000042/ab-spool-lake.rows");
  EXPECT_EQ(parsed->spools.count("house"), 1u);
  EXPECT_EQ(parsed->prepared[0].persisted, R"({"files":["a \" b"]})");
  EXPECT_EQ(parsed->files().size(), 4u);
  EXPECT_EQ(parsed->bytes(), (1 << 30) + 16 + 11);
  EXPECT_TRUE(parse(*encode_manifest({})).ok());
}

TEST(EpochManifest, EveryChangedByteAndEveryCutIsFound) {
  const std::string text = *encode_manifest(full());
  for (size_t at = 0; at < text.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = text;
      changed[at] = static_cast<char>(changed[at] ^ (1 << bit));
      auto parsed = parse(changed);
      ASSERT_FALSE(parsed.ok()) << at;
      EXPECT_NE(parsed.status().message().find("damaged"), std::string::npos);
    }
    ASSERT_FALSE(parse(text.substr(0, at)).ok()) << at;
  }
  EXPECT_FALSE(parse(text + "\n").ok());
  EXPECT_FALSE(parse(text + text).ok());
}

TEST(EpochManifest, ANewerOneIsToldApartFromADamagedOne) {
  bool newer = false;
  const std::string text = closed("{\"format\":\"weir-epoch\",\"version\":2,\"what\":[]}\n");
  auto parsed = parse_manifest(text, "000000000042.json", newer);
  EXPECT_TRUE(newer);
  EXPECT_EQ(
      parsed.status().message(),
      "the manifest '000000000042.json' has version 2, this Weir knows 1: run the pipeline with the Weir "
      "that wrote it");
}

TEST(EpochManifest, WhatIsWholeButNotAManifestIsRefused) {
  for (const char* body : {"", "[]\n", "{}\n", "{\"format\":\"weir-positions\",\"version\":1}\n",
                           "{\"format\":\"weir-epoch\"}\n", "{\"format\":\"weir-epoch\",\"version\":\"1\"}\n",
                           "{\"format\":\"weir-epoch\",\"version\":1}\n"})
    EXPECT_EQ(parse(closed(body)).status().code(), Code::invalid) << body;
  const std::string text = *encode_manifest(full());
  const std::string body = text.substr(0, text.size() - 22);
  ASSERT_EQ(closed(body), text);
  const std::pair<const char*, const char*> changes[] = {
      {"\"epoch\": 42", "\"epoch\": -1"},
      {"\"epoch\": 42", "\"epoch\": 4.5"},
      {"\"epoch\": 42", "\"epoch\": 18446744073709551615"},
      {"\"parallelism\": 2", "\"parallelism\": 0"},
      {"\"ended\": true", "\"ended\": 1"},
      {"\"weir/p/orders/0\": 17", "\"weir/p/orders/0\": \"17\""},
      {"\"crc32c\": \"deadbeef\"", "\"crc32c\": \"deadbee\""},
      {"\"crc32c\": \"deadbeef\"", "\"crc32c\": \"deadbeeg\""},
      {"000000000042/ab-3-0.state", "../../x"},
      {"000000000042/ab-3-0.state", "/etc/passwd"},
      {"000000000042/ab-3-0.state", ""},
      {"\"size\": 16", "\"size\": -16"},
      {"\"spools\"", "\"spool\""},
      {"\"app_id\"", "\"app\""},
      {"\"house\": []", "\"house\": {}"},
  };
  for (const auto& [from, to] : changes) {
    std::string changed = body;
    ASSERT_NE(changed.find(from), std::string::npos) << from;
    changed.replace(changed.find(from), std::string_view(from).size(), to);
    EXPECT_EQ(parse(closed(changed)).status().code(), Code::invalid) << to;
  }
}

TEST(EpochManifest, ATextThatIsNotUtf8IsRefused) {
  EpochManifest manifest;
  manifest.positions["weir/p/files/\xff"] = 1;
  EXPECT_EQ(encode_manifest(manifest).status().code(), Code::invalid);
}

}  // namespace
}  // namespace weir
