#include "clients/registry_answer.h"

#include "schema/bounded_json.h"

namespace weir {
namespace {

constexpr size_t kMostSchemaDepth = 1000;
constexpr size_t kMostDepth = 32;
constexpr size_t kMostReferences = 1000;
constexpr size_t kMostWords = 500;

Status nonsense(const std::string& what) {
  return Status::unavailable("the schema registry answers nonsense: " + what);
}

Result<OrderedJson> object_of(std::string_view body) {
  auto json = parse_bounded_json(body, kMostDepth);
  if (!json.ok()) return nonsense(json.status().message());
  if (!json->is_object()) return nonsense("not a JSON object");
  return json;
}

// 0 when it is not there.
Result<int32_t> number_of(const OrderedJson& json, const char* name) {
  const auto found = json.find(name);
  if (found == json.end() || found->is_null()) return 0;
  if (!found->is_number_integer()) return nonsense(std::string("'") + name + "' is not an integer");
  const bool too_large = found->is_number_unsigned() && found->get<uint64_t>() > INT32_MAX;
  if (too_large || found->get<int64_t>() < 1) return nonsense(std::string("'") + name + "' is out of range");
  return found->get<int32_t>();
}

// "" when it is not there.
Result<std::string> text_of(const OrderedJson& json, const char* name) {
  const auto found = json.find(name);
  if (found == json.end() || found->is_null()) return std::string();
  if (!found->is_string()) return nonsense(std::string("'") + name + "' is not a string");
  return found->get<std::string>();
}

}  // namespace

Result<AnsweredSchema> parse_schema_answer(std::string_view body) {
  WEIR_ASSIGN(const OrderedJson json, object_of(body));
  AnsweredSchema answer;
  WEIR_ASSIGN(answer.id, number_of(json, "id"));
  WEIR_ASSIGN(answer.version, number_of(json, "version"));
  WEIR_ASSIGN(answer.subject, text_of(json, "subject"));
  WEIR_ASSIGN(answer.text, text_of(json, "schema"));
  WEIR_ASSIGN(const std::string kind, text_of(json, "schemaType"));
  if (answer.text.empty()) return nonsense("there is no 'schema'");
  if (kind == "JSON") {
    answer.kind = SchemaKind::json;
  } else if (kind == "PROTOBUF") {
    answer.kind = SchemaKind::protobuf;
  } else if (!kind.empty() && kind != "AVRO") {
    return nonsense("'schemaType' is none of AVRO, JSON and PROTOBUF");
  }
  // A text that no registry would have taken: asked again, not believed for ever.
  if (answer.kind != SchemaKind::protobuf) {
    const auto schema = parse_bounded_json(answer.text, kMostSchemaDepth);
    if (!schema.ok()) return nonsense("'schema' is not JSON: " + schema.status().message());
  }
  const auto references = json.find("references");
  if (references == json.end() || references->is_null()) return answer;
  if (!references->is_array() || references->size() > kMostReferences) {
    return nonsense("'references' is not a list, or too long");
  }
  for (const OrderedJson& entry : *references) {
    if (!entry.is_object()) return nonsense("'references' holds what is not an object");
    SchemaReference reference;
    WEIR_ASSIGN(reference.name, text_of(entry, "name"));
    WEIR_ASSIGN(reference.subject, text_of(entry, "subject"));
    WEIR_ASSIGN(reference.version, number_of(entry, "version"));
    if (reference.name.empty() || reference.subject.empty() || reference.version == 0) {
      return nonsense("a reference lacks its name, subject or version");
    }
    answer.references.push_back(std::move(reference));
  }
  return answer;
}

Result<std::vector<std::pair<std::string, int32_t>>> parse_versions_answer(std::string_view body) {
  auto json = parse_bounded_json(body, kMostDepth);
  if (!json.ok()) return nonsense(json.status().message());
  if (!json->is_array()) return nonsense("not a list of versions");
  std::vector<std::pair<std::string, int32_t>> versions;
  for (const OrderedJson& entry : *json) {
    if (!entry.is_object()) return nonsense("a version is not an object");
    WEIR_ASSIGN(const std::string subject, text_of(entry, "subject"));
    WEIR_ASSIGN(const int32_t version, number_of(entry, "version"));
    if (!subject.empty() && version != 0) versions.emplace_back(subject, version);
  }
  return versions;
}

std::optional<AnsweredError> parse_error_answer(std::string_view body) {
  const auto json = parse_bounded_json(body, kMostDepth);
  if (!json.ok() || !json->is_object()) return std::nullopt;
  const auto code = json->find("error_code");
  const auto message = json->find("message");
  if (code == json->end() || !code->is_number_integer()) return std::nullopt;
  AnsweredError error{code->get<int64_t>(), ""};
  if (message != json->end() && message->is_string()) {
    error.message = message->get<std::string>().substr(0, kMostWords);
  }
  return error;
}

}  // namespace weir
