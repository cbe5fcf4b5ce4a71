#include "registry/schema_rules.h"

#include "formats/json_schema/json_schema_compatibility.h"
#include "schema/bounded_json.h"

namespace weir {
namespace {

Result<CheckedSchema> check_json_text(const SchemaText& schema, bool normalize) {
  WEIR_ASSIGN(const OrderedJson json, parse_bounded_json(schema.text));
  CheckedSchema checked;
  // nlohmann::json sorts keys.
  checked.text = normalize ? nlohmann::json(json).dump() : minified_json(schema.text);
  checked.identity = checked.text;
  return checked;
}

}  // namespace

Result<CheckedSchema> check_schema(const SchemaText& schema, bool normalize) {
  switch (schema.kind) {
    case SchemaKind::avro: return check_json_text(schema, normalize);
    case SchemaKind::json: WEIR_TRY(check_json_schema(schema)); return check_json_text(schema, normalize);
    case SchemaKind::protobuf: return CheckedSchema{schema.text, schema.text};
  }
  return Status::internal("a schema of an unknown kind");
}

Result<std::vector<std::string>> schema_incompatibilities(const SchemaText& reader,
                                                          const SchemaText& writer) {
  switch (reader.kind) {
    case SchemaKind::json: return json_schema_incompatibilities(reader, writer);
    case SchemaKind::avro:
    case SchemaKind::protobuf: break;
  }
  return Status::internal("not compared yet");
}

Result<std::string> serialized_protobuf(const SchemaText&) { return Status::internal("not yet"); }

}  // namespace weir
