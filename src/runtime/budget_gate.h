// Between a source's batches and its error budget: who gave which events, which of them are set aside, and
// how many of the others were bad.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/error_budget.h"
#include "schema/error_record.h"
#include "schema/event_batch.h"

namespace weir {

// The value of the member `name_json` (with its quotes) in a JSON object of strings, still escaped; nothing
// when there is none or the text is no such object.
std::string_view header_value(std::string_view headers_json, std::string_view name_json);

// Not thread-safe: one per partition worker and source. Keeps its memory between calls.
class BudgetGate {
 public:
  explicit BudgetGate(ErrorBudget* budget);  // null: no budget, every call is free

  bool on() const { return budget_ != nullptr; }
  // Indexes into the batch, ascending, of the events in [begin, end) that must not be decoded. Valid until
  // the next call.
  const std::vector<uint32_t>& admit(const EventBatch& batch, size_t begin, size_t end, int64_t now_us);
  // The same for events that a former run has decided about: exactly those at `offsets` (ascending) are set
  // aside, and observe counts nothing.
  const std::vector<uint32_t>& follow(const std::vector<int64_t>& offsets, const EventBatch& batch,
                                      size_t begin, size_t end);
  // After admit for the same events: `errors` are those of the ones that were decoded, and may hold the ones
  // set aside too.
  void observe(const std::vector<ErrorRecord>& errors, int64_t now_us);
  // True while the source as a whole must not be read.
  bool source_paused(int64_t now_us) const;

 private:
  void find_runs(const EventBatch& batch, size_t begin, size_t end);

  ErrorBudget* budget_;
  std::string header_name_;  // as JSON
  std::vector<ProducerRun> runs_;
  std::vector<uint32_t> set_aside_;
  std::vector<uint8_t> bad_;
};

}  // namespace weir
