#include "operators/accumulator.h"

#include <arrow/array/array_base.h>
#include <arrow/type.h>

#include <string>
#include <utility>

namespace weir {

namespace {

std::string call_text(const AggregateCall& call, const Types& arguments) {
  std::string text = call.function + (call.distinct ? "(DISTINCT " : "(");
  for (size_t i = 0; i < arguments.size(); ++i) text += (i == 0 ? "" : ", ") + arguments[i]->ToString();
  return text + ")";
}

std::unique_ptr<Accumulator> make_accumulator(const AggregateCall& call, const Types& arguments) {
  bool extreme = call.function == "min" || call.function == "max";
  if (call.distinct && !extreme) {
    if (arguments.empty() || (call.function != "string_agg" && arguments.size() != 1)) return nullptr;
    AggregateCall plain = call;
    plain.distinct = false;
    plain.filter = -1;
    plain.arguments = {0};
    Types one{arguments[0]};
    std::unique_ptr<Accumulator> inner = make_accumulator(plain, one);
    if (inner == nullptr) return nullptr;
    return make_distinct_accumulator(call, one, std::move(inner));
  }
  if (auto made = make_number_accumulator(call, arguments)) return made;
  if (auto made = make_value_accumulator(call, arguments)) return made;
  return make_list_accumulator(call, arguments);
}

}  // namespace

Result<AggregateSet> AggregateSet::create(const std::vector<AggregateCall>& calls, const arrow::Schema& input,
                                          size_t head) {
  AggregateSet set;
  set.state_width_ = head;
  for (const AggregateCall& call : calls) {
    Types arguments;
    for (int column : call.arguments) {
      if (column < 0 || column >= input.num_fields()) {
        return Status::internal("an aggregate's argument is not a column");
      }
      arguments.push_back(input.field(column)->type());
    }
    if (call.type == nullptr) return Status::internal("an aggregate without a type");
    std::unique_ptr<Accumulator> made = make_accumulator(call, arguments);
    if (made == nullptr) {
      return Status::invalid(call_text(call, arguments) + " with a result of " + call.type->ToString() +
                             " is not supported in a stateful query");
    }
    made->set_offset(set.state_width_);
    if (call.function == "count" && call.arguments.empty() && call.filter < 0 && !call.distinct) {
      set.rows_offset_ = static_cast<int>(set.state_width_);
    }
    set.state_width_ += made->width();
    set.retractable_ = set.retractable_ && made->retractable();
    set.has_values_ = set.has_values_ || made->has_values();
    set.calls_.push_back(std::move(made));
  }
  return set;
}

Status AggregateSet::update(const AggregateRows& rows, ValueStore& values) const {
  for (const auto& call : calls_) WEIR_TRY(call->update(rows, values));
  return {};
}

Status AggregateSet::merge(const uint8_t* const* from, const ValueStore& from_values, uint8_t* const* into,
                           ValueStore& into_values, size_t count) const {
  for (const auto& call : calls_) WEIR_TRY(call->merge(from, from_values, into, into_values, count));
  return {};
}

void AggregateSet::retract(const uint8_t* const* from, uint8_t* const* into, size_t count) const {
  for (const auto& call : calls_) call->retract(from, into, count);
}

Status AggregateSet::emit(const uint8_t* const* states, const ValueStore& values, size_t count,
                          std::vector<std::shared_ptr<arrow::Array>>& columns) const {
  for (const auto& call : calls_) {
    WEIR_ASSIGN(auto column, call->emit(states, values, count));
    columns.push_back(std::move(column));
  }
  return {};
}

void AggregateSet::release(uint8_t* state, ValueStore& values) const {
  if (!has_values_) return;
  for (const auto& call : calls_) call->release(state, values);
}

}  // namespace weir
