// count, sum, avg, stddev and var: states of plain numbers.
#include <arrow/array/array_base.h>
#include <arrow/type.h>
#include <arrow/util/decimal.h>

#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

#include "operators/accumulator.h"
#include "operators/call_rows.h"
#include "operators/column_writer.h"

namespace weir {

namespace {

template <class State>
State& at(uint8_t* state) {
  return *reinterpret_cast<State*>(state);
}
template <class State>
const State& at(const uint8_t* state) {
  return *reinterpret_cast<const State*>(state);
}

Status not_numbers(const arrow::Array& column) {
  return Status::internal("an aggregate of numbers over " + column.type()->ToString());
}

// 10^exponent, exponent <= 38.
__int128 power_of_ten(int exponent) {
  __int128 power = 1;
  for (int i = 0; i < exponent; ++i) power *= 10;
  return power;
}

bool fits(__int128 value, int precision) {
  __int128 bound = power_of_ten(precision);
  return value < bound && value > -bound;
}

class Count final : public Accumulator {
 public:
  explicit Count(AggregateCall call) : call_(std::move(call)) {}
  size_t width() const override { return 8; }
  bool retractable() const override { return true; }

  Status update(const AggregateRows& rows, ValueStore&) override {
    CallRows taken(rows, call_, false);
    uint8_t* const* states = rows.states;
    size_t offset = offset_;
    taken.each([states, offset](size_t i, size_t) { ++at<int64_t>(states[i] + offset); });
    return {};
  }
  Status merge(const uint8_t* const* from, const ValueStore&, uint8_t* const* into, ValueStore&,
               size_t count) override {
    for (size_t i = 0; i < count; ++i) at<int64_t>(into[i] + offset_) += at<int64_t>(from[i] + offset_);
    return {};
  }
  void retract(const uint8_t* const* from, uint8_t* const* into, size_t count) override {
    for (size_t i = 0; i < count; ++i) at<int64_t>(into[i] + offset_) -= at<int64_t>(from[i] + offset_);
  }
  Result<std::shared_ptr<arrow::Array>> emit(const uint8_t* const* states, const ValueStore&,
                                             size_t count) override {
    ColumnWriter column(call_.type, count);
    for (size_t i = 0; i < count; ++i) column.append(states[i] + offset_, 8);
    return column.finish();
  }

 private:
  AggregateCall call_;
};

// `Sum` is uint64_t (wrapping, for both kinds of 64-bit integers), double, or unsigned __int128.
template <class Sum>
struct SumState {
  alignas(8) uint8_t sum[sizeof(Sum)];
  int64_t count;

  Sum get() const {
    Sum value;
    std::memcpy(&value, sum, sizeof value);
    return value;
  }
  void add(Sum value, int64_t rows) {
    Sum total = get() + value;
    std::memcpy(sum, &total, sizeof total);
    count += rows;
  }
};

template <class Sum>
class SumBase : public Accumulator {
 public:
  using State = SumState<Sum>;
  explicit SumBase(AggregateCall call) : call_(std::move(call)) {}
  size_t width() const override { return sizeof(State); }
  bool retractable() const override { return !std::is_same_v<Sum, double>; }

  Status update(const AggregateRows& rows, ValueStore&) override {
    const arrow::Array& column = *rows.batch->column(call_.arguments[0]);
    CallRows taken(rows, call_, false);
    uint8_t* const* states = rows.states;
    size_t offset = offset_;
    auto add = [&](const auto* values) {
      taken.each([states, offset, values](size_t i, size_t row) {
        at<State>(states[i] + offset).add(static_cast<Sum>(values[row]), 1);
      });
    };
    if constexpr (sizeof(Sum) == 16) {
      if (column.type_id() != arrow::Type::DECIMAL128) return not_numbers(column);
      const uint8_t* values = column.data()->GetValues<uint8_t>(1, column.offset() * 16);
      taken.each([states, offset, values](size_t i, size_t row) {
        at<State>(states[i] + offset).add(static_cast<Sum>(load_128(values + row * 16)), 1);
      });
    } else {
      if (!with_numbers(column, add)) return not_numbers(column);
    }
    return {};
  }
  Status merge(const uint8_t* const* from, const ValueStore&, uint8_t* const* into, ValueStore&,
               size_t count) override {
    for (size_t i = 0; i < count; ++i) {
      const State& other = at<State>(from[i] + offset_);
      at<State>(into[i] + offset_).add(other.get(), other.count);
    }
    return {};
  }
  void retract(const uint8_t* const* from, uint8_t* const* into, size_t count) override {
    for (size_t i = 0; i < count; ++i) {
      const State& other = at<State>(from[i] + offset_);
      at<State>(into[i] + offset_).add(-other.get(), -other.count);
    }
  }

