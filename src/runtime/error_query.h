// SQL over the error lake of a pipeline: what is still unresolved, by the user's filter.
#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "plan/pipeline_plan.h"

namespace weir {

struct ErrorFilter {
  std::string source;  // "": all sources of the file
  std::string code;
  std::string id;
  std::string where;  // any SQL predicate over the columns of the error table
  bool include_resolved = false;
  // Replay only: the label of the INSERT that takes the events instead of those that they failed for; then
  // `late` and `future` are replayed too.
  std::string into;
};

// invalid when the filter names a source or code that does not exist.
Result<std::vector<const SourcePlan*>> sources_of(const PipelinePlan& plan, const ErrorFilter& filter);

// What of the errors is read. Only what is small is ever sorted: payloads can be more than memory holds.
enum class ErrorRead {
  everything,  // all columns, in no order
  listing,     // ordered by partition, sink and offset; without payload and key
  first,       // the first `limit` in that order, all columns
};

// Error rows of one source as a stream. Null when the source has no error table yet.
Result<std::shared_ptr<arrow::RecordBatchReader>> query_errors(const PipelinePlan& plan,
                                                               const SourcePlan& source,
                                                               const ErrorFilter& filter, ErrorRead read,
                                                               int64_t limit = 0);

// Offsets in [from, next) of events of `partition` that the error lake holds as producer_paused, ascending.
Result<std::vector<int64_t>> set_aside_offsets(const PipelinePlan& plan, const SourcePlan& source,
                                               const std::string& partition, int64_t from, int64_t next);

struct ErrorCounts {
  int64_t total = 0;
  int64_t resolved = 0;
};
Result<ErrorCounts> count_errors(const PipelinePlan& plan, const SourcePlan& source,
                                 const ErrorFilter& filter);

}  // namespace weir
