#include "formats/avro/avro_plan.h"

#include <algorithm>

#include "formats/error_words.h"
#include "schema/event_batch.h"

namespace weir::avro {
namespace {

constexpr int kMaxDepth = 500;  // of types that refer to each other by name

// A lower bound will do: where a type holds itself, and where it is too deep, it is 0.
int64_t least(const Node& node, std::map<const Node*, int64_t>& known, int depth) {
  constexpr int64_t kMost = 1 << 20;  // a larger bound adds nothing, and sums stay small
  switch (node.type) {
    case Type::null: return 0;
    case Type::float32: return 4;
    case Type::float64: return 8;
    case Type::fixed: return std::min(node.size, kMost);
    case Type::union_of: {
      int64_t smallest = kMost;
      for (const Node* branch : node.children)
        smallest = std::min(smallest, least(*branch, known, depth + 1));
      return 1 + smallest;
    }
    case Type::record: {
      const auto [entry, first] = known.emplace(&node, 0);
      if (!first || depth > kMaxDepth) return entry->second;
      int64_t sum = 0;
      for (const Field& field : node.fields)
        sum = std::min(kMost, sum + least(*field.type, known, depth + 1));
      known[&node] = sum;
      return sum;
    }
    default: return 1;
  }
}

__int128 power_of_ten(int digits) {
  __int128 power = 1;
  for (int i = 0; i < digits; ++i) power *= 10;
  return power;
}

bool same_or_promotes(const Node& writer, const Node& reader) {
  if (writer.type == reader.type) return !writer.named() || names_match(reader, writer);
  switch (writer.type) {
    case Type::int32:
      return reader.type == Type::int64 || reader.type == Type::float32 || reader.type == Type::float64;
    case Type::int64: return reader.type == Type::float32 || reader.type == Type::float64;
    case Type::float32: return reader.type == Type::float64;
    case Type::string: return reader.type == Type::bytes;
    case Type::bytes: return reader.type == Type::string;
    default: return false;
  }
}

// The branch of a reader's union for a writer's type that is none; null: there is none.
const Node* branch_for(const Node& reader, const Node& writer) {
  for (const Node* branch : reader.children) {
    if (branch->type == writer.type && (!writer.named() || branch->name == writer.name)) return branch;
  }
  for (const Node* branch : reader.children) {
    if (same_or_promotes(writer, *branch)) return branch;
  }
  return nullptr;
}

// Digits of a second in a time's unit; -1: no time.
int fraction_digits(Logical logical) {
  switch (logical) {
    case Logical::time_millis:
    case Logical::timestamp_millis:
    case Logical::local_timestamp_millis: return 3;
    case Logical::time_micros:
    case Logical::timestamp_micros:
    case Logical::local_timestamp_micros: return 6;
    case Logical::timestamp_nanos:
    case Logical::local_timestamp_nanos: return 9;
    default: return -1;
  }
}

bool is_timestamp(Logical logical) {
  return logical >= Logical::timestamp_millis && logical <= Logical::local_timestamp_nanos;
}

class Compiler {
 public:
  explicit Compiler(Plan& plan) : plan_(plan) {}

  // The fields of a record into columns by name.
  Status record(const Node& writer, const Node* reader, const std::vector<std::string>& names,
                const std::vector<Column*>& columns, const std::string& path, std::vector<Step>& steps) {
    std::vector<int> column_of(writer.fields.size(), -1);
    std::vector<const Field*> reader_field(names.size(), nullptr);
    std::vector<bool> written(names.size(), false);
    for (size_t i = 0; i < names.size(); ++i) {
      int found = -1;
      for (size_t f = 0; reader && f < reader->fields.size(); ++f) {
        if (reader->fields[f].name == names[i]) reader_field[i] = &reader->fields[f];
      }
      if (reader_field[i] != nullptr) {
        found = writer_field_of(*reader_field[i], writer);
      } else {
        Field plain;
        plain.name = names[i];
        found = writer_field_of(plain, writer);
      }
      if (found < 0 || column_of[static_cast<size_t>(found)] >= 0) continue;
      column_of[static_cast<size_t>(found)] = static_cast<int>(i);
      written[i] = true;
    }
    for (size_t f = 0; f < writer.fields.size(); ++f) {
      const Field& field = writer.fields[f];
      if (column_of[f] < 0) {
        append_skip(field, steps);
        continue;
      }
      const size_t index = static_cast<size_t>(column_of[f]);
      const Node* of_reader = reader_field[index] ? reader_field[index]->type : nullptr;
      Step step;
      WEIR_TRY(value(*field.type, of_reader, *columns[index], path + "/" + pointer_token(field.name), step));
      step.name = field.name;
      steps.push_back(std::move(step));
    }
    if (too_deep_) return Status::invalid(path + ": types refer to each other more than 500 deep");
    for (size_t i = 0; i < names.size(); ++i) {
      if (written[i]) continue;
      WEIR_TRY(absent(reader_field[i], names[i], *columns[i], path + "/" + pointer_token(names[i]), steps));
    }
    return {};
  }

