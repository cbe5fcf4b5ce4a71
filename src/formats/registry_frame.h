// What the formats of a schema registry have in common: Confluent's frame around an event, and what a newer
// version of the schema would change.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/pipeline_spec.h"
#include "schema/error_record.h"
#include "schema/schema_lookup.h"

namespace weir {

// A zero byte and the schema's id in four bytes, the highest first. What follows is the format's.
constexpr size_t kRegistryFrameBytes = 5;

inline bool has_registry_frame(std::string_view payload) {
  return payload.size() >= kRegistryFrameBytes && payload[0] == '\0';
}
// Of a payload that has a frame.
inline int32_t registry_frame_id(std::string_view payload) {
  uint32_t id = 0;
  for (size_t i = 1; i < kRegistryFrameBytes; ++i) id = id << 8 | static_cast<uint8_t>(payload[i]);
  return static_cast<int32_t>(id);
}
// malformed, of a payload that has none.
void no_registry_frame(std::string_view payload, ErrorRecord& error);

// "orders-value version 3 (id 7) is JSON, expected AVRO"; nothing when it is of the kind `expected`.
std::optional<std::string> wrong_kind(const RegisteredSchema& registered, SchemaKind expected);

// What `after` has and `before` has not: "b STRING, c BIGINT", or "". Nothing when a column of both is of
// another type: a table that is planned anew with `after` would break what reads it.
std::optional<std::string> added_columns(const std::vector<ColumnSpec>& before,
                                         const std::vector<ColumnSpec>& after);

const ColumnSpec* column_named(const std::vector<ColumnSpec>& columns, std::string_view name);

}  // namespace weir
