#include "sinks/message_columns.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>

#include "base/text.h"
#include "schema/row_json.h"

namespace weir {
namespace {

bool is_text(const arrow::DataType& type) {
  return type.id() == arrow::Type::STRING || type.id() == arrow::Type::LARGE_STRING;
}
bool is_bytes(const arrow::DataType& type) {
  return is_text(type) || type.id() == arrow::Type::BINARY || type.id() == arrow::Type::LARGE_BINARY;
}

// Text and bytes as they are, everything else as JSON writes it, without quotes around it.
std::string text_of(const arrow::Array& array, int64_t row) {
  switch (array.type_id()) {
    case arrow::Type::STRING:
    case arrow::Type::BINARY: return std::string(static_cast<const arrow::BinaryArray&>(array).GetView(row));
    case arrow::Type::LARGE_STRING:
    case arrow::Type::LARGE_BINARY:
      return std::string(static_cast<const arrow::LargeBinaryArray&>(array).GetView(row));
    default: break;
  }
  std::string text;
  append_json_value(array, row, text);
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') return text.substr(1, text.size() - 2);
  return text;
}

std::vector<std::string> split_names(const std::string& list) {
  std::vector<std::string> names;
  size_t begin = 0;
  while (begin <= list.size()) {
    const size_t end = std::min(list.find_first_of(";,", begin), list.size());
    std::string name = list.substr(begin, end - begin);
    name.erase(0, name.find_first_not_of(' '));
    name.erase(name.find_last_not_of(' ') + 1);
    if (!name.empty()) names.push_back(name);
    begin = end + 1;
  }
  return names;
}

Result<int> column(const arrow::Schema& schema, const std::string& option, const std::string& name) {
  const int index = schema.GetFieldIndex(name);
  if (index >= 0) return index;
  return Status::invalid("'" + option + "' names the column '" + name + "', which the rows do not have." +
                         suggestion(name, schema.field_names()));
}

Status wrong_type(const arrow::Schema& schema, const std::string& option, int index, const char* expected) {
  return Status::invalid("'" + option + "' names the column '" + schema.field(index)->name() + "' of type " +
                         schema.field(index)->type()->ToString() + ", expected " + expected);
}

bool is_header_map(const arrow::DataType& type) {
  if (type.id() != arrow::Type::MAP) return false;
  const auto& map = static_cast<const arrow::MapType&>(type);
  return is_text(*map.key_type()) && is_bytes(*map.item_type());
}

int64_t milliseconds_of(const arrow::Array& array, int64_t row) {
  const int64_t value = static_cast<const arrow::TimestampArray&>(array).Value(row);
  const auto floor_by = [&](int64_t units) { return value / units - (value % units < 0 ? 1 : 0); };
  switch (static_cast<const arrow::TimestampType&>(*array.type()).unit()) {
    case arrow::TimeUnit::SECOND: return value * 1000;
    case arrow::TimeUnit::MILLI: return value;
    case arrow::TimeUnit::MICRO: return floor_by(1000);
    default: return floor_by(1'000'000);
  }
}

std::shared_ptr<arrow::RecordBatch> select(const arrow::RecordBatch& rows, const std::vector<int>& columns) {
  std::vector<std::shared_ptr<arrow::Field>> fields;
  std::vector<std::shared_ptr<arrow::Array>> arrays;
  for (const int index : columns) {
    fields.push_back(rows.schema()->field(index));
    arrays.push_back(rows.column(index));
  }
  return arrow::RecordBatch::Make(arrow::schema(fields), rows.num_rows(), arrays);
}

void append_headers(const arrow::MapArray& maps, int64_t row, MessageParts& parts) {
  for (int64_t i = maps.value_offset(row); i < maps.value_offset(row + 1); ++i) {
    std::optional<std::string> value;
    if (maps.items()->IsValid(i)) value = text_of(*maps.items(), i);
    parts.headers.emplace_back(text_of(*maps.keys(), i), std::move(value));
  }
}

}  // namespace

Result<MessageColumns> MessageColumns::create(const arrow::Schema& schema, const MessageColumnNames& names) {
  MessageColumns columns;
  columns.target_word_ = names.target_word;
  if (!names.target.empty()) {
    const std::string option = names.target_word + ".from-column";
    WEIR_ASSIGN(columns.target_, column(schema, option, names.target));
    if (!is_text(*schema.field(columns.target_)->type())) {
      return wrong_type(schema, option, columns.target_, "STRING");
    }
  }
  if (!names.headers.empty()) {
    WEIR_ASSIGN(columns.headers_, column(schema, "headers.column", names.headers));
    if (!is_header_map(*schema.field(columns.headers_)->type())) {
      return wrong_type(schema, "headers.column", columns.headers_,
                        "MAP<STRING, STRING> or MAP<STRING, BYTES>");
    }
  }
  if (!names.timestamp.empty()) {
    WEIR_ASSIGN(columns.timestamp_, column(schema, "timestamp.column", names.timestamp));
    if (schema.field(columns.timestamp_)->type()->id() != arrow::Type::TIMESTAMP) {
      return wrong_type(schema, "timestamp.column", columns.timestamp_, "TIMESTAMP or TIMESTAMP_LTZ");
    }
  }
  for (const std::string& name : split_names(names.key)) {
    WEIR_ASSIGN(const int index, column(schema, "key.fields", name));
    columns.key_.push_back(index);
  }
  for (int index = 0; index < schema.num_fields(); ++index) {
    const bool in_key = std::find(columns.key_.begin(), columns.key_.end(), index) != columns.key_.end();
    if (index != columns.headers_ && !(names.value_without_key && in_key)) columns.value_.push_back(index);
  }
  columns.raw_ = names.raw;
  if (columns.raw_) {
    std::vector<int>& value = columns.value_;
    for (const int special : {columns.target_, columns.timestamp_}) {
      value.erase(std::remove(value.begin(), value.end(), special), value.end());
    }
    if (value.size() != 1 || !is_bytes(*schema.field(value[0])->type())) {
      return Status::invalid(
          "'value.format' = 'raw' needs exactly one column of type STRING or BYTES beside those that "
          "headers, " +
          names.target_word + (names.target_word == "topic" ? ", key and time" : "") + " come from, found " +
          std::to_string(value.size()));
    }
  }
  return columns;
}

void MessageColumns::use(const arrow::RecordBatch& rows) {
  rows_ = &rows;
  value_rows_ = select(rows, value_);
  if (!key_.empty()) key_rows_ = select(rows, key_);
}

Result<const MessageParts*> MessageColumns::parts(int64_t row) {
  parts_.target.clear();
  parts_.headers.clear();
  parts_.key.reset();
  parts_.timestamp_ms = 0;
  if (target_ >= 0) {
    const arrow::Array& targets = *rows_->column(target_);
    if (targets.IsValid(row)) parts_.target = text_of(targets, row);
    if (parts_.target.empty()) {
      return Status::invalid("the column that names the " + target_word_ + " is " +
                             (targets.IsNull(row) ? "null" : "empty"));
    }
  }
  if (key_.size() == 1) {
    const arrow::Array& keys = *key_rows_->column(0);
    if (keys.IsValid(row)) parts_.key = text_of(keys, row);
  } else if (!key_.empty()) {
    parts_.key.emplace();
    append_json_row(*key_rows_, row, key_rows_->num_columns(), *parts_.key);
  }
  if (headers_ >= 0 && rows_->column(headers_)->IsValid(row)) {
    append_headers(static_cast<const arrow::MapArray&>(*rows_->column(headers_)), row, parts_);
  }
  if (timestamp_ >= 0 && rows_->column(timestamp_)->IsValid(row)) {
    parts_.timestamp_ms = milliseconds_of(*rows_->column(timestamp_), row);
    if (parts_.timestamp_ms <= 0)
      return Status::invalid("the message's time does not lie after 1970-01-01, which Kafka cannot store");
  }
  if (!raw_) {
    if (!parts_.value) parts_.value.emplace();
    parts_.value->clear();
    append_json_row(*value_rows_, row, value_rows_->num_columns(), *parts_.value);
    return &parts_;
  }
  const arrow::Array& values = *value_rows_->column(0);
  parts_.value.reset();
  if (values.IsValid(row)) parts_.value = text_of(values, row);
  return &parts_;
}

}  // namespace weir
