// Requests that change what the registry knows, and those that compare schemas.
#include <algorithm>
#include <set>

#include "registry/request_parts.h"
#include "registry/schema_rules.h"

namespace weir {
namespace {

constexpr size_t kMostNeeded = 500;  // schemas that one refers to, directly or not
constexpr size_t kMostNeededBytes = 16 << 20;

// Schemas that others refer to, each after those it needs itself.
class References {
 public:
  explicit References(const RegistryState& state) : state_(state) {}

  Status add(const std::vector<SchemaReference>& references, std::vector<SchemaText::Needed>& needed) {
    for (const SchemaReference& reference : references) {
      if (!seen_.emplace(reference.name, reference.subject, reference.version).second) continue;
      if (seen_.size() > kMostNeeded) return Status::invalid("a schema refers to more than 500 others");
      const auto* versions = state_.versions(reference.subject);
      const auto found =
          versions == nullptr ? RegistryState::Versions::const_iterator{} : versions->find(reference.version);
      if (versions == nullptr || found == versions->end()) {
        return Status::invalid("No schema reference found for subject \"" + reference.subject +
                               "\" and version " + std::to_string(reference.version));
      }
      const StoredSchema& schema = *state_.schema(found->second.id);
      bytes_ += schema.text.size();
      if (bytes_ > kMostNeededBytes) return Status::invalid("the schemas referred to exceed 16 mb");
      WEIR_TRY(add(schema.references, needed));
      needed.push_back({reference.name, schema.text});
    }
    return {};
  }