 private:
  static Status misfit(const std::string& path, const Node& writer, const Column& column) {
    return Status::invalid(path + ": " + type_label(writer) + " does not fit " + column.type_text);
  }

  // A column that the writer lacks.
  Status absent(const Field* reader, const std::string& name, Column& column, const std::string& path,
                std::vector<Step>& steps) {
    Step step;
    step.name = name;
    step.column = &column;
    if (reader != nullptr && reader->has_default) {
      if (!reader->default_problem.empty()) {
        return Status::invalid(path + ": the default " + reader->default_problem);
      }
      step.op = Op::put_default;
      step.children.emplace_back();
      WEIR_TRY(value(*reader->type, nullptr, column, path, step.children[0]));
      step.bytes = reader->default_bytes;
      step.bytes_size = static_cast<int64_t>(step.bytes.size());
      step.bytes.append(EventBatch::kPadding, '\0');
    } else {
      step.op = column.nullable ? Op::put_null : Op::missing;
    }
    steps.push_back(std::move(step));
    return {};
  }

  void append_skip(const Field& field, std::vector<Step>& steps) {
    const Skip* skip = skip_of(*field.type, 0);
    if (skip->op == Skip::Op::nothing) return;
    Step step;
    step.op = Op::skip;
    step.skip = skip;
    step.name = field.name;
    steps.push_back(std::move(step));
  }

  const Skip* skip_of(const Node& node, int depth) {
    const auto [entry, first] = skips_.emplace(&node, nullptr);
    if (!first) return entry->second;
    Skip& skip = plan_.skips.emplace_back();
    skips_[&node] = &skip;
    too_deep_ = too_deep_ || depth > kMaxDepth;
    if (too_deep_) return &skip;
    skip.min_bytes = least_bytes(node);
    switch (node.type) {
      case Type::null: break;
      case Type::boolean:
      case Type::float32:
      case Type::float64:
      case Type::fixed:
        skip.op = Skip::Op::fixed;
        skip.size = node.type == Type::boolean   ? 1
                    : node.type == Type::float32 ? 4
                    : node.type == Type::float64 ? 8
                                                 : node.size;
        break;
      case Type::int32:
      case Type::int64:
      case Type::enumeration: skip.op = Skip::Op::varint; break;
      case Type::bytes:
      case Type::string: skip.op = Skip::Op::bytes; break;
      case Type::record:
        skip.op = Skip::Op::record;
        for (const Field& field : node.fields) skip.children.push_back(skip_of(*field.type, depth + 1));
        break;
      case Type::array:
      case Type::map:
      case Type::union_of:
        skip.op = node.type == Type::array ? Skip::Op::array
                  : node.type == Type::map ? Skip::Op::map
                                           : Skip::Op::union_of;
        for (const Node* child : node.children) skip.children.push_back(skip_of(*child, depth + 1));
        break;
    }
    return &skip;
  }

  Status value(const Node& writer, const Node* reader, Column& column, const std::string& path, Step& step) {
    step.column = &column;
    if (writer.type == Type::union_of) return union_value(writer, reader, column, path, step);
    if (reader != nullptr && reader->type == Type::union_of) {
      const Node* branch = branch_for(*reader, writer);
      if (branch == nullptr) {
        return Status::invalid(path + ": " + type_label(writer) + " is no branch of the reader's " +
                               type_label(*reader));
      }
      reader = branch;
    }
    if (reader != nullptr && !same_or_promotes(writer, *reader)) {
      return Status::invalid(path + ": " + type_label(writer) + " is not the reader's " +
                             type_label(*reader));
    }
    if (writer.type == Type::null) {
      step.op = Op::null;
      return {};
    }
    return plain(writer, reader, column, path, step);
  }

