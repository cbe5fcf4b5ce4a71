// Whether JSON Schemas may follow one another: by the rules of Confluent's registry.
// https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/serdes-json.html
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "schema/schema_lookup.h"

namespace weir {

// invalid: no JSON Schema (drafts 4 to 2020-12), or one with a $ref that neither points into itself nor names
// one of `schema.needed`.
Status check_json_schema(const SchemaText& schema);

// Why a document that fits `writer` may not fit `reader`, each as "#/properties/a: words"; empty: it fits.
// Both are schemas that check_json_schema takes. In an open content model (no additionalProperties: false) a
// new property is refused, since old documents may hold anything there.
Result<std::vector<std::string>> json_schema_incompatibilities(const SchemaText& reader,
                                                               const SchemaText& writer);

}  // namespace weir
