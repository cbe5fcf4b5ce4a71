// Nullable, Array, Map, Tuple and Nested, and the choice of a node for a pair of types.
#include <arrow/array/array_nested.h>
#include <arrow/array/util.h>
#include <arrow/type.h>

#include <algorithm>
#include <utility>

#include "config/data_type.h"
#include "sinks/clickhouse/native_column.h"

namespace weir {
namespace {

using Column = std::unique_ptr<NativeColumn>;

// A null map, one byte a value, then the values.
class NullableColumn : public NativeColumn {
 public:
  explicit NullableColumn(Column values) : values_(std::move(values)) {}

  void write_prefix(NativeBuffer* out) const override { values_->write_prefix(out); }

  void encode(Pieces pieces, NativeBuffer* out, Refusals* refused) override {
    for (const Piece& piece : pieces) {
      uint8_t* at = out->append(static_cast<size_t>(piece.length));
      if (piece.data->type->id() == arrow::Type::NA) {
        std::memset(at, 1, static_cast<size_t>(piece.length));
      } else if (may_have_nulls(piece)) {
        expand_bits(piece.data->buffers[0]->data(), piece.offset, piece.length, true, at);
      } else if (piece.length > 0) {
        std::memset(at, 0, static_cast<size_t>(piece.length));
      }
    }
    values_->encode(pieces, out, refused);
  }

 private:
  Column values_;
};

// A column of NULL without a type: defaults.
class NullColumn : public NativeColumn {
 public:
  NullColumn(std::string value, bool null_fits) : value_(std::move(value)), null_fits_(null_fits) {}

  void encode(Pieces pieces, NativeBuffer* out, Refusals* refused) override {
    int64_t rows = total_length(pieces);
    for (int64_t i = 0; i < rows; ++i) out->append(value_.data(), value_.size());
    if (null_fits_) return;
    for (int64_t i = 0; i < rows; ++i) refused->push_back({i, "NULL, but the column takes none"});
  }

 private:
  std::string value_;
  bool null_fits_;
};

// Fields of a struct, one after the other.
class TupleColumn : public NativeColumn {
 public:
  struct Element {
    int field = 0;  // of the struct
    std::string name;
    Column values;
  };
  // `hide_nulls`: what a NULL struct's fields lack is no refusal, a null map tells it.
  TupleColumn(std::vector<Element> elements, bool hide_nulls)
      : elements_(std::move(elements)), hide_nulls_(hide_nulls) {}

  void write_prefix(NativeBuffer* out) const override {
    for (const Element& element : elements_) element.values->write_prefix(out);
  }

  void encode(Pieces pieces, NativeBuffer* out, Refusals* refused) override {
    for (const Element& element : elements_) {
      std::vector<std::shared_ptr<arrow::Array>> flattened;
      std::vector<Piece> fields = pieces_of_field(pieces, element.field, &flattened);
      const size_t before = refused->size();
      element.values->encode(fields, out, refused);
      for (size_t i = before; i < refused->size(); ++i) {
        Refusal& refusal = (*refused)[i];
        if (!element.name.empty()) refusal.message = element.name + ": " + refusal.message;
      }
      if (hide_nulls_) drop_hidden(pieces, before, refused);
    }
  }

 private:
  // A NULL struct has NULL in every field; Arrow leaves that to the reader, so bitmaps are joined here.
  static std::vector<Piece> pieces_of_field(Pieces pieces, int field,
                                            std::vector<std::shared_ptr<arrow::Array>>* flattened) {
    std::vector<Piece> fields;
    fields.reserve(pieces.size());
    for (const Piece& piece : pieces) {
      if (piece.length == 0) continue;
      if (!may_have_nulls(piece)) {
        const arrow::ArrayData* child = piece.data->child_data[static_cast<size_t>(field)].get();
        fields.push_back({child, child->offset + piece.offset, piece.length});
        continue;
      }
      arrow::StructArray rows(piece.data->Slice(piece.offset - piece.data->offset, piece.length));
      arrow::Result<std::shared_ptr<arrow::Array>> array = rows.GetFlattenedField(field);
      WEIR_CHECK(array.ok(), array.status().ToString());
      const arrow::ArrayData* data = (*array)->data().get();
      fields.push_back({data, data->offset, piece.length});
      flattened->push_back(std::move(*array));
    }
    return fields;
  }

