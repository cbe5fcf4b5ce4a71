#include "registry/registry_requests.h"

#include <gtest/gtest.h>

#include "registry/memory_log_test.h"

namespace weir {
namespace {

constexpr const char* kOrders =
    R"({"type": "record", "name": "Order", "fields": [{"name": "id", "type": "long"}]})";

std::string record(const std::string& fields) {
  return R"({"type":"record","name":"Order","fields":[)" + fields + "]}";
}
const std::string kId = R"({"name":"id","type":"long"})";
const std::string kNote = R"({"name":"note","type":"string"})";
const std::string kNoteOr = R"({"name":"note","type":"string","default":""})";

std::string body(const std::string& text, const std::string& more = "") {
  return R"({"schema":)" + OrderedJson(text).dump() + more + "}";
}

class RegistryRequestsTest : public testing::Test {
 protected:
  void SetUp() override { open(); }

  void open() {
    auto opened = RegistryRequests::open(std::make_unique<MemoryLog>(records));
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    requests = *std::move(opened);
  }

  // "200 {…}"; `target` may end in "?a=b&c=d".
  std::string call(const std::string& method, const std::string& target, const std::string& text = "") {
    const size_t question = target.find('?');
    RegistryCall call{method, target.substr(0, question), {}, text};
    for (size_t at = question; at != std::string::npos;) {
      const size_t next = target.find('&', at + 1);
      const std::string pair = target.substr(at + 1, next == std::string::npos ? next : next - at - 1);
      call.query.emplace_back(pair.substr(0, pair.find('=')), pair.substr(pair.find('=') + 1));
      at = next;
    }
    const RegistryAnswer answer = requests->answer(call);
    return std::to_string(answer.status) + " " + answer.body;
  }
  std::string get(const std::string& target) { return call("GET", target); }
  std::string add(const std::string& subject, const std::string& text, const std::string& more = "") {
    return call("POST", "/subjects/" + subject + "/versions", body(text, more));
  }
  // HTTP status and error code.
  static std::string code(const std::string& answer) {
    const OrderedJson json = OrderedJson::parse(answer.substr(4));
    return answer.substr(0, 4) + (json.contains("error_code") ? json["error_code"].dump() : "");
  }

