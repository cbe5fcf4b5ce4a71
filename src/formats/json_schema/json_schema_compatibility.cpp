#include "formats/json_schema/json_schema_compatibility.h"

#include "schema/bounded_json.h"

namespace weir {

Status check_json_schema(const SchemaText& schema) { return parse_bounded_json(schema.text).status(); }

Result<std::vector<std::string>> json_schema_incompatibilities(const SchemaText& reader,
                                                               const SchemaText& writer) {
  return std::vector<std::string>{};
}

}  // namespace weir
