// The codes of the error lake: one enum, in this one place. The names are what tables, docs and `--code` use.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace weir {

enum class ErrorCode {
  malformed,
  invalid_utf8,
  too_large,
  too_deep,
  duplicate_key,
  missing_required,
  wrong_type,
  out_of_range,
  bad_timestamp,
  unknown_field,
  unknown_schema,
  incompatible_schema,
  check_failed,
  sql_eval,
  sink_refused,
  late,
  future,
  unrouted,
  producer_paused,
};

std::string_view error_code_name(ErrorCode code);
std::optional<ErrorCode> error_code_from_name(std::string_view name);
const std::vector<ErrorCode>& all_error_codes();

}  // namespace weir
