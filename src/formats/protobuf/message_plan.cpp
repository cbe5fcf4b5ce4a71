#include "formats/protobuf/message_plan.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>

#include "base/text.h"
#include "formats/protobuf/message_columns.h"

namespace weir::protobuf {
namespace {

namespace pb = google::protobuf;
using columns::Kind;
using Proto = pb::FieldDescriptor;

constexpr uint32_t kMostDenseNumber = 1023;

bool is_integer_column(Kind kind) {
  return kind == Kind::int8 || kind == Kind::int16 || kind == Kind::int32 || kind == Kind::int64;
}

std::optional<Integer> integer_of(const Proto& field) {
  switch (field.type()) {
    case Proto::TYPE_ENUM:
    case Proto::TYPE_INT32: return Integer::int32;
    case Proto::TYPE_UINT32: return Integer::uint32;
    case Proto::TYPE_INT64: return Integer::int64;
    case Proto::TYPE_UINT64: return Integer::uint64;
    case Proto::TYPE_SINT32: return Integer::sint32;
    case Proto::TYPE_SINT64: return Integer::sint64;
    case Proto::TYPE_FIXED32: return Integer::fixed32;
    case Proto::TYPE_SFIXED32: return Integer::sfixed32;
    case Proto::TYPE_FIXED64: return Integer::fixed64;
    case Proto::TYPE_SFIXED64: return Integer::sfixed64;
    default: return std::nullopt;
  }
}

wire::WireType wire_of(const Proto& field) {
  switch (field.type()) {
    case Proto::TYPE_DOUBLE:
    case Proto::TYPE_FIXED64:
    case Proto::TYPE_SFIXED64: return wire::WireType::fixed64;
    case Proto::TYPE_FLOAT:
    case Proto::TYPE_FIXED32:
    case Proto::TYPE_SFIXED32: return wire::WireType::fixed32;
    case Proto::TYPE_STRING:
    case Proto::TYPE_BYTES:
    case Proto::TYPE_MESSAGE: return wire::WireType::bytes;
    case Proto::TYPE_GROUP: return wire::WireType::group_begin;
    default: return wire::WireType::varint;
  }
}

// The op of an integer field: straight into a column of its own size, or checked.
std::optional<Op> integer_op(Integer integer, Kind kind) {
  const bool narrow = integer == Integer::int32 || integer == Integer::uint32 || integer == Integer::sint32 ||
                      integer == Integer::fixed32 || integer == Integer::sfixed32;
  if (kind == Kind::int32 && integer == Integer::int32) return Op::varint_32;
  if (kind == Kind::int32 && integer == Integer::sfixed32) return Op::fixed_32;
  if (kind == Kind::int64 && integer == Integer::int32) return Op::int32_in_64;
  if (kind == Kind::int64 && integer == Integer::int64) return Op::varint_64;
  if (kind == Kind::int64 && integer == Integer::sfixed64) return Op::fixed_64;
  if (is_integer_column(kind) || kind == Kind::decimal) return Op::integer;
  if (kind == Kind::float64 && narrow) return Op::integer;
  return std::nullopt;
}

std::optional<Op> scalar_op(const Proto& field, Kind kind) {
  const bool same_bytes = kind == Kind::float32 || kind == Kind::float64;
  switch (field.type()) {
    case Proto::TYPE_BOOL: return kind == Kind::boolean ? std::optional(Op::boolean) : std::nullopt;
    case Proto::TYPE_STRING: return kind == Kind::text ? std::optional(Op::text) : std::nullopt;
    case Proto::TYPE_BYTES: return kind == Kind::binary ? std::optional(Op::binary) : std::nullopt;
    case Proto::TYPE_FLOAT:
      if (!same_bytes) return std::nullopt;
      return kind == Kind::float32 ? Op::fixed_32 : Op::float_double;
    case Proto::TYPE_DOUBLE: return kind == Kind::float64 ? std::optional(Op::fixed_64) : std::nullopt;
    case Proto::TYPE_ENUM:
      if (kind == Kind::text) return Op::enum_name;
      if (!is_integer_column(kind)) return std::nullopt;
      return integer_op(Integer::int32, kind);
    default: {
      const auto integer = integer_of(field);
      return integer ? integer_op(*integer, kind) : std::nullopt;
    }
  }
}

std::shared_ptr<const EnumNames> names_of(const pb::EnumDescriptor& type) {
  auto names = std::make_shared<EnumNames>();
  for (int i = 0; i < type.value_count(); ++i) {
    // Of several names of a number the first one counts.
    if (type.FindValueByNumber(type.value(i)->number()) == type.value(i)) {
      names->add(type.value(i)->number(), type.value(i)->name());
    }
  }
  return names;
}

class Compiler {
 public:
  explicit Compiler(bool know_all_fields) : know_all_fields_(know_all_fields) {}

