// The columns and CHECKs that a JSON Schema makes (drafts 4 to 2020-12).
//
// The schema is of an object; its properties are the columns, in the order they are written:
//   boolean BOOLEAN; integer BIGINT; number DOUBLE, with multipleOf 0.01 DECIMAL(38, 2); string STRING, with
//   maxLength VARCHAR(n), with format date DATE, with date-time TIMESTAMP(6), with contentEncoding base64
//   BYTES; array ARRAY of its items; object ROW of its properties, or MAP<STRING, x> of its
//   additionalProperties.
// Required, and not nullable: NOT NULL. Nullable: type [x, "null"], oneOf or anyOf with null, nullable.
// $ref into the schema itself and into what it needs, $defs and allOf are followed.
// enum, const, minimum, maximum, exclusive…, multipleOf, minLength, pattern, minItems and maxItems become
// CHECKs, also inside ROWs.
#pragma once

#include "base/status.h"
#include "formats/decoder.h"
#include "schema/schema_lookup.h"

namespace weir::json {

// invalid: no such schema, or a property that no column takes. What only some keywords say, but no CHECK can
// (not, if, dependentRequired, contains, patterns with look-around, bounds inside ARRAYs, …), is refused too,
// or left out with `ignore_unsupported`. `name` goes into messages and into the result.
Result<DescribedTable> describe_json_schema(const SchemaText& schema, const std::string& name,
                                            bool ignore_unsupported);

}  // namespace weir::json
