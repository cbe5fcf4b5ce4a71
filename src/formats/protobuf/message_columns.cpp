#include "formats/protobuf/message_columns.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <algorithm>
#include <string_view>

#include "config/data_type.h"

namespace weir::protobuf {
namespace {

namespace pb = google::protobuf;
using Proto = pb::FieldDescriptor;

constexpr size_t kMostDepth = 50;
constexpr int kMostFields = 10000;  // messages that use one another twice grow without bound

std::string quoted(const std::string& name) { return "`" + name + "`"; }

// Types of SQL for fields, with the messages that are open.
class Types {
 public:
  std::string of(const Proto& field) {
    if (++fields_ > kMostFields) return "";
    if (field.is_map()) {
      const std::string key = of(*field.message_type()->map_key());
      const std::string value = of(*field.message_type()->map_value());
      return key.empty() || value.empty() ? "" : "MAP<" + key + ", " + value + ">";
    }
    const std::string value = single(field);
    return field.is_repeated() && !value.empty() ? "ARRAY<" + value + ">" : value;
  }
  bool too_many() const { return fields_ > kMostFields; }
  void enter(const pb::Descriptor& message) { open_.push_back(&message); }

 private:
  std::string single(const Proto& field) {
    switch (field.type()) {
      case Proto::TYPE_DOUBLE: return "DOUBLE";
      case Proto::TYPE_FLOAT: return "FLOAT";
      case Proto::TYPE_BOOL: return "BOOLEAN";
      case Proto::TYPE_ENUM:
      case Proto::TYPE_STRING: return "STRING";
      case Proto::TYPE_BYTES: return "BYTES";
      case Proto::TYPE_INT32:
      case Proto::TYPE_SINT32:
      case Proto::TYPE_SFIXED32: return "INT";
      case Proto::TYPE_UINT32:
      case Proto::TYPE_FIXED32:
      case Proto::TYPE_INT64:
      case Proto::TYPE_SINT64:
      case Proto::TYPE_SFIXED64: return "BIGINT";
      case Proto::TYPE_UINT64:
      case Proto::TYPE_FIXED64: return "DECIMAL(20, 0)";
      case Proto::TYPE_MESSAGE: return message(*field.message_type());
      case Proto::TYPE_GROUP: return "";
    }
    return "";
  }

  std::string message(const pb::Descriptor& type) {
    switch (known_type(type)) {
      case KnownType::timestamp: return "TIMESTAMP_LTZ(6)";
      case KnownType::duration: return "BIGINT";
      case KnownType::json: return "STRING";
      case KnownType::wrapper: return single(*type.FindFieldByName("value"));
      case KnownType::none: break;
    }
    const bool open = std::find(open_.begin(), open_.end(), &type) != open_.end();
    if (open || open_.size() >= kMostDepth) return "";
    open_.push_back(&type);
    std::string text;
    for (int i = 0; i < type.field_count() && !too_many(); ++i) {
      const std::string field = of(*type.field(i));
      if (!field.empty()) text += (text.empty() ? "" : ", ") + quoted(type.field(i)->name()) + " " + field;
    }
    open_.pop_back();
    return text.empty() ? "" : "ROW<" + text + ">";
  }

  std::vector<const pb::Descriptor*> open_;
  int fields_ = 0;
};

}  // namespace

KnownType known_type(const pb::Descriptor& message) {
  const std::string& name = message.full_name();
  constexpr std::string_view kPrefix = "google.protobuf.";
  if (name.compare(0, kPrefix.size(), kPrefix) != 0) return KnownType::none;
  const std::string_view type = std::string_view(name).substr(kPrefix.size());
  if (type == "Timestamp") return KnownType::timestamp;
  if (type == "Duration") return KnownType::duration;
  if (type == "Struct" || type == "Value" || type == "ListValue") return KnownType::json;
  constexpr std::string_view kWrappers[] = {"DoubleValue", "FloatValue",  "Int64Value",
                                            "UInt64Value", "Int32Value",  "UInt32Value",
                                            "BoolValue",   "StringValue", "BytesValue"};
  const bool wrapper = std::find(std::begin(kWrappers), std::end(kWrappers), type) != std::end(kWrappers);
  // A schema may bring a file of its own by the name of a well-known one.
  const Proto* value = message.FindFieldByName("value");
  if (wrapper && (value == nullptr || value->is_repeated() || value->message_type() != nullptr)) {
    return KnownType::none;
  }
  return wrapper ? KnownType::wrapper : KnownType::none;
}

std::string proto_type_text(const Proto& field) {
  if (field.is_map()) {
    return "map<" + proto_type_text(*field.message_type()->map_key()) + ", " +
           proto_type_text(*field.message_type()->map_value()) + ">";
  }
  const std::string repeated = field.is_repeated() ? "repeated " : "";
  if (field.type() == Proto::TYPE_MESSAGE) return repeated + field.message_type()->full_name();
  if (field.enum_type() != nullptr) return repeated + field.enum_type()->full_name();
  return repeated + field.type_name();
}

std::string column_type_text(const Proto& field) { return Types().of(field); }

Result<std::vector<ColumnSpec>> describe_columns(const pb::Descriptor& message) {
  std::vector<ColumnSpec> columns;
  Types types;
  types.enter(message);
  for (int i = 0; i < message.field_count(); ++i) {
    const Proto& field = *message.field(i);
    const std::string text = types.of(field);
    if (text.empty()) continue;
    WEIR_ASSIGN(const ParsedType parsed, parse_type_text(text));
    ColumnSpec& column = columns.emplace_back();
    column.name = field.name();
    column.type = parsed.type;
    column.nullable = !field.is_required();
  }
  if (types.too_many()) {
    return Status::invalid("the message " + message.full_name() +
                           " has more than 10,000 fields within fields: name the columns");
  }
  if (columns.empty()) return Status::invalid("the message " + message.full_name() + " has no field to read");
  return columns;
}

}  // namespace weir::protobuf
