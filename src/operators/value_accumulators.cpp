// min, max, first_value and last_value: states that hold one value of the argument's type.
#include <arrow/array/array_base.h>
#include <arrow/type.h>

#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

#include "operators/accumulator.h"
#include "operators/call_rows.h"
#include "operators/column_writer.h"

namespace weir {

namespace {

// with(get): get(row) is the value widened to `Wide`. false: a type that does not widen to it.
template <class Wide, class With>
bool with_wide(const arrow::Array& column, With&& with) {
  const arrow::ArrayData& data = *column.data();
  auto typed = [&](auto zero) {
    const auto* values = data.GetValues<decltype(zero)>(1);
    with([values](size_t row) { return static_cast<Wide>(values[row]); });
    return true;
  };
  if constexpr (std::is_same_v<Wide, double>) {
    if (column.type_id() == arrow::Type::FLOAT) return typed(0.0F);
    return column.type_id() == arrow::Type::DOUBLE && typed(0.0);
  } else if constexpr (sizeof(Wide) == 16) {
    if (column.type_id() != arrow::Type::DECIMAL128) return false;
    const uint8_t* values = data.GetValues<uint8_t>(1, column.offset() * 16);
    with([values](size_t row) { return load_128(values + row * 16); });
    return true;
  } else if constexpr (std::is_unsigned_v<Wide>) {
    switch (column.type_id()) {
      case arrow::Type::BOOL: {
        BitColumn bits{data.buffers[1]->data(), column.offset()};
        with([bits](size_t row) { return static_cast<Wide>(bits.get(static_cast<int64_t>(row))); });
        return true;
      }
      case arrow::Type::UINT8: return typed(uint8_t{0});
      case arrow::Type::UINT16: return typed(uint16_t{0});
      case arrow::Type::UINT32: return typed(uint32_t{0});
      case arrow::Type::UINT64: return typed(uint64_t{0});
      default: return false;
    }
  } else {
    switch (value_width(*column.type())) {
      case 1: return typed(int8_t{0});
      case 2: return typed(int16_t{0});
      case 4: return typed(int32_t{0});
      case 8: return typed(int64_t{0});
      default: return false;
    }
  }
}

// A total order, NaN above all numbers and -0.0 below 0.0.
template <class Wide>
bool less(Wide a, Wide b) {
  if constexpr (std::is_same_v<Wide, double>) {
    if (std::isnan(a) || std::isnan(b)) return !std::isnan(a) && std::isnan(b);
    if (a == b) return std::signbit(a) && !std::signbit(b);
  }
  return a < b;
}

template <class Wide, bool kMax>
class Extreme final : public Accumulator {
 public:
  explicit Extreme(AggregateCall call) : call_(std::move(call)), bytes_(value_width(*call_.type)) {}
  size_t width() const override { return sizeof(State); }

  Status update(const AggregateRows& rows, ValueStore&) override {
    const arrow::Array& column = *rows.batch->column(call_.arguments[0]);
    CallRows taken(rows, call_, false);
    uint8_t* const* states = rows.states;
    size_t offset = offset_;
    bool known = with_wide<Wide>(column, [&](auto get) {
      taken.each([states, offset, get](size_t i, size_t row) { offer(states[i] + offset, get(row)); });
    });
    return known ? Status() : Status::internal("min or max over " + column.type()->ToString());
  }
  Status merge(const uint8_t* const* from, const ValueStore&, uint8_t* const* into, ValueStore&,
               size_t count) override {
    for (size_t i = 0; i < count; ++i) {
      const State& other = *reinterpret_cast<const State*>(from[i] + offset_);
      if (other.seen != 0) offer(into[i] + offset_, load(other));
    }
    return {};
  }
  Result<std::shared_ptr<arrow::Array>> emit(const uint8_t* const* states, const ValueStore&,
                                             size_t count) override {
    ColumnWriter column(call_.type, count);
    for (size_t i = 0; i < count; ++i) {
      const State& state = *reinterpret_cast<const State*>(states[i] + offset_);
      if (state.seen == 0) {
        column.append_null();
        continue;
      }
      Wide value = load(state);
      if constexpr (std::is_same_v<Wide, double>) {
        auto narrow = static_cast<float>(value);
        if (bytes_ == 4) {
          column.append(&narrow, 4);
          continue;
        }
      }
      column.append(&value, static_cast<size_t>(bytes_));  // little-endian: the low bytes are the value
    }
    return column.finish();
  }