  static void drop_hidden(Pieces pieces, size_t before, Refusals* refused) {
    auto hidden = [&](const Refusal& refusal) {
      int64_t index = refusal.index;
      for (const Piece& piece : pieces) {
        if (index < piece.length) return is_null(piece, index);
        index -= piece.length;
      }
      return false;
    };
    auto from = refused->begin() + static_cast<std::ptrdiff_t>(before);
    refused->erase(std::remove_if(from, refused->end(), hidden), refused->end());
  }

  std::vector<Element> elements_;
  bool hide_nulls_;
};

// Running ends of the arrays, 8 bytes each, then all elements. A NULL list is an empty array.
class ArrayColumn : public NativeColumn {
 public:
  explicit ArrayColumn(Column elements) : elements_(std::move(elements)) {}

  void write_prefix(NativeBuffer* out) const override { elements_->write_prefix(out); }

  void encode(Pieces pieces, NativeBuffer* out, Refusals* refused) override {
    std::vector<Piece> elements;
    const size_t ends_at = out->size();
    uint64_t end = 0;
    for (const Piece& piece : pieces) {
      if (piece.length == 0) continue;
      switch (piece.data->type->id()) {
        case arrow::Type::LARGE_LIST: put_ends<int64_t>(piece, out, &end, &elements); break;
        case arrow::Type::FIXED_SIZE_LIST: put_fixed(piece, out, &end, &elements); break;
        default: put_ends<int32_t>(piece, out, &end, &elements); break;
      }
    }
    const size_t before = refused->size();
    elements_->encode(elements, out, refused);
    if (refused->size() == before) return;
    // An element that is refused takes its whole array along.
    const int64_t rows = total_length(pieces);
    for (size_t i = before; i < refused->size(); ++i) {
      (*refused)[i].index = row_of(out->data() + ends_at, rows, (*refused)[i].index);
    }
  }

 private:
  static const arrow::ArrayData& values_of(const Piece& piece) { return *piece.data->child_data[0]; }

  template <typename Offset>
  static void put_ends(const Piece& piece, NativeBuffer* out, uint64_t* end, std::vector<Piece>* elements) {
    const Offset* offsets = reinterpret_cast<const Offset*>(piece.data->buffers[1]->data()) + piece.offset;
    const arrow::ArrayData& values = values_of(piece);
    bool hidden = false;  // elements under a NULL
    visit_nulls(piece, [&](int64_t i) { hidden = hidden || offsets[i] != offsets[i + 1]; });
    uint8_t* at = out->append(static_cast<size_t>(piece.length) * sizeof(uint64_t));
    if (!hidden) {
      const uint64_t shift = *end - static_cast<uint64_t>(offsets[0]);
      for (int64_t i = 0; i < piece.length; ++i) {
        store(at + i * 8, static_cast<uint64_t>(offsets[i + 1]) + shift);
      }
      const int64_t count = offsets[piece.length] - offsets[0];
      if (count > 0) elements->push_back({&values, values.offset + offsets[0], count});
      *end += static_cast<uint64_t>(count);
      return;
    }
    for (int64_t i = 0; i < piece.length; ++i) {
      const int64_t count = is_null(piece, i) ? 0 : offsets[i + 1] - offsets[i];
      if (count > 0) elements->push_back({&values, values.offset + offsets[i], count});
      *end += static_cast<uint64_t>(count);
      store(at + i * 8, *end);
    }
  }

  static void put_fixed(const Piece& piece, NativeBuffer* out, uint64_t* end, std::vector<Piece>* elements) {
    const int64_t size = static_cast<const arrow::FixedSizeListType&>(*piece.data->type).list_size();
    const arrow::ArrayData& values = values_of(piece);
    const bool nulls = may_have_nulls(piece);
    uint8_t* at = out->append(static_cast<size_t>(piece.length) * sizeof(uint64_t));
    for (int64_t i = 0; i < piece.length; ++i) {
      if (!(nulls && is_null(piece, i))) {
        const int64_t from = values.offset + (piece.offset + i) * size;
        if (!elements->empty() && elements->back().data == &values &&
            elements->back().offset + elements->back().length == from) {
          elements->back().length += size;
        } else if (size > 0) {
          elements->push_back({&values, from, size});
        }
        *end += static_cast<uint64_t>(size);
      }
      store(at + i * 8, *end);
    }
  }