  Status union_value(const Node& writer, const Node* reader, Column& column, const std::string& path,
                     Step& step) {
    size_t records = 0;
    int null_index = -1;
    for (size_t i = 0; i < writer.children.size(); ++i) {
      if (writer.children[i]->type == Type::record) ++records;
      if (writer.children[i]->type == Type::null) null_index = static_cast<int>(i);
    }
    if (records > 1 && column.kind == Kind::row) {
      return Status::invalid(path + ": a union of several records is no column: " + type_label(writer));
    }
    if (writer.children.size() == 2 && null_index >= 0) {
      WEIR_TRY(value(*writer.children[static_cast<size_t>(1 - null_index)], reader, column, path, step));
      step.null_byte = static_cast<int8_t>(2 * null_index);
      return {};
    }
    step.op = Op::union_of;
    Status first_problem;
    size_t fitting = 0;
    for (const Node* branch : writer.children) {
      Step child;
      Status fits = value(*branch, reader, column, path, child);
      if (fits.ok()) {
        if (branch->type != Type::null) ++fitting;
      } else {
        if (first_problem.ok()) first_problem = fits;
        child = Step();
        child.op = Op::misfit;
        child.column = &column;
        child.words = "found " + type_label(*branch) + ", expected " + column.type_text;
      }
      step.children.push_back(std::move(child));
    }
    return fitting == 0 ? first_problem : Status();
  }

  // Any type but null and unions.
  Status plain(const Node& writer, const Node* reader, Column& column, const std::string& path, Step& step) {
    Logical logical = writer.logical;
    if (logical == Logical::none && reader != nullptr && reader->type == writer.type)
      logical = reader->logical;
    if (logical == Logical::duration && column.kind != Kind::binary) {
      return Status::invalid(path +
                             ": SQL has no type for Avro's duration; a BYTES column takes its 12 bytes");
    }
    step.size = writer.size;
    switch (column.kind) {
      case Kind::boolean: return fits(writer.type == Type::boolean, Op::boolean, writer, column, path, step);
      case Kind::int8: return fits(writer.type == Type::int32, Op::int8, writer, column, path, step);
      case Kind::int16: return fits(writer.type == Type::int32, Op::int16, writer, column, path, step);
      case Kind::int32: return fits(writer.type == Type::int32, Op::int32, writer, column, path, step);
      case Kind::int64: {
        const bool is_int = writer.type == Type::int32;
        return fits(is_int || writer.type == Type::int64, is_int ? Op::int_to_int64 : Op::int64, writer,
                    column, path, step);
      }
      case Kind::float32:
      case Kind::float64: return floating(writer, column, path, step);
      case Kind::date:
        return fits(writer.type == Type::int32 && logical == Logical::date, Op::int32, writer, column, path,
                    step);
      case Kind::time32:
      case Kind::time64: {
        const bool millis = logical == Logical::time_millis;
        WEIR_TRY(fits(millis || logical == Logical::time_micros, millis ? Op::int_time : Op::long_time,
                      writer, column, path, step));
        set_unit(logical, column, step);
        return {};
      }
      case Kind::timestamp:
        WEIR_TRY(fits(is_timestamp(logical), Op::timestamp, writer, column, path, step));
        set_unit(logical, column, step);
        return {};
      case Kind::decimal: return decimal(writer, reader, logical, column, path, step);
      case Kind::text: return text(writer, reader, logical, column, path, step);
      case Kind::binary: {
        const bool fixed = writer.type == Type::fixed;
        return fits(fixed || writer.type == Type::bytes || writer.type == Type::string,
                    fixed ? Op::fixed_binary : Op::binary, writer, column, path, step);
      }
      case Kind::list:
      case Kind::map: return items(writer, reader, column, path, step);
      case Kind::row: break;
    }
    if (writer.type != Type::record) return misfit(path, writer, column);
    step.op = Op::row;
    std::vector<std::string> names;
    std::vector<Column*> fields;
    for (size_t i = 0; i < column.children.size(); ++i) {
      names.push_back(column.type->field(static_cast<int>(i))->name());
      fields.push_back(column.children[i].get());
    }
    return record(writer, reader, names, fields, path, step.children);
  }

  static Status fits(bool it_does, Op op, const Node& writer, const Column& column, const std::string& path,
                     Step& step) {
    if (!it_does) return misfit(path, writer, column);
    step.op = op;
    return {};
  }

