#include "sources/file/file_source.h"

#include <zlib.h>
#include <zstd.h>

#include "sources/file/line_reader.h"
#include "sources/test_support.h"

namespace weir {
namespace {

using Texts = std::vector<std::string>;

LineReaderSettings settings_for(const std::string& path) {
  LineReaderSettings settings;
  settings.path = path;
  settings.compression = compression_of(path);
  settings.poll_interval = std::chrono::milliseconds(5);
  settings.clock = &Clock::real();
  return settings;
}

struct Read {
  Status status;
  std::vector<SeenEvent> events;
  int64_t next = -1;
};

Read read_file(const LineReaderSettings& settings, std::optional<int64_t> stored = {}) {
  Read read;
  Result<std::unique_ptr<PartitionReader>> reader = open_line_reader(settings, stored);
  read.status = reader.ok() ? read_all(**reader, read.events, read.next) : reader.status();
  return read;
}

std::string gzip(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()) + 64, 0);
  stream.next_in = reinterpret_cast<unsigned char*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<unsigned char*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string zstd(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), 0);
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

std::string many_lines(int count) {
  std::string text;
  for (int i = 0; i < count; ++i)
    text += "{\"n\":" + std::to_string(i) + ",\"pad\":\"" + std::string(i % 97, 'x') + "\"}\n";
  return text;
}

