// Which Avro schemas can read what others wrote. For the registry's compatibility modes.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "schema/schema_lookup.h"

namespace weir {

// Why a datum of `writer` might not be readable by `reader`, by Avro's rules of schema resolution: names
// without namespaces match, aliases of the reader count, a symbol or field that the other side lacks needs a
// default, every branch of a writer's union must be readable. Each entry begins with a JSON Pointer into the
// reader's schema, such as "/fields/2/type: the writer's string is no int". Empty: compatible. At most 100
// entries. invalid: one of the two is no Avro schema; the message says which.
Result<std::vector<std::string>> avro_incompatibilities(const SchemaText& reader, const SchemaText& writer);

// The specification's Parsing Canonical Form, with what is needed written out where it is used first. Two
// schemas with the same form are encoded alike; defaults, aliases, logical types and docs are not in it.
// invalid: not an Avro schema, or a default in it is no value of its field.
Result<std::string> avro_canonical_form(const SchemaText& schema);

}  // namespace weir
