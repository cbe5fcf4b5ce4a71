// The REST API of a Confluent schema registry over a log: what a request asks, what it is answered.
// https://docs.confluent.io/platform/current/schema-registry/develop/api.html
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/status.h"
#include "registry/append_log.h"
#include "registry/registry_state.h"
#include "schema/bounded_json.h"

namespace weir {

struct RegistryCall {
  std::string method;
  std::string path;  // decoded, without the registry's own prefix: "/subjects/orders-value/versions"
  std::vector<std::pair<std::string, std::string>> query;
  std::string_view body;  // outlives the answer
};

struct RegistryAnswer {
  int status = 200;
  std::string body;  // JSON, or a schema's own text
};

inline constexpr const char* kRegistryContentType = "application/vnd.schemaregistry.v1+json";

// {"error_code", "message"}: the first three digits of a code are the HTTP status.
RegistryAnswer registry_error(int code, std::string_view message);

// Thread-safe.
class RegistryRequests {
 public:
  // Reads the whole log. invalid when a record cannot be understood.
  static Result<std::unique_ptr<RegistryRequests>> open(std::unique_ptr<AppendLog> log);

  // Whether answer() may wait for the log or compare schemas, rather than only look something up.
  static bool may_block(const RegistryCall& call);
  // A change is durable when it is answered with 2xx.
  RegistryAnswer answer(const RegistryCall& call);

 private:
  struct Route;   // a call and its path in pieces
  struct Posted;  // a schema that was sent

  explicit RegistryRequests(std::unique_ptr<AppendLog> log) : log_(std::move(log)) {}

  RegistryAnswer answer_schemas(const Route& route);
  RegistryAnswer answer_subjects(const Route& route);
  RegistryAnswer answer_version(const Route& route, const std::string& subject);
  RegistryAnswer answer_settings(const Route& route, bool mode);
  RegistryAnswer answer_compatibility(const Route& route);

  RegistryAnswer list_schemas(const Route& route);
  RegistryAnswer list_subjects(const Route& route);
  RegistryAnswer list_versions(const Route& route, const std::string& subject);
  RegistryAnswer schema_by_id(const Route& route, int32_t id);
  RegistryAnswer register_schema(const Route& route, const std::string& subject);
  RegistryAnswer look_up(const Route& route, const std::string& subject);
  RegistryAnswer delete_subject(const Route& route, const std::string& subject);
  RegistryAnswer delete_version(const Route& route, const std::string& subject);
  RegistryAnswer put_level(const Route& route, const std::string& subject);
  RegistryAnswer put_mode(const Route& route, const std::string& subject);
  RegistryAnswer get_setting(const Route& route, const std::string& subject, bool mode);
  RegistryAnswer delete_setting(const std::string& subject, bool mode);

  // These need state_ to stand still: mutex_ or write_mutex_ is held.
  bool is_read_only(const std::string& subject) const;
  CompatibilityLevel level_of(const std::string& subject) const;
  bool has_subject(const std::string& subject, bool deleted) const;
  // Of "3", "latest" or "-1"; an answer when there is none.
  std::variant<int32_t, RegistryAnswer> find_version(const Route& route, const std::string& subject,
                                                     bool deleted) const;
  Result<SchemaText> whole(const StoredSchema& schema) const;
  // An answer when the version cannot go: what is softly deleted needs its references, too.
  std::optional<RegistryAnswer> referenced(const std::string& subject, int32_t version, bool permanent) const;
  RegistryAnswer described(const Route& route, const SubjectVersion& version) const;
  Result<OrderedJson> described_json(const Route& route, const SubjectVersion& version) const;

  // The schema of a body; an answer instead when it holds none.
  std::optional<RegistryAnswer> read_posted(const Route& route, Posted& posted) const;
  // Why a schema does not fit versions of a subject. Waits for mutex_ itself.
  Result<std::vector<std::string>> compare(const Posted& posted, const std::string& subject,
                                           const std::vector<int32_t>& versions,
                                           CompatibilityLevel level) const;
  std::vector<int32_t> compared_versions(const std::string& subject, CompatibilityLevel level) const;

  // With write_mutex_ held: before a change is decided on, state_ is what the log holds. An answer when the
  // log cannot be read.
  std::optional<RegistryAnswer> ready();
  // Makes a record durable and applies it; an answer instead when that failed. write_mutex_ is held.
  std::optional<RegistryAnswer> store(const std::string& record);
  Status catch_up();

  std::mutex write_mutex_;  // held by who changes something, from the decision to the answer
  std::unique_ptr<AppendLog> log_;
  int64_t applied_ = 0;              // offset after the last record in state_
  bool behind_ = false;              // the outcome of an append is unknown: read before the next change
  mutable std::shared_mutex mutex_;  // guards state_; changed only with write_mutex_ held as well
  RegistryState state_;
};

}  // namespace weir