  Result<std::unique_ptr<MessagePlan>> message(const pb::Descriptor& writer, const pb::Descriptor& reader,
                                               const std::vector<NamedColumn>& columns, Column* row,
                                               const std::string& path) {
    auto plan = std::make_unique<MessagePlan>();
    plan->name = writer.full_name();
    plan->row = row;
    for (const NamedColumn& named : columns) {
      WEIR_ASSIGN(const Proto* proto, proto_of(writer, reader, named, path));
      Field& field = plan->fields.emplace_back();
      field.name = named.name;
      WEIR_TRY(compile(proto, reader.FindFieldByName(named.name), *named.column, field, path + named.name));
    }
    add_others(writer, *plan);
    index(*plan);
    add_rivals(writer, *plan);
    return plan;
  }

 private:
  Result<const Proto*> proto_of(const pb::Descriptor& writer, const pb::Descriptor& reader,
                                const NamedColumn& named, const std::string& path) {
    const Proto* wanted = reader.FindFieldByName(named.name);
    if (&writer == &reader && wanted == nullptr) {
      std::vector<std::string> names;
      for (int i = 0; i < reader.field_count(); ++i) names.push_back(reader.field(i)->name());
      return Status::invalid("column '" + path + named.name + "': the message " + reader.full_name() +
                             " has no such field." + suggestion(named.name, names));
    }
    if (&writer == &reader) return wanted;
    const Proto* found =
        wanted != nullptr ? writer.FindFieldByNumber(wanted->number()) : writer.FindFieldByName(named.name);
    return found;
  }

  static Status misfit(const Proto& proto, const Column& column, const std::string& path) {
    const std::string fitting = column_type_text(proto);
    return Status::invalid("column '" + path + "' is " + column.type_text + ", but the field '" +
                           proto.name() + "' of " + proto.containing_type()->full_name() + " is " +
                           proto_type_text(proto) + (fitting.empty() ? "" : ": expected " + fitting));
  }

  Status compile(const Proto* proto, const Proto* reader, Column& column, Field& field,
                 const std::string& path) {
    field.column = field.value = &column;
    if (proto == nullptr) return missing(reader, column, field, path);
    field.number = static_cast<uint32_t>(proto->number());
    field.type_text = proto_type_text(*proto);
    if (proto->is_map()) {
      field.shape = Shape::map;
      field.absent = Absent::empty;
      if (column.kind != Kind::map) return misfit(*proto, column, path);
      return map(*proto, reader, column, field, path);
    }
    if (proto->is_repeated()) {
      field.shape = Shape::list;
      field.absent = Absent::empty;
      if (column.kind != Kind::list) return misfit(*proto, column, path);
      field.value = column.children[0].get();
      return value(*proto, reader, *field.value, field, path + "[]");
    }
    WEIR_TRY(value(*proto, reader, column, field, path));
    return set_absent(*proto, column, field, path);
  }

  // The event's schema does not have it, the table's does.
  static Status missing(const Proto* reader, const Column& column, Field& field, const std::string& path) {
    field.absent = Absent::null;
    if (column.nullable) return {};
    if (reader == nullptr || reader->has_presence()) {
      return Status::invalid("column '" + path + "' is NOT NULL, and the schema has no such field");
    }
    if (reader->is_repeated()) {
      field.absent = Absent::empty;
    } else {
      field.absent = Absent::value;
      if (reader->enum_type() != nullptr) return set_default(*reader, column, field, path);
    }
    return {};
  }