TEST(FileSource, LinesOffsetsBlankLinesAndCarriageReturns) {
  TemporaryFolder folder;
  const std::string path = folder.write("a.json", "one\n\ntwo\r\n\r\n three \nlast");
  const Read read = read_file(settings_for(path));
  ASSERT_TRUE(read.status.ok()) << read.status.message();
  EXPECT_EQ(payloads(read.events), (Texts{"one", "two", " three ", "last"}));
  EXPECT_EQ(read.events[0].offset, 0);
  EXPECT_EQ(read.events[1].offset, 5);
  EXPECT_EQ(read.events[2].offset, 12);
  EXPECT_EQ(read.events[3].offset, 20);
  EXPECT_EQ(read.next, 24);
  EXPECT_EQ(read.events[0].subject, path);
  EXPECT_GT(read.events[0].timestamp_us, 1'600'000'000'000'000);
}

TEST(FileSource, ByteOrderMarkIsNotPayload) {
  TemporaryFolder folder;
  EXPECT_EQ(payloads(read_file(settings_for(folder.write("a", "\xEF\xBB\xBF{}\n{}\n"))).events),
            (Texts{"{}", "{}"}));
}

TEST(FileSource, EveryBufferAndBatchSizeGivesTheSame) {
  TemporaryFolder folder;
  const std::string text = many_lines(3000);
  const std::string path = folder.write("a.json", text);
  const Read expected = read_file(settings_for(path));
  ASSERT_EQ(expected.events.size(), 3000u);
  EXPECT_EQ(expected.next, static_cast<int64_t>(text.size()));
  for (const size_t buffer : {16u, 100u, 4096u}) {
    for (const size_t rows : {1u, 7u, 8192u}) {
      LineReaderSettings settings = settings_for(path);
      settings.buffer_bytes = buffer;
      settings.batch_rows = rows;
      const Read read = read_file(settings);
      ASSERT_TRUE(read.status.ok()) << read.status.message();
      EXPECT_EQ(read.events, expected.events) << buffer << " " << rows;
      EXPECT_EQ(read.next, expected.next);
    }
  }
}

TEST(FileSource, ResumesAtEveryPositionPlainGzipZstd) {
  TemporaryFolder folder;
  const std::string text = many_lines(40);
  const std::string half =
      text.substr(0, text.find('\n', text.size() / 2) - 3);  // members need not end with a line
  const std::string rest = text.substr(half.size());
  for (const std::string& path :
       {folder.write("a.json", text), folder.write("a.json.gz", gzip(half) + gzip(rest)),
        folder.write("a.json.zst", zstd(half) + zstd(rest))}) {
    const Read all = read_file(settings_for(path));
    ASSERT_TRUE(all.status.ok()) << all.status.message();
    ASSERT_EQ(all.events.size(), 40u) << path;
    for (size_t i = 0; i < all.events.size(); ++i) {
      const Read read = read_file(settings_for(path), all.events[i].offset);
      ASSERT_TRUE(read.status.ok()) << read.status.message();
      EXPECT_EQ(read.events,
                std::vector<SeenEvent>(all.events.begin() + static_cast<long>(i), all.events.end()));
    }
    EXPECT_EQ(all.next, static_cast<int64_t>(text.size()));
    EXPECT_TRUE(read_file(settings_for(path), all.next).events.empty());
    const Read beyond = read_file(settings_for(path), all.next + 1);
    EXPECT_EQ(beyond.status.code(), Code::invalid);
    EXPECT_NE(beyond.status.message().find("now has " + std::to_string(text.size()) + " bytes"),
              std::string::npos)
        << beyond.status.message();
  }
}

TEST(FileSource, LargeCompressedFilesStream) {
  TemporaryFolder folder;
  const std::string text = many_lines(200'000);
  for (const std::string& path : {folder.write("a.gz", gzip(text)), folder.write("a.zst", zstd(text))}) {
    const Read read = read_file(settings_for(path));
    ASSERT_TRUE(read.status.ok()) << read.status.message();
    std::string joined;
    for (const SeenEvent& event : read.events) joined += event.payload + "\n";
    EXPECT_EQ(joined, text);
  }
}

TEST(FileSource, BrokenCompressedDataIsNamedWithItsPlace) {
  TemporaryFolder folder;
  const std::string text = many_lines(20'000);
  for (const char* name : {"a.gz", "a.zst"}) {
    const std::string sound = std::string(name) == "a.gz" ? gzip(text) : zstd(text);
    std::string broken = sound;
    for (size_t i = broken.size() / 2; i < broken.size() / 2 + 64; ++i)
      broken[i] = static_cast<char>(~broken[i]);
    for (const std::string& bytes : {broken, sound.substr(0, sound.size() / 2)}) {
      const Read read = read_file(settings_for(folder.write(name, bytes)));
      EXPECT_EQ(read.status.code(), Code::invalid);
      EXPECT_NE(read.status.message().find(name), std::string::npos) << read.status.message();
      EXPECT_NE(read.status.message().find("compressed byte"), std::string::npos) << read.status.message();
    }
  }
}

TEST(FileSource, OversizedLineIsOneCutEventAndTheNextLineIsWhole) {
  TemporaryFolder folder;
  const std::string text = "a\n" + std::string(5'000'000, 'x') + "\nb\n" + std::string(11, 'y') + "\n" +
                           std::string(10, 'z') + "\n" + std::string(3'000'000, 'w');
  const std::string path = folder.write("a", text);
  for (const size_t buffer : {8u, 1000u, 4u << 20}) {
    LineReaderSettings settings = settings_for(path);
    settings.max_line_bytes = 10;
    settings.buffer_bytes = buffer;
    const Read read = read_file(settings);
    ASSERT_TRUE(read.status.ok()) << read.status.message();
    EXPECT_EQ(payloads(read.events), (Texts{"a", std::string(11, 'x'), "b", std::string(11, 'y'),
                                            std::string(10, 'z'), std::string(11, 'w')}));
    EXPECT_EQ(read.events[2].offset, 5'000'003);
    EXPECT_EQ(read.next, static_cast<int64_t>(text.size()));
  }
}

TEST(FileSource, FollowWaitsForTheNewlineAndSeesGrowth) {
  TemporaryFolder folder;
  const std::string path = folder.write("a", "one\ntw");
  LineReaderSettings settings = settings_for(path);
  settings.follow = true;
  std::unique_ptr<PartitionReader> reader = *open_line_reader(settings, {});
  EXPECT_EQ(reader->poll(std::chrono::milliseconds(20))->events.size(), 1u);
  const EventBatch nothing = *reader->poll(std::chrono::milliseconds(20));
  EXPECT_TRUE(nothing.events.empty());
  EXPECT_EQ(nothing.next, 4);
  EXPECT_FALSE(nothing.end);
  folder.write("a", "o\nthree\n", true);
  const EventBatch batch = *reader->poll(std::chrono::milliseconds(500));
  ASSERT_EQ(batch.events.size(), 2u);
  EXPECT_EQ(batch.payload(0), "two");
  EXPECT_EQ(batch.payload(1), "three");
  EXPECT_EQ(reader->lag(), 0);
}

TEST(FileSource, FollowStopsWhenTheFileIsCutReplacedOrRemoved) {
  for (const std::string how : {"cut", "replaced", "removed"}) {
    TemporaryFolder folder;
    const std::string path = folder.write("a", "one\ntwo\n");
    LineReaderSettings settings = settings_for(path);
    settings.follow = true;
    std::unique_ptr<PartitionReader> reader = *open_line_reader(settings, {});
    EXPECT_EQ(reader->poll(std::chrono::milliseconds(20))->events.size(), 2u);
    if (how == "cut") std::filesystem::resize_file(path, 3);
    if (how == "replaced") std::filesystem::rename(folder.write("b", "another\nfile\nhere\n"), path);
    if (how == "removed") std::filesystem::remove(path);
    const Result<EventBatch> batch = reader->poll(std::chrono::milliseconds(20));
    EXPECT_EQ(batch.status().code(), how == "removed" ? Code::not_found : Code::invalid) << how;
    EXPECT_NE(batch.status().message().find(path), std::string::npos);
  }
}

TEST(FileSource, LastLineThatGrewAfterItWasReadIsRefused) {
  TemporaryFolder folder;
  const std::string path = folder.write("a", "one\ntwo");
  EXPECT_EQ(read_file(settings_for(path)).next, 7);
  folder.write("a", "\nthree\n", true);
  EXPECT_EQ(payloads(read_file(settings_for(path), 7).events), (Texts{"three"}));
  folder.write("a", "one\ntwofold\n");
  EXPECT_EQ(read_file(settings_for(path), 7).status.code(), Code::invalid);
}

TEST(FileSource, OnlyAFollowedFileIsEndless) {
  TemporaryFolder folder;
  const TableSpec table;
  for (const bool once : {false, true}) {
    const auto bounded = [&](std::map<std::string, std::string> options) {
      options["path"] = folder.path();
      return (*connector("file").create(context_for("file", options, table, once)))->bounded();
    };
    EXPECT_TRUE(bounded({}));
    EXPECT_FALSE(bounded({{"follow", "true"}}));
  }
}

TEST(FileSource, FolderGlobAndMissingPaths) {
  TemporaryFolder folder;
  folder.write("b.json", "1\n");
  folder.write("a.json", "2\n");
  folder.write("c.txt", "3\n");
  folder.write(".hidden", "4\n");
  const TableSpec table;
  const auto discover = [&](std::map<std::string, std::string> options, bool once) {
    auto found = (*connector("file").create(context_for("file", options, table, once)))->discover({});
    if (found.ok()) {
      for (std::string& id : *found) id.resize(id.rfind('#'));
    }
    return found;
  };
  EXPECT_EQ(*discover({{"path", folder.path()}}, true),
            (Texts{folder.path("a.json"), folder.path("b.json"), folder.path("c.txt")}));
  EXPECT_EQ(*discover({{"path", folder.path("*.json")}}, true),
            (Texts{folder.path("a.json"), folder.path("b.json")}));
  const Status missing = discover({{"path", folder.path("none")}}, true).status();
  EXPECT_EQ(missing.code(), Code::not_found);
  EXPECT_NE(missing.message().find(folder.path("none")), std::string::npos);
  EXPECT_EQ(discover({{"path", folder.path("*.none")}}, false).status().code(), Code::not_found);
  EXPECT_EQ(*discover({{"path", folder.path("*.none")}, {"follow", "true"}}, false), Texts{});
  EXPECT_EQ(connector("file").probe(context_for("file", {{"path", folder.path("none")}}, table)).code(),
            Code::not_found);
  EXPECT_TRUE(connector("file").probe(context_for("file", {{"path", folder.path()}}, table)).ok());
}

TEST(FileSource, AFileThatIsWrittenAnewIsAnotherPartition) {
  TemporaryFolder folder;
  const TableSpec table;
  const auto discover = [&](std::vector<std::string> known, const std::string& on_missing, bool follow) {
    SourceContext context = context_for("file",
                                        {{"path", folder.path("a.json")},
                                         {"scan.on-missing-file", on_missing},
                                         {"follow", follow ? "true" : "false"}},
                                        table, !follow);
    return (*connector("file").create(context))->discover(known);
  };
  folder.write("a.json", "");
  EXPECT_EQ(*discover({}, "fail", false), Texts{});  // nothing to tell it by, and nothing to read
  folder.write("a.json", "{\"id\":1");
  EXPECT_EQ(*discover({}, "fail", true), Texts{});  // followed: its first line is still being written
  folder.write("a.json", "{\"id\":1}\n");
  const Texts first = *discover({}, "fail", true);
  ASSERT_EQ(first.size(), 1u);
  folder.write("a.json", "{\"id\":1}\n{\"id\":2}\n");
  EXPECT_EQ(*discover(first, "fail", true), first);  // it grew
  folder.write("a.json", "{\"id\":7}\n{\"id\":8}\n{\"id\":9}\n");
  const Status replaced = discover(first, "fail", false).status();
  EXPECT_EQ(replaced.code(), Code::invalid);
  EXPECT_NE(replaced.message().find("no longer begins as it did"), std::string::npos);
  const Texts second = *discover(first, "continue", false);
  ASSERT_EQ(second.size(), 1u);
  EXPECT_NE(second, first);
}

TEST(FileSource, AKnownFileThatIsGoneIsNamed) {
  TemporaryFolder folder;
  folder.write("a.json", "1\n");
  const TableSpec table;
  SourceContext context = context_for("file", {{"path", folder.path()}}, table);
  const Texts known = {folder.path("old.json#0123456789abcdef")};
  const Status status = (*connector("file").create(context))->discover(known).status();
  EXPECT_EQ(status.code(), Code::not_found);
  EXPECT_NE(status.message().find("old.json"), std::string::npos);
}

TEST(FileSource, ABatchOutlivesItsReader) {
  TemporaryFolder folder;
  EventBatch batch;
  {
    std::unique_ptr<PartitionReader> reader =
        *open_line_reader(settings_for(folder.write("a", "one\ntwo\n")), {});
    batch = *reader->poll(std::chrono::milliseconds(0));
    EXPECT_TRUE(reader->poll(std::chrono::milliseconds(0))->end);
  }
  ASSERT_EQ(batch.events.size(), 2u);
  EXPECT_EQ(batch.payload(1), "two");
}

}  // namespace
}  // namespace weir
