#include "schema/schema_lookup.h"

namespace weir {

const char* schema_kind_name(SchemaKind kind) {
  switch (kind) {
    case SchemaKind::avro: return "AVRO";
    case SchemaKind::json: return "JSON";
    case SchemaKind::protobuf: return "PROTOBUF";
  }
  return "unknown";
}

std::string RegisteredSchema::label() const {
  const std::string number = "id " + std::to_string(id);
  if (subject.empty()) return "schema " + number;
  if (version == 0) return subject + " (" + number + ")";
  return subject + " version " + std::to_string(version) + " (" + number + ")";
}

}  // namespace weir
