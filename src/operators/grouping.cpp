#include "operators/grouping.h"

#include <arrow/array/concatenate.h>
#include <arrow/array/data.h>
#include <arrow/array/util.h>
#include <arrow/buffer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "operators/call_rows.h"
#include "operators/column_writer.h"

namespace weir {

namespace {

constexpr size_t kMergeEntries = 4096;  // their keys and states stay in the cache

std::shared_ptr<arrow::Array> constant_column(const std::shared_ptr<arrow::DataType>& type, const void* value,
                                              size_t width, size_t rows) {
  std::string bytes;
  bytes.reserve(rows * width);
  for (size_t i = 0; i < rows; ++i) bytes.append(static_cast<const char*>(value), width);
  return arrow::MakeArray(arrow::ArrayData::Make(type, static_cast<int64_t>(rows),
                                                 {nullptr, arrow::Buffer::FromString(std::move(bytes))}, 0));
}

int64_t time_of(WindowColumn which, const TimeSpan& window) {
  switch (which) {
    case WindowColumn::start: return window.start_us;
    case WindowColumn::end: return window.end_us;
    case WindowColumn::time: return saturating_add(window.end_us, -1000);
  }
  return 0;
}

}  // namespace

void ResultRows::clear() {
  keys.clear();
  states.clear();
  windows.clear();
}

Result<Grouping> Grouping::create(const OperatorContext& context, size_t head, bool count_rows) {
  const PlanNode& node = *context.node;
  const PlanNode& source = context.plan->graph[static_cast<size_t>(node.inputs[0])];
  if (source.changelog) {
    return Status::invalid("an aggregate over a changelog (its rows can be taken back) is not supported");
  }
  WEIR_ASSIGN(KeyEncoder encoder, KeyEncoder::create(*source.schema, node.keys));
  Grouping made(std::move(encoder));
  WEIR_ASSIGN(made.aggregates_, AggregateSet::create(node.aggregates, *source.schema, head));
  made.state_width_ = made.aggregates_.state_width();
  made.count_rows_ = count_rows;
  if (count_rows && made.aggregates_.rows_offset() >= 0) {
    made.rows_at_ = static_cast<size_t>(made.aggregates_.rows_offset());
  } else if (count_rows) {
    made.own_count_ = true;
    made.rows_at_ = made.state_width_;
    made.state_width_ += 8;
  }
  made.state_width_ = std::max<size_t>(made.state_width_, 8);
  made.schema_ = node.schema;
  made.window_columns_ = node.window_columns;
  made.keys_ = node.keys.size();
  made.batch_rows_ = std::max<size_t>(context.batch_rows, 1);
  size_t columns = made.keys_ + node.window_columns.size() + node.aggregates.size();
  if (static_cast<size_t>(node.schema->num_fields()) != columns) {
    return Status::internal("an aggregate's schema has " + std::to_string(node.schema->num_fields()) +
                            " columns, its parts " + std::to_string(columns));
  }
  auto fields = node.schema->fields();
  fields.push_back(arrow::field("_weir_weight", arrow::int8(), false));
  made.weighted_schema_ = arrow::schema(fields);
  return made;
}

Groups Grouping::make() const { return {KeyTable(encoder_.width(), state_width_), ValueStore()}; }

Status Grouping::update(Groups& groups, const EncodedKeys& keys, const arrow::RecordBatch& batch,
                        const uint32_t* picked, size_t count, uint64_t arrival) {
  entries_.resize(count);
  states_.resize(count);
  WEIR_TRY(groups.table.find_or_insert(keys, picked, count, entries_.data()));
  groups.table.mutable_states(entries_.data(), count, states_.data());
  return update_states(states_.data(), groups.values, batch, picked, count, arrival);
}

Status Grouping::update_states(uint8_t* const* states, ValueStore& values, const arrow::RecordBatch& batch,
                               const uint32_t* picked, size_t count, uint64_t arrival) {
  if (own_count_) {
    for (size_t i = 0; i < count; ++i) ++*reinterpret_cast<int64_t*>(states[i] + rows_at_);
  }
  return aggregates_.update({&batch, picked, count, states, arrival}, values);
}

// The keys of `count` entries, as if they came in a batch, and their states.
void Grouping::encode_entries(const Groups& groups, size_t begin, size_t count) {
  EncodedKeys& keys = merged_keys_;
  keys.width = encoder_.width();
  keys.has_null.clear();
  keys.hashes.resize(count);
  keys.bytes.clear();
  keys.offsets.clear();
  if (keys.width == 0) keys.offsets.push_back(0);
  from_states_.resize(count);
  for (size_t i = 0; i < count; ++i) {
    auto entry = static_cast<uint32_t>(begin + i);
    std::string_view key = groups.table.key(entry);
    keys.hashes[i] = groups.table.hash(entry);
    keys.bytes.insert(keys.bytes.end(), key.begin(), key.end());
    if (keys.width == 0) keys.offsets.push_back(static_cast<uint32_t>(keys.bytes.size()));
    from_states_[i] = groups.table.state(entry);
  }
}

Status Grouping::merge(const Groups& from, Groups& into) {
  for (size_t begin = 0; begin < from.table.size(); begin += kMergeEntries) {
    size_t count = std::min(kMergeEntries, from.table.size() - begin);
    encode_entries(from, begin, count);
    entries_.resize(count);
    states_.resize(count);
    WEIR_TRY(into.table.find_or_insert(merged_keys_, nullptr, count, entries_.data()));
    into.table.mutable_states(entries_.data(), count, states_.data());
    if (own_count_) {
      for (size_t i = 0; i < count; ++i) {
        *reinterpret_cast<int64_t*>(states_[i] + rows_at_) += rows_in(from_states_[i]);
      }
    }
    WEIR_TRY(aggregates_.merge(from_states_.data(), from.values, states_.data(), into.values, count));
  }
  return {};
}

Status Grouping::retract(const Groups& from, Groups& into) {
  for (size_t begin = 0; begin < from.table.size(); begin += kMergeEntries) {
    size_t count = std::min(kMergeEntries, from.table.size() - begin);
    encode_entries(from, begin, count);
    entries_.resize(count);
    states_.resize(count);
    WEIR_TRY(into.table.find_or_insert(merged_keys_, nullptr, count, entries_.data()));
    into.table.mutable_states(entries_.data(), count, states_.data());
    if (own_count_) {
      for (size_t i = 0; i < count; ++i) {
        *reinterpret_cast<int64_t*>(states_[i] + rows_at_) -= rows_in(from_states_[i]);
      }
    }
    aggregates_.retract(from_states_.data(), states_.data(), count);
  }
  return {};
}

Status Grouping::merge_known(const Groups& from, Groups& into) {
  for (size_t begin = 0; begin < into.table.size(); begin += kMergeEntries) {
    size_t count = std::min(kMergeEntries, into.table.size() - begin);
    encode_entries(into, begin, count);
    entries_.resize(count);
    from.table.find(merged_keys_, nullptr, count, entries_.data());
    from_states_.clear();
    states_.clear();
    for (size_t i = 0; i < count; ++i) {
      if (entries_[i] == KeyTable::kNone) continue;
      from_states_.push_back(from.table.state(entries_[i]));
      states_.push_back(into.table.mutable_state(static_cast<uint32_t>(begin + i)));
      if (own_count_) {
        *reinterpret_cast<int64_t*>(states_.back() + rows_at_) += rows_in(from_states_.back());
      }
    }
    WEIR_TRY(
        aggregates_.merge(from_states_.data(), from.values, states_.data(), into.values, states_.size()));
  }
  return {};
}

Result<std::shared_ptr<arrow::Array>> Grouping::window_column(
    WindowColumn which, const ResultRows& rows, const std::shared_ptr<arrow::DataType>& type) const {
  if (type->id() != arrow::Type::TIMESTAMP) {
    return Status::internal("a window's column must be a TIMESTAMP, found " + type->ToString());
  }
  if (rows.windows.size() == 1) {
    int64_t value = from_us(*type, time_of(which, rows.windows[0]));
    return constant_column(type, &value, sizeof value, rows.size());
  }
  ColumnWriter column(type, rows.size());
  for (const TimeSpan& window : rows.windows) {
    int64_t value = from_us(*type, time_of(which, window));
    column.append(&value, sizeof value);
  }
  return column.finish();
}

Result<std::shared_ptr<arrow::RecordBatch>> Grouping::results(const ResultRows& rows, int8_t weight) const {
  std::vector<std::shared_ptr<arrow::Array>> columns;
  if (keys_ != 0) {
    WEIR_ASSIGN(columns, encoder_.decode(rows.keys));
  }
  for (WindowColumn which : window_columns_) {
    WEIR_ASSIGN(auto column, window_column(which, rows, schema_->field(int(columns.size()))->type()));
    columns.push_back(std::move(column));
  }
  WEIR_TRY(aggregates_.emit(rows.states.data(), *rows.values, rows.size(), columns));
  for (size_t i = 0; i < columns.size(); ++i) {
    const auto& type = schema_->field(static_cast<int>(i))->type();
    if (!columns[i]->type()->Equals(*type)) {
      return Status::internal("column " + std::to_string(i) + " of an aggregate is " +
                              columns[i]->type()->ToString() + ", planned was " + type->ToString());
    }
  }
  auto length = static_cast<int64_t>(rows.size());
  if (weight == 0) return arrow::RecordBatch::Make(schema_, length, std::move(columns));
  columns.push_back(constant_column(arrow::int8(), &weight, 1, rows.size()));
  return arrow::RecordBatch::Make(weighted_schema_, length, std::move(columns));
}

Status Grouping::emit(const Groups& groups, TimeSpan window, int8_t weight, OperatorOutput& out) const {
  ResultRows rows;
  rows.values = &groups.values;
  auto entries = static_cast<uint32_t>(groups.table.size());
  for (uint32_t entry = 0; entry < entries; ++entry) {
    const uint8_t* state = groups.table.state(entry);
    if (!count_rows_ || rows_in(state) > 0) {
      rows.states.push_back(state);
      if (keys_ != 0) rows.keys.push_back(groups.table.key(entry));
    }
    if (rows.size() == batch_rows_ || (entry + 1 == entries && rows.size() != 0)) {
      rows.windows.assign(1, window);
      WEIR_ASSIGN(auto batch, results(rows, weight));
      WEIR_TRY(out.emit(std::move(batch)));
      rows.clear();
    }
  }
  return {};
}

Status Grouping::emit_changes(const std::shared_ptr<arrow::RecordBatch>& before,
                              const std::vector<uint8_t>& had,
                              const std::shared_ptr<arrow::RecordBatch>& after, OperatorOutput& out) const {
  auto count = static_cast<size_t>(after->num_rows());
  std::vector<uint8_t> changed(count, 0);
  for (int i = 0; i < schema_->num_fields(); ++i) {
    mark_changed(*before->column(i), *after->column(i), changed);
  }
  for (size_t begin = 0; begin < count; begin += batch_rows_) {
    size_t end = std::min(count, begin + batch_rows_);
    std::vector<uint32_t> gone, come;
    for (size_t i = begin; i < end; ++i) {
      if (had[i] != 0 && changed[i] != 0) gone.push_back(static_cast<uint32_t>(i));
      if (had[i] == 0 || changed[i] != 0) come.push_back(static_cast<uint32_t>(i));
    }
    for (int8_t weight : {int8_t{-1}, int8_t{1}}) {
      const auto& indices = weight < 0 ? gone : come;
      if (indices.empty()) continue;
      WEIR_ASSIGN(auto rows, take_rows(weight < 0 ? *before : *after, indices));
      auto columns = rows->columns();
      columns.push_back(constant_column(arrow::int8(), &weight, 1, indices.size()));
      WEIR_TRY(out.emit(arrow::RecordBatch::Make(weighted_schema_, rows->num_rows(), std::move(columns))));
    }
  }
  return {};
}

Result<std::shared_ptr<arrow::RecordBatch>> take_rows(const arrow::RecordBatch& rows,
                                                      const std::vector<uint32_t>& indices) {
  if (static_cast<int64_t>(indices.size()) == rows.num_rows()) return rows.Slice(0);
  // Runs of neighbours are slices; usually they are few and long.
  std::vector<std::shared_ptr<arrow::RecordBatch>> runs;
  for (size_t begin = 0; begin < indices.size();) {
    size_t end = begin + 1;
    while (end < indices.size() && indices[end] == indices[end - 1] + 1) ++end;
    runs.push_back(rows.Slice(indices[begin], static_cast<int64_t>(end - begin)));
    begin = end;
  }
  std::vector<std::shared_ptr<arrow::Array>> columns;
  for (int i = 0; i < rows.num_columns(); ++i) {
    arrow::ArrayVector parts;
    for (const auto& run : runs) parts.push_back(run->column(i));
    auto column = arrow::Concatenate(parts);
    if (!column.ok()) return Status::internal("Arrow: " + column.status().ToString());
    columns.push_back(*column);
  }
  return arrow::RecordBatch::Make(rows.schema(), static_cast<int64_t>(indices.size()), std::move(columns));
}

void mark_changed(const arrow::Array& before, const arrow::Array& after, std::vector<uint8_t>& changed) {
  int width = value_width(*after.type());
  bool boolean = after.type_id() == arrow::Type::BOOL;
  const uint8_t* old_bytes = nullptr;
  const uint8_t* new_bytes = nullptr;
  if (width > 0 && !boolean) {
    old_bytes = before.data()->GetValues<uint8_t>(1, before.offset() * width);
    new_bytes = after.data()->GetValues<uint8_t>(1, after.offset() * width);
  }
  for (size_t row = 0; row < changed.size(); ++row) {
    auto at = static_cast<int64_t>(row);
    if (changed[row] != 0) continue;
    if (before.IsNull(at) || after.IsNull(at)) {
      changed[row] = before.IsNull(at) != after.IsNull(at) ? 1 : 0;
    } else if (old_bytes != nullptr) {
      auto bytes = static_cast<size_t>(width);
      changed[row] = std::memcmp(old_bytes + row * bytes, new_bytes + row * bytes, bytes) != 0 ? 1 : 0;
    } else {
      changed[row] = before.RangeEquals(at, at + 1, at, after) ? 0 : 1;
    }
  }
}

}  // namespace weir
