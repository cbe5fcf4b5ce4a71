#include "formats/protobuf/protobuf_compatibility.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <map>
#include <set>
#include <utility>

#include "formats/protobuf/proto_schema.h"

namespace weir {
namespace {

namespace pb = google::protobuf;
using protobuf::ProtoSchema;

enum class Kind { scalar, map, message };

Kind kind_of(const pb::FieldDescriptor& field) {
  if (field.is_map()) return Kind::map;
  return field.message_type() != nullptr ? Kind::message : Kind::scalar;
}

// Scalars of one group read each other's values.
int group_of(const pb::FieldDescriptor& field) {
  using Field = pb::FieldDescriptor;
  switch (field.type()) {
    case Field::TYPE_SINT32:
    case Field::TYPE_SINT64: return 1;
    case Field::TYPE_STRING:
    case Field::TYPE_BYTES: return 2;
    case Field::TYPE_FIXED32:
    case Field::TYPE_SFIXED32: return 3;
    case Field::TYPE_FIXED64:
    case Field::TYPE_SFIXED64: return 4;
    case Field::TYPE_FLOAT: return 5;
    case Field::TYPE_DOUBLE: return 6;
    default: return 0;
  }
}

std::string type_text(const pb::FieldDescriptor& field) {
  if (field.is_map()) {
    return "map<" + type_text(*field.message_type()->map_key()) + ", " +
           type_text(*field.message_type()->map_value()) + ">";
  }
  const std::string repeated = field.is_repeated() ? "repeated " : "";
  if (field.message_type() != nullptr) return repeated + field.message_type()->full_name();
  if (field.enum_type() != nullptr) return repeated + "enum " + field.enum_type()->full_name();
  return repeated + field.type_name();
}

std::string local_name(const pb::Descriptor& message) {
  const std::string& package = message.file()->package();
  return package.empty() ? message.full_name() : message.full_name().substr(package.size() + 1);
}

// `old` is the writer's, `now` the reader's.
class Comparison {
 public:
  std::vector<std::string> compare(const pb::FileDescriptor& old, const pb::FileDescriptor& now) {
    if (old.package() != now.package()) {
      add("PACKAGE_CHANGED", "",
          "the package changed from '" + old.package() + "' to '" + now.package() + "'");
    }
    for (int i = 0; i < old.message_type_count(); ++i) {
      const pb::Descriptor& message = *old.message_type(i);
      pair(message, now.FindMessageTypeByName(message.name()), "/" + message.name());
    }
    return std::move(found_);
  }

 private:
  void add(const char* type, const std::string& path, const std::string& words) {
    found_.push_back(std::string(type) + " at #" + (path.empty() ? "/" : path) + ": " + words);
  }

  void pair(const pb::Descriptor& old, const pb::Descriptor* now, const std::string& path) {
    if (now == nullptr) {
      add("MESSAGE_REMOVED", path, "the message '" + old.name() + "' was removed");
    } else {
      messages(old, *now, path);
    }
  }

  void messages(const pb::Descriptor& old, const pb::Descriptor& now, const std::string& path) {
    // Deeper ones, unless imported, are compared by their names all the same.
    if (depth_ > kMostDepth || !compared_.emplace(&old, &now).second) return;
    ++depth_;
    for (int i = 0; i < now.real_oneof_decl_count(); ++i) moved_into(old, *now.oneof_decl(i), path);
    for (int i = 0; i < old.field_count(); ++i) {
      const pb::FieldDescriptor& field = *old.field(i);
      const pb::FieldDescriptor* other = now.FindFieldByNumber(field.number());
      const std::string at = path + "/" + std::to_string(field.number());
      if (other != nullptr) {
        fields(field, *other, at);
      } else {
        removed(field, now, at);
      }
    }
    for (int i = 0; i < now.field_count(); ++i) {
      const pb::FieldDescriptor& field = *now.field(i);
      if (field.is_required() && old.FindFieldByNumber(field.number()) == nullptr) {
        add("REQUIRED_FIELD_ADDED", path + "/" + std::to_string(field.number()),
            "the required field '" + field.name() + "' was added");
      }
    }
    for (int i = 0; i < old.nested_type_count(); ++i) {
      const pb::Descriptor& nested = *old.nested_type(i);
      if (nested.options().map_entry()) continue;
      pair(nested, now.FindNestedTypeByName(nested.name()), path + "/" + nested.name());
    }
    --depth_;
  }

