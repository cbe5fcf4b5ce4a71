// What the registry knows: a fold over the records of its log, described in docs/registry.md.
//
// Invariants: an id names one content (kind, identity, references) for ever, and a content has one id; ids
// are never used again; versions of a subject are never renumbered.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "schema/schema_lookup.h"

namespace weir {

enum class CompatibilityLevel {
  none,
  backward,
  backward_transitive,
  forward,
  forward_transitive,
  full,
  full_transitive,
};

// "BACKWARD_TRANSITIVE"
const char* compatibility_level_name(CompatibilityLevel level);
std::optional<CompatibilityLevel> compatibility_level_from_name(std::string_view name);

struct StoredSchema {
  SchemaKind kind = SchemaKind::avro;
  std::string text;
  std::string identity;  // what is the same for schemas that are the same, however they are spelled
  std::vector<SchemaReference> references;

  std::string key() const;  // equal for equal contents
};

struct StoredVersion {
  int32_t id = 0;
  bool deleted = false;
};

struct SubjectVersion {
  std::string subject;
  int32_t version = 0;
  int32_t id = 0;
  bool deleted = false;
};

class RegistryState {
 public:
  using Versions = std::map<int32_t, StoredVersion>;

  // Not thread-safe. invalid: not a record that this build understands; nothing has changed.
  Status apply(std::string_view record);

  // Records. What they say holds only once they are applied.
  static std::string version_record(const std::string& subject, int32_t version, int32_t id,
                                    const StoredSchema& schema);
  // `settings`: the subject's level and mode go as well.
  static std::string delete_record(const std::string& subject, const std::vector<int32_t>& versions,
                                   bool permanent, bool settings);
  // Of a subject, or of all ("").
  static std::string level_record(const std::string& subject, std::optional<CompatibilityLevel> level);
  static std::string mode_record(const std::string& subject, std::optional<bool> read_only);

  // nullptr when there is none, or all its versions were deleted permanently.
  const StoredSchema* schema(int32_t id) const;
  std::optional<int32_t> id_of(const StoredSchema& schema) const;  // also of a content without a version
  const Versions* versions(const std::string& subject) const;      // nullptr: no such subject
  std::vector<std::string> subjects() const;
  // The highest that is not deleted.
  std::optional<int32_t> latest(const std::string& subject) const;
  std::vector<SubjectVersion> uses_of(int32_t id) const;
  // The ids of versions that refer to this one, ascending; `deleted`: also of softly deleted ones.
  std::vector<int32_t> referenced_by(const std::string& subject, int32_t version, bool deleted) const;
  int32_t next_id() const { return next_id_; }
  std::optional<CompatibilityLevel> level(const std::string& subject) const;
  std::optional<bool> read_only(const std::string& subject) const;

 private:
  Status apply_version(const std::string& subject, int32_t version, int32_t id, StoredSchema schema);

  std::map<int32_t, StoredSchema> schemas_;
  std::map<std::string, int32_t> ids_;  // by key()
  std::map<std::string, Versions> subjects_;
  std::map<int32_t, std::vector<std::pair<std::string, int32_t>>> uses_;
  std::map<std::string, CompatibilityLevel> levels_;
  std::map<std::string, bool> read_only_;
  int32_t next_id_ = 1;
};

std::optional<SchemaKind> schema_kind_from_name(std::string_view name);

}  // namespace weir
