// GROUP BY of one node: keys to entries, aggregates in them, and the columns that come out.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "operators/accumulator.h"
#include "operators/operator.h"
#include "operators/value_store.h"
#include "operators/window_assigner.h"
#include "state/key_encoder.h"
#include "state/key_table.h"

namespace weir {

// Entries of some keys with their aggregates; what a window or a slice holds.
struct Groups {
  KeyTable table;
  ValueStore values;

  int64_t bytes() const { return table.bytes() + values.bytes(); }
};

// Rows of a result: keys[i] and states[i] make row i.
struct ResultRows {
  std::vector<std::string_view> keys;
  std::vector<const uint8_t*> states;
  const ValueStore* values = nullptr;
  std::vector<TimeSpan> windows;  // one for all rows, or one for each; none without windows

  size_t size() const { return states.size(); }
  void clear();
};

class Grouping {
 public:
  // The state of an entry begins with `head` bytes of the caller's. count_rows: rows_in() will be asked.
  static Result<Grouping> create(const OperatorContext& context, size_t head, bool count_rows);

  const AggregateSet& aggregates() const { return aggregates_; }
  const KeyEncoder& encoder() const { return encoder_; }
  const std::shared_ptr<arrow::Schema>& schema() const { return schema_; }  // of results, without weights
  Groups make() const;
  // Entries with such states under keys of another width.
  KeyTable make_table(size_t key_width) const { return KeyTable(key_width, state_width_); }
  size_t state_width() const { return state_width_; }
  size_t batch_rows() const { return batch_rows_; }

  void encode(const arrow::RecordBatch& rows, EncodedKeys& keys) const { encoder_.encode(rows, keys); }
  // Adds the picked rows (null: all) to their keys' entries. `arrival` is the number of the batch's first
  // row.
  Status update(Groups& groups, const EncodedKeys& keys, const arrow::RecordBatch& batch,
                const uint32_t* picked, size_t count, uint64_t arrival);
  // The same for rows whose states are known.
  Status update_states(uint8_t* const* states, ValueStore& values, const arrow::RecordBatch& batch,
                       const uint32_t* picked, size_t count, uint64_t arrival);
  // All of `from`'s entries into or out of `into`.
  Status merge(const Groups& from, Groups& into);
  Status retract(const Groups& from, Groups& into);
  // Only those that `into` has already.
  Status merge_known(const Groups& from, Groups& into);
  // How many rows an entry has seen; only with count_rows.
  int64_t rows_in(const uint8_t* state) const { return *reinterpret_cast<const int64_t*>(state + rows_at_); }

  // One batch with the node's schema; `weight` 0: without the weights' column.
  Result<std::shared_ptr<arrow::RecordBatch>> results(const ResultRows& rows, int8_t weight) const;
  // Emits the entries of `groups` (with count_rows: those that have rows) in batches.
  Status emit(const Groups& groups, TimeSpan window, int8_t weight, OperatorOutput& out) const;
  // Emits before[i] with -1 and after[i] with +1, but for rows that are equal. had[i] == 0: there was nothing
  // before. Both have results()' columns.
  Status emit_changes(const std::shared_ptr<arrow::RecordBatch>& before, const std::vector<uint8_t>& had,
                      const std::shared_ptr<arrow::RecordBatch>& after, OperatorOutput& out) const;

 private:
  explicit Grouping(KeyEncoder encoder) : encoder_(std::move(encoder)) {}
  void encode_entries(const Groups& groups, size_t begin, size_t count);
  Result<std::shared_ptr<arrow::Array>> window_column(WindowColumn which, const ResultRows& rows,
                                                      const std::shared_ptr<arrow::DataType>& type) const;

  KeyEncoder encoder_;
  AggregateSet aggregates_;
  std::shared_ptr<arrow::Schema> schema_;
  std::shared_ptr<arrow::Schema> weighted_schema_;
  std::vector<WindowColumn> window_columns_;
  size_t keys_ = 0;
  size_t batch_rows_ = 8192;
  size_t state_width_ = 0;
  size_t rows_at_ = 0;
  bool count_rows_ = false;
  bool own_count_ = false;  // the count of rows is not one of the calls

  // Kept between calls for their memory.
  EncodedKeys merged_keys_;
  std::vector<uint32_t> entries_;
  std::vector<uint8_t*> states_;
  std::vector<const uint8_t*> from_states_;
};

// Rows `indices` of a batch.
Result<std::shared_ptr<arrow::RecordBatch>> take_rows(const arrow::RecordBatch& rows,
                                                      const std::vector<uint32_t>& indices);
// Whether row i of two columns of the same type differs; ORs it into changed[i].
void mark_changed(const arrow::Array& before, const arrow::Array& after, std::vector<uint8_t>& changed);

}  // namespace weir
