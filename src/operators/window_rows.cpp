#include "operators/window_rows.h"

#include <arrow/array/array_base.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <map>

#include "operators/window_assigner.h"

namespace weir {

WindowSplitter::WindowSplitter(std::shared_ptr<arrow::Schema> schema, const WindowSpec& window)
    : start_column_(window.start_column), end_column_(window.end_column), batch_(std::move(schema)) {}

Result<std::vector<WindowRows>> WindowSplitter::split(const std::shared_ptr<arrow::RecordBatch>& rows) {
  std::vector<WindowRows> windows;
  int64_t count = rows->num_rows();
  if (count == 0) return windows;
  WEIR_ASSIGN(const int64_t* starts, column_us(*rows->column(start_column_), starts_));
  WEIR_ASSIGN(const int64_t* ends, column_us(*rows->column(end_column_), ends_));
  bool nulls = rows->column(start_column_)->null_count() > 0 || rows->column(end_column_)->null_count() > 0;
  auto [least, most] = std::minmax_element(ends, ends + count);
  if (!nulls && *least == *most) {
    auto [first, last] = std::minmax_element(starts, starts + count);
    windows.push_back({*least, *first, *last, rows});
    return windows;
  }
  struct Group {
    int64_t least_start_us = INT64_MAX, most_start_us = INT64_MIN;
    std::vector<RowRef> rows;
  };
  std::map<int64_t, Group> groups;
  Group* group = nullptr;
  int64_t group_end = 0;
  for (int64_t row = 0; row < count; ++row) {
    if (nulls && (rows->column(start_column_)->IsNull(row) || rows->column(end_column_)->IsNull(row)))
      continue;
    if (group == nullptr || ends[row] != group_end) {
      group = &groups[ends[row]];
      group_end = ends[row];
    }
    group->rows.push_back(static_cast<RowRef>(row));
    group->least_start_us = std::min(group->least_start_us, starts[row]);
    group->most_start_us = std::max(group->most_start_us, starts[row]);
  }
  batch_.assign(rows);
  for (const auto& [end_us, found] : groups) {
    WEIR_ASSIGN(auto picked, batch_.gather(found.rows.data(), found.rows.size()));
    windows.push_back({end_us, found.least_start_us, found.most_start_us, std::move(picked)});
  }
  return windows;
}

}  // namespace weir
