#include "registry/registry_requests.h"

#include <algorithm>
#include <set>

#include "registry/request_parts.h"
#include "registry/schema_rules.h"

namespace weir {
namespace {

std::vector<std::string> pieces_of(std::string_view path) {
  std::vector<std::string> pieces;
  while (!path.empty() && path.front() == '/') {
    path.remove_prefix(1);
    const size_t end = std::min(path.find('/'), path.size());
    if (end == path.size() && end == 0) break;  // a '/' at the end
    pieces.emplace_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return pieces;
}

RegistryAnswer invalid_subject(const std::string& subject) {
  return registry_error(42208, "The specified subject '" + subject + "' is not a valid subject.");
}

}  // namespace

Result<std::unique_ptr<RegistryRequests>> RegistryRequests::open(std::unique_ptr<AppendLog> log) {
  std::unique_ptr<RegistryRequests> requests(new RegistryRequests(std::move(log)));
  WEIR_TRY(requests->catch_up().with_context("the schema registry's log"));
  return requests;
}

bool RegistryRequests::may_block(const RegistryCall& call) {
  // The texts of Protobuf schemas are compiled for their serialized form.
  const auto format = [](const auto& entry) { return entry.first == "format"; };
  return call.method != "GET" || std::any_of(call.query.begin(), call.query.end(), format);
}

RegistryAnswer RegistryRequests::answer(const RegistryCall& call) {
  const Route route{call, pieces_of(call.path)};
  if (route.path.empty())
    return route.is("GET") ? json_answer(OrderedJson::object()) : wrong_method(call.method);
  const std::string& first = route.path[0];
  if (first == "subjects") return answer_subjects(route);
  if (first == "schemas") return answer_schemas(route);
  if (first == "config") return answer_settings(route, false);
  if (first == "mode") return answer_settings(route, true);
  if (first == "compatibility") return answer_compatibility(route);
  if (first == "contexts" && route.path.size() == 1) return json_answer(OrderedJson::array({"."}));
  return no_resource();
}

RegistryAnswer RegistryRequests::answer_subjects(const Route& route) {
  if (route.path.size() == 1) return route.is("GET") ? list_subjects(route) : wrong_method(route.call.method);
  const std::string& subject = route.path[1];
  if (!is_subject(subject)) return invalid_subject(subject);
  if (route.path.size() == 2) {
    if (route.is("POST")) return look_up(route, subject);
    if (route.is("DELETE")) return delete_subject(route, subject);
    return wrong_method(route.call.method);
  }
  if (route.path[2] != "versions" || route.path.size() > 5) return no_resource();
  if (route.path.size() > 3) return answer_version(route, subject);
  if (route.is("GET")) return list_versions(route, subject);
  if (route.is("POST")) return register_schema(route, subject);
  return wrong_method(route.call.method);
}

RegistryAnswer RegistryRequests::answer_version(const Route& route, const std::string& subject) {
  if (route.path.size() == 4 && route.is("DELETE")) return delete_version(route, subject);
  if (!route.is("GET")) return wrong_method(route.call.method);
  std::shared_lock lock(mutex_);
  const auto found = find_version(route, subject, route.flag("deleted"));
  if (const auto* none = std::get_if<RegistryAnswer>(&found)) return *none;
  const int32_t version = std::get<int32_t>(found);
  const StoredVersion& stored = state_.versions(subject)->at(version);
  const SubjectVersion one{subject, version, stored.id, stored.deleted};
  if (route.path.size() == 4) return described(route, one);
  if (route.path[4] == "schema") return {200, state_.schema(stored.id)->text};
  if (route.path[4] == "referencedby") return json_answer(state_.referenced_by(subject, version, false));
  return no_resource();
}

RegistryAnswer RegistryRequests::answer_schemas(const Route& route) {
  if (!route.is("GET")) return wrong_method(route.call.method);
  if (route.path.size() == 1) return list_schemas(route);
  if (route.path[1] == "types" && route.path.size() == 2) {
    return json_answer(OrderedJson::array({"JSON", "PROTOBUF", "AVRO"}));
  }
  if (route.path[1] != "ids" || route.path.size() < 3 || route.path.size() > 4) return no_resource();
  const auto id = positive_number(route.path[2]);
  if (!id) return no_schema(route.path[2]);
  return schema_by_id(route, *id);
}

RegistryAnswer RegistryRequests::schema_by_id(const Route& route, int32_t id) {
  std::shared_lock lock(mutex_);
  const StoredSchema* schema = state_.schema(id);
  if (schema == nullptr) return no_schema(std::to_string(id));
  if (route.path.size() == 3) {
    auto json = described_json(route, {"", 0, id, false});
    return json.ok() ? json_answer(*json) : failure_answer(json.status());
  }
  if (route.path[3] == "schema") return {200, schema->text};
  const bool versions = route.path[3] == "versions";
  if (!versions && route.path[3] != "subjects") return no_resource();
  const std::string* only = route.parameter("subject");
  std::vector<OrderedJson> found;
  std::set<std::string> seen;
  for (const SubjectVersion& use : state_.uses_of(id)) {
    if ((use.deleted && !route.flag("deleted")) || (only != nullptr && use.subject != *only)) continue;
    if (versions) {
      found.push_back({{"subject", use.subject}, {"version", use.version}});
    } else if (seen.insert(use.subject).second) {
      found.emplace_back(use.subject);
    }
  }
  return json_answer(route.page(found));
}

RegistryAnswer RegistryRequests::list_subjects(const Route& route) {
  const std::string* prefix = route.parameter("subjectPrefix");
  const bool deleted_only = route.flag("deletedOnly") || route.flag("deleted_only");
  std::shared_lock lock(mutex_);
  std::vector<std::string> names;
  for (const std::string& name : state_.subjects()) {
    if (prefix != nullptr && !name.starts_with(*prefix)) continue;
    const bool live = has_subject(name, false);
    if (deleted_only ? !live : (live || route.flag("deleted"))) names.push_back(name);
  }
  return json_answer(route.page(names));
}

RegistryAnswer RegistryRequests::list_versions(const Route& route, const std::string& subject) {
  const bool deleted_only = route.flag("deletedOnly") || route.flag("deleted_only");
  std::shared_lock lock(mutex_);
  if (!has_subject(subject, route.flag("deleted") || deleted_only)) return no_subject(subject);
  std::vector<int32_t> numbers;
  for (const auto& [number, version] : *state_.versions(subject)) {
    if (deleted_only ? version.deleted : (!version.deleted || route.flag("deleted")))
      numbers.push_back(number);
  }
  return json_answer(route.page(numbers));
}

RegistryAnswer RegistryRequests::list_schemas(const Route& route) {
  const std::string* prefix = route.parameter("subjectPrefix");
  std::shared_lock lock(mutex_);
  std::vector<SubjectVersion> all;
  for (const std::string& subject : state_.subjects()) {
    if (prefix != nullptr && !subject.starts_with(*prefix)) continue;
    const size_t before = all.size();
    for (const auto& [number, version] : *state_.versions(subject)) {
      if (version.deleted && !route.flag("deleted")) continue;
      all.push_back({subject, number, version.id, version.deleted});
    }
    if (route.flag("latestOnly") && all.size() > before) {
      all.erase(all.begin() + static_cast<int64_t>(before), all.end() - 1);
    }
  }
  OrderedJson list = OrderedJson::array();
  for (const SubjectVersion& version : route.page(all)) {
    auto json = described_json(route, version);
    if (!json.ok()) return failure_answer(json.status());
    list.push_back(*std::move(json));
  }
  return json_answer(list);
}

RegistryAnswer RegistryRequests::answer_settings(const Route& route, bool mode) {
  if (route.path.size() > 2) return no_resource();
  const std::string subject = route.path.size() == 2 ? route.path[1] : "";
  if (route.path.size() == 2 && !is_subject(subject)) return invalid_subject(subject);
  if (route.is("GET")) return get_setting(route, subject, mode);
  if (route.is("PUT")) return mode ? put_mode(route, subject) : put_level(route, subject);
  if (route.is("DELETE")) return delete_setting(subject, mode);
  return wrong_method(route.call.method);
}

RegistryAnswer RegistryRequests::get_setting(const Route& route, const std::string& subject, bool mode) {
  std::shared_lock lock(mutex_);
  const bool own = mode ? state_.read_only(subject).has_value() : state_.level(subject).has_value();
  if (!subject.empty() && !own && !route.flag("defaultToGlobal")) {
    return mode ? registry_error(40409,
                                 "Subject '" + subject + "' does not have subject-level mode configured")
                : registry_error(40408, "Subject '" + subject +
                                            "' does not have subject-level compatibility configured");
  }
  if (mode) return json_answer({{"mode", is_read_only(subject) ? "READONLY" : "READWRITE"}});
  return json_answer({{"compatibilityLevel", compatibility_level_name(level_of(subject))}});
}

RegistryAnswer RegistryRequests::answer_compatibility(const Route& route) {
  const size_t size = route.path.size();
  if (size < 4 || size > 5 || route.path[1] != "subjects" || route.path[3] != "versions")
    return no_resource();
  if (!route.is("POST")) return wrong_method(route.call.method);
  const std::string& subject = route.path[2];
  if (!is_subject(subject)) return invalid_subject(subject);
  Posted posted;
  std::vector<int32_t> versions;
  CompatibilityLevel level{};
  {
    std::shared_lock lock(mutex_);
    if (auto none = read_posted(route, posted)) return *none;
    level = level_of(subject);
    if (size == 4) {
      versions = compared_versions(subject, level);
    } else {
      const auto found = find_version(route, subject, false);
      if (const auto* version = std::get_if<int32_t>(&found)) {
        versions.push_back(*version);
      } else if (const auto& none = std::get<RegistryAnswer>(found);
                 route.path[4] != "latest" || none.status != 404) {
        return none;
      }
    }
  }
  const auto messages = compare(posted, subject, versions, level);
  if (!messages.ok()) return failure_answer(messages.status());
  OrderedJson json = {{"is_compatible", messages->empty()}};
  if (route.flag("verbose")) json["messages"] = *messages;
  return json_answer(json);
}

// ---- what several requests need ---------------------------------------------------------------------------

bool RegistryRequests::is_read_only(const std::string& subject) const {
  return state_.read_only(subject).value_or(state_.read_only("").value_or(false));
}

CompatibilityLevel RegistryRequests::level_of(const std::string& subject) const {
  return state_.level(subject).value_or(state_.level("").value_or(CompatibilityLevel::backward));
}

bool RegistryRequests::has_subject(const std::string& subject, bool deleted) const {
  return deleted ? state_.versions(subject) != nullptr : state_.latest(subject).has_value();
}

std::variant<int32_t, RegistryAnswer> RegistryRequests::find_version(const Route& route,
                                                                     const std::string& subject,
                                                                     bool deleted) const {
  const std::string& text = route.path.back() == "schema" || route.path.back() == "referencedby"
                                ? route.path[route.path.size() - 2]
                                : route.path.back();
  const bool latest = text == "latest" || text == "-1";
  const auto number = positive_number(text);
  if (!latest && !number) {
    return registry_error(42202,
                          "The specified version '" + text +
                              "' is not a valid version id. Allowed values are between [1, 2^31-1] and "
                              "the string \"latest\"");
  }
  if (!has_subject(subject, deleted)) return no_subject(subject);
  if (latest) return deleted ? state_.versions(subject)->rbegin()->first : *state_.latest(subject);
  const auto* versions = state_.versions(subject);
  const auto found = versions->find(*number);
  if (found == versions->end() || (found->second.deleted && !deleted)) return no_version(text);
  return *number;
}

Result<OrderedJson> RegistryRequests::described_json(const Route& route,
                                                     const SubjectVersion& version) const {
  const StoredSchema& schema = *state_.schema(version.id);
  OrderedJson json = OrderedJson::object();
  if (!version.subject.empty()) {
    json = {{"subject", version.subject}, {"version", version.version}, {"id", version.id}};
  }
  if (schema.kind != SchemaKind::avro) json["schemaType"] = schema_kind_name(schema.kind);
  if (!schema.references.empty()) {
    json["references"] = OrderedJson::array();
    for (const SchemaReference& reference : schema.references) {
      json["references"].push_back(
          {{"name", reference.name}, {"subject", reference.subject}, {"version", reference.version}});
    }
  }
  const std::string* format = route.parameter("format");
  if (schema.kind == SchemaKind::protobuf && format != nullptr && *format == "serialized") {
    WEIR_ASSIGN(const SchemaText text, whole(schema));
    WEIR_ASSIGN(json["schema"], serialized_protobuf(text));
  } else {
    json["schema"] = schema.text;
  }
  if (version.deleted) json["deleted"] = true;
  return json;
}

RegistryAnswer RegistryRequests::described(const Route& route, const SubjectVersion& version) const {
  auto json = described_json(route, version);
  return json.ok() ? json_answer(*json) : failure_answer(json.status());
}

Status RegistryRequests::catch_up() {
  WEIR_ASSIGN(applied_, log_->read(applied_, [this](std::string_view record) {
    std::unique_lock lock(mutex_);
    return state_.apply(record);
  }));
  behind_ = false;
  return {};
}

}  // namespace weir
