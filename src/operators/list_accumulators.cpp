// string_agg, array_agg and DISTINCT: states that are a slot of the ValueStore.
#include <arrow/array/array_nested.h>
#include <arrow/array/data.h>
#include <arrow/array/util.h>
#include <arrow/buffer.h>
#include <arrow/type.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "operators/accumulator.h"
#include "operators/call_rows.h"
#include "operators/column_writer.h"

namespace weir {

namespace {

// Values as elements of a list or set (ValueStore::insert tells the layout).
class ElementReader {
 public:
  // one_nan: all NaNs are one, and -0.0 is 0.0, as DISTINCT sees them.
  ElementReader(const arrow::Array& column, bool one_nan)
      : column_(column), width_(static_cast<size_t>(value_width(*column.type()))), one_nan_(one_nan) {
    if (width_ != 0 && column.type_id() != arrow::Type::BOOL) {
      bytes_ = column.data()->GetValues<uint8_t>(1, column.offset() * static_cast<int64_t>(width_));
    }
  }
  size_t width() const { return width_; }

  // Valid until the next call.
  std::string_view read(size_t row) {
    if (column_.IsNull(static_cast<int64_t>(row))) return {"\0", 1};
    element_.assign(1, '\1');
    if (column_.type_id() == arrow::Type::BOOL) {
      BitColumn bits{column_.data()->buffers[1]->data(), column_.offset()};
      element_ += bits.get(static_cast<int64_t>(row)) ? '\1' : '\0';
    } else if (width_ == 0) {
      with_texts(column_, [&](auto get) {
        std::string_view text = get(row);
        auto length = static_cast<uint32_t>(text.size());
        element_.append(reinterpret_cast<const char*>(&length), 4);
        element_ += text;
      });
    } else {
      element_.append(reinterpret_cast<const char*>(bytes_ + row * width_), width_);
      if (one_nan_ && column_.type_id() == arrow::Type::DOUBLE) unify<double>();
      if (one_nan_ && column_.type_id() == arrow::Type::FLOAT) unify<float>();
    }
    return element_;
  }

 private:
  template <class Float>
  void unify() {
    Float value;
    std::memcpy(&value, element_.data() + 1, sizeof value);
    if (std::isnan(value)) value = std::numeric_limits<Float>::quiet_NaN();
    if (value == 0) value = 0;
    std::memcpy(element_.data() + 1, &value, sizeof value);
  }

  const arrow::Array& column_;
  size_t width_;
  bool one_nan_;
  const uint8_t* bytes_ = nullptr;
  std::string element_;
};

// step(element): each element of a list or set, with its tag and length.
template <class Step>
Status each_element(std::string_view list, size_t width, Step&& step) {
  while (!list.empty()) {
    size_t size = ValueStore::element_size(list.data(), width);
    WEIR_TRY(step(list.substr(0, size)));
    list.remove_prefix(size);
  }
  return {};
}

void append_element(ColumnWriter& column, std::string_view element, size_t width) {
  if (element[0] == 0) {
    column.append_null();
  } else {
    column.append(element.substr(width == 0 ? 5 : 1));
  }
}

class SlotAccumulator : public Accumulator {
 public:
  explicit SlotAccumulator(AggregateCall call) : call_(std::move(call)) {}
  size_t width() const override { return 8; }
  bool has_values() const override { return true; }
  void release(uint8_t* state, ValueStore& values) override { values.release(slot(state)); }

 protected:
  uint64_t& slot(uint8_t* state) const { return *reinterpret_cast<uint64_t*>(state + offset_); }
  uint64_t slot(const uint8_t* state) const { return *reinterpret_cast<const uint64_t*>(state + offset_); }
  // The other's bytes: a copy when `into` may move them.
  static std::string_view bytes_of(const ValueStore& from, const ValueStore& into, uint64_t slot,
                                   std::string& copy) {
    if (&from != &into) return from.get(slot);
    copy = from.get(slot);
    return copy;
  }
  AggregateCall call_;
};

class StringAgg final : public SlotAccumulator {
 public:
  explicit StringAgg(AggregateCall call) : SlotAccumulator(std::move(call)) { call_.arguments.resize(1); }

