// Aggregate functions over states: a fixed number of bytes for each call within a key's entry.
//
// Results and types are DataFusion's: NULL arguments are ignored (but by first_value, last_value and
// array_agg), no rows give NULL (count: 0), integer and decimal sums wrap, AVG of integers is DOUBLE. Where
// DataFusion's answer depends on the order of rows or fails, ours is: NaN is greater than every number in
// min and max; a decimal that does not fit the result's type is NULL; first_value and last_value are by
// arrival; distinct lists are in order of arrival.
//
// A state of zeros is the state of no rows. States are aligned to 8 bytes.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "bridge/stream_graph.h"
#include "operators/value_store.h"

namespace weir {

// Rows of a batch and the state of each one's entry. What a call sees; no row twice.
struct AggregateRows {
  const arrow::RecordBatch* batch = nullptr;
  const uint32_t* picked = nullptr;  // row numbers; null: all rows of the batch
  size_t count = 0;
  uint8_t* const* states = nullptr;  // states[i] belongs to the i-th picked row
  uint64_t arrival = 1;              // of the batch's first row; grows by one each row, never 0
};

class Accumulator {
 public:
  virtual ~Accumulator() = default;
  virtual size_t width() const = 0;  // bytes, a multiple of 8
  // Whether retract gives back exactly the state without those rows.
  virtual bool retractable() const { return false; }
  // The state keeps a slot of the ValueStore.
  virtual bool has_values() const { return false; }
  virtual Status update(const AggregateRows& rows, ValueStore& values) = 0;
  virtual Status merge(const uint8_t* const* from, const ValueStore& from_values, uint8_t* const* into,
                       ValueStore& into_values, size_t count) = 0;
  virtual void retract(const uint8_t* const* from, uint8_t* const* into, size_t count) {}
  virtual Result<std::shared_ptr<arrow::Array>> emit(const uint8_t* const* states, const ValueStore& values,
                                                     size_t count) = 0;
  virtual void release(uint8_t* state, ValueStore& values) {}

  // Where its bytes begin within an entry's state.
  void set_offset(size_t offset) { offset_ = offset; }
  size_t offset() const { return offset_; }

 protected:
  size_t offset_ = 0;
};

// All calls of a node, their states one behind the other, behind `head` bytes of the operator's own.
class AggregateSet {
 public:
  // invalid: a function, or a type of its arguments, that no accumulator knows; in words for the user.
  static Result<AggregateSet> create(const std::vector<AggregateCall>& calls, const arrow::Schema& input,
                                     size_t head);
  size_t state_width() const { return state_width_; }
  bool retractable() const { return retractable_; }
  bool has_values() const { return has_values_; }
  // Offset of a call that counts all rows, -1: none.
  int rows_offset() const { return rows_offset_; }

  Status update(const AggregateRows& rows, ValueStore& values) const;
  Status merge(const uint8_t* const* from, const ValueStore& from_values, uint8_t* const* into,
               ValueStore& into_values, size_t count) const;
  void retract(const uint8_t* const* from, uint8_t* const* into, size_t count) const;
  // Appends one column for each call.
  Status emit(const uint8_t* const* states, const ValueStore& values, size_t count,
              std::vector<std::shared_ptr<arrow::Array>>& columns) const;
  void release(uint8_t* state, ValueStore& values) const;

 private:
  std::vector<std::unique_ptr<Accumulator>> calls_;
  size_t state_width_ = 0;
  bool retractable_ = true;
  bool has_values_ = false;
  int rows_offset_ = -1;
};

// Each file makes the accumulators of its kind; null: not its function, or not with these types.
using Types = std::vector<std::shared_ptr<arrow::DataType>>;
std::unique_ptr<Accumulator> make_number_accumulator(const AggregateCall& call, const Types& arguments);
std::unique_ptr<Accumulator> make_value_accumulator(const AggregateCall& call, const Types& arguments);
std::unique_ptr<Accumulator> make_list_accumulator(const AggregateCall& call, const Types& arguments);
// The set of the arguments' values in front of `inner`, which has the same call without DISTINCT.
std::unique_ptr<Accumulator> make_distinct_accumulator(const AggregateCall& call, const Types& arguments,
                                                       std::unique_ptr<Accumulator> inner);

}  // namespace weir
