#include "lookup/key_batch.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <numeric>

namespace weir {

Result<LookupKeys> LookupKeys::create(const arrow::Schema& schema, const std::vector<std::string>& columns) {
  arrow::FieldVector fields;
  for (const std::string& name : columns) {
    auto field = schema.GetFieldByName(name);
    if (field == nullptr)
      return Status::internal("a lookup by '" + name + "', which the table does not have");
    fields.push_back(arrow::field(name, field->type()));
  }
  auto keys = arrow::schema(std::move(fields));
  std::vector<int> all(columns.size());
  std::iota(all.begin(), all.end(), 0);
  WEIR_ASSIGN(auto encoder, KeyEncoder::create(*keys, std::move(all)));
  return LookupKeys(std::move(keys), std::move(encoder));
}

std::shared_ptr<arrow::RecordBatch> LookupKeys::pick(const arrow::RecordBatch& rows) const {
  arrow::ArrayVector columns;
  for (const auto& field : schema_->fields()) columns.push_back(rows.GetColumnByName(field->name()));
  return arrow::RecordBatch::Make(schema_, rows.num_rows(), std::move(columns));
}

void LookupKeys::encode(const arrow::RecordBatch& keys, EncodedKeys& encoded) const {
  encoder_.encode(keys, encoded);
}

std::vector<uint32_t> rows_with_key(const EncodedKeys& keys) {
  std::vector<uint32_t> rows;
  rows.reserve(keys.size());
  for (uint32_t row = 0; row < keys.size(); ++row) {
    if (keys.has_null.empty() || keys.has_null[row] == 0) rows.push_back(row);
  }
  return rows;
}

}  // namespace weir
