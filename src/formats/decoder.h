// bytes -> rows in Arrow builders, types checked in the same pass.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "config/options.h"
#include "config/pipeline_spec.h"
#include "schema/error_record.h"
#include "schema/event_batch.h"

namespace weir {

struct DecodedRows {
  std::shared_ptr<arrow::RecordBatch> rows;  // the physical columns, in declared order; never null
  std::vector<uint32_t> event_of_row;        // rows->num_rows() indexes into the EventBatch, ascending
  std::vector<ErrorRecord>
      errors;  // at most one an event, ascending; an event is in rows or here, not in both
};

// One per partition task; not thread-safe. Keeps buffers between calls.
class Decoder {
 public:
  virtual ~Decoder() = default;
  // Decodes events [begin, end) of `batch`. Never fails as a whole: an event that does not fit becomes an
  // error record and leaves its neighbours alone. The result does not refer to the batch's bytes.
  virtual DecodedRows decode(const EventBatch& batch, size_t begin, size_t end) = 0;
};

// A format such as 'json': its options (all below the prefix "<name>.") and its constructor.
struct FormatInfo {
  std::string name;
  std::string summary;
  std::vector<OptionSpec> options;
  // `columns`: the physical columns of the source table. invalid when a column's type cannot be decoded.
  std::function<Result<std::unique_ptr<Decoder>>(const std::vector<ColumnSpec>& columns,
                                                 const Options& options)>
      create;
};

}  // namespace weir
