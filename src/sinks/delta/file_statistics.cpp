#include "sinks/delta/file_statistics.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/decimal.h>
#include <parquet/metadata.h>
#include <parquet/schema.h>
#include <parquet/statistics.h>
#include <parquet/types.h>

#include <charconv>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>

#include "sinks/delta/delta_values.h"

namespace weir {
namespace {

constexpr int kStringCharacters = 32;

template <typename ArrayType>
bool any_nan(const arrow::Array& array) {
  const auto& values = static_cast<const ArrayType&>(array);
  for (int64_t i = 0; i < values.length(); ++i) {
    if (std::isnan(values.Value(i)) && !values.IsNull(i)) return true;
  }
  return false;
}

void find_nan(const std::string& path, const arrow::Array& array, std::set<std::string>& found) {
  switch (array.type_id()) {
    case arrow::Type::FLOAT:
      if (any_nan<arrow::FloatArray>(array)) found.insert(path);
      return;
    case arrow::Type::DOUBLE:
      if (any_nan<arrow::DoubleArray>(array)) found.insert(path);
      return;
    case arrow::Type::STRUCT: {
      const auto& rows = static_cast<const arrow::StructArray&>(array);
      for (int i = 0; i < rows.num_fields(); ++i) {
        find_nan(path + "." + array.type()->field(i)->name(), *rows.field(i), found);
      }
      return;
    }
    default: return;
  }
}

// How many bytes the first `characters` code points take.
size_t prefix_bytes(std::string_view text, int characters) {
  size_t at = 0;
  while (at < text.size()) {
    bool starts = (static_cast<unsigned char>(text[at]) & 0xC0) != 0x80;
    if (starts && characters-- == 0) break;
    ++at;
  }
  return at;
}

uint32_t decode_last(std::string_view character) {
  auto first = static_cast<unsigned char>(character[0]);
  uint32_t point = character.size() == 1 ? first : first & (0xFF >> (character.size() + 1));
  for (size_t i = 1; i < character.size(); ++i)
    point = point << 6 | (static_cast<unsigned char>(character[i]) & 0x3F);
  return point;
}

void append_utf8(uint32_t point, std::string& out) {
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += static_cast<char>(0xC0 | point >> 6);
    out += static_cast<char>(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    out += static_cast<char>(0xE0 | point >> 12);
    out += static_cast<char>(0x80 | (point >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (point & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | point >> 18);
    out += static_cast<char>(0x80 | (point >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (point >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (point & 0x3F));
  }
}

// An object whose values are JSON text already: decimals must not pass through double.
struct JsonObject {
  std::string text;
  void add(const std::string& name, const std::string& value) {
    text += text.empty() ? "{" : ",";
    text += nlohmann::json(name).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    text += ":" + value;
  }
  bool empty() const { return text.empty(); }
  std::string close() const { return text.empty() ? "{}" : text + "}"; }
};

template <typename Number>
std::optional<std::string> number_text(Number value) {
  if constexpr (std::is_floating_point_v<Number>) {
    if (!std::isfinite(value)) return std::nullopt;
  }
  char buffer[64];
  auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  return std::string(buffer, end);
}

using Bounds = std::pair<std::optional<std::string>, std::optional<std::string>>;  // JSON texts

// min and max of one leaf over all row groups; nothing when a row group cannot tell.
class LeafBounds {
 public:
  LeafBounds(const parquet::FileMetaData& footer, int column) : footer_(footer), column_(column) {}

  // Null count over the file, or -1.
  int64_t null_count() const {
    int64_t nulls = 0;
    for (int group = 0; group < footer_.num_row_groups(); ++group) {
      if (footer_.RowGroup(group)->num_rows() == 0) continue;
      auto statistics = footer_.RowGroup(group)->ColumnChunk(column_)->statistics();
      if (statistics == nullptr || !statistics->HasNullCount()) return -1;
      nulls += statistics->null_count();
    }
    return nulls;
  }

  template <typename ParquetType, typename Text>
  Bounds of(Text text) const {
    std::shared_ptr<parquet::Statistics> merged;
    using Typed = parquet::TypedStatistics<ParquetType>;
    for (int group = 0; group < footer_.num_row_groups(); ++group) {
      if (footer_.RowGroup(group)->num_rows() == 0) continue;
      auto statistics = footer_.RowGroup(group)->ColumnChunk(column_)->statistics();
      if (statistics == nullptr) return {};
      if (!statistics->HasMinMax()) {
        if (statistics->num_values() == 0) continue;  // nulls only
        return {};
      }
      if (merged == nullptr) {
        merged = parquet::MakeStatistics<ParquetType>(footer_.schema()->Column(column_));
      }
      static_cast<Typed&>(*merged).Merge(static_cast<const Typed&>(*statistics));
    }
    if (merged == nullptr || !merged->HasMinMax()) return {};
    const auto& typed = static_cast<const Typed&>(*merged);
    return {text(typed.min(), false), text(typed.max(), true)};
  }

 private:
  const parquet::FileMetaData& footer_;
  int column_;
};

std::optional<std::string> json_string(std::optional<std::string> text) {
  if (!text) return std::nullopt;
  return nlohmann::json(*text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

template <typename ParquetType>
Bounds integers(const LeafBounds& leaf) {
  return leaf.of<ParquetType>([](auto value, bool) { return number_text(value); });
}

Bounds decimal_bounds(const LeafBounds& leaf, const arrow::Decimal128Type& type,
                      const parquet::ColumnDescriptor& column) {
  int scale = type.scale();
  auto text = [scale](const arrow::Decimal128& value) { return std::optional(decimal_json(value, scale)); };
  switch (column.physical_type()) {
    case parquet::Type::INT32:
      return leaf.of<parquet::Int32Type>([&](int32_t value, bool) { return text(arrow::Decimal128(value)); });
    case parquet::Type::INT64:
      return leaf.of<parquet::Int64Type>([&](int64_t value, bool) { return text(arrow::Decimal128(value)); });
    case parquet::Type::FIXED_LEN_BYTE_ARRAY: {
      int width = column.type_length();
      return leaf.of<parquet::FLBAType>([&](const parquet::FLBA& value, bool) -> std::optional<std::string> {
        auto decimal = arrow::Decimal128::FromBigEndian(value.ptr, width);
        if (!decimal.ok()) return std::nullopt;
        return text(*decimal);
      });
    }
    default: return {};
  }
}

Bounds leaf_bounds(const LeafBounds& leaf, const arrow::DataType& type,
                   const parquet::ColumnDescriptor& column, bool has_nan) {
  switch (type.id()) {
    case arrow::Type::INT8:
    case arrow::Type::INT16:
    case arrow::Type::INT32: return integers<parquet::Int32Type>(leaf);
    case arrow::Type::INT64: return integers<parquet::Int64Type>(leaf);
    case arrow::Type::FLOAT: return has_nan ? Bounds{} : integers<parquet::FloatType>(leaf);
    case arrow::Type::DOUBLE: return has_nan ? Bounds{} : integers<parquet::DoubleType>(leaf);
    case arrow::Type::DATE32:
      return leaf.of<parquet::Int32Type>([](int32_t days, bool) { return json_string(date_text(days)); });
    case arrow::Type::TIMESTAMP: {
      bool zoned = !static_cast<const arrow::TimestampType&>(type).timezone().empty();
      return leaf.of<parquet::Int64Type>(
          [&](int64_t us, bool) { return json_string(timestamp_text(us, 'T', zoned ? "Z" : "")); });
    }
    case arrow::Type::DECIMAL128:
      return decimal_bounds(leaf, static_cast<const arrow::Decimal128Type&>(type), column);
    case arrow::Type::STRING:
    case arrow::Type::LARGE_STRING:
      return leaf.of<parquet::ByteArrayType>([](const parquet::ByteArray& value, bool is_max) {
        std::string_view bytes(reinterpret_cast<const char*>(value.ptr), value.len);
        std::string text = is_max ? truncated_maximum(bytes) : truncated_minimum(bytes);
        if (is_max && text.empty() && !bytes.empty()) return std::optional<std::string>();
        return json_string(text);
      });
    default: return {};  // booleans, binary
  }
}

struct StatisticsObjects {
  JsonObject minimum, maximum, nulls;
};

class StatisticsWalk {
 public:
  StatisticsWalk(const parquet::FileMetaData& footer, const ArrayFacts& facts, int leaf_columns)
      : footer_(footer), facts_(facts), left_(leaf_columns) {}

  // `column`: of the top level, or -1 within a struct.
  void add(const arrow::Field& field, const std::string& path, int column, StatisticsObjects& out) {
    if (left_ <= 0) return;
    if (field.type()->id() == arrow::Type::STRUCT) {
      StatisticsObjects inner;
      for (const auto& child : field.type()->fields()) add(*child, path + "." + child->name(), -1, inner);
      if (!inner.minimum.empty()) out.minimum.add(field.name(), inner.minimum.close());
      if (!inner.maximum.empty()) out.maximum.add(field.name(), inner.maximum.close());
      if (!inner.nulls.empty()) out.nulls.add(field.name(), inner.nulls.close());
      return;
    }
    --left_;
    int leaf = footer_.schema()->ColumnIndex(path);
    if (leaf < 0 || footer_.schema()->Column(leaf)->max_repetition_level() > 0) {  // a list or a map
      if (column >= 0) out.nulls.add(field.name(), std::to_string(facts_.null_count(column)));
      return;
    }
    LeafBounds bounds(footer_, leaf);
    int64_t nulls = column >= 0 ? facts_.null_count(column) : bounds.null_count();
    if (nulls >= 0) out.nulls.add(field.name(), std::to_string(nulls));
    auto [minimum, maximum] =
        leaf_bounds(bounds, *field.type(), *footer_.schema()->Column(leaf), facts_.has_nan(path));
    if (minimum) out.minimum.add(field.name(), *minimum);
    if (maximum) out.maximum.add(field.name(), *maximum);
  }

 private:
  const parquet::FileMetaData& footer_;
  const ArrayFacts& facts_;
  int left_;
};

}  // namespace

ArrayFacts::ArrayFacts(const std::shared_ptr<arrow::Schema>& schema)
    : nulls_(static_cast<size_t>(schema->num_fields()), 0) {}

void ArrayFacts::add(const arrow::RecordBatch& rows) {
  for (int i = 0; i < rows.num_columns(); ++i) {
    nulls_[static_cast<size_t>(i)] += rows.column(i)->null_count();
    find_nan(rows.schema()->field(i)->name(), *rows.column(i), nan_);
  }
}

std::string truncated_minimum(std::string_view text) {
  return std::string(text.substr(0, prefix_bytes(text, kStringCharacters)));
}

std::string truncated_maximum(std::string_view text) {
  size_t end = prefix_bytes(text, kStringCharacters);
  if (end == text.size()) return std::string(text);
  // Raise the last character that can be raised; code points and UTF-8 sort alike.
  while (end > 0) {
    size_t begin = end - 1;
    while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
    uint32_t point = decode_last(text.substr(begin, end - begin)) + 1;
    if (point == 0xD800) point = 0xE000;
    if (point <= 0x10FFFF) {
      std::string raised(text.substr(0, begin));
      append_utf8(point, raised);
      return raised;
    }
    end = begin;
  }
  return "";
}

std::string delta_statistics(const parquet::FileMetaData& footer, const arrow::Schema& schema,
                             const ArrayFacts& facts, int leaf_columns) {
  StatisticsObjects objects;
  StatisticsWalk walk(footer, facts, leaf_columns);
  for (int i = 0; i < schema.num_fields(); ++i)
    walk.add(*schema.field(i), schema.field(i)->name(), i, objects);
  JsonObject all;
  all.add("numRecords", std::to_string(footer.num_rows()));
  all.add("minValues", objects.minimum.close());
  all.add("maxValues", objects.maximum.close());
  all.add("nullCount", objects.nulls.close());
  return all.close();
}

}  // namespace weir
