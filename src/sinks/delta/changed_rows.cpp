#include "sinks/delta/changed_rows.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/compute/api_vector.h>
#include <arrow/compute/cast.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <arrow/type.h>
#include <arrow/util/byte_size.h>

#include <algorithm>
#include <utility>

#include "config/data_type.h"
#include "sinks/delta/delta_schema.h"

namespace weir {
namespace {

// Overwritten rows are let go when they take more than this and than what counts.
constexpr int64_t kSlackBytes = 32 << 20;

int64_t bytes_of(const arrow::RecordBatch& rows) {
  auto bytes = arrow::util::ReferencedBufferSize(rows);
  return bytes.ok() ? *bytes : arrow::util::TotalBufferSize(rows);
}

Result<std::shared_ptr<arrow::RecordBatch>> take_rows(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                      std::vector<int32_t> indexes) {
  if (static_cast<int64_t>(indexes.size()) == rows->num_rows() &&
      std::is_sorted(indexes.begin(), indexes.end())) {
    return rows;
  }
  const auto length = static_cast<int64_t>(indexes.size());
  auto array = std::make_shared<arrow::Int32Array>(length, arrow::Buffer::FromVector(std::move(indexes)));
  auto taken = arrow::compute::Take(arrow::Datum(rows), arrow::Datum(array),
                                    arrow::compute::TakeOptions::NoBoundsCheck());
  if (!taken.ok()) return Status::internal("the last change of each key: " + taken.status().ToString());
  return taken->record_batch();
}

// The same values under a type that differs in zones and names of nested fields only.
std::shared_ptr<arrow::ArrayData> named_as(const arrow::ArrayData& data,
                                           const std::shared_ptr<arrow::DataType>& type) {
  auto named = data.Copy();
  named->type = type;
  for (int i = 0; i < type->num_fields(); ++i) {
    auto& child = named->child_data[static_cast<size_t>(i)];
    child = named_as(*child, type->field(i)->type());
  }
  return named;
}

Result<std::shared_ptr<arrow::RecordBatch>> combine(const arrow::RecordBatchVector& batches) {
  if (batches.size() == 1) return batches[0];
  auto table = arrow::Table::FromRecordBatches(batches);
  if (!table.ok()) return Status::internal("joining batches: " + table.status().ToString());
  auto combined = (*table)->CombineChunksToBatch();
  if (!combined.ok()) return Status::internal("joining batches: " + combined.status().ToString());
  return *combined;
}

}  // namespace

Result<std::shared_ptr<arrow::Array>> as_type(std::shared_ptr<arrow::Array> array,
                                              const std::shared_ptr<arrow::DataType>& type) {
  if (array->type()->Equals(*type)) return array;
  if (same_type(*array->type(), *type)) return arrow::MakeArray(named_as(*array->data(), type));
  auto cast = arrow::compute::Cast(*array, type);
  if (!cast.ok()) return Status::invalid(cast.status().message());
  return *cast;
}

Result<KeyColumns> KeyColumns::create(const std::string& table, const arrow::Schema& rows,
                                      const std::vector<std::string>& names) {
  KeyColumns columns;
  arrow::FieldVector fields;
  for (const std::string& name : names) {
    const int index = rows.GetFieldIndex(name);
    if (index < 0) {
      return Status::invalid("table '" + table + "': PRIMARY KEY names '" + name +
                             "', which is not a column of the query");
    }
    columns.of_rows.push_back(index);
    fields.push_back(arrow::field(name, rows.field(index)->type()));
  }
  columns.schema = arrow::schema(std::move(fields));
  std::vector<int> all(names.size());
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int>(i);
  auto encoder = KeyEncoder::create(*columns.schema, all);
  if (!encoder.ok()) return encoder.status().with_context("table '" + table + "': PRIMARY KEY");
  return columns;
}

Result<std::shared_ptr<arrow::RecordBatch>> KeyColumns::batch(const arrow::ArrayVector& columns,
                                                              int64_t rows) const {
  arrow::ArrayVector cast;
  for (int i = 0; i < schema->num_fields(); ++i) {
    auto column = as_type(columns[static_cast<size_t>(i)], schema->field(i)->type());
    if (!column.ok()) return column.status().with_context("key column '" + schema->field(i)->name() + "'");
    cast.push_back(*std::move(column));
  }
  return arrow::RecordBatch::Make(schema, rows, std::move(cast));
}

std::string KeyColumns::text() const {
  std::string text;
  for (const auto& field : schema->fields()) text += (text.empty() ? "" : ", ") + field->name();
  return text;
}

Result<std::unique_ptr<ChangedRows>> ChangedRows::create(KeyColumns columns) {
  std::vector<int> all(static_cast<size_t>(columns.schema->num_fields()));
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int>(i);
  WEIR_ASSIGN(auto encoder, KeyEncoder::create(*columns.schema, all));
  return std::unique_ptr<ChangedRows>(new ChangedRows(std::move(columns), std::move(encoder)));
}

ChangedRows::ChangedRows(KeyColumns columns, KeyEncoder encoder)
    : columns_(std::move(columns)), encoder_(std::move(encoder)), table_(encoder_.width(), 8) {}

Status ChangedRows::check_keys(const arrow::RecordBatch& keys) const {
  for (int i = 0; i < keys.num_columns(); ++i) {
    if (keys.column(i)->null_count() == 0) continue;
    const std::string& name = keys.schema()->field(i)->name();
    return Status::invalid("a change has NULL in '" + name +
                           "', a column of the PRIMARY KEY, so no row can be told by it; leave such rows out "
                           "with WHERE " +
                           name + " IS NOT NULL, or give them a value with COALESCE");
  }
  return {};
}

Status ChangedRows::append(const std::shared_ptr<arrow::RecordBatch>& rows, const arrow::Array& offsets,
                           const arrow::Array* weights) {
  arrow::ArrayVector key_columns;
  for (int index : columns_.of_rows) key_columns.push_back(rows->column(index));
  WEIR_ASSIGN(auto keys, columns_.batch(key_columns, rows->num_rows()));
  WEIR_TRY(check_keys(*keys));
  encoder_.encode(*keys, encoded_);
  const auto count = static_cast<size_t>(rows->num_rows());
  entries_.resize(count);
  WEIR_TRY(table_.find_or_insert(encoded_, nullptr, count, entries_.data()));
  const auto* offset_of = static_cast<const arrow::Int64Array&>(offsets).raw_values();
  const int8_t* weight_of =
      weights == nullptr ? nullptr : static_cast<const arrow::Int8Array&>(*weights).raw_values();
  const auto batch = static_cast<uint32_t>(batches_.size());
  for (size_t row = 0; row < count; ++row) {
    const bool deleted = weight_of != nullptr && weight_of[row] < 0;
    const Change change{batch, static_cast<uint32_t>(row), offset_of[row], deleted};
    if (entries_[row] >= changes_.size()) {
      changes_.push_back(change);  // entries are numbered in the order of their first row
      continue;
    }
    Change& known = changes_[entries_[row]];
    if (change.offset < known.offset) continue;
    if (change.offset == known.offset && deleted && !known.deleted) continue;
    known = change;
  }
  batches_.push_back(rows);
  bytes_ += bytes_of(*rows);
  return bytes_ > 2 * compacted_bytes_ + kSlackBytes ? compact() : Status();
}

std::vector<std::vector<int32_t>> ChangedRows::rows_by_batch(bool with_deleted) const {
  std::vector<std::vector<int32_t>> rows(batches_.size());
  for (const Change& change : changes_) {
    if (with_deleted || !change.deleted) rows[change.batch].push_back(static_cast<int32_t>(change.row));
  }
  for (auto& of_batch : rows) std::sort(of_batch.begin(), of_batch.end());
  return rows;
}

// Lets go of rows that a later change has overtaken.
Status ChangedRows::compact() {
  auto rows = rows_by_batch(true);
  arrow::RecordBatchVector taken;
  std::vector<std::vector<uint32_t>> places(batches_.size());  // by batch and row: where the row goes
  uint32_t next = 0;
  for (size_t batch = 0; batch < batches_.size(); ++batch) {
    places[batch].resize(static_cast<size_t>(batches_[batch]->num_rows()));
    for (const int32_t row : rows[batch]) places[batch][static_cast<size_t>(row)] = next++;
    if (rows[batch].empty()) continue;
    WEIR_ASSIGN(auto kept, take_rows(batches_[batch], std::move(rows[batch])));
    taken.push_back(std::move(kept));
  }
  for (Change& change : changes_) {
    change.row = places[change.batch][change.row];
    change.batch = 0;
  }
  WEIR_ASSIGN(auto combined, combine(taken));
  batches_ = {combined};
  bytes_ = compacted_bytes_ = bytes_of(*combined);
  return {};
}

Result<ChangedRows::Net> ChangedRows::take() {
  Net net;
  auto upserts = rows_by_batch(false);
  auto all = rows_by_batch(true);
  arrow::RecordBatchVector keys;
  for (size_t batch = 0; batch < batches_.size(); ++batch) {
    if (!upserts[batch].empty()) {
      WEIR_ASSIGN(auto rows, take_rows(batches_[batch], std::move(upserts[batch])));
      net.upserts.push_back(std::move(rows));
    }
    if (all[batch].empty()) continue;
    arrow::ArrayVector columns;
    for (int index : columns_.of_rows) columns.push_back(batches_[batch]->column(index));
    WEIR_ASSIGN(auto of_batch, columns_.batch(columns, batches_[batch]->num_rows()));
    WEIR_ASSIGN(auto taken, take_rows(of_batch, std::move(all[batch])));
    keys.push_back(std::move(taken));
  }
  for (const Change& change : changes_) net.deletes += change.deleted ? 1 : 0;
  if (keys.empty()) keys.push_back(*arrow::RecordBatch::MakeEmpty(columns_.schema));
  WEIR_ASSIGN(net.keys, combine(keys));
  batches_.clear();
  changes_.clear();
  table_.clear();
  bytes_ = compacted_bytes_ = 0;
  return net;
}

}  // namespace weir