  Status value(const Proto& proto, const Proto* reader, Column& column, Field& field,
               const std::string& path) {
    field.wire = wire_of(proto);
    if (proto.type() == Proto::TYPE_GROUP) {
      return Status::invalid("column '" + path + "': the field '" + proto.name() +
                             "' is a group; groups are skipped, not read");
    }
    if (proto.message_type() != nullptr) return message_value(proto, reader, column, field, path);
    const std::optional<Op> op = scalar_op(proto, column.kind);
    if (!op) return misfit(proto, column, path);
    field.op = *op;
    field.integer = integer_of(proto).value_or(Integer::int64);
    if (field.op == Op::enum_name) field.names = names_of(*proto.enum_type());
    return {};
  }

  Status message_value(const Proto& proto, const Proto* reader, Column& column, Field& field,
                       const std::string& path) {
    const pb::Descriptor& type = *proto.message_type();
    const pb::Descriptor& wanted =
        reader != nullptr && reader->message_type() != nullptr ? *reader->message_type() : type;
    if (column.kind == Kind::row) {
      std::vector<NamedColumn> fields;
      for (size_t i = 0; i < column.children.size(); ++i) {
        fields.push_back({column.type->field(static_cast<int>(i))->name(), column.children[i].get()});
      }
      field.op = Op::message;
      WEIR_ASSIGN(field.message, message(type, wanted, fields, &column, path + "."));
      return {};
    }
    const KnownType known = known_type(type);
    if (known == KnownType::timestamp && column.kind == Kind::timestamp) {
      field.op = Op::timestamp;
    } else if (known == KnownType::duration && column.kind == Kind::int64) {
      field.op = Op::duration;
    } else if (known == KnownType::json && column.kind == Kind::text) {
      field.op = Op::json;
      field.json_kind = type.name() == "Struct"  ? JsonKind::object
                        : type.name() == "Value" ? JsonKind::value
                                                 : JsonKind::list;
    } else if (known == KnownType::wrapper && scalar_op(*type.FindFieldByName("value"), column.kind)) {
      field.op = Op::wrapper;
      WEIR_ASSIGN(field.message, message(type, type, {{"value", &column}}, nullptr, path + "."));
      // What is in the wrapper is there, even when NULL is possible.
      Field& inner = field.message->fields[0];
      WEIR_TRY(set_default(*type.FindFieldByName("value"), column, inner, path));
      inner.absent = Absent::value;
    } else {
      return misfit(proto, column, path);
    }
    return {};
  }

  Status map(const Proto& proto, const Proto* reader, Column& column, Field& field, const std::string& path) {
    const pb::Descriptor& entry = *proto.message_type();
    const pb::Descriptor& wanted = reader != nullptr && reader->is_map() ? *reader->message_type() : entry;
    field.op = Op::message;
    field.wire = wire::WireType::bytes;
    const std::vector<NamedColumn> columns = {{"key", column.children[0].get()},
                                              {"value", column.children[1].get()}};
    WEIR_ASSIGN(field.message, message(entry, wanted, columns, nullptr, path + "."));
    for (Field& part : field.message->fields) {
      const Proto& part_proto = *entry.FindFieldByName(part.name);
      WEIR_TRY(set_default(part_proto, *part.column, part, path));
      part.absent = part_proto.message_type() == nullptr ? Absent::value
                    : part.op == Op::message             ? Absent::message
                    : part.op == Op::wrapper             ? Absent::message
                                                         : Absent::value;
    }
    return {};
  }

  static Status set_absent(const Proto& proto, const Column& column, Field& field, const std::string& path) {
    if (proto.is_required()) {
      field.absent = Absent::required;
    } else if (!proto.has_presence() || proto.has_default_value()) {
      field.absent = Absent::value;
      return set_default(proto, column, field, path);
    } else {
      field.absent = column.nullable ? Absent::null : Absent::required;
    }
    return {};
  }

