#include "sinks/delta/key_ranges.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "sinks/delta/delta_values.h"

namespace weir {
namespace {

constexpr size_t kSecondsLength = 19;

template <typename ArrayType>
std::vector<int64_t> integers_of(const arrow::Array& array) {
  const auto* values = static_cast<const ArrayType&>(array).raw_values();
  return {values, values + array.length()};
}

template <typename T>
void sort_once(std::vector<T>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

nlohmann::json bound(const nlohmann::json& statistics, const char* which, const std::string& column) {
  const auto bounds = statistics.is_object() ? statistics.find(which) : statistics.end();
  if (bounds == statistics.end() || !bounds->is_object()) return nullptr;
  return bounds->value(column, nlohmann::json());
}

// "2026-11-21T13:24:23" of Delta's texts of timestamps, which have a blank or a T and may name UTC; "" when
// it is in another zone or form.
std::string seconds_of(const std::string& text) {
  if (text.size() < kSecondsLength || text[4] != '-' || text[13] != ':') return "";
  const size_t zone = text.find_first_of("Z+-", kSecondsLength);
  if (zone != std::string::npos) {
    const std::string named = text.substr(zone);
    if (named != "Z" && named != "+00:00" && named != "+0000") return "";
  }
  std::string seconds = text.substr(0, kSecondsLength);
  seconds[10] = 'T';
  return seconds;
}

}  // namespace

bool KeyRanges::Column::any_between(int64_t low, int64_t high) const {
  const auto at = std::lower_bound(integers.begin(), integers.end(), low);
  return at != integers.end() && *at <= high;
}

bool KeyRanges::Column::any_between(const std::string& low, const std::string& high) const {
  const auto at = std::lower_bound(texts.begin(), texts.end(), low);
  return at != texts.end() && *at <= high;
}

KeyRanges::Column KeyRanges::column_of(const arrow::Array& values, const std::string& name) {
  Column column;
  column.name = name;
  column.form = Column::Form::integer;
  switch (values.type_id()) {
    case arrow::Type::INT8: column.integers = integers_of<arrow::Int8Array>(values); break;
    case arrow::Type::INT16: column.integers = integers_of<arrow::Int16Array>(values); break;
    case arrow::Type::INT32: column.integers = integers_of<arrow::Int32Array>(values); break;
    case arrow::Type::INT64: column.integers = integers_of<arrow::Int64Array>(values); break;
    case arrow::Type::STRING:
      column.form = Column::Form::text;
      for (int64_t i = 0; i < values.length(); ++i)
        column.texts.push_back(static_cast<const arrow::StringArray&>(values).GetString(i));
      break;
    case arrow::Type::DATE32:
    case arrow::Type::TIMESTAMP: {
      const bool is_date = values.type_id() == arrow::Type::DATE32;
      column.form = is_date ? Column::Form::text : Column::Form::seconds;
      for (int64_t i = 0; i < values.length(); ++i) {
        auto text = partition_value(values, i);
        const std::string known = text.ok() && *text ? is_date ? **text : seconds_of(**text) : "";
        if (known.empty()) column.form = Column::Form::unknown;
        column.texts.push_back(known);
      }
      break;
    }
    default: column.form = Column::Form::unknown; break;
  }
  sort_once(column.integers);
  sort_once(column.texts);
  return column;
}

KeyRanges::KeyRanges(const arrow::RecordBatch& keys) {
  for (int i = 0; i < keys.num_columns(); ++i)
    columns_.push_back(column_of(*keys.column(i), keys.schema()->field(i)->name()));
}

bool KeyRanges::may_hold(const bridge::AddFile& file) const {
  const auto statistics = nlohmann::json::parse(file.stats_json, nullptr, false);
  for (const Column& column : columns_) {
    if (column.form == Column::Form::unknown) continue;
    nlohmann::json low, high;
    const auto partition = std::find_if(file.partition_values.begin(), file.partition_values.end(),
                                        [&](const auto& value) { return value.first == column.name; });
    if (partition != file.partition_values.end()) {
      // An empty text is stored as NULL there.
      if (!partition->second && column.form != Column::Form::text) return false;
      low = partition->second.value_or("");
      if (column.form == Column::Form::integer) {
        int64_t number = 0;
        const std::string& text = *partition->second;
        if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc()) continue;
        low = number;
      }
      high = low;
    } else {
      low = bound(statistics, "minValues", column.name);
      high = bound(statistics, "maxValues", column.name);
    }
    if (column.form == Column::Form::integer) {
      if (!low.is_number_integer() || !high.is_number_integer()) continue;
      if (!column.any_between(low.get<int64_t>(), high.get<int64_t>())) return false;
      continue;
    }
    if (!low.is_string() || !high.is_string()) continue;
    auto from = low.get<std::string>(), to = high.get<std::string>();
    if (column.form == Column::Form::seconds) {
      from = seconds_of(from);
      to = seconds_of(to);
      if (from.empty() || to.empty()) continue;
    }
    if (!column.any_between(from, to)) return false;
  }
  return true;
}

}  // namespace weir
