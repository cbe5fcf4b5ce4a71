// What a schema registry asks about Protobuf schemas.
//
// The rules are those of Confluent's registry (SchemaDiff of its protobuf provider), told with the names that
// its API uses.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "schema/schema_lookup.h"

namespace weir {

// What keeps `reader` from reading what `writer` wrote; empty: compatible. Each entry is one line:
// "FIELD_SCALAR_KIND_CHANGED at #/Order/3: …". A schema that is none is a failed Status (invalid).
//   Incompatible: the package changed; a message removed that `writer` has; a field's kind changed (scalar,
//   map or message), its scalar group (int32 int64 uint32 uint64 bool enum | sint32 sint64 | string bytes |
//   fixed32 sfixed32 | fixed64 sfixed64 | float | double), its message type, or a number between single and
//   repeated; a required field added or removed; a member removed from a oneof; fields moved into a oneof,
//   unless it is one into a new oneof. Names of fields, order, enums, and fields added or removed are
//   compatible.
Result<std::vector<std::string>> protobuf_incompatibilities(const SchemaText& reader,
                                                            const SchemaText& writer);

// Whether it is a schema: .proto text or base64 of a FileDescriptorProto, with all that it imports.
// google/protobuf/*.proto need not be in `needed`.
Status check_protobuf_schema(const SchemaText& schema);

// The schema as .proto text in one canonical form, without comments: two spellings of one schema (also base64
// and text) give the same. What the API's "schema" holds.
Result<std::string> canonical_protobuf_text(const SchemaText& schema);

// The schema as base64 of its FileDescriptorProto: what the API gives for "?format=serialized", as
// Confluent's Python deserializer asks.
Result<std::string> serialized_protobuf_schema(const SchemaText& schema);

// The paths that it imports, without google/protobuf/*.proto; `needed` is not read.
Result<std::vector<std::string>> protobuf_imports(const std::string& text);

}  // namespace weir
