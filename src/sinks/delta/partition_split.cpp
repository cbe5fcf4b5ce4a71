#include "sinks/delta/partition_split.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <unordered_map>

#include "sinks/delta/delta_values.h"

namespace weir {
namespace {

// A group id for every row, and the first row of each group.
struct Groups {
  std::vector<uint32_t> of_row;
  std::vector<int64_t> first_row;
};

// `at(i)`: the bytes of a value that is not null. Runs of equal values cost one comparison a row.
template <typename At>
Groups encode(const arrow::Array& array, At at) {
  Groups groups;
  groups.of_row.resize(static_cast<size_t>(array.length()));
  std::unordered_map<std::string_view, uint32_t> ids;
  uint32_t null_id = UINT32_MAX;
  bool has_last = false;
  std::string_view last;
  uint32_t last_id = 0;
  bool nullable = array.null_count() > 0;
  for (int64_t i = 0; i < array.length(); ++i) {
    auto next_id = static_cast<uint32_t>(groups.first_row.size());
    if (nullable && array.IsNull(i)) {
      if (null_id == UINT32_MAX) {
        null_id = next_id;
        groups.first_row.push_back(i);
      }
      groups.of_row[static_cast<size_t>(i)] = null_id;
      continue;
    }
    std::string_view value = at(i);
    if (!has_last || value != last) {
      auto [found, inserted] = ids.emplace(value, next_id);
      if (inserted) groups.first_row.push_back(i);
      last = value;
      last_id = found->second;
      has_last = true;
    }
    groups.of_row[static_cast<size_t>(i)] = last_id;
  }
  return groups;
}

Groups encode_column(const arrow::Array& array) {
  if (array.type_id() == arrow::Type::STRING) {
    const auto& text = static_cast<const arrow::StringArray&>(array);
    return encode(array, [&](int64_t i) { return text.GetView(i); });
  }
  if (array.type_id() == arrow::Type::BOOL) {
    const auto& flags = static_cast<const arrow::BooleanArray&>(array);
    return encode(array, [&](int64_t i) { return std::string_view(flags.Value(i) ? "1" : "0", 1); });
  }
  auto width = static_cast<size_t>(static_cast<const arrow::FixedWidthType&>(*array.type()).bit_width() / 8);
  const auto* bytes = reinterpret_cast<const char*>(array.data()->buffers[1]->data()) +
                      static_cast<size_t>(array.offset()) * width;
  return encode(array,
                [=](int64_t i) { return std::string_view(bytes + static_cast<size_t>(i) * width, width); });
}

Groups combine(const Groups& a, const Groups& b) {
  Groups groups;
  groups.of_row.resize(a.of_row.size());
  std::unordered_map<uint64_t, uint32_t> ids;
  for (size_t i = 0; i < a.of_row.size(); ++i) {
    uint64_t key = static_cast<uint64_t>(a.of_row[i]) << 32 | b.of_row[i];
    auto [found, inserted] = ids.emplace(key, static_cast<uint32_t>(groups.first_row.size()));
    if (inserted) groups.first_row.push_back(static_cast<int64_t>(i));
    groups.of_row[i] = found->second;
  }
  return groups;
}

// Row indexes group by group, each ascending; `begins` has one entry more than there are groups.
std::shared_ptr<arrow::Array> sorted_rows(const Groups& groups, std::vector<int64_t>& begins) {
  begins.assign(groups.first_row.size() + 1, 0);
  for (uint32_t group : groups.of_row) ++begins[group + 1];
  for (size_t i = 1; i < begins.size(); ++i) begins[i] += begins[i - 1];
  std::vector<int64_t> at(begins.begin(), begins.end() - 1);
  std::vector<int32_t> order(groups.of_row.size());
  for (size_t i = 0; i < order.size(); ++i)
    order[static_cast<size_t>(at[groups.of_row[i]]++)] = static_cast<int32_t>(i);
  auto length = static_cast<int64_t>(order.size());
  return std::make_shared<arrow::Int32Array>(length, arrow::Buffer::FromVector(std::move(order)));
}

}  // namespace

Result<std::vector<PartitionSlice>> split_by_partition(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                       const std::vector<int>& partition_columns) {
  std::vector<PartitionSlice> slices;
  if (rows->num_rows() == 0) return slices;
  arrow::FieldVector fields;
  arrow::ArrayVector columns;
  for (int i = 0; i < rows->num_columns(); ++i) {
    if (std::count(partition_columns.begin(), partition_columns.end(), i) != 0) continue;
    fields.push_back(rows->schema()->field(i));
    columns.push_back(rows->column(i));
  }
  auto data = arrow::RecordBatch::Make(arrow::schema(fields), rows->num_rows(), columns);
  Groups groups;
  for (size_t i = 0; i < partition_columns.size(); ++i) {
    Groups column = encode_column(*rows->column(partition_columns[i]));
    groups = i == 0 ? std::move(column) : combine(groups, column);
  }
  if (partition_columns.empty()) groups.first_row = {0};
  for (int64_t row : groups.first_row) {
    PartitionSlice slice;
    for (int column : partition_columns) {
      WEIR_ASSIGN(auto value, partition_value(*rows->column(column), row));
      slice.values.push_back(std::move(value));
    }
    slices.push_back(std::move(slice));
  }
  if (slices.size() == 1) {
    slices[0].rows = data;
    return slices;
  }
  std::vector<int64_t> begins;
  auto order = sorted_rows(groups, begins);
  auto taken = arrow::compute::Take(arrow::Datum(data), arrow::Datum(order),
                                    arrow::compute::TakeOptions::NoBoundsCheck());
  if (!taken.ok()) return Status::internal("splitting rows by partition: " + taken.status().ToString());
  auto sorted = taken->record_batch();
  for (size_t i = 0; i < slices.size(); ++i)
    slices[i].rows = sorted->Slice(begins[i], begins[i + 1] - begins[i]);
  return slices;
}

}  // namespace weir
