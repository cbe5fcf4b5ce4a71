// Protobuf types in the words of SQL.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "config/pipeline_spec.h"

namespace google::protobuf {
class Descriptor;
class FieldDescriptor;
}  // namespace google::protobuf

namespace weir::protobuf {

// Messages of google/protobuf/*.proto that have a column type of their own.
enum class KnownType { none, timestamp, duration, wrapper, json };
KnownType known_type(const google::protobuf::Descriptor& message);

// "int32", "repeated shop.Item", "map<string, int64>".
std::string proto_type_text(const google::protobuf::FieldDescriptor& field);

// The SQL type that holds every value of the field; "" when there is none.
std::string column_type_text(const google::protobuf::FieldDescriptor& field);

// The columns of a table that reads such messages. Left out: groups, messages without fields, and messages
// within themselves. Required fields are NOT NULL. invalid when nothing is left, or far too much.
Result<std::vector<ColumnSpec>> describe_columns(const google::protobuf::Descriptor& message);

}  // namespace weir::protobuf
