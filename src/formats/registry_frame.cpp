#include "formats/registry_frame.h"

#include <algorithm>

namespace weir {

void no_registry_frame(std::string_view payload, ErrorRecord& error) {
  static constexpr char kHex[] = "0123456789abcdef";
  const auto first = payload.empty() ? 0 : static_cast<uint8_t>(payload[0]);
  error.code = ErrorCode::malformed;
  error.byte = 0;
  error.message = "no Confluent framing: expected a zero byte and a schema's id, found " +
                  (payload.size() < kRegistryFrameBytes
                       ? std::to_string(payload.size()) + " bytes"
                       : std::string("the byte 0x") + kHex[first >> 4] + kHex[first & 15]);
}

std::optional<std::string> wrong_kind(const RegisteredSchema& registered, SchemaKind expected) {
  if (registered.schema.kind == expected) return std::nullopt;
  return registered.label() + " is " + schema_kind_name(registered.schema.kind) + ", expected " +
         schema_kind_name(expected);
}

std::optional<std::string> added_columns(const std::vector<ColumnSpec>& before,
                                         const std::vector<ColumnSpec>& after) {
  std::string added;
  for (const ColumnSpec& column : after) {
    const ColumnSpec* same = column_named(before, column.name);
    if (same != nullptr && same->type.text != column.type.text) return std::nullopt;
    if (same == nullptr) added += (added.empty() ? "" : ", ") + column.name + " " + column.type.text;
  }
  return added;
}

const ColumnSpec* column_named(const std::vector<ColumnSpec>& columns, std::string_view name) {
  const auto found = std::find_if(columns.begin(), columns.end(),
                                  [&](const ColumnSpec& column) { return column.name == name; });
  return found == columns.end() ? nullptr : &*found;
}

}  // namespace weir
