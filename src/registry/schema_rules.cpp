#include "registry/schema_rules.h"

#include "formats/avro/avro_compatibility.h"
#include "formats/json_schema/json_schema_compatibility.h"
#include "formats/protobuf/protobuf_compatibility.h"
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

Result<CheckedSchema> check_protobuf(const SchemaText& schema, bool normalize) {
  CheckedSchema checked;
  WEIR_ASSIGN(checked.identity, canonical_protobuf_text(schema));
  // Comments are kept; a descriptor in base64 has no text of its own.
  const bool is_text = schema.text.find_first_of(";{") != std::string::npos;
  checked.text = is_text && !normalize ? schema.text : checked.identity;
  return checked;
}

}  // namespace

Result<CheckedSchema> check_schema(const SchemaText& schema, bool normalize) {
  switch (schema.kind) {
    case SchemaKind::avro:
      WEIR_TRY(avro_canonical_form(schema).status());
      return check_json_text(schema, normalize);
    case SchemaKind::json: WEIR_TRY(check_json_schema(schema)); return check_json_text(schema, normalize);
    case SchemaKind::protobuf: return check_protobuf(schema, normalize);
  }
  return Status::internal("a schema of an unknown kind");
}

Result<std::vector<std::string>> schema_incompatibilities(const SchemaText& reader,
                                                          const SchemaText& writer) {
  switch (reader.kind) {
    case SchemaKind::avro: return avro_incompatibilities(reader, writer);
    case SchemaKind::json: return json_schema_incompatibilities(reader, writer);
    case SchemaKind::protobuf: return protobuf_incompatibilities(reader, writer);
  }
  return Status::internal("a schema of an unknown kind");
}

Result<std::string> serialized_protobuf(const SchemaText& schema) {
  return serialized_protobuf_schema(schema);
}

}  // namespace weir