  Status update(const AggregateRows& rows, ValueStore& values) override {
    const arrow::Array& column = *rows.batch->column(call_.arguments[0]);
    CallRows taken(rows, call_, false);
    Status status;
    with_texts(column, [&](auto get) {
      taken.each([&](size_t i, size_t row) {
        if (status.ok()) status = add(rows.states[i], get(row), values);
      });
    });
    return status;
  }
  Status merge(const uint8_t* const* from, const ValueStore& from_values, uint8_t* const* into,
               ValueStore& into_values, size_t count) override {
    std::string copy;
    for (size_t i = 0; i < count; ++i) {
      uint64_t other = slot(from[i]);
      if (other == 0) continue;
      WEIR_TRY(add(into[i], bytes_of(from_values, into_values, other, copy), into_values));
    }
    return {};
  }
  Result<std::shared_ptr<arrow::Array>> emit(const uint8_t* const* states, const ValueStore& values,
                                             size_t count) override {
    ColumnWriter column(call_.type, count);
    for (size_t i = 0; i < count; ++i) {
      if (slot(states[i]) == 0) {
        column.append_null();
      } else {
        column.append(values.get(slot(states[i])));
      }
    }
    return column.finish();
  }

 private:
  Status add(uint8_t* state, std::string_view text, ValueStore& values) {
    uint64_t& mine = slot(state);
    if (mine != 0 && !call_.separator.empty()) WEIR_TRY(values.append(mine, call_.separator, 0));
    return values.append(mine, text);
  }
};

class ArrayAgg final : public SlotAccumulator {
 public:
  explicit ArrayAgg(AggregateCall call)
      : SlotAccumulator(std::move(call)),
        item_(static_cast<const arrow::BaseListType&>(*call_.type).value_type()) {}

  Status update(const AggregateRows& rows, ValueStore& values) override {
    ElementReader elements(*rows.batch->column(call_.arguments[0]), false);
    CallRows taken(rows, call_, true);
    Status status;
    taken.each([&](size_t i, size_t row) {
      if (status.ok()) status = values.append(slot(rows.states[i]), elements.read(row));
    });
    return status;
  }
  Status merge(const uint8_t* const* from, const ValueStore& from_values, uint8_t* const* into,
               ValueStore& into_values, size_t count) override {
    std::string copy;
    for (size_t i = 0; i < count; ++i) {
      uint64_t other = slot(from[i]);
      if (other == 0) continue;
      std::string_view bytes = bytes_of(from_values, into_values, other, copy);
      WEIR_TRY(into_values.append(slot(into[i]), bytes, from_values.count(other)));
    }
    return {};
  }
  Result<std::shared_ptr<arrow::Array>> emit(const uint8_t* const* states, const ValueStore& values,
                                             size_t count) override {
    auto width = static_cast<size_t>(value_width(*item_));
    ColumnWriter items(item_, count);
    std::string offsets((count + 1) * sizeof(int32_t), '\0');
    std::string valid((count + 7) / 8, '\0');
    int64_t nulls = 0;
    for (size_t i = 0; i < count; ++i) {
      uint64_t list = slot(states[i]);
      nulls += list == 0 ? 1 : 0;
      if (list != 0) valid[i / 8] |= static_cast<char>(1 << (i % 8));
      WEIR_TRY(each_element(values.get(list), width, [&](std::string_view element) {
        append_element(items, element, width);
        return Status();
      }));
      if (items.length() > std::numeric_limits<int32_t>::max()) {
        return Status(Code::exhausted, "ARRAY_AGG: one batch of results has over 2^31 elements");
      }
      auto end = static_cast<int32_t>(items.length());
      std::memcpy(offsets.data() + (i + 1) * sizeof end, &end, sizeof end);
    }
    WEIR_ASSIGN(auto child, items.finish());
    auto data = arrow::ArrayData::Make(call_.type, static_cast<int64_t>(count),
                                       {nulls == 0 ? nullptr : arrow::Buffer::FromString(std::move(valid)),
                                        arrow::Buffer::FromString(std::move(offsets))},
                                       {child->data()}, nulls);
    return arrow::MakeArray(data);
  }