  void removed(const pb::FieldDescriptor& field, const pb::Descriptor& now, const std::string& path) {
    const pb::OneofDescriptor* oneof = field.real_containing_oneof();
    if (field.is_required()) {
      add("REQUIRED_FIELD_REMOVED", path, "the required field '" + field.name() + "' was removed");
    } else if (oneof != nullptr && now.FindOneofByName(oneof->name()) != nullptr) {
      add("ONEOF_FIELD_REMOVED", path,
          "the field '" + field.name() + "' was removed from the oneof '" + oneof->name() + "'");
    }
  }

  // What was set together before cannot be any more.
  void moved_into(const pb::Descriptor& old, const pb::OneofDescriptor& oneof, const std::string& path) {
    int moved = 0, there = 0;
    for (int i = 0; i < oneof.field_count(); ++i) {
      const pb::FieldDescriptor* before = old.FindFieldByNumber(oneof.field(i)->number());
      if (before == nullptr) continue;
      (before->real_containing_oneof() == nullptr ? moved : there) += 1;
    }
    if (moved > 1) {
      add("MULTIPLE_FIELDS_MOVED_TO_ONEOF", path + "/" + oneof.name(),
          "several fields were moved into the oneof '" + oneof.name() + "'");
    } else if (moved == 1 && there > 0) {
      add("FIELD_MOVED_TO_EXISTING_ONEOF", path + "/" + oneof.name(),
          "a field was moved into the existing oneof '" + oneof.name() + "'");
    }
  }

  void fields(const pb::FieldDescriptor& old, const pb::FieldDescriptor& now, const std::string& path) {
    const std::string words =
        "the field '" + old.name() + "' changed from " + type_text(old) + " to " + type_text(now);
    const Kind kind = kind_of(old);
    if (kind != kind_of(now)) {
      add("FIELD_KIND_CHANGED", path, words);
    } else if (kind == Kind::map) {
      fields(*old.message_type()->map_key(), *now.message_type()->map_key(), path);
      fields(*old.message_type()->map_value(), *now.message_type()->map_value(), path);
    } else if (kind == Kind::message) {
      message_types(old, now, path, words);
    } else if (group_of(old) != group_of(now)) {
      add("FIELD_SCALAR_KIND_CHANGED", path, words);
    } else if (old.is_repeated() != now.is_repeated() && group_of(old) != 2) {
      add("FIELD_NUMERIC_LABEL_CHANGED", path, words);
    }
  }

  void message_types(const pb::FieldDescriptor& old, const pb::FieldDescriptor& now, const std::string& path,
                     const std::string& words) {
    if (local_name(*old.message_type()) != local_name(*now.message_type())) {
      add("FIELD_NAMED_TYPE_CHANGED", path, words);
      return;
    }
    // Types of the file itself are compared by their own names; imported ones only here.
    const size_t before = found_.size();
    messages(*old.message_type(), *now.message_type(), "/" + local_name(*old.message_type()));
    if (found_.size() > before) {
      add("FIELD_NAMED_TYPE_CHANGED", path, "the type of the field '" + old.name() + "' changed");
    }
  }

  static constexpr int kMostDepth = 500;  // of types within types: the comparison is recursive

  int depth_ = 0;
  std::vector<std::string> found_;
  std::set<std::pair<const pb::Descriptor*, const pb::Descriptor*>> compared_;
};

}  // namespace

Result<std::vector<std::string>> protobuf_incompatibilities(const SchemaText& reader,
                                                            const SchemaText& writer) {
  WEIR_ASSIGN(const auto old, ProtoSchema::from_registry(writer));
  WEIR_ASSIGN(const auto now, ProtoSchema::from_registry(reader));
  return Comparison().compare(old->file(), now->file());
}

Status check_protobuf_schema(const SchemaText& schema) { return ProtoSchema::from_registry(schema).status(); }

Result<std::string> canonical_protobuf_text(const SchemaText& schema) {
  WEIR_ASSIGN(const auto parsed, ProtoSchema::from_registry(schema));
  return parsed->proto_text();
}

Result<std::string> serialized_protobuf_schema(const SchemaText& schema) {
  WEIR_ASSIGN(const auto parsed, ProtoSchema::from_registry(schema));
  return parsed->base64();
}

Result<std::vector<std::string>> protobuf_imports(const std::string& text) {
  return ProtoSchema::imports(text);
}

}  // namespace weir
