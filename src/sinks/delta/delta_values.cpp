#include "sinks/delta/delta_values.h"

#include <arrow/array.h>
#include <arrow/type.h>
#include <arrow/util/decimal.h>

#include <charconv>
#include <cmath>
#include <cstdio>

namespace weir {
namespace {

constexpr int64_t kDayUs = 86'400'000'000;

// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": days -> civil.
void civil_from_days(int64_t days, int64_t& year, unsigned& month, unsigned& day) {
  days += 719468;
  int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  auto of_era = static_cast<unsigned>(days - era * 146097);
  unsigned year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  unsigned of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  unsigned shifted = (5 * of_year + 2) / 153;
  day = of_year - (153 * shifted + 2) / 5 + 1;
  month = shifted < 10 ? shifted + 3 : shifted - 9;
  year = static_cast<int64_t>(year_of_era) + era * 400 + (month <= 2 ? 1 : 0);
}

template <typename ArrayType>
std::string number(const arrow::Array& array, int64_t row) {
  char buffer[64];
  auto value = static_cast<const ArrayType&>(array).Value(row);
  if constexpr (std::is_floating_point_v<decltype(value)>) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  }
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

std::optional<int64_t> microseconds(const arrow::TimestampType& type, int64_t value) {
  int64_t factor = type.unit() == arrow::TimeUnit::SECOND  ? 1'000'000
                   : type.unit() == arrow::TimeUnit::MILLI ? 1000
                                                           : 1;
  int64_t result;
  if (__builtin_mul_overflow(value, factor, &result)) return std::nullopt;
  return result;
}

Result<std::optional<std::string>> in_range(std::optional<std::string> text) {
  if (!text)
    return Status::invalid("a partition value lies outside the years 0 to 9999, which Delta cannot name");
  return text;
}

}  // namespace

std::optional<std::string> date_text(int64_t days_since_1970) {
  int64_t year;
  unsigned month, day;
  civil_from_days(days_since_1970, year, month, day);
  if (year < 0 || year > 9999) return std::nullopt;
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%04d-%02u-%02u", static_cast<int>(year), month, day);
  return buffer;
}

std::optional<std::string> timestamp_text(int64_t microseconds, char separator, const char* zone) {
  int64_t days = microseconds / kDayUs;
  int64_t rest = microseconds % kDayUs;
  if (rest < 0) {
    rest += kDayUs;
    --days;
  }
  auto date = date_text(days);
  if (!date) return std::nullopt;
  char buffer[48];
  std::snprintf(buffer, sizeof buffer, "%s%c%02d:%02d:%02d.%06d%s", date->c_str(), separator,
                static_cast<int>(rest / 3'600'000'000), static_cast<int>(rest / 60'000'000 % 60),
                static_cast<int>(rest / 1'000'000 % 60), static_cast<int>(rest % 1'000'000), zone);
  return buffer;
}

std::string decimal_json(const arrow::Decimal128& value, int scale) {
  std::string digits = value.ToIntegerString();
  bool negative = digits[0] == '-';
  if (negative) digits.erase(0, 1);
  if (scale > 0) {
    auto width = static_cast<size_t>(scale);
    if (digits.size() <= width) digits.insert(0, width + 1 - digits.size(), '0');
    digits.insert(digits.size() - width, ".");
  } else if (digits != "0") {
    digits.append(static_cast<size_t>(-scale), '0');
  }
  return negative ? "-" + digits : digits;
}

bool partitionable(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::BOOL:
    case arrow::Type::INT8:
    case arrow::Type::INT16:
    case arrow::Type::INT32:
    case arrow::Type::INT64:
    case arrow::Type::FLOAT:
    case arrow::Type::DOUBLE:
    case arrow::Type::DATE32:
    case arrow::Type::TIMESTAMP:
    case arrow::Type::DECIMAL128:
    case arrow::Type::STRING: return true;
    default: return false;
  }
}

Result<std::optional<std::string>> partition_value(const arrow::Array& array, int64_t row) {
  using Value = std::optional<std::string>;
  if (array.IsNull(row)) return Value();
  switch (array.type_id()) {
    case arrow::Type::BOOL:
      return Value(static_cast<const arrow::BooleanArray&>(array).Value(row) ? "true" : "false");
    case arrow::Type::INT8: return Value(number<arrow::Int8Array>(array, row));
    case arrow::Type::INT16: return Value(number<arrow::Int16Array>(array, row));
    case arrow::Type::INT32: return Value(number<arrow::Int32Array>(array, row));
    case arrow::Type::INT64: return Value(number<arrow::Int64Array>(array, row));
    case arrow::Type::FLOAT: return Value(number<arrow::FloatArray>(array, row));
    case arrow::Type::DOUBLE: return Value(number<arrow::DoubleArray>(array, row));
    case arrow::Type::DATE32:
      return in_range(date_text(static_cast<const arrow::Date32Array&>(array).Value(row)));
    case arrow::Type::TIMESTAMP: {
      const auto& type = static_cast<const arrow::TimestampType&>(*array.type());
      auto us = microseconds(type, static_cast<const arrow::TimestampArray&>(array).Value(row));
      if (!us) return in_range(std::nullopt);
      return in_range(type.timezone().empty() ? timestamp_text(*us, ' ', "") : timestamp_text(*us, 'T', "Z"));
    }
    case arrow::Type::DECIMAL128: {
      arrow::Decimal128 value(static_cast<const arrow::Decimal128Array&>(array).GetValue(row));
      return Value(decimal_json(value, static_cast<const arrow::Decimal128Type&>(*array.type()).scale()));
    }
    case arrow::Type::STRING: {
      auto text = static_cast<const arrow::StringArray&>(array).GetView(row);
      return text.empty() ? Value() : Value(std::string(text));
    }
    default: return Status::internal("cannot be partitioned by " + array.type()->ToString());
  }
}

std::string partition_folder(const std::string& column, const std::optional<std::string>& value) {
  auto escape = [](const std::string& text) {
    static constexpr char kHex[] = "0123456789ABCDEF";
    std::string out;
    for (unsigned char c : text) {
      bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                   c == '_' || c == '.';
      if (plain) {
        out += static_cast<char>(c);
      } else {
        out += '%';
        out += kHex[c >> 4];
        out += kHex[c & 15];
      }
    }
    return out;
  };
  // A longer folder name than file systems allow is cut: the log, not the folder, holds the value.
  return escape(column) + "=" + (value ? escape(*value).substr(0, 180) : "__HIVE_DEFAULT_PARTITION__");
}

}  // namespace weir
