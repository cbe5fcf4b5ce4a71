// Which Arrow types fit which columns: of tables that Weir creates, and of tables that exist.
#include <arrow/type.h>
#include <arrow/type_traits.h>

#include <algorithm>

#include "base/text.h"
#include "config/data_type.h"
#include "sinks/clickhouse/column_type.h"
#include "sinks/clickhouse/native_column.h"

namespace weir {
namespace {

int unit_digits(arrow::TimeUnit::type unit) {
  switch (unit) {
    case arrow::TimeUnit::SECOND: return 0;
    case arrow::TimeUnit::MILLI: return 3;
    case arrow::TimeUnit::MICRO: return 6;
    case arrow::TimeUnit::NANO: break;
  }
  return 9;
}

ClickHouseType decimal_of(int precision, int scale) {
  ClickHouseType type = ClickHouseType::of(ClickHouseKind::decimal);
  type.precision = precision;
  type.scale = scale;
  return type;
}

Result<ClickHouseType> scalar_type_for(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::BOOL: return ClickHouseType::of(ClickHouseKind::boolean);
    case arrow::Type::INT8: return ClickHouseType::of(ClickHouseKind::int8);
    case arrow::Type::INT16: return ClickHouseType::of(ClickHouseKind::int16);
    case arrow::Type::INT32: return ClickHouseType::of(ClickHouseKind::int32);
    case arrow::Type::INT64: return ClickHouseType::of(ClickHouseKind::int64);
    case arrow::Type::UINT8: return ClickHouseType::of(ClickHouseKind::uint8);
    case arrow::Type::UINT16: return ClickHouseType::of(ClickHouseKind::uint16);
    case arrow::Type::UINT32: return ClickHouseType::of(ClickHouseKind::uint32);
    case arrow::Type::UINT64: return ClickHouseType::of(ClickHouseKind::uint64);
    case arrow::Type::FLOAT: return ClickHouseType::of(ClickHouseKind::float32);
    case arrow::Type::DOUBLE: return ClickHouseType::of(ClickHouseKind::float64);
    case arrow::Type::DATE32:
    case arrow::Type::DATE64: return ClickHouseType::of(ClickHouseKind::date32);
    case arrow::Type::TIME32:
    case arrow::Type::TIME64: return ClickHouseType::of(ClickHouseKind::int64);
    case arrow::Type::TIMESTAMP: {
      ClickHouseType moment = ClickHouseType::of(ClickHouseKind::date_time64);
      moment.precision = unit_digits(static_cast<const arrow::TimestampType&>(type).unit());
      moment.time_zone = "UTC";
      return moment;
    }
    case arrow::Type::FIXED_SIZE_BINARY: {
      ClickHouseType bytes = ClickHouseType::of(ClickHouseKind::fixed_string);
      bytes.length = static_cast<const arrow::FixedSizeBinaryType&>(type).byte_width();
      return bytes;
    }
    default: break;
  }
  if (is_text(type)) return ClickHouseType::of(ClickHouseKind::string);
  if (arrow::is_decimal(type.id())) {
    const auto& decimal = static_cast<const arrow::DecimalType&>(type);
    // A negative scale is whole numbers with zeros; no dialect type has one.
    if (decimal.scale() >= 0) return decimal_of(decimal.precision(), decimal.scale());
  }
  return Status::invalid("no ClickHouse type holds " + sql_type(type) + ": CAST it, for instance to STRING");
}

const ClickHouseType* named_column(const std::vector<TableColumn>& columns, const std::string& name) {
  for (const TableColumn& column : columns) {
    if (column.name == name) return &column.type;
  }
  return nullptr;
}

// The fields of an ARRAY<ROW<…>>, else null.
const arrow::StructType* list_of_rows(const arrow::DataType& type) {
  if (type.id() != arrow::Type::LIST && type.id() != arrow::Type::LARGE_LIST) return nullptr;
  const arrow::DataType& element = *static_cast<const arrow::BaseListType&>(type).value_type();
  return element.id() == arrow::Type::STRUCT ? static_cast<const arrow::StructType*>(&element) : nullptr;
}

// The targets of ARRAY<ROW<…>> `name` among the columns name.field of a flattened Nested; problems otherwise.
void match_flattened(const arrow::Field& field, int index, const std::vector<TableColumn>& existing,
                     std::vector<ColumnTarget>* targets, std::vector<std::string>* problems) {
  const arrow::StructType& row = *list_of_rows(*field.type());
  for (int i = 0; i < row.num_fields(); ++i) {
    const std::string name = field.name() + "." + row.field(i)->name();
    const ClickHouseType* type = named_column(existing, name);
    if (type == nullptr) {
      problems->push_back("column " + name + ": the table has no such part of the Nested " + field.name());
      continue;
    }
    Status fits = make_flattened_column(*field.type(), i, *type, true).status();
    if (!fits.ok()) {
      problems->push_back("column " + name + ": " + fits.message());
      continue;
    }
    targets->push_back({name, *type, index, i});
  }
  // A part that is left out would be filled with defaults of other lengths, which the server refuses.
  for (const TableColumn& column : existing) {
    if (!column.name.starts_with(field.name() + ".")) continue;
    if (row.GetFieldIndex(column.name.substr(field.name().size() + 1)) < 0) {
      problems->push_back("column " + column.name + ": the ROW of " + field.name() + " has no such field");
    }
  }
}

}  // namespace

