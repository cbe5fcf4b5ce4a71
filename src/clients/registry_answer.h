// What a schema registry answers, checked. Anything may come: nothing here trusts it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "schema/schema_lookup.h"

namespace weir {

// A schema as one answer holds it, without what it refers to.
struct AnsweredSchema {
  int32_t id = 0;  // 0: not told
  std::string subject;
  int32_t version = 0;
  SchemaKind kind = SchemaKind::avro;
  std::string text;
  std::vector<SchemaReference> references;
};

// Of GET /schemas/ids/{id} and GET /subjects/{subject}/versions/{version}. unavailable, with words, for what
// is no such answer.
Result<AnsweredSchema> parse_schema_answer(std::string_view body);

// Of GET /schemas/ids/{id}/versions: (subject, version).
Result<std::vector<std::pair<std::string, int32_t>>> parse_versions_answer(std::string_view body);

// Of an error's body: its code and words, or nothing when it is not one of a registry.
struct AnsweredError {
  int64_t code = 0;
  std::string message;  // at most 500 bytes
};
std::optional<AnsweredError> parse_error_answer(std::string_view body);

}  // namespace weir