  template <typename T>
  static void set_bytes(Field& field, T value) {
    std::memcpy(field.default_bytes, &value, sizeof(value));
  }

  static int64_t default_integer(const Proto& proto) {
    switch (proto.cpp_type()) {
      case Proto::CPPTYPE_INT32: return proto.default_value_int32();
      case Proto::CPPTYPE_UINT32: return proto.default_value_uint32();
      case Proto::CPPTYPE_INT64: return proto.default_value_int64();
      case Proto::CPPTYPE_UINT64: return static_cast<int64_t>(proto.default_value_uint64());
      case Proto::CPPTYPE_ENUM: return proto.default_value_enum()->number();
      case Proto::CPPTYPE_BOOL: return proto.default_value_bool() ? 1 : 0;
      default: return 0;
    }
  }

  // Zero, or what the schema declares (proto2); invalid when the column cannot hold that.
  static Status set_default(const Proto& proto, const Column& column, Field& field, const std::string& path) {
    if (proto.message_type() != nullptr) {
      if (field.op == Op::json) {
        field.default_text = field.json_kind == JsonKind::object ? "{}"
                             : field.json_kind == JsonKind::list ? "[]"
                                                                 : "null";
      }
      return {};
    }
    const auto cpp_type = proto.cpp_type();
    if (cpp_type == Proto::CPPTYPE_STRING || column.kind == Kind::text) {
      field.default_text = cpp_type == Proto::CPPTYPE_STRING ? proto.default_value_string()
                                                             : proto.default_value_enum()->name();
      if (column.max_length >= 0 && field.default_text.size() > static_cast<size_t>(column.max_length)) {
        return Status::invalid("column '" + path + "' is " + column.type_text +
                               ", too short for the default of '" + proto.name() + "'");
      }
    } else if (cpp_type == Proto::CPPTYPE_DOUBLE) {
      set_bytes(field, proto.default_value_double());
    } else if (cpp_type == Proto::CPPTYPE_FLOAT && column.kind == Kind::float64) {
      set_bytes(field, static_cast<double>(proto.default_value_float()));
    } else if (cpp_type == Proto::CPPTYPE_FLOAT) {
      set_bytes(field, proto.default_value_float());
    } else {
      const int64_t integer = default_integer(proto);
      const bool unsigned_64 = cpp_type == Proto::CPPTYPE_UINT64;
      const __int128 number = unsigned_64 ? static_cast<__int128>(static_cast<uint64_t>(integer)) : integer;
      if (!integer_bytes(number, column, field.default_bytes)) {
        return Status::invalid("column '" + path + "' is " + column.type_text +
                               ", too small for the default of '" + proto.name() + "'");
      }
    }
    return {};
  }

  // Fields that the table does not have, where it matters that they are there.
  void add_others(const pb::Descriptor& writer, MessagePlan& plan) {
    std::map<const pb::OneofDescriptor*, int> oneofs;
    const auto has = [&plan](const Proto& proto) {
      return std::any_of(plan.fields.begin(), plan.fields.end(), [&proto](const Field& field) {
        return field.number == static_cast<uint32_t>(proto.number());
      });
    };
    for (int i = 0; i < writer.real_oneof_decl_count(); ++i) {
      const pb::OneofDescriptor* oneof = writer.oneof_decl(i);
      for (int j = 0; j < oneof->field_count(); ++j) oneofs[oneof] += has(*oneof->field(j)) ? 1 : 0;
    }
    for (int i = 0; i < writer.field_count(); ++i) {
      const Proto& proto = *writer.field(i);
      const pb::OneofDescriptor* oneof = proto.real_containing_oneof();
      const bool matters = know_all_fields_ || proto.is_required() || (oneof != nullptr && oneofs[oneof] > 0);
      if (!matters || has(proto)) continue;
      Field& field = plan.fields.emplace_back();
      field.name = proto.name();
      field.number = static_cast<uint32_t>(proto.number());
      field.absent = proto.is_required() ? Absent::required : Absent::nothing;
    }
  }