  static Status floating(const Node& writer, const Column& column, const std::string& path, Step& step) {
    const bool wide = column.kind == Kind::float64;
    switch (writer.type) {
      case Type::int32: step.op = wide ? Op::int_to_float64 : Op::int_to_float32; return {};
      case Type::int64: step.op = wide ? Op::long_to_float64 : Op::long_to_float32; return {};
      case Type::float32: step.op = wide ? Op::float_to_float64 : Op::float32; return {};
      case Type::float64: return fits(wide, Op::float64, writer, column, path, step);
      default: return misfit(path, writer, column);
    }
  }

  static void set_unit(Logical logical, const Column& column, Step& step) {
    const int from = fraction_digits(logical);
    for (int digits = from; digits < column.fraction_digits; ++digits) step.multiply *= 10;
    for (int digits = column.fraction_digits; digits < from; ++digits) step.divide *= 10;
    step.exact = from == column.fraction_digits;
  }

  static Status decimal(const Node& writer, const Node* reader, Logical logical, const Column& column,
                        const std::string& path, Step& step) {
    if (logical != Logical::decimal) return misfit(path, writer, column);
    const int scale = writer.logical == Logical::decimal ? writer.scale : reader->scale;
    if (reader != nullptr && reader->logical == Logical::decimal && reader->scale != scale) {
      return Status::invalid(path + ": " + type_label(writer) + " is not the reader's " +
                             type_label(*reader));
    }
    const int shift = column.scale - scale;
    if (shift < -38) return misfit(path, writer, column);
    step.op = writer.type == Type::fixed ? Op::fixed_decimal : Op::decimal;
    step.shrink = shift < 0;
    step.factor = power_of_ten(std::abs(shift));
    step.limit = power_of_ten(column.precision);
    return {};
  }

  static Status text(const Node& writer, const Node* reader, Logical logical, const Column& column,
                     const std::string& path, Step& step) {
    if (logical == Logical::uuid && writer.type == Type::fixed) {
      step.op = Op::uuid_text;
      return {};
    }
    if (writer.type == Type::string || (writer.type == Type::bytes && logical == Logical::none)) {
      step.op = Op::text;
      return {};
    }
    if (writer.type != Type::enumeration) return misfit(path, writer, column);
    step.op = Op::enumeration;
    for (const std::string& symbol : writer.symbols) {
      const bool known = reader == nullptr || std::find(reader->symbols.begin(), reader->symbols.end(),
                                                        symbol) != reader->symbols.end();
      const bool otherwise = !known && reader->default_symbol >= 0;
      step.symbols.push_back(otherwise ? reader->symbols[static_cast<size_t>(reader->default_symbol)]
                                       : symbol);
      step.known_symbols.push_back(known || otherwise);
    }
    return {};
  }

  Status items(const Node& writer, const Node* reader, Column& column, const std::string& path, Step& step) {
    const bool list = column.kind == Kind::list;
    if (writer.type != (list ? Type::array : Type::map)) return misfit(path, writer, column);
    if (!list && column.children[0]->kind != Kind::text) {
      return Status::invalid(path + ": the keys of a map are strings, not " + column.children[0]->type_text);
    }
    step.op = list ? Op::list : Op::map;
    step.min_bytes = least_bytes(*writer.children[0]) + (list ? 0 : 1);
    step.children.resize(list ? 1 : 2);
    if (!list) {
      step.children[1].op = Op::text;
      step.children[1].column = column.children[0].get();
    }
    return value(*writer.children[0], reader ? reader->children[0] : nullptr, *column.children.back(),
                 path + (list ? "/0" : "/*"), step.children[0]);
  }

  Plan& plan_;
  std::map<const Node*, const Skip*> skips_;
  bool too_deep_ = false;
};

}  // namespace

int64_t least_bytes(const Node& node) {
  std::map<const Node*, int64_t> known;
  return least(node, known, 0);
}

Result<std::unique_ptr<Plan>> compile_plan(const SchemaHandle& writer, const SchemaHandle& reader,
                                           const Target& target) {
  const Node& root = writer->root();
  if (root.type != Type::record) {
    return Status::invalid("the schema is " + type_label(root) + ", and a table needs a record");
  }
  const Node* reader_root = reader ? &reader->root() : nullptr;
  if (reader_root != nullptr && !same_or_promotes(root, *reader_root)) {
    return Status::invalid("the " + type_label(root) + " is not the reader's " + type_label(*reader_root));
  }
  auto plan = std::make_unique<Plan>();
  plan->writer = writer;
  WEIR_TRY(Compiler(*plan).record(root, reader_root, target.names, target.columns, "", plan->fields));
  return plan;
}

}  // namespace weir::avro