Result<ClickHouseType> clickhouse_type_for(const arrow::DataType& type, bool nullable) {
  switch (type.id()) {
    case arrow::Type::LIST:
    case arrow::Type::LARGE_LIST:
    case arrow::Type::FIXED_SIZE_LIST: {
      const auto& list = static_cast<const arrow::BaseListType&>(type);
      WEIR_ASSIGN(ClickHouseType element,
                  clickhouse_type_for(*list.value_type(), list.value_field()->nullable()));
      return ClickHouseType::array(std::move(element));
    }
    case arrow::Type::MAP: {
      const auto& map = static_cast<const arrow::MapType&>(type);
      ClickHouseType out = ClickHouseType::of(ClickHouseKind::map);
      WEIR_ASSIGN(ClickHouseType key, clickhouse_type_for(*map.key_type(), false));
      WEIR_ASSIGN(ClickHouseType item, clickhouse_type_for(*map.item_type(), map.item_field()->nullable()));
      out.children = {std::move(key), std::move(item)};
      return out;
    }
    case arrow::Type::STRUCT: {
      ClickHouseType out = ClickHouseType::of(ClickHouseKind::tuple);
      if (type.num_fields() == 0)
        return Status::invalid("a ROW without fields cannot be stored in ClickHouse");
      for (const auto& field : type.fields()) {
        WEIR_ASSIGN(ClickHouseType element,
                    clickhouse_type_for(*field->type(), nullable || field->nullable()));
        out.children.push_back(std::move(element));
        out.names.push_back(field->name());
      }
      return out;
    }
    default: break;
  }
  WEIR_ASSIGN(ClickHouseType scalar, scalar_type_for(type));
  return nullable ? ClickHouseType::nullable(std::move(scalar)) : std::move(scalar);
}

Status can_store(const arrow::DataType& type, const ClickHouseType& target) {
  // The encoder itself answers, so that the check cannot differ from it.
  return make_native_column(type, target, true).status();
}

Result<std::vector<ColumnTarget>> match_columns(const std::string& table, const arrow::Schema& schema,
                                                const std::vector<TableColumn>& existing) {
  std::vector<ColumnTarget> targets;
  std::vector<std::string> problems;
  std::vector<std::string> names;
  for (const TableColumn& column : existing) names.push_back(column.name);
  for (int i = 0; i < schema.num_fields(); ++i) {
    const arrow::Field& field = *schema.field(i);
    if (const ClickHouseType* type = named_column(existing, field.name())) {
      Status fits = can_store(*field.type(), *type);
      if (!fits.ok()) problems.push_back("column " + field.name() + ": " + fits.message());
      targets.push_back({field.name(), *type, i, -1});
      continue;
    }
    const std::string prefix = field.name() + ".";
    bool flattened = std::any_of(names.begin(), names.end(),
                                 [&](const std::string& name) { return name.starts_with(prefix); });
    if (flattened && list_of_rows(*field.type()) != nullptr) {
      match_flattened(field, i, existing, &targets, &problems);
      continue;
    }
    Result<ClickHouseType> wanted = clickhouse_type_for(*field.type(), field.nullable());
    std::string add = wanted.ok() ? " Add it (" + quoted_identifier(field.name()) + " " +
                                        wanted->to_string() + "), or leave it out of the query."
                                  : "";
    problems.push_back("column " + field.name() + ": the table has no such column." +
                       suggestion(field.name(), names) + add);
  }
  if (problems.empty()) return targets;
  std::string message = "the ClickHouse table " + table + " does not take these rows:";
  for (const std::string& problem : problems) message += "\n  " + problem;
  return Status::invalid(message);
}

}  // namespace weir
