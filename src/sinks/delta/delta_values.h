// How Delta writes single values: in statistics and as partition values.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/status.h"

namespace weir {

// "2026-11-21"; nothing outside the years 0 to 9999.
std::optional<std::string> date_text(int64_t days_since_1970);
// "2026-11-21T13:24:23.123456Z" for ('T', "Z"); nothing outside the years 0 to 9999.
std::optional<std::string> timestamp_text(int64_t microseconds, char separator, const char* zone);
// Plain digits, never an exponent: "-12.30".
std::string decimal_json(const arrow::Decimal128& value, int scale);

// Whether a column of this type can be partitioned by.
bool partitionable(const arrow::DataType& type);

// Delta's serialisation of one value ("Partition Value Serialization" in the protocol); nullopt: null. An
// empty string is null there. invalid: a date beyond the year 9999 and the like.
Result<std::optional<std::string>> partition_value(const arrow::Array& array, int64_t row);

// Hive's folder name: "day=2026-11-21", "name=a%2Fb", "name=__HIVE_DEFAULT_PARTITION__" for null.
std::string partition_folder(const std::string& column, const std::optional<std::string>& value);

}  // namespace weir
