#include "lookup/clickhouse/lookup_query.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/reader.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/table.h>
#include <arrow/type.h>
#include <arrow/util/decimal.h>

#include <cstdio>

#include "config/data_type.h"
#include "lookup/declared_rows.h"

namespace weir {
namespace {

// Fixed by the statement, so that the answer's types do not depend on the server's settings.
constexpr const char* kAnswer =
    " SETTINGS output_format_arrow_string_as_string = 1, output_format_arrow_low_cardinality_as_dictionary = "
    "0 "
    "FORMAT ArrowStream";

std::string identifier(const std::string& name) {
  std::string out = "`";
  for (const char c : name) {
    if (c == '`' || c == '\\') out += '\\';
    out += c;
  }
  return out + "`";
}

int digits_of(arrow::TimeUnit::type unit) {
  switch (unit) {
    case arrow::TimeUnit::SECOND: return 0;
    case arrow::TimeUnit::MILLI: return 3;
    case arrow::TimeUnit::MICRO: return 6;
    case arrow::TimeUnit::NANO: return 9;
  }
  return 6;
}

// The ClickHouse type that Arrow's answer holds as `type`.
Result<std::string> server_type(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::BOOL: return std::string("Bool");
    case arrow::Type::INT8: return std::string("Int8");
    case arrow::Type::INT16: return std::string("Int16");
    case arrow::Type::INT32: return std::string("Int32");
    case arrow::Type::INT64: return std::string("Int64");
    case arrow::Type::FLOAT: return std::string("Float32");
    case arrow::Type::DOUBLE: return std::string("Float64");
    case arrow::Type::STRING:
    case arrow::Type::BINARY: return std::string("String");
    case arrow::Type::DATE32: return std::string("Date32");
    case arrow::Type::DECIMAL128: {
      const auto& decimal = static_cast<const arrow::Decimal128Type&>(type);
      return "Decimal(" + std::to_string(decimal.precision()) + ", " + std::to_string(decimal.scale()) + ")";
    }
    case arrow::Type::TIMESTAMP:
      return "DateTime64(" +
             std::to_string(digits_of(static_cast<const arrow::TimestampType&>(type).unit())) + ", 'UTC')";
    default: return Status::invalid(sql_type(type) + " cannot be looked up in ClickHouse");
  }
}

std::string timestamp_literal(int64_t value, arrow::TimeUnit::type unit) {
  const int digits = digits_of(unit);
  // Of the ticks: exact, and no calendar is needed.
  return "fromUnixTimestamp64" +
         std::string(digits == 3   ? "Milli"
                     : digits == 6 ? "Micro"
                                   : "Nano") +
         "(toInt64(" + std::to_string(digits == 0 ? value * 1000 : value) + "), 'UTC')";
}

template <typename ArrayType>
std::string number_literal(const arrow::Array& values, int64_t row) {
  return std::to_string(static_cast<const ArrayType&>(values).Value(row));
}

std::string float_literal(double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%.17g", value);
  return text;
}

}  // namespace

Result<std::string> key_literal(const arrow::Array& values, int64_t row) {
  switch (values.type_id()) {
    case arrow::Type::BOOL:
      return std::string(static_cast<const arrow::BooleanArray&>(values).Value(row) ? "true" : "false");
    case arrow::Type::INT8: return number_literal<arrow::Int8Array>(values, row);
    case arrow::Type::INT16: return number_literal<arrow::Int16Array>(values, row);
    case arrow::Type::INT32: return number_literal<arrow::Int32Array>(values, row);
    case arrow::Type::INT64: return number_literal<arrow::Int64Array>(values, row);
    case arrow::Type::FLOAT:
      return "toFloat32(" + float_literal(static_cast<const arrow::FloatArray&>(values).Value(row)) + ")";
    case arrow::Type::DOUBLE: return float_literal(static_cast<const arrow::DoubleArray&>(values).Value(row));
    case arrow::Type::STRING:
      return quoted_literal(static_cast<const arrow::StringArray&>(values).GetView(row));
    case arrow::Type::BINARY: {
      std::string hex;
      char byte[3];
      for (const char c : static_cast<const arrow::BinaryArray&>(values).GetView(row)) {
        std::snprintf(byte, sizeof byte, "%02x", static_cast<unsigned char>(c));
        hex += byte;
      }
      return "unhex('" + hex + "')";
    }
    case arrow::Type::DATE32:
      return "toDate32(" + std::to_string(static_cast<const arrow::Date32Array&>(values).Value(row)) + ")";
    case arrow::Type::TIMESTAMP:
      return timestamp_literal(static_cast<const arrow::TimestampArray&>(values).Value(row),
                               static_cast<const arrow::TimestampType&>(*values.type()).unit());
    case arrow::Type::DECIMAL128: {
      const auto& type = static_cast<const arrow::Decimal128Type&>(*values.type());
      const arrow::Decimal128 value(static_cast<const arrow::Decimal128Array&>(values).GetValue(row));
      return "toDecimal128('" + value.ToString(type.scale()) + "', " + std::to_string(type.scale()) + ")";
    }
    default: return Status::invalid(sql_type(*values.type()) + " cannot be a key of a lookup in ClickHouse");
  }
}

