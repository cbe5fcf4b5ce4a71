// What the registry asks of the schema languages: is this one, what is the same, what may follow what.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "schema/schema_lookup.h"

namespace weir {

struct CheckedSchema {
  std::string text;      // as it is stored and given out
  std::string identity;  // equal for schemas that differ in spelling only (white space; comments of Protobuf)
};

// invalid with words for what is no schema. `schema.needed` holds what it refers to. Protobuf comes as text
// or, as Confluent's clients send it, as a FileDescriptorProto in base64. `normalize`: spelled the one way
// that all schemas with this meaning share (order of keys, comments).
Result<CheckedSchema> check_schema(const SchemaText& schema, bool normalize);

// Why data written with `writer` cannot be read with `reader`; empty: it can.
Result<std::vector<std::string>> schema_incompatibilities(const SchemaText& reader, const SchemaText& writer);

// The FileDescriptorProto of a Protobuf schema, in base64.
Result<std::string> serialized_protobuf(const SchemaText& schema);

}  // namespace weir