 private:
  std::shared_ptr<arrow::DataType> item_;
};

class Distinct final : public SlotAccumulator {
 public:
  Distinct(AggregateCall call, std::shared_ptr<arrow::DataType> argument, std::unique_ptr<Accumulator> inner)
      : SlotAccumulator(std::move(call)),
        argument_(std::move(argument)),
        width_(static_cast<size_t>(value_width(*argument_))),
        inner_(std::move(inner)) {
    call_.arguments.resize(1);
  }

  Status update(const AggregateRows& rows, ValueStore& values) override {
    ElementReader elements(*rows.batch->column(call_.arguments[0]), true);
    CallRows taken(rows, call_, call_.function == "array_agg");
    Status status;
    taken.each([&](size_t i, size_t row) {
      if (status.ok()) status = values.insert(slot(rows.states[i]), elements.read(row), width_);
    });
    return status;
  }
  Status merge(const uint8_t* const* from, const ValueStore& from_values, uint8_t* const* into,
               ValueStore& into_values, size_t count) override {
    std::string copy;
    for (size_t i = 0; i < count; ++i) {
      std::string_view set = bytes_of(from_values, into_values, slot(from[i]), copy);
      WEIR_TRY(each_element(set, width_, [&](std::string_view element) {
        return into_values.insert(slot(into[i]), element, width_);
      }));
    }
    return {};
  }
  Result<std::shared_ptr<arrow::Array>> emit(const uint8_t* const* states, const ValueStore& values,
                                             size_t count) override {
    if (call_.function == "count") {
      ColumnWriter column(call_.type, count);
      for (size_t i = 0; i < count; ++i) {
        int64_t distinct = values.count(slot(states[i]));
        column.append(&distinct, 8);
      }
      return column.finish();
    }
    // The inner function over the sets' values, as if they came as one batch.
    ColumnWriter members(argument_, count);
    std::vector<uint64_t> inner_states(count * (inner_->width() / 8));
    std::vector<uint8_t*> of_member;
    std::vector<const uint8_t*> of_set;
    for (size_t i = 0; i < count; ++i) {
      auto* state = reinterpret_cast<uint8_t*>(inner_states.data() + i * (inner_->width() / 8));
      of_set.push_back(state);
      WEIR_TRY(each_element(values.get(slot(states[i])), width_, [&](std::string_view element) {
        append_element(members, element, width_);
        of_member.push_back(state);
        return Status();
      }));
    }
    WEIR_ASSIGN(auto column, members.finish());
    auto schema = arrow::schema({arrow::field("value", argument_)});
    auto batch = arrow::RecordBatch::Make(schema, column->length(), {column});
    ValueStore inner_values;
    AggregateRows rows{batch.get(), nullptr, of_member.size(), of_member.data(), 1};
    WEIR_TRY(inner_->update(rows, inner_values));
    return inner_->emit(of_set.data(), inner_values, count);
  }

 private:
  std::shared_ptr<arrow::DataType> argument_;
  size_t width_;
  std::unique_ptr<Accumulator> inner_;
};

bool is_text(const arrow::DataType& type) { return value_width(type) == 0; }

}  // namespace

std::unique_ptr<Accumulator> make_list_accumulator(const AggregateCall& call, const Types& arguments) {
  if (arguments.empty()) return nullptr;
  if (call.function == "string_agg" && is_text(*call.type) && is_text(*arguments[0])) {
    return std::make_unique<StringAgg>(call);
  }
  if (call.function == "array_agg" && call.type->id() == arrow::Type::LIST && arguments.size() == 1) {
    const auto& item = *static_cast<const arrow::BaseListType&>(*call.type).value_type();
    if (value_width(item) >= 0 && item.Equals(*arguments[0])) return std::make_unique<ArrayAgg>(call);
  }
  return nullptr;
}

std::unique_ptr<Accumulator> make_distinct_accumulator(const AggregateCall& call, const Types& arguments,
                                                       std::unique_ptr<Accumulator> inner) {
  if (value_width(*arguments[0]) < 0) return nullptr;
  return std::make_unique<Distinct>(call, arguments[0], std::move(inner));
}

}  // namespace weir
