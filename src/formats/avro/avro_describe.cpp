#include "formats/avro/avro_describe.h"

#include <algorithm>
#include <string>

#include "config/data_type.h"

namespace weir::avro {
namespace {

constexpr int kMaxFields = 5000;
constexpr int kMaxPrecision = 38;

class TypeText {
 public:
  // "BIGINT NOT NULL", "ROW<`a` INT>".
  Result<std::string> of(const Node& node, const std::string& path) {
    if (++fields_ > kMaxFields) return Status::invalid("more than 5,000 fields, nested ones included");
    if (node.type != Type::union_of) {
      WEIR_ASSIGN(const std::string text, plain(node, path));
      return text + " NOT NULL";
    }
    bool nullable = false;
    const Node* widest = nullptr;
    for (const Node* branch : node.children) {
      if (branch->type == Type::null) {
        nullable = true;
      } else if (widest == nullptr || promotes(*widest, *branch)) {
        widest = branch;
      } else if (!promotes(*branch, *widest)) {
        return refuse(path, "a union of several types, " + type_label(node));
      }
    }
    if (widest == nullptr) return refuse(path, "null alone");
    WEIR_ASSIGN(const std::string text, plain(*widest, path));
    return text + (nullable ? "" : " NOT NULL");
  }

 private:
  static Status refuse(const std::string& path, const std::string& what) {
    return Status::invalid(path + ": " + what + " makes no column. Write a column list with what you need");
  }

  static bool promotes(const Node& from, const Node& to) {
    if (from.logical != Logical::none || to.logical != Logical::none) return false;
    switch (from.type) {
      case Type::int32: return to.type == Type::int64 || to.type == Type::float64;
      case Type::int64:
      case Type::float32: return to.type == Type::float64;
      case Type::enumeration: return to.type == Type::string;
      default: return false;
    }
  }

  Result<std::string> plain(const Node& node, const std::string& path) {
    switch (node.logical) {
      case Logical::decimal:
        if (node.precision > kMaxPrecision) return refuse(path, type_label(node));
        return "DECIMAL(" + std::to_string(node.precision) + ", " + std::to_string(node.scale) + ")";
      case Logical::uuid: return std::string("STRING");
      case Logical::date: return std::string("DATE");
      case Logical::time_millis: return std::string("TIME(3)");
      case Logical::time_micros: return std::string("TIME(6)");
      case Logical::timestamp_millis: return std::string("TIMESTAMP_LTZ(3)");
      case Logical::timestamp_micros: return std::string("TIMESTAMP_LTZ(6)");
      case Logical::timestamp_nanos: return std::string("TIMESTAMP_LTZ(9)");
      case Logical::local_timestamp_millis: return std::string("TIMESTAMP(3)");
      case Logical::local_timestamp_micros: return std::string("TIMESTAMP(6)");
      case Logical::local_timestamp_nanos: return std::string("TIMESTAMP(9)");
      case Logical::duration: return refuse(path, "duration");
      case Logical::none: break;
    }
    switch (node.type) {
      case Type::boolean: return std::string("BOOLEAN");
      case Type::int32: return std::string("INT");
      case Type::int64: return std::string("BIGINT");
      case Type::float32: return std::string("FLOAT");
      case Type::float64: return std::string("DOUBLE");
      case Type::bytes:
      case Type::fixed: return std::string("BYTES");
      case Type::string:
      case Type::enumeration: return std::string("STRING");
      case Type::array: {
        WEIR_ASSIGN(const std::string item, of(*node.children[0], path + "/items"));
        return "ARRAY<" + item + ">";
      }
      case Type::map: {
        WEIR_ASSIGN(const std::string item, of(*node.children[0], path + "/values"));
        return "MAP<STRING, " + item + ">";
      }
      case Type::record: return record(node, path);
      case Type::null:
      case Type::union_of: break;
    }
    return refuse(path, "null alone");
  }

  Result<std::string> record(const Node& node, const std::string& path) {
    if (std::find(open_.begin(), open_.end(), &node) != open_.end()) {
      return refuse(path, "the record " + node.name + ", which holds itself,");
    }
    if (node.fields.empty()) return refuse(path, "a record without fields");
    open_.push_back(&node);
    std::string text = "ROW<";
    for (const Field& field : node.fields) {
      WEIR_ASSIGN(const std::string type, of(*field.type, path + "/" + field.name));
      text += (&field == &node.fields.front() ? "`" : ", `") + field.name + "` " + type;
    }
    open_.pop_back();
    return text + ">";
  }

  std::vector<const Node*> open_;
  int fields_ = 0;
};

}  // namespace

Result<std::vector<ColumnSpec>> describe_schema(const Schema& schema) {
  const Node& root = schema.root();
  if (root.type != Type::record) {
    return Status::invalid("the schema is " + type_label(root) + ", and a table needs a record");
  }
  std::vector<ColumnSpec> columns;
  TypeText text;
  for (const Field& field : root.fields) {
    const std::string path = "/" + field.name;
    WEIR_ASSIGN(const std::string type, text.of(*field.type, path));
    auto parsed = parse_type_text(type);
    if (!parsed.ok()) return parsed.status().with_context(path);
    ColumnSpec column;
    column.name = field.name;
    column.type = std::move(parsed->type);
    column.nullable = parsed->nullable;
    columns.push_back(std::move(column));
  }
  if (columns.empty()) return Status::invalid("the schema " + root.name + " has no fields");
  return columns;
}

}  // namespace weir::avro