 private:
  struct State {
    alignas(8) uint8_t value[sizeof(Wide)];
    int64_t seen;
  };
  static Wide load(const State& state) {
    Wide value;
    std::memcpy(&value, state.value, sizeof value);
    return value;
  }
  static void offer(uint8_t* at, Wide value) {
    State& state = *reinterpret_cast<State*>(at);
    if (state.seen != 0 && !(kMax ? less(load(state), value) : less(value, load(state)))) return;
    std::memcpy(state.value, &value, sizeof value);
    state.seen = 1;
  }

  AggregateCall call_;
  int bytes_;
};

class TextExtreme final : public Accumulator {
 public:
  explicit TextExtreme(AggregateCall call) : call_(std::move(call)), max_(call_.function == "max") {}
  size_t width() const override { return 8; }
  bool has_values() const override { return true; }

  Status update(const AggregateRows& rows, ValueStore& values) override {
    const arrow::Array& column = *rows.batch->column(call_.arguments[0]);
    CallRows taken(rows, call_, false);
    Status status;
    bool known = with_texts(column, [&](auto get) {
      taken.each([&](size_t i, size_t row) {
        if (status.ok()) status = offer(rows.states[i], get(row), values);
      });
    });
    return known ? status : Status::internal("min or max over " + column.type()->ToString());
  }
  Status merge(const uint8_t* const* from, const ValueStore& from_values, uint8_t* const* into,
               ValueStore& into_values, size_t count) override {
    for (size_t i = 0; i < count; ++i) {
      uint64_t other = *reinterpret_cast<const uint64_t*>(from[i] + offset_);
      if (other == 0) continue;
      if (&from_values == &into_values) {
        WEIR_TRY(offer(into[i], std::string(from_values.get(other)), into_values));
      } else {
        WEIR_TRY(offer(into[i], from_values.get(other), into_values));
      }
    }
    return {};
  }
  Result<std::shared_ptr<arrow::Array>> emit(const uint8_t* const* states, const ValueStore& values,
                                             size_t count) override {
    ColumnWriter column(call_.type, count);
    for (size_t i = 0; i < count; ++i) {
      uint64_t slot = *reinterpret_cast<const uint64_t*>(states[i] + offset_);
      if (slot == 0) {
        column.append_null();
      } else {
        column.append(values.get(slot));
      }
    }
    return column.finish();
  }
  void release(uint8_t* state, ValueStore& values) override {
    values.release(*reinterpret_cast<uint64_t*>(state + offset_));
  }

 private:
  Status offer(uint8_t* state, std::string_view text, ValueStore& values) {
    uint64_t& slot = *reinterpret_cast<uint64_t*>(state + offset_);
    if (slot != 0) {
      std::string_view best = values.get(slot);
      if (!(max_ ? best < text : text < best)) return {};
    }
    return values.set(slot, text);
  }

  AggregateCall call_;
  bool max_;
};

// By arrival; a NULL counts as a value.
class ByArrival final : public Accumulator {
 public:
  explicit ByArrival(AggregateCall call)
      : call_(std::move(call)),
        last_(call_.function == "last_value"),
        bytes_(static_cast<size_t>(value_width(*call_.type))) {}
  size_t width() const override { return bytes_ == 16 ? 32 : 24; }
  bool has_values() const override { return bytes_ == 0; }

