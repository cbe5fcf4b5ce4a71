#include "formats/payload_stage.h"

#include <gtest/gtest.h>
#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <cstring>

namespace weir {
namespace {

struct Given {
  std::string payload;
  std::string headers = "";
  std::string key = "";
};

EventBatch batch_of(const std::vector<Given>& events) {
  EventBatch batch;
  std::string bytes;
  auto put = [&](const std::string& text) {
    const Slice slice{static_cast<uint32_t>(bytes.size()), static_cast<int32_t>(text.size())};
    bytes += text;
    return slice;
  };
  for (const Given& given : events) {
    Event event;
    event.offset = 100 + static_cast<int64_t>(batch.events.size());
    event.payload = put(given.payload);
    if (!given.headers.empty()) event.headers = put(given.headers);
    if (!given.key.empty()) event.key = put(given.key);
    batch.events.push_back(event);
  }
  bytes += std::string(EventBatch::kPadding, '}');
  std::shared_ptr<char[]> copy(new char[bytes.size()]);
  std::memcpy(copy.get(), bytes.data(), bytes.size());
  batch.bytes = copy;
  batch.from = 100;
  batch.next = 200;
  return batch;
}

Result<std::unique_ptr<PayloadStage>> make(const std::map<std::string, std::string>& options) {
  std::map<std::string, OptionValue> values;
  for (const auto& [name, text] : options) values["payload." + name].text = text;
  return PayloadStage::create(Options(payload_option_specs(), std::move(values)));
}

Unwrapped unwrap(const std::map<std::string, std::string>& options, const std::vector<Given>& events) {
  auto stage = make(options);
  EXPECT_TRUE(stage.ok()) << stage.status().message();
  const EventBatch batch = batch_of(events);
  Unwrapped out = (*stage)->unwrap(batch, 0, batch.events.size());
  EXPECT_EQ(out.batch.events.size() + out.errors.size(), events.size());
  EXPECT_EQ(out.batch.from, 100);
  EXPECT_EQ(out.batch.next, 200);
  return out;
}

// The only event's payload, or its error's code and words.
std::string one(const std::map<std::string, std::string>& options, const Given& given) {
  const Unwrapped out = unwrap(options, {given});
  if (out.errors.empty()) return std::string(out.batch.payload(0));
  return std::string(error_code_name(out.errors[0].code)) + ": " + out.errors[0].message;
}

std::string gzip(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()) + 32, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string zstd(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

std::string lz4(const std::string& text) {
  std::string out(LZ4F_compressFrameBound(text.size(), nullptr), '\0');
  out.resize(LZ4F_compressFrame(out.data(), out.size(), text.data(), text.size(), nullptr));
  return out;
}

std::string snappy_block(const std::string& text) {
  std::string out;
  snappy::Compress(text.data(), text.size(), &out);
  return out;
}

// The framing format, not compressed, of "hello hello hello hello"
const std::string kSnappyStream(
    "\xff\x06\x00\x00sNaPpY\x01\x1b\x00\x00\x8a\x1f\xb1\x54hello hello hello hello", 41);

std::string noise(size_t size) {
  std::string text;
  uint32_t state = 7;
  while (text.size() < size) text += static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return text;
}

TEST(PayloadStage, NothingToDoIsNoStage) {
  auto stage = make({});
  ASSERT_TRUE(stage.ok());
  EXPECT_EQ(*stage, nullptr);
}

TEST(PayloadStage, OptionsThatContradict) {
  EXPECT_FALSE(make({{"envelope", "protobuf"}}).ok());
  EXPECT_FALSE(make({{"envelope.field", "3"}}).ok());
  EXPECT_FALSE(make({{"compression", "gzip"}, {"max-size", "2 gb"}}).ok());
  EXPECT_FALSE(make({{"compression", "gzip"}, {"max-ratio", "0"}}).ok());
  for (const char* path : {"0", "a", "1.", ".1", "1..2", "-1", "536870912", "1.1.1.1.1.1.1.1.1"}) {
    EXPECT_FALSE(make({{"envelope", "protobuf"}, {"envelope.field", path}}).ok()) << path;
  }
}

TEST(PayloadStage, EveryCodecGivesItsContent) {
  for (const std::string& text :
       {std::string("{\"a\":1}"), std::string(), noise(300'000), std::string(900'000, 'x')}) {
    const std::pair<const char*, std::string> cases[] = {
        {"gzip", gzip(text)}, {"zstd", zstd(text)}, {"lz4", lz4(text)}, {"snappy", snappy_block(text)}};
    for (const auto& [name, bytes] : cases) {
      EXPECT_EQ(one({{"compression", name}}, {bytes}), text) << name << " " << text.size();
      if (std::string(name) != "snappy") EXPECT_EQ(one({{"compression", "auto"}}, {bytes}), text) << name;
    }
  }
}

TEST(PayloadStage, SeveralMembersAndFrames) {
  EXPECT_EQ(one({{"compression", "gzip"}}, {gzip("one ") + gzip("two")}), "one two");
  EXPECT_EQ(one({{"compression", "zstd"}}, {zstd("one ") + zstd("two")}), "one two");
  EXPECT_EQ(one({{"compression", "lz4"}}, {lz4("one ") + lz4("two")}), "one two");
}

TEST(PayloadStage, AutomaticLetsPlainBytesPass) {
  const Unwrapped out = unwrap({{"compression", "auto"}}, {{"{\"a\":1}"}, {gzip("zipped")}, {""}});
  ASSERT_EQ(out.batch.events.size(), 3u);
  EXPECT_EQ(out.batch.payload(0), "{\"a\":1}");
  EXPECT_EQ(out.shift_of[0], 0);
  EXPECT_EQ(out.batch.payload(1), "zipped");
  EXPECT_EQ(out.shift_of[1], -1);
  EXPECT_EQ(out.batch.events[1].offset, 101);
}

TEST(PayloadStage, SnappyStreams) {
  EXPECT_EQ(one({{"compression", "snappy"}}, {kSnappyStream}), "hello hello hello hello");
  EXPECT_EQ(one({{"compression", "auto"}}, {kSnappyStream}), "hello hello hello hello");
  std::string changed = kSnappyStream;
  changed.back() = 'O';
  EXPECT_EQ(one({{"compression", "snappy"}}, {changed}),
            "malformed: the compressed payload is broken: a snappy chunk whose checksum is wrong");
}

TEST(PayloadStage, TruncatedAtEveryByte) {
  const std::string text = noise(2000);
  const std::pair<const char*, std::string> cases[] = {{"gzip", gzip(text)},
                                                       {"zstd", zstd(text)},
                                                       {"lz4", lz4(text)},
                                                       {"snappy", snappy_block(text)},
                                                       {"snappy", kSnappyStream}};
  for (const auto& [name, bytes] : cases) {
    for (size_t size = 0; size < bytes.size(); ++size) {
      if (bytes.starts_with("\xff\x06") && (size == 10 || size < 10))
        continue;  // an empty stream, or no magic
      EXPECT_TRUE(one({{"compression", name}}, {bytes.substr(0, size)}).starts_with("malformed: "))
          << name << " " << size;
    }
  }
}

TEST(PayloadStage, BytesBehindTheStreamAreMalformed) {
  for (const std::string& bytes : {gzip("x") + "x", zstd("x") + "x", lz4("x") + "x"}) {
    EXPECT_TRUE(one({{"compression", "auto"}}, {bytes}).starts_with("malformed: ")) << bytes.size();
  }
}

TEST(PayloadStage, BombsAreTooLarge) {
  const std::string zeros(40 << 20, '\0');
  const std::pair<const char*, std::string> cases[] = {
      {"gzip", gzip(zeros)}, {"zstd", zstd(zeros)}, {"lz4", lz4(zeros)}, {"snappy", snappy_block(zeros)}};
  for (const auto& [name, bytes] : cases) {
    const std::string told = one({{"compression", name}, {"max-ratio", "1000000"}}, {bytes});
    EXPECT_EQ(told, "too_large: " + std::to_string(bytes.size()) +
                        " compressed bytes hold more than 16777216 bytes ('payload.max-size')");
  }
  const std::string small = zstd(std::string(4 << 20, '\0'));
  EXPECT_EQ(one({{"compression", "zstd"}}, {small}),
            "too_large: " + std::to_string(small.size()) +
                " compressed bytes hold more than 200 times as much ('payload.max-ratio')");
  EXPECT_EQ(one({{"compression", "auto"}, {"max-size", "3 b"}}, {"1234"}),
            "too_large: 4 bytes, 'payload.max-size' is 3");
  // exactly at the bound
  for (const std::string& bytes : {gzip("1234"), zstd("1234"), lz4("1234")}) {
    EXPECT_EQ(one({{"compression", "auto"}, {"max-size", "4 b"}}, {bytes}), "1234");
    EXPECT_TRUE(one({{"compression", "auto"}, {"max-size", "3 b"}}, {bytes}).starts_with("too_large"));
  }
}

TEST(PayloadStage, ABadEventLeavesItsNeighboursAlone) {
  const Unwrapped out =
      unwrap({{"compression", "gzip"}}, {{gzip("a"), R"({"h":"1"})", "k"}, {"no"}, {gzip("b")}});
  ASSERT_EQ(out.batch.events.size(), 2u);
  EXPECT_EQ(out.batch.payload(0), "a");
  EXPECT_EQ(out.batch.view(out.batch.events[0].headers), R"({"h":"1"})");
  EXPECT_EQ(out.batch.view(out.batch.events[0].key), "k");
  EXPECT_EQ(out.batch.payload(1), "b");
  EXPECT_EQ(out.event_of, (std::vector<uint32_t>{0, 2}));
  ASSERT_EQ(out.errors.size(), 1u);
  EXPECT_EQ(out.errors[0].event, 1u);
}

TEST(PayloadStage, TombstonesPass) {
  EventBatch batch = batch_of({{"x"}});
  batch.events[0].payload = {};
  auto stage = make({{"compression", "gzip"}, {"envelope", "cloudevents"}});
  const Unwrapped out = (*stage)->unwrap(batch, 0, 1);
  ASSERT_EQ(out.batch.events.size(), 1u);
  EXPECT_LT(out.batch.events[0].payload.size, 0);
}

TEST(PayloadStage, AsMuchAtOnceAsMemoryAllows) {
  const std::string mebi = zstd(std::string(30 << 20, 'x'));
  const EventBatch batch = batch_of({{mebi}, {mebi}, {mebi}, {mebi}});
  auto stage = make({{"compression", "zstd"}, {"max-size", "1 gb"}, {"max-ratio", "1000000"}});
  const Unwrapped first = (*stage)->unwrap(batch, 0, 4);
  EXPECT_EQ(first.end, 3u);
  EXPECT_EQ((*stage)->unwrap(batch, first.end, 4).end, 4u);
}

const std::string kAttributes = R"("specversion":"1.0","id":"a-1","source":"/s","type":"t.x")";

TEST(CloudEvents, DataAndAttributes) {
  const std::string text = "{" + kAttributes + R"(,"seq":7,"ok":true,"none":null,"data":{"a":[1, 2]} })";
  const Unwrapped out =
      unwrap({{"envelope", "cloudevents"}},
             {{text, R"({"h":"1","Content-Type":"application/cloudevents+json"})"}, {text}});
  ASSERT_EQ(out.errors.size(), 0u);
  EXPECT_EQ(out.batch.payload(0), R"({"a":[1, 2]})");
  EXPECT_EQ(out.shift_of[0], static_cast<int64_t>(text.find("{\"a\"")));
  EXPECT_EQ(
      out.batch.view(out.batch.events[0].headers),
      R"({"h":"1","content-type":"application/json","ce-specversion":"1.0","ce-id":"a-1","ce-source":"/s",)"
      R"("ce-type":"t.x","ce-ok":"true","ce-seq":"7"})");
  EXPECT_TRUE(
      out.batch.view(out.batch.events[1].headers).starts_with(R"({"content-type":"application/json",)"));
}

TEST(CloudEvents, OtherFormsOfData) {
  const std::map<std::string, std::string> options = {{"envelope", "cloudevents"}};
  const auto of = [&](const std::string& members) {
    return one(options, {"{" + kAttributes + members + "}"});
  };
  EXPECT_EQ(of(R"(,"data_base64":"eyJhIjoxfQ==")"), R"({"a":1})");
  EXPECT_EQ(of(R"(,"data":"x,\"y\"","datacontenttype":"text/csv")"), R"(x,"y")");
  EXPECT_EQ(of(R"(,"data":"x","datacontenttype":"application/json")"), R"("x")");
  EXPECT_EQ(of(R"(,"data":"x","datacontenttype":"application/vnd.a+JSON; charset=utf-8")"), R"("x")");
  EXPECT_EQ(of(R"(,"data":12 )"), "12");
  EXPECT_EQ(of(R"(,"data":null)"), "null");
  EXPECT_EQ(of(""), "");
}

TEST(CloudEvents, MalformedOnesSayWhy) {
  const std::map<std::string, std::string> options = {{"envelope", "cloudevents"}};
  const auto told = [&](const std::string& text) { return one(options, {text}); };
  EXPECT_EQ(told(R"({"specversion":"1.0","id":"1","source":"s"})"),
            "malformed: the CloudEvent has no 'type'");
  EXPECT_EQ(
      told(R"({"id":"1","source":"s","type":"t"})"),
      "malformed: the CloudEvent has no 'specversion'; nor does a header ce-specversion tell of binary mode");
  EXPECT_EQ(told(R"({"specversion":"0.3","id":"1","source":"s","type":"t"})"),
            "malformed: CloudEvents specversion '0.3' is not known, only 1.0 is");
  EXPECT_EQ(told(R"({"specversion":"1.0","id":7,"source":"s","type":"t"})"),
            "malformed: the CloudEvent's 'id' must be a string");
  EXPECT_EQ(told(R"({"specversion":"1.0","id":"","source":"s","type":"t"})"),
            "malformed: the CloudEvent's 'id' is empty");
  EXPECT_EQ(told("{" + kAttributes + R"(,"x":{}})"),
            "malformed: the CloudEvent's 'x' must be a string, a boolean or an integer");
  EXPECT_TRUE(told("{" + kAttributes + R"(,"Big":"x"})").starts_with("malformed: 'Big' is no attribute"));
  EXPECT_EQ(told("{" + kAttributes + R"(,"id":"2"})"), "duplicate_key: the CloudEvent's 'id' is given twice");
  EXPECT_EQ(told("{" + kAttributes + R"(,"data":1,"data":2})"),
            "duplicate_key: the CloudEvent's 'data' is given twice");
  EXPECT_TRUE(told("{" + kAttributes + R"(,"x":"\ud83d"})").starts_with("invalid_utf8: half of a surrogate"));
  EXPECT_TRUE(told("{" + kAttributes + R"(,"x":)" + std::string(2000, '[')).find("1024") !=
              std::string::npos);
  EXPECT_EQ(told("{" + kAttributes + R"(,"data":1,"data_base64":"YQ=="})"),
            "malformed: the CloudEvent has both 'data' and 'data_base64'");
  EXPECT_EQ(told("{" + kAttributes + R"(,"data_base64":"!"})"),
            "malformed: the CloudEvent's 'data_base64' is no base64");
  EXPECT_EQ(told("{" + kAttributes + R"(,"data_base64":1})"),
            "malformed: the CloudEvent's 'data_base64' must be a string");
  EXPECT_EQ(told("{" + kAttributes + "} {}"), "malformed: no CloudEvent: something follows the JSON value");
  EXPECT_EQ(told("[]"), "malformed: a CloudEvent must be a JSON object");
  EXPECT_TRUE(told("{\"a\xff\":1}").starts_with("invalid_utf8")) << told("{\"a\xff\":1}");
  for (const std::string& bad : {std::string(), std::string("{"), "{" + kAttributes, std::string("12"),
                                 "{" + kAttributes + R"(,"x":tru})", "{" + kAttributes + R"(,"x":1x})"}) {
    EXPECT_TRUE(told(bad).starts_with("malformed: ")) << bad << " " << told(bad);
  }
}

TEST(CloudEvents, BinaryModePassesUnchanged) {
  for (const char* headers :
       {R"({"ce-specversion":"1.0","ce-id":"1"})", R"({"a":"b","ce_specversion" : "1.0"})"}) {
    const Unwrapped out = unwrap({{"envelope", "cloudevents"}}, {{"{\"a\":1}", headers}});
    ASSERT_EQ(out.batch.events.size(), 1u) << headers;
    EXPECT_EQ(out.batch.payload(0), "{\"a\":1}");
    EXPECT_EQ(out.batch.view(out.batch.events[0].headers), headers);
  }
  EXPECT_TRUE(
      one({{"envelope", "cloudevents"}}, {"{}", R"({"a":"ce-specversion"})"}).starts_with("malformed"));
}

TEST(CloudEvents, CompressedOnes) {
  EXPECT_EQ(one({{"envelope", "cloudevents"}, {"compression", "auto"}},
                {gzip("{" + kAttributes + R"(,"data":[1]})")}),
            "[1]");
}

TEST(ProtobufEnvelope, FieldAndSubject) {
  const std::string inner("\x0a\x03one\x0a\x03two", 10);  // field 1 twice: the last counts
  const std::string message =
      std::string("\x08\x96\x01", 3) + "\x1a\x07{\"a\":1}" + "\x22\x03sub" + "\x12\x0a" + inner;
  EXPECT_EQ(one({{"envelope", "protobuf"}, {"envelope.field", "3"}}, {message}), "{\"a\":1}");
  EXPECT_EQ(one({{"envelope", "protobuf"}, {"envelope.field", "2.1"}}, {message}), "two");
  EXPECT_EQ(one({{"envelope", "protobuf"}, {"envelope.field", "9"}}, {message}), "");
  EXPECT_EQ(one({{"envelope", "protobuf"}, {"envelope.field", "3"}}, {""}), "");
  EXPECT_EQ(one({{"envelope", "protobuf"}, {"envelope.field", "1"}}, {message}),
            "malformed: the envelope's field 1 holds no bytes");
  const Unwrapped out = unwrap(
      {{"envelope", "protobuf"}, {"envelope.field", "3"}, {"envelope.subject-field", "4"}}, {{message}});
  EXPECT_EQ(out.batch.view(out.batch.events[0].subject), "sub");
  EXPECT_EQ(out.shift_of[0], 5);
}

TEST(ProtobufEnvelope, BrokenOnes) {
  const std::map<std::string, std::string> options = {{"envelope", "protobuf"}, {"envelope.field", "3"}};
  for (const std::string& bad : {std::string("\x1a\x08short"), std::string("\x1a"), std::string("\x00", 1),
                                 std::string("\x1f"), std::string("\x0c"), std::string(12, '\xff')}) {
    EXPECT_TRUE(one(options, {bad}).starts_with("malformed: the protobuf envelope is broken: "))
        << one(options, {bad});
  }
  EXPECT_TRUE(one(options, {std::string(100, '\x0b')}).starts_with("too_deep"))
      << one(options, {std::string(100, '\x0b')});
}

}  // namespace
}  // namespace weir