  MemoryRecords records;
  std::unique_ptr<RegistryRequests> requests;
};

TEST_F(RegistryRequestsTest, AnEmptyRegistry) {
  EXPECT_EQ(get(""), "200 {}");
  EXPECT_EQ(get("/"), "200 {}");
  EXPECT_EQ(get("/subjects"), "200 []");
  EXPECT_EQ(get("/schemas"), "200 []");
  EXPECT_EQ(get("/schemas/types"), R"(200 ["JSON","PROTOBUF","AVRO"])");
  EXPECT_EQ(get("/contexts"), R"(200 ["."])");
  EXPECT_EQ(get("/config"), R"(200 {"compatibilityLevel":"BACKWARD"})");
  EXPECT_EQ(get("/mode"), R"(200 {"mode":"READWRITE"})");
  EXPECT_EQ(code(get("/subjects/s/versions")), "404 40401");
  EXPECT_EQ(code(get("/subjects/s/versions/1")), "404 40401");
  EXPECT_EQ(code(get("/schemas/ids/1")), "404 40403");
  EXPECT_EQ(code(get("/nothing")), "404 404");
  EXPECT_EQ(code(call("PATCH", "/subjects")), "405 405");
}

TEST_F(RegistryRequestsTest, RegistersAndGivesBack) {
  EXPECT_EQ(add("s", kOrders), R"(200 {"id":1})");
  EXPECT_EQ(add("s", kOrders), R"(200 {"id":1})");
  EXPECT_EQ(add("s", record(kId)), R"(200 {"id":1})");  // the same without white space
  EXPECT_EQ(add("t", record(kId)), R"(200 {"id":1})");
  EXPECT_EQ(add("s", record(kId + "," + kNoteOr)), R"(200 {"id":2})");
  EXPECT_EQ(get("/subjects"), R"(200 ["s","t"])");
  EXPECT_EQ(get("/subjects?subjectPrefix=t"), R"(200 ["t"])");
  EXPECT_EQ(get("/subjects?offset=1&limit=5"), R"(200 ["t"])");
  EXPECT_EQ(get("/subjects?limit=1"), R"(200 ["s"])");
  EXPECT_EQ(get("/subjects/s/versions"), "200 [1,2]");
  const std::string text = OrderedJson(record(kId)).dump();
  EXPECT_EQ(get("/subjects/s/versions/1"), R"(200 {"subject":"s","version":1,"id":1,"schema":)" + text + "}");
  EXPECT_EQ(get("/subjects/t/versions/latest"),
            R"(200 {"subject":"t","version":1,"id":1,"schema":)" + text + "}");
  EXPECT_EQ(get("/subjects/s/versions/1/schema"), "200 " + record(kId));
  EXPECT_EQ(get("/schemas/ids/1"), R"(200 {"schema":)" + text + "}");
  EXPECT_EQ(get("/schemas/ids/1/schema"), "200 " + record(kId));
  EXPECT_EQ(get("/schemas/ids/1/subjects"), R"(200 ["s","t"])");
  EXPECT_EQ(get("/schemas/ids/1/versions"),
            R"(200 [{"subject":"s","version":1},{"subject":"t","version":1}])");
  EXPECT_EQ(call("POST", "/subjects/s", body(kOrders)),
            R"(200 {"subject":"s","version":1,"id":1,"schema":)" + text + "}");
  EXPECT_EQ(code(call("POST", "/subjects/s", body("\"int\""))), "404 40403");
  EXPECT_EQ(code(call("POST", "/subjects/x", body(kOrders))), "404 40401");
  EXPECT_EQ(code(get("/subjects/s/versions/3")), "404 40402");
  for (const char* version : {"0", "-2", "x", "1x", "99999999999"}) {
    EXPECT_EQ(code(get(std::string("/subjects/s/versions/") + version)), "422 42202") << version;
  }
  EXPECT_EQ(OrderedJson::parse(get("/schemas?latestOnly=true").substr(4)).size(), 2u);
  EXPECT_EQ(OrderedJson::parse(get("/schemas").substr(4)).size(), 3u);
}

TEST_F(RegistryRequestsTest, LevelsDecideWhatMayFollow) {
  const struct {
    const char *level, *first, *last, *next, *code;
  } cases[] = {
      {"NONE", "a", "a", "int", "200 "},
      {"BACKWARD", "a", "a", "a+default", "200 "},
      {"BACKWARD", "a", "a", "a+b", "409 409"},
      {"BACKWARD", "a", "a", "int", "409 409"},
      {"FORWARD", "a", "a", "a+b", "200 "},
      {"FORWARD", "a+b", "a+b", "a", "409 409"},
      {"BACKWARD", "a+b", "a+b", "a", "200 "},
      {"FULL", "a", "a", "a+default", "200 "},
      {"FULL", "a", "a", "a+b", "409 409"},
      {"FULL", "a+b", "a+b", "a", "409 409"},
      {"BACKWARD", "int", "string", "bytes", "200 "},
      {"BACKWARD_TRANSITIVE", "int", "string", "bytes", "409 409"},
      {"FORWARD", "string", "int", "int2", "200 "},
      {"FORWARD_TRANSITIVE", "bytes", "int", "long", "409 409"},
      {"FULL_TRANSITIVE", "a", "a+default", "a", "200 "},
  };
  const std::map<std::string, std::string> texts = {
      {"a", record(kId)},
      {"a+b", record(kId + "," + kNote)},
      {"a+default", record(kId + "," + kNoteOr)},
      {"int", "\"int\""},
      {"int2", R"({"type":"int"})"},
      {"long", "\"long\""},
      {"string", "\"string\""},
      {"bytes", "\"bytes\""},
  };
  int number = 0;
  for (const auto& [level, first, last, next, expected] : cases) {
    const std::string subject = "s" + std::to_string(number++);
    EXPECT_EQ(call("PUT", "/config/" + subject, R"({"compatibility":"NONE"})"),
              R"(200 {"compatibility":"NONE"})");
    add(subject, texts.at(first));
    add(subject, texts.at(last));
    call("PUT", "/config/" + subject, R"({"compatibility":")" + std::string(level) + R"("})");
    const std::string tested =
        call("POST", "/compatibility/subjects/" + subject + "/versions?verbose=true", body(texts.at(next)));
    EXPECT_NE(
        tested.find(std::string(expected) == "200 " ? R"("is_compatible":true)" : R"("is_compatible":false)"),
        std::string::npos)
        << level << " " << next << ": " << tested;
    const std::string answer = add(subject, texts.at(next));
    EXPECT_EQ(code(answer), expected)
        << level << " " << first << " " << last << " " << next << ": " << answer;
  }
}

TEST_F(RegistryRequestsTest, CompatibilityIsTestedWithoutRegistering) {
  add("s", record(kId));
  EXPECT_EQ(call("POST", "/compatibility/subjects/s/versions/latest", body(record(kId + "," + kNoteOr))),
            R"(200 {"is_compatible":true})");
  EXPECT_EQ(call("POST", "/compatibility/subjects/s/versions/1", body("\"int\"")),
            R"(200 {"is_compatible":false})");
  const std::string verbose =
      call("POST", "/compatibility/subjects/s/versions/1?verbose=true", body("\"int\""));
  EXPECT_NE(verbose.find("(version 1)"), std::string::npos) << verbose;
  EXPECT_NE(verbose.find("BACKWARD"), std::string::npos) << verbose;
  EXPECT_EQ(code(call("POST", "/compatibility/subjects/s/versions/2", body("\"int\""))), "404 40402");
  EXPECT_EQ(call("POST", "/compatibility/subjects/new/versions/latest", body("\"int\"")),
            R"(200 {"is_compatible":true})");
  EXPECT_EQ(call("POST", "/compatibility/subjects/s/versions", body("{}", R"(,"schemaType":"JSON")")),
            R"(200 {"is_compatible":false})");
  EXPECT_EQ(code(call("POST", "/compatibility/subjects/s/versions", body("nonsense"))), "422 42201");
  EXPECT_EQ(get("/subjects/s/versions"), "200 [1]");
}

TEST_F(RegistryRequestsTest, DeletesSoftlyThenForGood) {
  add("s", record(kId));
  add("s", record(kId + "," + kNoteOr));
  EXPECT_EQ(code(call("DELETE", "/subjects/s?permanent=true")), "404 40405");
  EXPECT_EQ(code(call("DELETE", "/subjects/s/versions/1?permanent=true")), "404 40407");
  EXPECT_EQ(call("DELETE", "/subjects/s/versions/2"), "200 2");
  EXPECT_EQ(code(call("DELETE", "/subjects/s/versions/2")), "404 40406");
  EXPECT_EQ(code(get("/subjects/s/versions/2")), "404 40402");
  EXPECT_NE(get("/subjects/s/versions/2?deleted=true").find(R"("deleted":true)"), std::string::npos);
  EXPECT_EQ(get("/subjects/s/versions"), "200 [1]");
  EXPECT_EQ(get("/subjects/s/versions?deleted=true"), "200 [1,2]");
  EXPECT_EQ(code(get("/schemas/ids/2")), "200 ");  // what was written with it can still be read
  // Again: the same id, a new version.
  EXPECT_EQ(add("s", record(kId + "," + kNoteOr)), R"(200 {"id":2})");
  EXPECT_EQ(get("/subjects/s/versions"), "200 [1,3]");
  EXPECT_EQ(call("DELETE", "/subjects/s"), "200 [1,3]");
  EXPECT_EQ(code(call("DELETE", "/subjects/s")), "404 40404");
  EXPECT_EQ(get("/subjects"), "200 []");
  EXPECT_EQ(get("/subjects?deleted=true"), R"(200 ["s"])");
  EXPECT_EQ(get("/subjects?deletedOnly=true"), R"(200 ["s"])");
  EXPECT_EQ(code(get("/subjects/s/versions")), "404 40401");
  EXPECT_EQ(call("DELETE", "/subjects/s?permanent=true"), "200 [1,2,3]");
  EXPECT_EQ(code(call("DELETE", "/subjects/s?permanent=true")), "404 40401");
  EXPECT_EQ(code(get("/schemas/ids/1")), "404 40403");
  // Ids are never given to another schema; a schema gets its own back.
  EXPECT_EQ(add("s", "\"int\""), R"(200 {"id":3})");
  EXPECT_EQ(add("u", record(kId)), R"(200 {"id":1})");
  const std::string before = get("/schemas?deleted=true");
  open();
  EXPECT_EQ(get("/schemas?deleted=true"), before);
  EXPECT_EQ(add("v", "\"long\""), R"(200 {"id":4})");
}

TEST_F(RegistryRequestsTest, References) {
  const std::string inner = R"({"type":"record","name":"Inner","fields":[{"name":"x","type":"int"}]})";
  const std::string outer = R"({"type":"record","name":"Outer","fields":[{"name":"i","type":"Inner"}]})";
  const auto reference = [](int version) {
    return R"(,"references":[{"name":"Inner","subject":"inner","version":)" + std::to_string(version) + "}]";
  };
  EXPECT_EQ(code(add("outer", outer)), "422 42201");
  EXPECT_EQ(code(add("outer", outer, reference(1))), "422 42201");
  add("inner", inner);
  EXPECT_EQ(add("outer", outer, reference(1)), R"(200 {"id":2})");
  EXPECT_NE(get("/schemas/ids/2").find(R"("references":[{"name":"Inner","subject":"inner","version":1}])"),
            std::string::npos);
  EXPECT_EQ(get("/subjects/inner/versions/1/referencedby"), "200 [2]");
  EXPECT_EQ(code(call("DELETE", "/subjects/inner/versions/1")), "422 42206");
  EXPECT_EQ(code(call("DELETE", "/subjects/inner")), "422 42206");
  call("DELETE", "/subjects/outer");
  EXPECT_EQ(code(call("DELETE", "/subjects/inner")), "200 ");
  // Still needed by what is only softly deleted.
  EXPECT_EQ(code(call("DELETE", "/subjects/inner?permanent=true")), "422 42206");
  call("DELETE", "/subjects/outer?permanent=true");
  EXPECT_EQ(code(call("DELETE", "/subjects/inner?permanent=true")), "200 ");
}

TEST_F(RegistryRequestsTest, ProtobufIsTheSameAsTextAndAsDescriptor) {
  const std::string text = "syntax = \"proto3\"; // an order\nmessage Order { int64 id = 1; }";
  EXPECT_EQ(add("p", text, R"(,"schemaType":"PROTOBUF")"), R"(200 {"id":1})");
  EXPECT_EQ(get("/schemas/ids/1/schema"), "200 " + text);
  const OrderedJson serialized = OrderedJson::parse(get("/schemas/ids/1?format=serialized").substr(4));
  EXPECT_EQ(serialized["schemaType"], "PROTOBUF");
  EXPECT_EQ(add("p", serialized["schema"], R"(,"schemaType":"PROTOBUF")"), R"(200 {"id":1})");
  EXPECT_EQ(add("q", serialized["schema"], R"(,"schemaType":"PROTOBUF")"), R"(200 {"id":1})");
  EXPECT_EQ(get("/subjects/p/versions"), "200 [1]");
  const std::string changed = "syntax = \"proto3\"; message Order { string id = 1; }";
  EXPECT_EQ(code(add("p", changed, R"(,"schemaType":"PROTOBUF")")), "409 409");
  EXPECT_EQ(code(add("p", "message {", R"(,"schemaType":"PROTOBUF")")), "422 42201");
}

TEST_F(RegistryRequestsTest, JsonSchemaAndNormalizing) {
  const std::string one = R"({"type": "object", "additionalProperties": false})";
  EXPECT_EQ(add("j", one, R"(,"schemaType":"JSON")"), R"(200 {"id":1})");
  const std::string turned = R"({"additionalProperties":false,"type":"object"})";
  const std::string normal = body(turned, R"(,"schemaType":"JSON")");
  EXPECT_EQ(call("POST", "/subjects/k/versions?normalize=True", normal), R"(200 {"id":2})");
  EXPECT_EQ(call("POST", "/subjects/k/versions?normalize=true", body(one, R"(,"schemaType":"JSON")")),
            R"(200 {"id":2})");
  const std::string more =
      R"({"type":"object","additionalProperties":false,"properties":{"a":{"type":"string"}}})";
  EXPECT_EQ(code(add("j", more, R"(,"schemaType":"JSON")")), "200 ");
  EXPECT_EQ(code(add("j", one, R"(,"schemaType":"JSON")")), "200 ");  // is there already
  EXPECT_EQ(code(add("j", R"({"type":"string"})", R"(,"schemaType":"JSON")")), "409 409");
  EXPECT_EQ(code(add("j", R"({"$ref":"http://example.org"})", R"(,"schemaType":"JSON")")), "422 42201");
}

TEST_F(RegistryRequestsTest, LevelsAndModes) {
  EXPECT_EQ(call("PUT", "/config", R"({"compatibility":"FULL"})"), R"(200 {"compatibility":"FULL"})");
  EXPECT_EQ(code(get("/config/s")), "404 40408");
  EXPECT_EQ(get("/config/s?defaultToGlobal=true"), R"(200 {"compatibilityLevel":"FULL"})");
  EXPECT_EQ(code(call("PUT", "/config/s", R"({"compatibility":"SOMETIMES"})")), "422 42203");
  EXPECT_EQ(code(call("PUT", "/config/s", R"({"compatibility":7})")), "422 42203");
  EXPECT_EQ(code(call("PUT", "/config/s", "{}")), "422 42203");
  EXPECT_EQ(code(call("PUT", "/config/s", "nonsense")), "400 400");
  EXPECT_EQ(code(call("PUT", "/config/s", R"({"compatibility":"FULL","compatibilityGroup":"g"})")),
            "422 422");
  call("PUT", "/config/s", R"({"compatibility":"FORWARD_TRANSITIVE"})");
  EXPECT_EQ(get("/config/s"), R"(200 {"compatibilityLevel":"FORWARD_TRANSITIVE"})");
  EXPECT_EQ(call("DELETE", "/config/s"), R"(200 {"compatibilityLevel":"FORWARD_TRANSITIVE"})");
  EXPECT_EQ(code(call("DELETE", "/config/s")), "404 40408");

  add("s", "\"int\"");
  EXPECT_EQ(call("PUT", "/mode/s?force=False", R"({"mode":"READONLY"})"), R"(200 {"mode":"READONLY"})");
  EXPECT_EQ(code(add("s", "\"long\"")), "422 42205");
  EXPECT_EQ(code(call("DELETE", "/subjects/s")), "422 42205");
  EXPECT_EQ(code(call("PUT", "/config/s", R"({"compatibility":"NONE"})")), "422 42205");
  EXPECT_EQ(code(add("t", "\"long\"")), "200 ");
  EXPECT_EQ(call("PUT", "/mode", R"({"mode":"READONLY"})"), R"(200 {"mode":"READONLY"})");
  EXPECT_EQ(code(add("u", "\"long\"")), "422 42205");
  EXPECT_EQ(code(call("PUT", "/mode", R"({"mode":"IMPORT"})")), "422 42204");
  open();
  EXPECT_EQ(get("/mode/s"), R"(200 {"mode":"READONLY"})");
  EXPECT_EQ(get("/config"), R"(200 {"compatibilityLevel":"FULL"})");
  EXPECT_EQ(call("DELETE", "/mode/s"), R"(200 {"mode":"READONLY"})");
  EXPECT_EQ(code(get("/mode/s")), "404 40409");
}

TEST_F(RegistryRequestsTest, SubjectsThatAreTricks) {
  for (const std::string& subject :
       {std::string("."), std::string(".."), std::string("a\\b"), std::string("a\nb"), std::string("a\0b", 3),
        std::string("\x7f"), std::string("\xff"), std::string(256, 'a')}) {
    EXPECT_EQ(code(add(subject, "\"int\"")), "422 42208") << subject;
    EXPECT_EQ(code(call("PUT", "/config/" + subject, R"({"compatibility":"FULL"})")), "422 42208") << subject;
  }
  EXPECT_EQ(code(add("a/../b", "\"int\"")), "404 404");
  EXPECT_EQ(code(add("", "\"int\"")), "422 42208");
  EXPECT_EQ(code(add(std::string(255, 'a'), "\"int\"")), "200 ");
  EXPECT_EQ(code(add("größe: all, 'it' & more", "\"int\"")), "200 ");
}

TEST_F(RegistryRequestsTest, BodiesThatAreNonsense) {
  for (const std::string& text : {std::string(), std::string("{"), std::string("[]"), std::string("7"),
                                  std::string("\xff"), std::string(10'000, '[')}) {
    EXPECT_EQ(code(call("POST", "/subjects/s/versions", text)), "400 400");
    EXPECT_EQ(code(call("POST", "/compatibility/subjects/s/versions", text)), "400 400");
    EXPECT_EQ(code(call("PUT", "/mode", text)), "400 400");
  }
  for (const char* text :
       {"{}", R"({"schema":7})", R"({"schema":""})", R"({"schema":"x"})",
        R"({"schema":"\"int\"","schemaType":"XML"})", R"({"schema":"\"int\"","schemaType":7})",
        R"({"schema":"\"int\"","references":7})", R"({"schema":"\"int\"","references":[7]})",
        R"({"schema":"\"int\"","references":[{"name":"a"}]})",
        R"({"schema":"\"int\"","references":[{"name":"a","subject":"b","version":0}]})",
        R"({"schema":"\"int\"","references":[{"name":"a","subject":"../b","version":1}]})",
        R"({"schema":"\"int\"","references":[{"name":"a\u0000","subject":"b","version":1}]})",
        R"({"schema":"\"int\"","references":[{"name":"a","subject":"b","version":18446744073709551615}]})",
        R"({"schema":"\"int\"","version":7})"}) {
    EXPECT_EQ(code(call("POST", "/subjects/s/versions", text)), "422 42201") << text;
  }
  EXPECT_EQ(code(add("s", "\"int\"", R"(,"metadata":{"properties":{"a":"b"}})")), "422 422");
  EXPECT_EQ(get("/subjects"), "200 []");
  EXPECT_TRUE(records.records.empty());
}

