// The registry's API with any request body, and the client's parsers with any answer: no crash, well-formed
// answers, and a log that opens again.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "clients/registry_answer.h"
#include "registry/memory_log_test.h"
#include "registry/registry_requests.h"

namespace weir {
namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

std::unique_ptr<RegistryRequests> open(MemoryRecords& records) {
  auto opened = RegistryRequests::open(std::make_unique<MemoryLog>(records));
  require(opened.ok());
  return *std::move(opened);
}

void ask(RegistryRequests& requests, const std::string& method, const std::string& path,
         std::string_view body) {
  const RegistryAnswer answer = requests.answer({method, path, {{"verbose", "true"}}, body});
  require(answer.status >= 200 && answer.status < 500);
  require(parse_bounded_json(answer.body).ok());
}

void serve(std::string_view body) {
  MemoryRecords records;
  auto requests = open(records);
  for (const char* subject : {"a", "b"}) {
    ask(*requests, "POST", std::string("/subjects/") + subject + "/versions",
        R"({"schema":"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}}}","schemaType":"JSON"})");
  }
  ask(*requests, "POST", "/subjects/a/versions", body);
  ask(*requests, "POST", "/subjects/new/versions", body);
  ask(*requests, "POST", "/subjects/new", body);
  ask(*requests, "POST", "/compatibility/subjects/a/versions/latest", body);
  ask(*requests, "PUT", "/config/a", body);
  ask(*requests, "PUT", "/mode", body);
  // What it stored, it understands.
  auto again = open(records);
  const RegistryAnswer before = requests->answer({"GET", "/schemas", {}, {}});
  require(before.body == again->answer({"GET", "/schemas", {}, {}}).body);
}

}  // namespace
}  // namespace weir

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)weir::parse_schema_answer(text);
  (void)weir::parse_versions_answer(text);
  (void)weir::parse_error_answer(text);
  weir::serve(text);
  return 0;
}
