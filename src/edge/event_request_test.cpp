#include "edge/event_request.h"

#include <gtest/gtest.h>

#include <cstring>

#include "formats/payload_stage.h"

namespace weir {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Read {
  HttpHead head;
  std::string body;
  ReceivedEvents events;
  std::optional<HttpAnswer> refused;

  const ReceivedEvent& event(size_t i = 0) const { return events.events.at(i); }
  const EventEnvelope& envelope(size_t i = 0) const { return events.envelopes.at(event(i).envelope); }
};

std::unique_ptr<Read> read(Headers headers, std::string body, EventLimits limits = {}) {
  auto result = std::make_unique<Read>();
  result->head.headers = std::move(headers);
  result->body = std::move(body);
  result->refused = read_events(result->head, result->body, limits, result->events);
  return result;
}

const std::string kEvent =
    R"({"specversion":"1.0","id":"1","source":"/shop","type":"order.created","time":"2026-11-21T19:57:19Z",)"
    R"("partitionkey":"k","n":7,"datacontenttype":"application/json","data": {"a": 1} })";
const Headers kBinary{{"ce-specversion", "1.0"},
                      {"ce-id", "1"},
                      {"ce-source", "/shop"},
                      {"ce-type", "order.created"},
                      {"ce-n", "7"},
                      {"ce-time", "2026-11-21T19:57:19Z"},
                      {"ce-partitionkey", "k"},
                      {"content-type", "application/json"}};

TEST(EventRequest, ADocumentIsOneEvent) {
  auto one = read({{"content-type", "application/json; charset=utf-8"}, {"weir-key", "k1"}}, " {\"a\":1}\n");
  ASSERT_FALSE(one->refused);
  EXPECT_EQ(one->event().payload, "{\"a\":1}");
  EXPECT_EQ(one->event().key, "k1");
  EXPECT_EQ(one->envelope().headers, R"({"content-type":"application/json"})");
  auto array = read({{"content-type", "application/json"}}, "[1,2]");
  ASSERT_FALSE(array->refused);
  EXPECT_EQ(array->events.events.size(), 1u);
}

TEST(EventRequest, ALineIsAnEvent) {
  auto lines = read({{"content-type", "application/x-ndjson"}}, "{\"a\":1}\r\n\n  \n[2]\n3");
  ASSERT_FALSE(lines->refused);
  ASSERT_EQ(lines->events.events.size(), 3u);
  EXPECT_EQ(lines->event(0).payload, "{\"a\":1}");
  EXPECT_EQ(lines->event(1).payload, "[2]");
  EXPECT_EQ(lines->event(2).payload, "3");
}

TEST(EventRequest, TheFirstBadLineIsNamed) {
  auto bad = read({{"content-type", "application/x-ndjson"}}, "{\"a\":1}\n\n{\"a\":,}\nx\n");
  ASSERT_TRUE(bad->refused);
  EXPECT_EQ(bad->refused->status, 400);
  EXPECT_NE(bad->refused->body.find("\"line\":3,\"byte\":6,"), std::string::npos) << bad->refused->body;
  auto document = read({{"content-type", "application/json"}}, "{\n \"a\": tru\n}");
  ASSERT_TRUE(document->refused);
  EXPECT_NE(document->refused->body.find("\"line\":2,\"byte\":7,"), std::string::npos)
      << document->refused->body;
}

TEST(EventRequest, EveryModeOfACloudEventGivesTheSameRecord) {
  auto structured = read({{"content-type", "application/cloudevents+json"}}, kEvent);
  auto batch =
      read({{"content-type", "application/cloudevents-batch+json"}}, "[" + kEvent + "," + kEvent + "]");
  auto binary = read(kBinary, "{\"a\": 1}");
  std::string base64 = kEvent;
  base64.replace(base64.find("\"data\": {\"a\": 1}"), 16, "\"data_base64\":\"eyJhIjogMX0=\"");
  auto encoded = read({{"content-type", "application/cloudevents+json; charset=UTF-8"}}, base64);
  for (const auto* each : {&structured, &batch, &binary, &encoded}) {
    ASSERT_FALSE((*each)->refused) << (*each)->refused->body;
    for (size_t i = 0; i < (*each)->events.events.size(); ++i) {
      EXPECT_EQ((*each)->event(i).payload, "{\"a\": 1}");
      EXPECT_EQ((*each)->event(i).key, "k");
      EXPECT_EQ((*each)->envelope(i).type, "order.created");
      EXPECT_EQ(
          (*each)->envelope(i).headers,
          R"({"content-type":"application/json","ce-specversion":"1.0","ce-id":"1","ce-source":"/shop",)"
          R"("ce-type":"order.created","ce-n":"7","ce-partitionkey":"k","ce-time":"2026-11-21T19:57:19Z"})");
    }
  }
  EXPECT_EQ(batch->events.events.size(), 2u);
}

// Payload and headers, or "refused", as 'payload.envelope' = 'cloudevents' reads what a broker brought.
std::string by_envelope(const std::string& text) {
  std::map<std::string, OptionValue> values;
  values["payload.envelope"].text = "cloudevents";
  auto stage = PayloadStage::create(Options(payload_option_specs(), std::move(values)));
  std::shared_ptr<char[]> bytes(new char[text.size() + EventBatch::kPadding]());
  std::memcpy(bytes.get(), text.data(), text.size());
  EventBatch batch;
  batch.bytes = bytes;
  batch.events.emplace_back().payload = {0, static_cast<int32_t>(text.size())};
  const Unwrapped out = (*stage)->unwrap(batch, 0, 1);
  if (!out.errors.empty()) return "refused";
  return std::string(out.batch.payload(0)) + "|" + std::string(out.batch.view(out.batch.events[0].headers));
}

TEST(EventRequest, TheSameRecordAsByTheEnvelopeOfASource) {
  EventLimits any;
  any.any_content = true;
  const std::string base = R"({"type":"t","specversion":"1.0","source":"/s","id":"1")";
  for (const auto& [members, taken] : std::vector<std::pair<std::string, bool>>{
           {"", true},
           {R"(,"data":{"a": [1, "\u00e9"]} )", true},
           {R"(,"zone":"b","data":null,"area":true,"n":-7,"none":null)", true},
           {R"(,"data":"a\nb","datacontenttype":"text/plain")", true},
           {R"(,"data":"a","datacontenttype":"application/vnd.x+JSON; charset=utf-8")", true},
           {R"(,"data_base64":"eyJhIjoxfQ==","datacontenttype":"application/json")", true},
           {R"(,"data_base64":"AAEC","datacontenttype":"application/octet-stream")", true},
           {R"(,"data":1,"data_base64":null)", true},
           {R"(,"subject":"caf\u00e9 \"x\"","time":"2026-11-21T19:57:19.5+01:00","partitionkey":"k")", true},
           {R"(,"sub\u006aect":"x")", true},
           {R"(,"time":"noon")", false},
           {R"(,"n":1.5)", false},
           {R"(,"x":"\ud83d")", false},
           {R"(,"x":"\u0007")", false},
           {R"(,"dataschema":"")", false},
           {R"(,"Upper":"x")", false},
           {R"(,"id":"2")", false},
           {R"(,"data":1,"data_base64":"AA==")", false},
           {R"(,"data_base64":"AA=")", false},
           {R"(,)", false},
       }) {
    const std::string text = base + members + "}";
    const auto edge = read({{"content-type", "application/cloudevents+json"}}, text, any);
    const std::string record =
        edge->refused ? "refused" : std::string(edge->event().payload) + "|" + edge->envelope().headers;
    EXPECT_EQ(record, by_envelope(text)) << text;
    EXPECT_EQ(record != "refused", taken) << text;
  }
}

TEST(EventRequest, HeadersOfBinaryModeArePercentDecoded) {
  Headers headers = kBinary;
  headers.push_back({"ce-subject", "caf%C3%A9 %22x%22"});
  auto event = read(headers, "1");
  ASSERT_FALSE(event->refused);
  EXPECT_NE(event->envelope().headers.find("\"ce-subject\":\"caf\xC3\xA9 \\\"x\\\"\""), std::string::npos);
  headers.back().second = "%FF";
  EXPECT_EQ(read(headers, "1")->refused->status, 400);
}

TEST(EventRequest, MalformedCloudEvents) {
  const auto replaced = [](const std::string& from, const std::string& to) {
    std::string text = kEvent;
    return text.replace(text.find(from), from.size(), to);
  };
  const std::vector<std::pair<std::string, std::string>> cases{
      {replaced("\"specversion\":\"1.0\",", ""), "no 'specversion'"},
      {replaced("\"id\":\"1\",", ""), "no 'id'"},
      {replaced("\"source\":\"/shop\",", ""), "no 'source'"},
      {replaced("\"type\":\"order.created\",", ""), "no 'type'"},
      {replaced("\"id\":\"1\"", "\"id\":\"\""), "'id' is empty"},
      {replaced("\"id\":\"1\"", "\"id\":1"), "'id' must be a string"},
      {replaced("\"id\":\"1\"", "\"id\":null"), "no 'id'"},
      {replaced("\"1.0\"", "\"0.3\""), "'0.3' is not known"},
      {replaced("2026-11-21T19:57:19Z", "yesterday"), "RFC 3339"},
      {replaced("2026-11-21T19:57:19Z", "2026-13-21T19:57:19Z"), "RFC 3339"},
      {replaced("\"n\":7", "\"n\":7.5"), "'n' must be"},
      {replaced("\"n\":7", "\"n\":{}"), "'n' must be"},
      {replaced("\"n\":7", "\"N\":7"), "no attribute"},
      {replaced("\"n\":7", "\"id\":\"2\""), "given twice"},
      {replaced("\"n\":7", "\"data_base64\":\"\""), "both"},
      {replaced("\"n\":7", "\"data\":1"), "given twice"},
      {replaced("\"n\":7", "\"n\":\"a\\u0001\""), "control character"},
      {replaced("\"data\": {\"a\": 1}", "\"data_base64\":\"!!!!\""), "no base64"},
      {replaced("\"data\": {\"a\": 1}", "\"data_base64\":1"), "must be a string"},
      {replaced("\"data\": {\"a\": 1}", "\"data_base64\":\"eyI=\""), "data_base64 is no JSON"},
      {"[1]", "must be a JSON object"},
  };
  for (const auto& [body, words] : cases) {
    auto bad = read({{"content-type", "application/cloudevents+json"}}, body);
    ASSERT_TRUE(bad->refused) << body;
    EXPECT_EQ(bad->refused->status, 400);
    EXPECT_NE(bad->refused->body.find(words), std::string::npos) << bad->refused->body << " for " << body;
  }
  EXPECT_EQ(read({{"content-type", "application/cloudevents-batch+json"}}, kEvent)->refused->status, 400);
  Headers headers = kBinary;
  headers.erase(headers.begin() + 1);
  auto bad = read(headers, "1");
  ASSERT_TRUE(bad->refused);
  EXPECT_NE(bad->refused->body.find("no 'id'"), std::string::npos);
}

TEST(EventRequest, ContentThatIsNoJson) {
  EventLimits any;
  any.any_content = true;
  const std::string bytes("\0\x01\xFF", 3);
  EXPECT_EQ(read({{"content-type", "application/octet-stream"}}, bytes)->refused->status, 415);
  EXPECT_EQ(read({{"content-type", "application/cloudevents+avro"}}, bytes, any)->refused->status, 415);
  EXPECT_EQ(read({{"content-type", "application/json; charset=latin1"}}, "1", any)->refused->status, 415);
  auto raw = read({{"content-type", "application/octet-stream"}}, bytes, any);
  ASSERT_FALSE(raw->refused);
  EXPECT_EQ(raw->event().payload, bytes);
  EXPECT_EQ(raw->envelope().headers, R"({"content-type":"application/octet-stream"})");
  EXPECT_EQ(read({{"content-type", "application/json"}}, "{", any)->refused->status, 400);
  const std::string text =
      R"({"specversion":"1.0","id":"1","source":"s","type":"t","datacontenttype":"text/plain","data":"a\nb"})";
  auto plain = read({{"content-type", "application/cloudevents+json"}}, text, any);
  ASSERT_FALSE(plain->refused);
  EXPECT_EQ(plain->event().payload, "a\nb");
  EXPECT_EQ(read({{"content-type", "application/cloudevents+json"}}, text)->refused->status, 415);
}

TEST(EventRequest, Bounds) {
  EventLimits limits;
  limits.max_events = 2;
  limits.max_depth = 2;
  EXPECT_FALSE(read({{"content-type", "application/x-ndjson"}}, "1\n2\n", limits)->refused);
  EXPECT_EQ(read({{"content-type", "application/x-ndjson"}}, "1\n2\n3\n", limits)->refused->status, 413);
  EXPECT_FALSE(read({{"content-type", "application/json"}}, "[[1]]", limits)->refused);
  auto deep = read({{"content-type", "application/json"}}, "[[[1]]]", limits);
  ASSERT_TRUE(deep->refused);
  EXPECT_EQ(deep->refused->status, 400);
  EXPECT_NE(deep->refused->body.find("nested more than 2"), std::string::npos);
}

TEST(EventRequest, ForwardedHeadersAreKept) {
  EventLimits limits;
  limits.forward_headers = {"traceparent", "absent"};
  auto event = read({{"content-type", "application/json"}, {"traceparent", "00-1"}, {"x", "y"}}, "1", limits);
  EXPECT_EQ(event->envelope().headers, R"({"content-type":"application/json","traceparent":"00-1"})");
}

}  // namespace
}  // namespace weir
