#include "sinks/delta/delta_schema.h"

#include <arrow/type.h>

#include <set>

#include "config/data_type.h"

namespace weir {
namespace {

using TypePtr = std::shared_ptr<arrow::DataType>;
using FieldPtr = std::shared_ptr<arrow::Field>;

// A refusal: what to write instead.
struct Refusal {
  std::string path;
  std::string found;
  std::string hint;
};

class Storable {
 public:
  std::vector<Refusal> refusals;

  FieldPtr field(const arrow::Field& field, const std::string& path) {
    return arrow::field(field.name(), type(field.type(), path), field.nullable());
  }

  TypePtr type(const TypePtr& type, const std::string& path) {
    switch (type->id()) {
      case arrow::Type::BOOL:
      case arrow::Type::INT8:
      case arrow::Type::INT16:
      case arrow::Type::INT32:
      case arrow::Type::INT64:
      case arrow::Type::FLOAT:
      case arrow::Type::DOUBLE:
      case arrow::Type::STRING:
      case arrow::Type::BINARY:
      case arrow::Type::DATE32: return type;
      case arrow::Type::LARGE_STRING:
      case arrow::Type::STRING_VIEW: return arrow::utf8();
      case arrow::Type::LARGE_BINARY:
      case arrow::Type::BINARY_VIEW:
      case arrow::Type::FIXED_SIZE_BINARY: return arrow::binary();
      case arrow::Type::DICTIONARY:
        return this->type(static_cast<const arrow::DictionaryType&>(*type).value_type(), path);
      case arrow::Type::DATE64: return arrow::date32();
      case arrow::Type::DECIMAL32:
      case arrow::Type::DECIMAL64:
      case arrow::Type::DECIMAL128: {
        const auto& decimal = static_cast<const arrow::DecimalType&>(*type);
        if (decimal.scale() < 0)
          return refuse(type, path, "CAST(… AS DECIMAL(p, s)) with a scale of 0 or more");
        return arrow::decimal128(decimal.precision(), decimal.scale());
      }
      case arrow::Type::TIMESTAMP: return timestamp(type, path);
      case arrow::Type::LIST:
      case arrow::Type::LARGE_LIST:
      case arrow::Type::LIST_VIEW:
      case arrow::Type::FIXED_SIZE_LIST: return arrow::list(field(*type->field(0), path + "[]"));
      case arrow::Type::MAP: {
        const auto& map = static_cast<const arrow::MapType&>(*type);
        return std::make_shared<arrow::MapType>(this->type(map.key_type(), path + ".key"),
                                                field(*map.item_field(), path + ".value"));
      }
      case arrow::Type::STRUCT: {
        arrow::FieldVector fields;
        for (const auto& child : type->fields()) fields.push_back(field(*child, path + "." + child->name()));
        if (fields.empty()) return refuse(type, path, "give the ROW a field, or leave the column out");
        return arrow::struct_(fields);
      }
      case arrow::Type::UINT8: return refuse(type, path, "CAST(… AS SMALLINT)");
      case arrow::Type::UINT16: return refuse(type, path, "CAST(… AS INT)");
      case arrow::Type::UINT32: return refuse(type, path, "CAST(… AS BIGINT)");
      case arrow::Type::UINT64: return refuse(type, path, "CAST(… AS BIGINT), or AS DECIMAL(20, 0)");
      case arrow::Type::HALF_FLOAT: return refuse(type, path, "CAST(… AS FLOAT)");
      case arrow::Type::DECIMAL256: return refuse(type, path, "CAST(… AS DECIMAL(38, s))");
      case arrow::Type::TIME32:
      case arrow::Type::TIME64: return refuse(type, path, "CAST(… AS STRING)");
      case arrow::Type::NA: return refuse(type, path, "CAST(NULL AS STRING) or the type you mean");
      case arrow::Type::DURATION:
      case arrow::Type::INTERVAL_MONTHS:
      case arrow::Type::INTERVAL_DAY_TIME:
      case arrow::Type::INTERVAL_MONTH_DAY_NANO:
        return refuse(type, path, "CAST(… AS STRING), or a number of seconds");
      default: return refuse(type, path, "CAST(… AS STRING)");
    }
  }

 private:
  TypePtr timestamp(const TypePtr& type, const std::string& path) {
    const auto& timestamp = static_cast<const arrow::TimestampType&>(*type);
    if (timestamp.unit() == arrow::TimeUnit::NANO) {
      return refuse(type, path,
                    timestamp.timezone().empty() ? "CAST(… AS TIMESTAMP(6))" : "CAST(… AS TIMESTAMP_LTZ(6))");
    }
    return arrow::timestamp(arrow::TimeUnit::MICRO, timestamp.timezone().empty() ? "" : "UTC");
  }