  static void index(MessagePlan& plan) {
    uint32_t most = 0;
    for (const Field& field : plan.fields) {
      if (field.number <= kMostDenseNumber) most = std::max(most, field.number);
    }
    plan.dense.assign(most + 1, 0);
    plan.seen.assign(plan.fields.size() / 64 + 1, 0);
    plan.wanted.assign(plan.fields.size() / 64 + 1, 0);
    for (uint32_t i = 0; i < plan.fields.size(); ++i) {
      Field& field = plan.fields[i];
      field.index = i;
      if (field.absent != Absent::nothing) plan.wanted[i >> 6] |= uint64_t{1} << (i & 63);
      if (field.shape == Shape::map) plan.maps.push_back(i);
      if (field.shape == Shape::single && field.message) plan.nested.push_back(i);
      if (field.shape == Shape::single && field.op == Op::json) plan.jsons.push_back(i);
      if (field.number == 0) continue;
      if (field.number <= kMostDenseNumber) {
        plan.dense[field.number] = i + 1;
      } else {
        plan.others.emplace(field.number, i);
      }
    }
  }

  static void add_rivals(const pb::Descriptor& writer, MessagePlan& plan) {
    for (int i = 0; i < writer.real_oneof_decl_count(); ++i) {
      std::vector<uint32_t> members;
      for (int j = 0; j < writer.oneof_decl(i)->field_count(); ++j) {
        const Field* field = plan.find(static_cast<uint32_t>(writer.oneof_decl(i)->field(j)->number()));
        if (field != nullptr) members.push_back(field->index);
      }
      for (const uint32_t member : members) {
        for (const uint32_t other : members) {
          if (other != member) plan.fields[member].rivals.push_back(other);
        }
      }
    }
  }

  const bool know_all_fields_;
};

}  // namespace

bool integer_bytes(__int128 value, const Column& column, uint8_t* bytes) {
  const auto put = [bytes](auto number) { std::memcpy(bytes, &number, sizeof(number)); };
  const auto fits = [value](auto lowest, auto largest) { return value >= lowest && value <= largest; };
  switch (column.kind) {
    case Kind::boolean: put(static_cast<uint8_t>(value != 0)); return true;
    case Kind::int8: put(static_cast<int8_t>(value)); return fits(INT8_MIN, INT8_MAX);
    case Kind::int16: put(static_cast<int16_t>(value)); return fits(INT16_MIN, INT16_MAX);
    case Kind::int32: put(static_cast<int32_t>(value)); return fits(INT32_MIN, INT32_MAX);
    case Kind::int64: put(static_cast<int64_t>(value)); return fits(INT64_MIN, INT64_MAX);
    case Kind::float64: put(static_cast<double>(value)); return true;
    case Kind::decimal: {
      __int128 limit = 1;
      for (int i = 0; i < column.precision; ++i) limit *= 10;
      for (int i = 0; i < column.scale; ++i) {
        if (value >= limit || -value >= limit) return false;
        value *= 10;
      }
      put(value);
      return value < limit && -value < limit;
    }
    default: return false;
  }
}

void EnumNames::add(int32_t number, const std::string& name) {
  if (number < 0 || number >= kMostDense) {
    others_.emplace(number, name);
    return;
  }
  if (static_cast<size_t>(number) >= dense_.size()) dense_.resize(static_cast<size_t>(number) + 1);
  dense_[static_cast<size_t>(number)] = name;
}

Field* MessagePlan::find_other(uint32_t number) {
  const auto found = others.find(number);
  return found == others.end() ? nullptr : &fields[found->second];
}

Result<std::unique_ptr<MessagePlan>> compile_message(const pb::Descriptor& writer,
                                                     const std::vector<NamedColumn>& columns,
                                                     const PlanRules& rules) {
  const pb::Descriptor& reader = rules.reader != nullptr ? *rules.reader : writer;
  return Compiler(rules.know_all_fields).message(writer, reader, columns, nullptr, "");
}

}  // namespace weir::protobuf