Result<LookupQuery> LookupQuery::create(const std::string& database, const std::string& table,
                                        std::shared_ptr<arrow::Schema> schema) {
  LookupQuery query;
  query.name_ = database + "." + table;
  for (int i = 0; i < schema->num_fields(); ++i) {
    const arrow::Field& field = *schema->field(i);
    auto type = server_type(*field.type());
    if (!type.ok()) return type.status().with_context("column '" + field.name() + "'");
    // Other names than the columns': WHERE means the columns, by which the server finds rows.
    query.select_ += (i == 0 ? "SELECT CAST(" : ", CAST(") + identifier(field.name()) + " AS Nullable(" +
                     *type + ")) AS _weir_" + std::to_string(i);
  }
  query.select_ += " FROM " + identifier(database) + "." + identifier(table);
  query.schema_ = std::move(schema);
  return query;
}

std::string LookupQuery::whole() const { return select_ + kAnswer; }

Result<std::string> LookupQuery::for_keys(const arrow::RecordBatch& keys, const std::vector<uint32_t>& rows,
                                          size_t first, size_t max_keys, size_t max_bytes,
                                          size_t& taken) const {
  std::string names;
  for (const auto& field : keys.schema()->fields())
    names += (names.empty() ? "" : ", ") + identifier(field->name());
  const bool several = keys.num_columns() > 1;
  std::string statement = select_ + " WHERE " + (several ? "(" + names + ")" : names) + " IN (";
  for (taken = 0; first + taken < rows.size() && taken < max_keys; ++taken) {
    std::string key;
    for (int column = 0; column < keys.num_columns(); ++column) {
      WEIR_ASSIGN(auto literal, key_literal(*keys.column(column), rows[first + taken]));
      key += (key.empty() ? "" : ", ") + literal;
    }
    if (several) key = "(" + key + ")";
    if (taken > 0 && statement.size() + key.size() > max_bytes) break;
    statement += (taken == 0 ? "" : ", ") + key;
  }
  return statement + ")" + kAnswer;
}

Result<std::shared_ptr<arrow::RecordBatch>> LookupQuery::rows(const std::string& answer) const {
  const std::string what = "ClickHouse table '" + name_ + "'";
  auto failed = [&](const arrow::Status& status) {
    return Status::unavailable(what + ": the answer is not what a query gives: " + status.message());
  };
  if (answer.empty()) {  // some servers write no schema where there are no rows
    auto none = arrow::RecordBatch::MakeEmpty(schema_);
    if (!none.ok()) return Status::internal(none.status().ToString());
    return *none;
  }
  auto source = std::make_shared<arrow::io::BufferReader>(std::make_shared<arrow::Buffer>(answer));
  auto reader = arrow::ipc::RecordBatchStreamReader::Open(source);
  if (!reader.ok()) return failed(reader.status());
  auto table = (*reader)->ToTable();
  if (!table.ok()) return failed(table.status());
  auto named = (*table)->RenameColumns(schema_->field_names());
  if (!named.ok()) return failed(named.status());
  return declared_rows(**named, schema_, what);
}

}  // namespace weir