 protected:
  AggregateCall call_;
};

template <class Sum>
class SumOf final : public SumBase<Sum> {
 public:
  using Base = SumBase<Sum>;
  using Base::Base;
  Result<std::shared_ptr<arrow::Array>> emit(const uint8_t* const* states, const ValueStore&,
                                             size_t count) override {
    ColumnWriter column(this->call_.type, count);
    for (size_t i = 0; i < count; ++i) {
      const auto& state = at<typename Base::State>(states[i] + this->offset_);
      bool out = false;
      if constexpr (sizeof(Sum) == 16) {
        int precision = static_cast<const arrow::DecimalType&>(*this->call_.type).precision();
        out = !fits(static_cast<__int128>(state.get()), precision);
      }
      if (state.count == 0 || out) {
        column.append_null();
      } else {
        column.append(state.sum, sizeof(Sum));
      }
    }
    return column.finish();
  }
};

class AvgOfDoubles final : public SumBase<double> {
 public:
  using SumBase<double>::SumBase;
  Result<std::shared_ptr<arrow::Array>> emit(const uint8_t* const* states, const ValueStore&,
                                             size_t count) override {
    ColumnWriter column(call_.type, count);
    for (size_t i = 0; i < count; ++i) {
      const State& state = at<State>(states[i] + offset_);
      double average = state.get() / static_cast<double>(state.count);
      if (state.count == 0) {
        column.append_null();
      } else {
        column.append(&average, 8);
      }
    }
    return column.finish();
  }
};

class AvgOfDecimals final : public SumBase<unsigned __int128> {
 public:
  AvgOfDecimals(AggregateCall call, int scale)
      : SumBase<unsigned __int128>(std::move(call)),
        precision_(static_cast<const arrow::DecimalType&>(*call_.type).precision()),
        factor_(power_of_ten(static_cast<const arrow::DecimalType&>(*call_.type).scale() - scale)) {}

  Result<std::shared_ptr<arrow::Array>> emit(const uint8_t* const* states, const ValueStore&,
                                             size_t count) override {
    ColumnWriter column(call_.type, count);
    for (size_t i = 0; i < count; ++i) {
      const State& state = at<State>(states[i] + offset_);
      __int128 scaled = 0;
      bool out = __builtin_mul_overflow(static_cast<__int128>(state.get()), factor_, &scaled);
      __int128 average = state.count == 0 ? 0 : scaled / state.count;
      if (state.count == 0 || out || !fits(average, precision_)) {
        column.append_null();
      } else {
        column.append(&average, sizeof average);
      }
    }
    return column.finish();
  }

 private:
  int precision_;
  __int128 factor_;
};

// Welford's update; Chan's merge.
class Variance final : public Accumulator {
 public:
  explicit Variance(AggregateCall call)
      : call_(std::move(call)),
        population_(call_.function == "var_pop" || call_.function == "stddev_pop"),
        root_(call_.function == "stddev_pop" || call_.function == "stddev_samp") {}
  size_t width() const override { return sizeof(State); }