  Status update(const AggregateRows& rows, ValueStore& values) override {
    const arrow::Array& column = *rows.batch->column(call_.arguments[0]);
    CallRows taken(rows, call_, true);
    Status status;
    if (bytes_ == 0) {
      with_texts(column, [&](auto get) {
        taken.each([&](size_t i, size_t row) {
          State& state = of(rows.states[i]);
          if (!replaces(state, rows.arrival + row) || !status.ok()) return;
          state.arrival = rows.arrival + row;
          state.null = column.IsNull(static_cast<int64_t>(row)) ? 1 : 0;
          status = values.set(state.slot, state.null != 0 ? std::string_view() : get(row));
        });
      });
      return status;
    }
    const arrow::ArrayData& data = *column.data();
    bool boolean = column.type_id() == arrow::Type::BOOL;
    const uint8_t* bytes = boolean ? nullptr : data.GetValues<uint8_t>(1, column.offset() * int64_t(bytes_));
    taken.each([&](size_t i, size_t row) {
      State& state = of(rows.states[i]);
      if (!replaces(state, rows.arrival + row)) return;
      state.arrival = rows.arrival + row;
      state.null = column.IsNull(static_cast<int64_t>(row)) ? 1 : 0;
      if (boolean) {
        state.slot = BitColumn{data.buffers[1]->data(), column.offset()}.get(static_cast<int64_t>(row));
      } else {
        std::memcpy(&state.slot, bytes + row * bytes_, bytes_);
      }
    });
    return status;
  }
  Status merge(const uint8_t* const* from, const ValueStore& from_values, uint8_t* const* into,
               ValueStore& into_values, size_t count) override {
    for (size_t i = 0; i < count; ++i) {
      const State& other = *reinterpret_cast<const State*>(from[i] + offset_);
      State& state = of(into[i]);
      if (other.arrival == 0 || !replaces(state, other.arrival)) continue;
      if (bytes_ == 0) {
        WEIR_TRY(into_values.set(state.slot, std::string(from_values.get(other.slot))));
      } else {
        std::memcpy(&state.slot, &other.slot, bytes_);
      }
      state.arrival = other.arrival;
      state.null = other.null;
    }
    return {};
  }
  Result<std::shared_ptr<arrow::Array>> emit(const uint8_t* const* states, const ValueStore& values,
                                             size_t count) override {
    ColumnWriter column(call_.type, count);
    for (size_t i = 0; i < count; ++i) {
      const State& state = *reinterpret_cast<const State*>(states[i] + offset_);
      if (state.arrival == 0 || state.null != 0) {
        column.append_null();
      } else if (bytes_ == 0) {
        column.append(values.get(state.slot));
      } else {
        column.append(&state.slot, bytes_);
      }
    }
    return column.finish();
  }
  void release(uint8_t* state, ValueStore& values) override {
    if (bytes_ == 0) values.release(of(state).slot);
  }

 private:
  struct State {
    uint64_t arrival;  // 0: no row yet
    uint64_t null;
    uint64_t slot;  // or the value's bytes; decimals have 8 more behind it
  };
  State& of(uint8_t* state) const { return *reinterpret_cast<State*>(state + offset_); }
  bool replaces(const State& state, uint64_t arrival) const {
    return state.arrival == 0 || (last_ ? arrival > state.arrival : arrival < state.arrival);
  }

  AggregateCall call_;
  bool last_;
  size_t bytes_;
};

template <class Wide>
std::unique_ptr<Accumulator> make_extreme(const AggregateCall& call) {
  if (call.function == "max") return std::make_unique<Extreme<Wide, true>>(call);
  return std::make_unique<Extreme<Wide, false>>(call);
}

}  // namespace

std::unique_ptr<Accumulator> make_value_accumulator(const AggregateCall& call, const Types& arguments) {
  if (arguments.size() != 1 || !arguments[0]->Equals(*call.type) || value_width(*call.type) < 0) {
    return nullptr;
  }
  if (call.function == "first_value" || call.function == "last_value") {
    return std::make_unique<ByArrival>(call);
  }
  if (call.function != "min" && call.function != "max") return nullptr;
  if (value_width(*call.type) == 0) return std::make_unique<TextExtreme>(call);
  switch (call.type->id()) {
    case arrow::Type::FLOAT:
    case arrow::Type::DOUBLE: return make_extreme<double>(call);
    case arrow::Type::DECIMAL128: return make_extreme<__int128>(call);
    case arrow::Type::BOOL:
    case arrow::Type::UINT8:
    case arrow::Type::UINT16:
    case arrow::Type::UINT32:
    case arrow::Type::UINT64: return make_extreme<uint64_t>(call);
    default: return make_extreme<int64_t>(call);
  }
}

}  // namespace weir