 private:
  const RegistryState& state_;
  std::set<std::tuple<std::string, std::string, int32_t>> seen_;
  size_t bytes_ = 0;
};

bool is_empty(const OrderedJson& body, const char* name) {
  const auto found = body.find(name);
  return found == body.end() || found->is_null() || (found->is_structured() && found->empty());
}

Result<std::vector<SchemaReference>> references_of(const OrderedJson& body) {
  std::vector<SchemaReference> references;
  if (is_empty(body, "references")) return references;
  const auto wrong = Status::invalid("'references' is not a list of {name, subject, version}");
  if (!body["references"].is_array() || body["references"].size() > kMostNeeded) return wrong;
  for (const OrderedJson& entry : body["references"]) {
    if (!entry.is_object() || !entry.contains("name") || !entry["name"].is_string() ||
        !entry.contains("subject") || !entry["subject"].is_string() || !entry.contains("version") ||
        !entry["version"].is_number_integer()) {
      return wrong;
    }
    SchemaReference reference{entry["name"].get<std::string>(), entry["subject"].get<std::string>(), 0};
    const auto version = entry["version"].get<int64_t>();
    const bool has_control =
        std::any_of(reference.name.begin(), reference.name.end(), [](unsigned char c) { return c < 0x20; });
    if (reference.name.empty() || reference.name.size() > 1024 || has_control) {
      return Status::invalid("a reference's name is empty, too long or holds control characters");
    }
    if (!is_subject(reference.subject)) return Status::invalid("a reference's subject is not valid");
    if (version < 1 || version > INT32_MAX) return Status::invalid("a reference's version is out of range");
    reference.version = static_cast<int32_t>(version);
    references.push_back(std::move(reference));
  }
  return references;
}

Result<OrderedJson> object_of(std::string_view body) {
  WEIR_ASSIGN(OrderedJson json, parse_bounded_json(body));
  if (!json.is_object()) return Status::invalid("the body is not a JSON object");
  return json;
}

std::string joined(const std::vector<std::string>& messages) {
  std::string text;
  for (const std::string& message : messages) text += (text.empty() ? "" : "; ") + message;
  return text;
}

RegistryAnswer read_only_answer(const std::string& subject) {
  return registry_error(42205, subject.empty() ? "The registry is in read-only mode"
                                               : "Subject " + subject + " is in read-only mode");
}

}  // namespace

std::optional<RegistryAnswer> RegistryRequests::read_posted(const Route& route, Posted& posted) const {
  auto body = object_of(route.call.body);
  if (!body.ok()) return registry_error(400, body.status().message());
  for (const char* name : {"metadata", "ruleSet"}) {
    if (!is_empty(*body, name)) return registry_error(422, std::string("'") + name + "' is not supported");
  }
  if (is_empty(*body, "schema") || !(*body)["schema"].is_string()) {
    return registry_error(42201, "Invalid schema: 'schema' is missing or not a string");
  }
  posted.stored.text = (*body)["schema"].get<std::string>();
  if (!is_empty(*body, "schemaType")) {
    const OrderedJson& type = (*body)["schemaType"];
    const auto kind = type.is_string() ? schema_kind_from_name(type.get<std::string>()) : std::nullopt;
    if (!kind)
      return registry_error(42201, "Invalid schema type " + type.dump() + ": AVRO, JSON or PROTOBUF");
    posted.stored.kind = *kind;
  }
  if (!is_empty(*body, "version") && (*body)["version"].is_number_integer()) {
    posted.version =
        static_cast<int32_t>(std::clamp<int64_t>((*body)["version"].get<int64_t>(), 0, INT32_MAX));
  }
  auto references = references_of(*body);
  if (!references.ok()) return registry_error(42201, "Invalid schema: " + references.status().message());
  posted.stored.references = *std::move(references);
  if (route.flag("normalize")) {
    std::sort(posted.stored.references.begin(), posted.stored.references.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
  }
  auto text = whole(posted.stored);
  auto checked = text.ok() ? check_schema(*text, route.flag("normalize")) : text.status();
  if (!checked.ok()) {
    return registry_error(42201, "Invalid schema of type " +
                                     std::string(schema_kind_name(posted.stored.kind)) +
                                     ", details: " + checked.status().message());
  }
  posted.whole = *std::move(text);
  posted.whole.text = posted.stored.text = checked->text;
  posted.stored.identity = checked->identity;
  return std::nullopt;
}

Result<SchemaText> RegistryRequests::whole(const StoredSchema& schema) const {
  SchemaText text{schema.kind, schema.text, {}};
  WEIR_TRY(References(state_).add(schema.references, text.needed));
  return text;
}

std::vector<int32_t> RegistryRequests::compared_versions(const std::string& subject,
                                                         CompatibilityLevel level) const {
  using enum CompatibilityLevel;
  std::vector<int32_t> numbers;
  const auto* versions = state_.versions(subject);
  if (level == none || versions == nullptr) return numbers;
  for (const auto& [number, version] : *versions) {
    if (!version.deleted) numbers.push_back(number);
  }
  const bool all = level == backward_transitive || level == forward_transitive || level == full_transitive;
  if (!all && numbers.size() > 1) numbers = {numbers.back()};
  std::reverse(numbers.begin(), numbers.end());  // newest first
  return numbers;
}

Result<std::vector<std::string>> RegistryRequests::compare(const Posted& posted, const std::string& subject,
                                                           const std::vector<int32_t>& versions,
                                                           CompatibilityLevel level) const {
  using enum CompatibilityLevel;
  std::vector<std::string> messages;
  if (level == none) return messages;
  const bool backward_too = level != forward && level != forward_transitive;
  const bool forward_too = level != backward && level != backward_transitive;
  for (const int32_t version : versions) {
    SchemaText old;
    {
      std::shared_lock lock(mutex_);
      const auto* all = state_.versions(subject);
      const auto found = all == nullptr ? RegistryState::Versions::const_iterator{} : all->find(version);
      if (all == nullptr || found == all->end()) continue;  // deleted meanwhile
      WEIR_ASSIGN(old, whole(*state_.schema(found->second.id)));
    }
    const std::string suffix = " (version " + std::to_string(version) + ")";
    if (old.kind != posted.whole.kind) {
      messages.push_back("Incompatible because of different schema type" + suffix);
      return messages;
    }
    if (backward_too) {
      WEIR_ASSIGN(const auto found, schema_incompatibilities(posted.whole, old));
      for (const std::string& words : found) messages.push_back("new cannot read old: " + words + suffix);
    }
    if (forward_too) {
      WEIR_ASSIGN(const auto found, schema_incompatibilities(old, posted.whole));
      for (const std::string& words : found) messages.push_back("old cannot read new: " + words + suffix);
    }
    if (!messages.empty()) break;  // of the newest version that does not fit
  }
  if (!messages.empty()) {
    messages.push_back(std::string("{compatibility: '") + compatibility_level_name(level) + "'}");
  }
  return messages;
}

RegistryAnswer RegistryRequests::register_schema(const Route& route, const std::string& subject) {
  std::lock_guard writing(write_mutex_);
  if (auto failed = ready()) return *failed;
  if (is_read_only(subject)) return read_only_answer(subject);
  Posted posted;
  if (auto answer = read_posted(route, posted)) return *answer;
  const auto known = state_.id_of(posted.stored);
  int32_t next_version = 1;
  if (const auto* versions = state_.versions(subject)) {
    for (const auto& [_, version] : *versions) {
      if (known == version.id && !version.deleted) return json_answer({{"id", version.id}});
    }
    next_version = versions->rbegin()->first + 1;
  }
  const CompatibilityLevel level = level_of(subject);
  const auto messages = compare(posted, subject, compared_versions(subject, level), level);
  if (!messages.ok()) return failure_answer(messages.status());
  if (!messages->empty()) {
    return registry_error(
        409, "Schema being registered is incompatible with an earlier schema for subject \"" + subject +
                 "\", details: [" + joined(*messages) + "]");
  }
  if (posted.version != 0 && posted.version != next_version) {
    return registry_error(42201, "Version " + std::to_string(posted.version) +
                                     " is not the subject's next one, " + std::to_string(next_version));
  }
  const int32_t id = known.value_or(state_.next_id());
  if (id == INT32_MAX || next_version == INT32_MAX) return registry_error(50001, "no ids are left");
  if (auto failed = store(RegistryState::version_record(subject, next_version, id, posted.stored))) {
    return *failed;
  }
  return json_answer({{"id", id}});
}

RegistryAnswer RegistryRequests::look_up(const Route& route, const std::string& subject) {
  std::shared_lock lock(mutex_);
  const bool deleted = route.flag("deleted");
  if (!has_subject(subject, deleted)) return no_subject(subject);
  Posted posted;
  if (auto answer = read_posted(route, posted)) return *answer;
  const auto id = state_.id_of(posted.stored);
  const auto* versions = state_.versions(subject);
  for (auto version = versions->rbegin(); id && version != versions->rend(); ++version) {
    if (version->second.id != *id || (version->second.deleted && !deleted)) continue;
    return described(route, {subject, version->first, *id, version->second.deleted});
  }
  return no_schema("");
}

std::optional<RegistryAnswer> RegistryRequests::referenced(const std::string& subject, int32_t version,
                                                           bool permanent) const {
  if (state_.referenced_by(subject, version, permanent).empty()) return std::nullopt;
  return registry_error(42206, "One or more references exist to the schema {subject=" + subject +
                                   ", version=" + std::to_string(version) + "}");
}

RegistryAnswer RegistryRequests::delete_subject(const Route& route, const std::string& subject) {
  const bool permanent = route.flag("permanent");
  std::lock_guard writing(write_mutex_);
  if (auto failed = ready()) return *failed;
  if (is_read_only(subject)) return read_only_answer(subject);
  const auto* versions = state_.versions(subject);
  if (versions == nullptr) return no_subject(subject);
  const bool live = has_subject(subject, false);
  if (!live && !permanent) {
    return registry_error(
        40404, "Subject '" + subject + "' was soft deleted. Set permanent=true to delete permanently");
  }
  if (live && permanent) {
    return registry_error(40405,
                          "Subject '" + subject + "' was not deleted first before being permanently deleted");
  }
  std::vector<int32_t> numbers;
  for (const auto& [number, version] : *versions) {
    if (version.deleted && !permanent) continue;
    if (auto answer = referenced(subject, number, permanent)) return *answer;
    numbers.push_back(number);
  }
  if (auto failed = store(RegistryState::delete_record(subject, numbers, permanent, true))) return *failed;
  return json_answer(numbers);
}

RegistryAnswer RegistryRequests::delete_version(const Route& route, const std::string& subject) {
  const bool permanent = route.flag("permanent");
  std::lock_guard writing(write_mutex_);
  if (auto failed = ready()) return *failed;
  if (is_read_only(subject)) return read_only_answer(subject);
  const bool latest = route.path.back() == "latest" || route.path.back() == "-1";
  const auto found = find_version(route, subject, !latest);
  if (const auto* none = std::get_if<RegistryAnswer>(&found)) return *none;
  const int32_t version = std::get<int32_t>(found);
  const bool deleted = state_.versions(subject)->at(version).deleted;
  const std::string name = "Subject '" + subject + "' Version " + std::to_string(version);
  if (deleted && !permanent) {
    return registry_error(40406, name + " was soft deleted. Set permanent=true to delete permanently");
  }
  if (!deleted && permanent) {
    return registry_error(40407, name + " was not deleted first before being permanently deleted");
  }
  if (auto answer = referenced(subject, version, permanent)) return *answer;
  if (auto failed = store(RegistryState::delete_record(subject, {version}, permanent, false))) return *failed;
  return json_answer(version);
}

RegistryAnswer RegistryRequests::put_level(const Route& route, const std::string& subject) {
  auto body = object_of(route.call.body);
  if (!body.ok()) return registry_error(400, body.status().message());
  for (const auto& [name, value] : body->items()) {
    const bool known = name == "compatibility" || name == "compatibilityLevel";
    if (!known && !is_empty(*body, name.c_str())) {
      return registry_error(422, "'" + name + "' is not supported");
    }
  }
  const char* name = body->contains("compatibility") ? "compatibility" : "compatibilityLevel";
  std::optional<CompatibilityLevel> level;
  if (body->contains(name) && (*body)[name].is_string()) {
    level = compatibility_level_from_name((*body)[name].get<std::string>());
  }
  if (!level) {
    return registry_error(42203,
                          "Invalid compatibility level. Valid values are none, backward, forward, full, "
                          "backward_transitive, forward_transitive, and full_transitive");
  }
  std::lock_guard writing(write_mutex_);
  if (auto failed = ready()) return *failed;
  if (is_read_only(subject)) return read_only_answer(subject);
  if (auto failed = store(RegistryState::level_record(subject, level))) return *failed;
  return json_answer({{"compatibility", compatibility_level_name(*level)}});
}

RegistryAnswer RegistryRequests::put_mode(const Route& route, const std::string& subject) {
  auto body = object_of(route.call.body);
  if (!body.ok()) return registry_error(400, body.status().message());
  const std::string mode =
      body->contains("mode") && (*body)["mode"].is_string() ? (*body)["mode"].get<std::string>() : "";
  if (mode != "READWRITE" && mode != "READONLY") {
    return registry_error(42204, "Invalid mode. Valid values are READWRITE, READONLY");
  }
  std::lock_guard writing(write_mutex_);
  if (auto failed = ready()) return *failed;
  if (auto failed = store(RegistryState::mode_record(subject, mode == "READONLY"))) return *failed;
  return json_answer({{"mode", mode}});
}

RegistryAnswer RegistryRequests::delete_setting(const std::string& subject, bool mode) {
  std::lock_guard writing(write_mutex_);
  if (auto failed = ready()) return *failed;
  const bool own = mode ? state_.read_only(subject).has_value() : state_.level(subject).has_value();
  if (!own && !subject.empty()) {
    return mode ? registry_error(40409,
                                 "Subject '" + subject + "' does not have subject-level mode configured")
                : registry_error(40408, "Subject '" + subject +
                                            "' does not have subject-level compatibility configured");
  }
  if (!mode && is_read_only(subject)) return read_only_answer(subject);
  const OrderedJson before =
      mode ? OrderedJson{{"mode", is_read_only(subject) ? "READONLY" : "READWRITE"}}
           : OrderedJson{{"compatibilityLevel", compatibility_level_name(level_of(subject))}};
  if (own) {
    const std::string record = mode ? RegistryState::mode_record(subject, std::nullopt)
                                    : RegistryState::level_record(subject, std::nullopt);
    if (auto failed = store(record)) return *failed;
  }
  return json_answer(before);
}

std::optional<RegistryAnswer> RegistryRequests::ready() {
  if (!behind_) return std::nullopt;
  const Status status = catch_up();
  return status.ok() ? std::nullopt : std::optional(failure_answer(status));
}

std::optional<RegistryAnswer> RegistryRequests::store(const std::string& record) {
  const auto next = log_->append(record);
  if (!next.ok()) {
    behind_ = next.status().code() != Code::exhausted;
    return failure_answer(next.status());
  }
  std::unique_lock lock(mutex_);
  const Status applied = state_.apply(record);
  WEIR_CHECK(applied.ok(), applied.message());
  applied_ = *next;
  return std::nullopt;
}

}  // namespace weir