  Status update(const AggregateRows& rows, ValueStore&) override {
    const arrow::Array& column = *rows.batch->column(call_.arguments[0]);
    CallRows taken(rows, call_, false);
    auto add = [&](const auto* values) {
      taken.each([&](size_t i, size_t row) {
        State& state = at<State>(rows.states[i] + offset_);
        double value = static_cast<double>(values[row]);
        ++state.count;
        double before = value - state.mean;
        state.mean += before / static_cast<double>(state.count);
        state.squares += before * (value - state.mean);
      });
    };
    return with_numbers(column, add) ? Status() : not_numbers(column);
  }
  Status merge(const uint8_t* const* from, const ValueStore&, uint8_t* const* into, ValueStore&,
               size_t count) override {
    for (size_t i = 0; i < count; ++i) {
      const State& other = at<State>(from[i] + offset_);
      State& state = at<State>(into[i] + offset_);
      if (other.count == 0) continue;
      if (state.count == 0) {
        state = other;
        continue;
      }
      double mine = static_cast<double>(state.count);
      double theirs = static_cast<double>(other.count);
      double apart = state.mean - other.mean;
      state.mean = state.mean * mine / (mine + theirs) + other.mean * theirs / (mine + theirs);
      state.squares += other.squares + apart * apart * mine * theirs / (mine + theirs);
      state.count += other.count;
    }
    return {};
  }
  Result<std::shared_ptr<arrow::Array>> emit(const uint8_t* const* states, const ValueStore&,
                                             size_t count) override {
    ColumnWriter column(call_.type, count);
    for (size_t i = 0; i < count; ++i) {
      const State& state = at<State>(states[i] + offset_);
      int64_t divisor = population_ ? state.count : state.count - 1;
      double value = state.squares / static_cast<double>(divisor);
      if (root_) value = std::sqrt(value);
      if (divisor <= 0) {
        column.append_null();
      } else {
        column.append(&value, 8);
      }
    }
    return column.finish();
  }

 private:
  struct State {
    int64_t count;
    double mean;
    double squares;  // sum of squares of the distances from the mean
  };
  AggregateCall call_;
  bool population_;
  bool root_;
};

bool is_number(const arrow::DataType& type) {
  return arrow::is_integer(type.id()) || type.id() == arrow::Type::FLOAT || type.id() == arrow::Type::DOUBLE;
}

std::unique_ptr<Accumulator> make_sum(const AggregateCall& call, const arrow::DataType& argument) {
  arrow::Type::type result = call.type->id();
  bool integer = arrow::is_integer(argument.id());
  if ((result == arrow::Type::INT64 || result == arrow::Type::UINT64) && integer) {
    return std::make_unique<SumOf<uint64_t>>(call);
  }
  if (result == arrow::Type::DURATION && argument.Equals(*call.type)) {
    return std::make_unique<SumOf<uint64_t>>(call);
  }
  if (result == arrow::Type::DOUBLE && is_number(argument)) return std::make_unique<SumOf<double>>(call);
  if (result == arrow::Type::DECIMAL128 && argument.id() == arrow::Type::DECIMAL128 &&
      static_cast<const arrow::DecimalType&>(*call.type).scale() ==
          static_cast<const arrow::DecimalType&>(argument).scale()) {
    return std::make_unique<SumOf<unsigned __int128>>(call);
  }
  return nullptr;
}

std::unique_ptr<Accumulator> make_avg(const AggregateCall& call, const arrow::DataType& argument) {
  if (call.type->id() == arrow::Type::DOUBLE && is_number(argument)) {
    return std::make_unique<AvgOfDoubles>(call);
  }
  if (call.type->id() == arrow::Type::DECIMAL128 && argument.id() == arrow::Type::DECIMAL128) {
    int scale = static_cast<const arrow::DecimalType&>(argument).scale();
    if (static_cast<const arrow::DecimalType&>(*call.type).scale() < scale) return nullptr;
    return std::make_unique<AvgOfDecimals>(call, scale);
  }
  return nullptr;
}

}  // namespace

std::unique_ptr<Accumulator> make_number_accumulator(const AggregateCall& call, const Types& arguments) {
  if (call.function == "count" && call.type->id() == arrow::Type::INT64) {
    return std::make_unique<Count>(call);
  }
  if (arguments.size() != 1) return nullptr;
  if (call.function == "sum") return make_sum(call, *arguments[0]);
  if (call.function == "avg") return make_avg(call, *arguments[0]);
  bool variance = call.function == "var_samp" || call.function == "var_pop" ||
                  call.function == "stddev_samp" || call.function == "stddev_pop";
  if (variance && call.type->id() == arrow::Type::DOUBLE && is_number(*arguments[0])) {
    return std::make_unique<Variance>(call);
  }
  return nullptr;
}

}  // namespace weir