  TypePtr refuse(const TypePtr& type, const std::string& path, std::string hint) {
    refusals.push_back({path, sql_type(*type), std::move(hint)});
    return type;
  }
};

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += (text.empty() ? "" : "; ") + line;
  return text;
}

}  // namespace

Result<std::shared_ptr<arrow::Schema>> storable_schema(const std::string& table,
                                                       const arrow::Schema& schema) {
  Storable storable;
  arrow::FieldVector fields;
  std::vector<std::string> problems;
  std::set<std::string> names;
  for (const auto& field : schema.fields()) {
    fields.push_back(storable.field(*field, field->name()));
    std::string lower = field->name();
    for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    if (!names.insert(lower).second) {
      problems.push_back("two columns are called '" + field->name() +
                         "' (Delta ignores case): give one another name with AS");
    }
    if (field->name().find_first_of(" ,;{}()\n\t=") != std::string::npos) {
      problems.push_back("the column name '" + field->name() +
                         "' holds one of \" ,;{}()=\", which Delta refuses: rename it with AS");
    }
  }
  for (const Refusal& refusal : storable.refusals) {
    problems.push_back("column '" + refusal.path + "' is " + refusal.found +
                       ", which Delta cannot store: write " + refusal.hint);
  }
  if (!problems.empty()) return Status::invalid("table '" + table + "': " + joined(problems));
  return arrow::schema(fields);
}

bool same_type(const arrow::DataType& a, const arrow::DataType& b) {
  if (a.id() != b.id()) return false;
  switch (a.id()) {
    case arrow::Type::TIMESTAMP: {
      const auto& left = static_cast<const arrow::TimestampType&>(a);
      const auto& right = static_cast<const arrow::TimestampType&>(b);
      return left.unit() == right.unit() && left.timezone().empty() == right.timezone().empty();
    }
    case arrow::Type::LIST: return same_type(*a.field(0)->type(), *b.field(0)->type());
    case arrow::Type::MAP: {
      const auto& left = static_cast<const arrow::MapType&>(a);
      const auto& right = static_cast<const arrow::MapType&>(b);
      return same_type(*left.key_type(), *right.key_type()) &&
             same_type(*left.item_type(), *right.item_type());
    }
    case arrow::Type::STRUCT: {
      if (a.num_fields() != b.num_fields()) return false;
      for (int i = 0; i < a.num_fields(); ++i) {
        if (a.field(i)->name() != b.field(i)->name()) return false;
        if (!same_type(*a.field(i)->type(), *b.field(i)->type())) return false;
      }
      return true;
    }
    default: return a.Equals(b);
  }
}

Result<SchemaMatch> match_schema(const std::string& table, const arrow::Schema& wanted,
                                 const std::shared_ptr<arrow::Schema>& existing, bool add_columns) {
  // The table may come back with large or view types: the same columns for Delta.
  WEIR_ASSIGN(auto stored, storable_schema(table, *existing));
  SchemaMatch match;
  std::vector<std::string> problems;
  arrow::FieldVector fields = existing->fields();
  for (const auto& field : wanted.fields()) {
    auto found = stored->GetFieldByName(field->name());
    if (found == nullptr) {
      match.added.push_back(field->name());
      fields.push_back(field->WithNullable(true));
      continue;
    }
    if (!same_type(*found->type(), *field->type())) {
      problems.push_back("column '" + field->name() + "' is " + sql_type(*found->type()) +
                         " in the table, but the query gives " + sql_type(*field->type()) + ": write CAST(" +
                         field->name() + " AS " + sql_type(*found->type()) + ")");
    }
    if (!found->nullable()) match.not_null.push_back(field->name());
  }
  for (const auto& field : stored->fields()) {
    if (field->nullable() || wanted.GetFieldByName(field->name()) != nullptr) continue;
    problems.push_back("column '" + field->name() + "' is " + sql_type(*field->type()) +
                       " NOT NULL in the table, but the query does not give it");
  }
  if (!match.added.empty() && !add_columns) {
    for (const std::string& name : match.added) {
      problems.push_back("column '" + name + "' " + sql_type(*wanted.GetFieldByName(name)->type()) +
                         " is not in the table, and 'schema-evolution' is 'none'");
    }
  }
  if (!problems.empty())
    return Status::invalid("table '" + table + "' exists with another schema: " + joined(problems));
  if (!match.added.empty()) match.evolved = arrow::schema(fields);
  return match;
}

}  // namespace weir
