#include "registry/registry_state.h"

#include <algorithm>
#include <array>
#include <set>

#include "schema/bounded_json.h"

namespace weir {
namespace {

constexpr int kRecordFormat = 1;

constexpr std::array<std::pair<CompatibilityLevel, const char*>, 7> kLevels{{
    {CompatibilityLevel::none, "NONE"},
    {CompatibilityLevel::backward, "BACKWARD"},
    {CompatibilityLevel::backward_transitive, "BACKWARD_TRANSITIVE"},
    {CompatibilityLevel::forward, "FORWARD"},
    {CompatibilityLevel::forward_transitive, "FORWARD_TRANSITIVE"},
    {CompatibilityLevel::full, "FULL"},
    {CompatibilityLevel::full_transitive, "FULL_TRANSITIVE"},
}};

OrderedJson record_of(const char* type, const std::string& subject) {
  return {{"format", kRecordFormat}, {"type", type}, {"subject", subject}};
}

StoredSchema schema_of(const OrderedJson& record) {
  StoredSchema schema;
  schema.kind = schema_kind_from_name(record.at("schemaType").get<std::string>()).value();
  schema.text = record.at("schema").get<std::string>();
  schema.identity = record.value("identity", schema.text);
  for (const OrderedJson& reference : record.at("references")) {
    schema.references.push_back({reference.at("name").get<std::string>(),
                                 reference.at("subject").get<std::string>(),
                                 reference.at("version").get<int32_t>()});
  }
  return schema;
}

template <typename Map, typename Value>
void set_or_erase(Map& map, const std::string& key, const std::optional<Value>& value) {
  if (value) {
    map.insert_or_assign(key, *value);
  } else {
    map.erase(key);
  }
}

}  // namespace

const char* compatibility_level_name(CompatibilityLevel level) {
  return kLevels[static_cast<size_t>(level)].second;
}

std::optional<CompatibilityLevel> compatibility_level_from_name(std::string_view name) {
  for (const auto& [level, known] : kLevels) {
    if (name == known) return level;
  }
  return std::nullopt;
}

std::optional<SchemaKind> schema_kind_from_name(std::string_view name) {
  for (SchemaKind kind : {SchemaKind::avro, SchemaKind::json, SchemaKind::protobuf}) {
    if (name == schema_kind_name(kind)) return kind;
  }
  return std::nullopt;
}

std::string StoredSchema::key() const {
  std::string key = schema_kind_name(kind);
  key += '\0';
  for (const SchemaReference& reference : references) {
    key += reference.name + '\0' + reference.subject + '\0' + std::to_string(reference.version) + '\0';
  }
  return key + identity;
}

std::string RegistryState::version_record(const std::string& subject, int32_t version, int32_t id,
                                          const StoredSchema& schema) {
  OrderedJson record = record_of("version", subject);
  record["version"] = version;
  record["id"] = id;
  record["schemaType"] = schema_kind_name(schema.kind);
  record["schema"] = schema.text;
  if (schema.identity != schema.text) record["identity"] = schema.identity;
  record["references"] = OrderedJson::array();
  for (const SchemaReference& reference : schema.references) {
    record["references"].push_back(
        {{"name", reference.name}, {"subject", reference.subject}, {"version", reference.version}});
  }
  return record.dump();
}

std::string RegistryState::delete_record(const std::string& subject, const std::vector<int32_t>& versions,
                                         bool permanent, bool settings) {
  OrderedJson record = record_of("delete", subject);
  record["versions"] = versions;
  record["permanent"] = permanent;
  record["settings"] = settings;
  return record.dump();
}

std::string RegistryState::level_record(const std::string& subject, std::optional<CompatibilityLevel> level) {
  OrderedJson record = record_of("level", subject);
  record["level"] = level ? OrderedJson(compatibility_level_name(*level)) : OrderedJson(nullptr);
  return record.dump();
}

std::string RegistryState::mode_record(const std::string& subject, std::optional<bool> read_only) {
  OrderedJson record = record_of("mode", subject);
  record["readOnly"] = read_only ? OrderedJson(*read_only) : OrderedJson(nullptr);
  return record.dump();
}

Status RegistryState::apply(std::string_view text) {
  WEIR_ASSIGN(const OrderedJson record, parse_bounded_json(text));
  try {
    if (record.at("format").get<int>() != kRecordFormat) {
      return Status::invalid("written by a newer Weir");
    }
    const std::string type = record.at("type").get<std::string>();
    const std::string subject = record.at("subject").get<std::string>();
    if (type == "version") {
      return apply_version(subject, record.at("version").get<int32_t>(), record.at("id").get<int32_t>(),
                           schema_of(record));
    }
    if (type == "delete") {
      const auto numbers = record.at("versions").get<std::vector<int32_t>>();
      const bool permanent = record.at("permanent").get<bool>();
      const bool settings = record.at("settings").get<bool>();
      auto found = subjects_.find(subject);
      if (found == subjects_.end()) return Status::invalid("deletes in a subject that is not there");
      for (int32_t number : numbers) {
        auto version = found->second.find(number);
        if (version == found->second.end()) continue;
        version->second.deleted = true;
        if (!permanent) continue;
        std::erase(uses_[version->second.id], std::pair(subject, number));
        found->second.erase(version);
      }
      if (found->second.empty()) subjects_.erase(found);
      if (settings) {
        levels_.erase(subject);
        read_only_.erase(subject);
      }
      return {};
    }
    if (type == "level") {
      std::optional<CompatibilityLevel> level;
      if (!record.at("level").is_null()) {
        level = compatibility_level_from_name(record.at("level").get<std::string>()).value();
      }
      set_or_erase(levels_, subject, level);
      return {};
    }
    if (type == "mode") {
      std::optional<bool> read_only;
      if (!record.at("readOnly").is_null()) read_only = record.at("readOnly").get<bool>();
      set_or_erase(read_only_, subject, read_only);
      return {};
    }
    return Status::invalid("of an unknown type: written by a newer Weir");
  } catch (const std::exception&) {
    return Status::invalid("not a record of a schema registry");
  }
}

Status RegistryState::apply_version(const std::string& subject, int32_t version, int32_t id,
                                    StoredSchema schema) {
  if (version < 1 || id < 1 || id == INT32_MAX) return Status::invalid("a version or id out of range");
  const std::string key = schema.key();
  const auto known = schemas_.find(id);
  if (known != schemas_.end() && known->second.key() != key) {
    return Status::invalid("gives id " + std::to_string(id) + " to a second schema");
  }
  const auto [entry, is_new] = subjects_[subject].try_emplace(version, StoredVersion{id, false});
  if (!is_new) return Status::invalid("gives version " + std::to_string(version) + " a second time");
  schemas_.emplace(id, std::move(schema));
  ids_.emplace(key, id);
  uses_[id].emplace_back(subject, version);
  next_id_ = std::max(next_id_, id + 1);
  return {};
}

const StoredSchema* RegistryState::schema(int32_t id) const {
  const auto found = schemas_.find(id);
  const auto used = uses_.find(id);
  if (found == schemas_.end() || used == uses_.end() || used->second.empty()) return nullptr;
  return &found->second;
}

std::optional<int32_t> RegistryState::id_of(const StoredSchema& schema) const {
  const auto found = ids_.find(schema.key());
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

const RegistryState::Versions* RegistryState::versions(const std::string& subject) const {
  const auto found = subjects_.find(subject);
  return found == subjects_.end() ? nullptr : &found->second;
}

std::vector<std::string> RegistryState::subjects() const {
  std::vector<std::string> names;
  for (const auto& [name, _] : subjects_) names.push_back(name);
  return names;
}

std::optional<int32_t> RegistryState::latest(const std::string& subject) const {
  const Versions* all = versions(subject);
  if (all == nullptr) return std::nullopt;
  for (auto version = all->rbegin(); version != all->rend(); ++version) {
    if (!version->second.deleted) return version->first;
  }
  return std::nullopt;
}

std::vector<SubjectVersion> RegistryState::uses_of(int32_t id) const {
  std::vector<SubjectVersion> uses;
  const auto found = uses_.find(id);
  if (found == uses_.end()) return uses;
  for (const auto& [subject, version] : found->second) {
    uses.push_back({subject, version, id, subjects_.at(subject).at(version).deleted});
  }
  return uses;
}

std::vector<int32_t> RegistryState::referenced_by(const std::string& subject, int32_t version,
                                                  bool deleted) const {
  std::set<int32_t> ids;
  for (const auto& [id, schema] : schemas_) {
    for (const SchemaReference& reference : schema.references) {
      if (reference.subject != subject || reference.version != version) continue;
      for (const SubjectVersion& use : uses_of(id)) {
        if (deleted || !use.deleted) ids.insert(id);
      }
    }
  }
  return {ids.begin(), ids.end()};
}

std::optional<CompatibilityLevel> RegistryState::level(const std::string& subject) const {
  const auto found = levels_.find(subject);
  if (found == levels_.end()) return std::nullopt;
  return found->second;
}

std::optional<bool> RegistryState::read_only(const std::string& subject) const {
  const auto found = read_only_.find(subject);
  if (found == read_only_.end()) return std::nullopt;
  return found->second;
}

}  // namespace weir
