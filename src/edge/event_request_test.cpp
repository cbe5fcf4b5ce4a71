#include "edge/event_request.h"

#include <gtest/gtest.h>

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