TEST_F(RegistryRequestsTest, AFullDiskStoresNothing) {
  add("s", "\"int\"");
  records.next_append = {Code::exhausted, "no space left"};
  EXPECT_EQ(code(add("s", "\"long\"")), "503 50001");
  EXPECT_EQ(get("/subjects/s/versions"), "200 [1]");
  EXPECT_EQ(add("s", "\"long\""), R"(200 {"id":2})");
}

TEST_F(RegistryRequestsTest, AnAppendWhoseOutcomeIsUnknownIsLookedUpBeforeTheNextChange) {
  add("s", "\"int\"");
  records.next_append = Status::unavailable("the disk does not answer");
  records.stored_all_the_same = true;
  EXPECT_EQ(code(add("s", "\"long\"")), "503 50001");
  records.readable = false;
  EXPECT_EQ(code(add("s", "\"double\"")), "503 50001");
  records.readable = true;
  EXPECT_EQ(add("s", "\"double\""), R"(200 {"id":3})");
  EXPECT_EQ(get("/subjects/s/versions"), "200 [1,2,3]");
  EXPECT_EQ(get("/subjects/s/versions/2/schema"), "200 \"long\"");
}

TEST_F(RegistryRequestsTest, ALogThatIsNotOursIsRefused) {
  for (
      const char* text :
      {"", "{}", "[]", R"({"format":2,"type":"level","subject":"","level":null})",
       R"({"format":1,"type":"other","subject":"s"})",
       R"({"format":1,"type":"level","subject":"s","level":"X"})",
       R"({"format":1,"type":"delete","subject":"s","versions":[1],"permanent":true,"settings":true})",
       R"({"format":1,"type":"version","subject":"s","version":0,"id":1,"schemaType":"AVRO","schema":"x","references":[]})"}) {
    records.records = {text};
    EXPECT_EQ(RegistryRequests::open(std::make_unique<MemoryLog>(records)).status().code(), Code::invalid)
        << text;
  }
  records.records.clear();
  add("s", "\"int\"");
  records.records.push_back(records.records[0]);
  EXPECT_FALSE(RegistryRequests::open(std::make_unique<MemoryLog>(records)).ok());
}

}  // namespace
}  // namespace weir
