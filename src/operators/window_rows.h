// Rows that name their window in two columns -> a batch for each window end.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "bridge/stream_graph.h"
#include "state/row_chunks.h"

namespace weir {

struct WindowRows {
  int64_t end_us = 0;
  int64_t least_start_us = 0, most_start_us = 0;
  std::shared_ptr<arrow::RecordBatch> rows;
};

class WindowSplitter {
 public:
  WindowSplitter(std::shared_ptr<arrow::Schema> schema, const WindowSpec& window);
  // At most kChunkRows rows. Rows without a window are left out. Windows come in the order of their ends.
  Result<std::vector<WindowRows>> split(const std::shared_ptr<arrow::RecordBatch>& rows);

 private:
  int start_column_, end_column_;
  RowChunks batch_;
  std::vector<int64_t> starts_, ends_;  // scratch
};

}  // namespace weir