  static int64_t row_of(const uint8_t* ends, int64_t rows, int64_t element) {
    int64_t low = 0, high = rows - 1;
    while (low < high) {
      int64_t middle = (low + high) / 2;
      if (load<uint64_t>(ends + middle * 8) > static_cast<uint64_t>(element)) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }

  Column elements_;
};

std::string hint_for(const arrow::DataType& type, const ClickHouseType& target) {
  const ClickHouseType& inner = target.inner();
  if (is_text(type)) {
    return "CAST it to a type that fits, or make the column String";
  }
  switch (type.id()) {
    case arrow::Type::TIMESTAMP:
      if (inner.kind == ClickHouseKind::date || inner.kind == ClickHouseKind::date32) {
        return "CAST it AS DATE, or make the column DateTime64";
      }
      break;
    case arrow::Type::DOUBLE:
    case arrow::Type::FLOAT:
      if (inner.kind == ClickHouseKind::float32)
        return "digits would be lost: CAST it AS FLOAT, or make the "
               "column Float64";
      break;
    case arrow::Type::DECIMAL128:
    case arrow::Type::DECIMAL256:
      if (inner.kind == ClickHouseKind::decimal) {
        return "digits behind the point would be lost: CAST it to DECIMAL(" +
               std::to_string(std::min(inner.precision, 38)) + ", " + std::to_string(inner.scale) +
               "), or alter the column";
      }
      break;
    case arrow::Type::DICTIONARY: return "CAST it to the type of its values";
    case arrow::Type::NA: return "CAST the NULL to a type";
    default: break;
  }
  Result<ClickHouseType> fitting = clickhouse_type_for(type, target.takes_null());
  if (!fitting.ok()) return "CAST it to a type that fits";
  return "CAST it to a type that fits, or make the column " + fitting->to_string();
}

Status mismatch(const arrow::DataType& type, const ClickHouseType& target, const std::string& hint) {
  return Status::invalid(sql_type(type) + " cannot be stored in " + target.to_string() + ": " + hint);
}

Result<Column> make_tuple(const arrow::StructType& type, const ClickHouseType& target, bool null_fits,
                          bool hide_nulls) {
  if (target.children.empty()) return mismatch(type, target, "a Tuple without elements cannot be written");
  const bool named = !target.names.empty();
  std::vector<TupleColumn::Element> elements;
  if (!named && type.num_fields() != static_cast<int>(target.children.size())) {
    return mismatch(type, target,
                    "the ROW has " + std::to_string(type.num_fields()) + " fields, the Tuple " +
                        std::to_string(target.children.size()));
  }
  for (size_t i = 0; i < target.children.size(); ++i) {
    int field = named ? type.GetFieldIndex(target.names[i]) : static_cast<int>(i);
    if (field < 0) return mismatch(type, target, "the ROW has no field " + target.names[i]);
    Result<Column> values = make_native_column(*type.field(field)->type(), target.children[i], null_fits);
    std::string name = named ? target.names[i] : std::to_string(i + 1);
    if (!values.ok()) return values.status().with_context(name);
    elements.push_back({field, name, std::move(*values)});
  }
  for (const auto& field : type.fields()) {
    bool found =
        !named || std::find(target.names.begin(), target.names.end(), field->name()) != target.names.end();
    if (!found) return mismatch(type, target, "the Tuple has no element " + field->name());
  }
  return Column(std::make_unique<TupleColumn>(std::move(elements), hide_nulls));
}

const arrow::DataType* list_element(const arrow::DataType& type) {
  bool list = type.id() == arrow::Type::LIST || type.id() == arrow::Type::LARGE_LIST ||
              type.id() == arrow::Type::FIXED_SIZE_LIST;
  return list ? static_cast<const arrow::BaseListType&>(type).value_type().get() : nullptr;
}

Result<Column> make_map(const arrow::MapType& type, const ClickHouseType& target, bool null_fits) {
  WEIR_ASSIGN(Column keys, make_native_column(*type.key_type(), target.children[0], null_fits));
  WEIR_ASSIGN(Column values, make_native_column(*type.item_type(), target.children[1], null_fits));
  std::vector<TupleColumn::Element> elements;
  elements.push_back({0, "key", std::move(keys)});
  elements.push_back({1, "value", std::move(values)});
  return Column(std::make_unique<ArrayColumn>(std::make_unique<TupleColumn>(std::move(elements), false)));
}

}  // namespace

Result<Column> make_flattened_column(const arrow::DataType& type, int field, const ClickHouseType& target,
                                     bool null_fits) {
  const arrow::DataType* element = list_element(type);
  if (element == nullptr || element->id() != arrow::Type::STRUCT || target.kind != ClickHouseKind::array) {
    return mismatch(type, target, "a part of a Nested takes the fields of an ARRAY<ROW<…>>");
  }
  const auto& row = static_cast<const arrow::StructType&>(*element);
  WEIR_ASSIGN(Column values, make_native_column(*row.field(field)->type(), target.children[0], null_fits));
  std::vector<TupleColumn::Element> elements;
  elements.push_back({field, row.field(field)->name(), std::move(values)});
  return Column(std::make_unique<ArrayColumn>(std::make_unique<TupleColumn>(std::move(elements), false)));
}

Result<Column> make_native_column(const arrow::DataType& type, const ClickHouseType& target, bool null_fits) {
  const bool null_type = type.id() == arrow::Type::NA;
  switch (target.kind) {
    case ClickHouseKind::nullable: {
      if (target.children[0].kind == ClickHouseKind::tuple && type.id() == arrow::Type::STRUCT) {
        WEIR_ASSIGN(Column row, make_tuple(static_cast<const arrow::StructType&>(type), target.children[0],
                                           null_fits, true));
        return Column(std::make_unique<NullableColumn>(std::move(row)));
      }
      // What a null map says is not asked again below it.
      WEIR_ASSIGN(Column values, make_native_column(type, target.children[0], true));
      return Column(std::make_unique<NullableColumn>(std::move(values)));
    }
    case ClickHouseKind::low_cardinality: {
      if (null_type) return mismatch(type, target, hint_for(type, target));
      Column inner;
      if (!is_text(type) || (target.inner().kind != ClickHouseKind::string)) {
        Result<Column> made = make_native_column(type, target.inner(), null_fits || target.takes_null());
        if (!made.ok()) return mismatch(type, target, hint_for(type, target));
        inner = std::move(*made);
      }
      return make_low_cardinality_column(type, target, std::move(inner), null_fits);
    }
    case ClickHouseKind::array: {
      const arrow::DataType* element = list_element(type);
      if (element == nullptr) return mismatch(type, target, hint_for(type, target));
      WEIR_ASSIGN(Column values, make_native_column(*element, target.children[0], null_fits));
      return Column(std::make_unique<ArrayColumn>(std::move(values)));
    }
    case ClickHouseKind::nested: {
      const arrow::DataType* element = list_element(type);
      if (element == nullptr || element->id() != arrow::Type::STRUCT) {
        return mismatch(type, target, "a Nested column takes ARRAY<ROW<…>>");
      }
      WEIR_ASSIGN(Column values,
                  make_tuple(static_cast<const arrow::StructType&>(*element), target, null_fits, false));
      return Column(std::make_unique<ArrayColumn>(std::move(values)));
    }
    case ClickHouseKind::map:
      if (type.id() != arrow::Type::MAP) return mismatch(type, target, hint_for(type, target));
      return make_map(static_cast<const arrow::MapType&>(type), target, null_fits);
    case ClickHouseKind::tuple:
      if (type.id() != arrow::Type::STRUCT) return mismatch(type, target, hint_for(type, target));
      return make_tuple(static_cast<const arrow::StructType&>(type), target, null_fits, false);
    default: break;
  }
  const bool text = target.kind == ClickHouseKind::string;
  if (null_type && (text || target.fixed_width_bytes() > 0)) {
    return Column(
        std::make_unique<NullColumn>(text ? std::string(1, '\0') : default_bytes(target), null_fits));
  }
  for (auto* make : {make_number_column, make_time_column, make_decimal_column, make_text_column}) {
    if (Column column = make(type, target, null_fits)) return column;
  }
  return mismatch(type, target, hint_for(type, target));
}

}  // namespace weir
