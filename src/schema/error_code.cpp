#include "schema/error_code.h"

#include <array>
#include <utility>

namespace weir {
namespace {

using Entry = std::pair<ErrorCode, std::string_view>;
constexpr std::array<Entry, 19> kCodes = {{
    {ErrorCode::malformed, "malformed"},
    {ErrorCode::invalid_utf8, "invalid_utf8"},
    {ErrorCode::too_large, "too_large"},
    {ErrorCode::too_deep, "too_deep"},
    {ErrorCode::duplicate_key, "duplicate_key"},
    {ErrorCode::missing_required, "missing_required"},
    {ErrorCode::wrong_type, "wrong_type"},
    {ErrorCode::out_of_range, "out_of_range"},
    {ErrorCode::bad_timestamp, "bad_timestamp"},
    {ErrorCode::unknown_field, "unknown_field"},
    {ErrorCode::unknown_schema, "unknown_schema"},
    {ErrorCode::incompatible_schema, "incompatible_schema"},
    {ErrorCode::check_failed, "check_failed"},
    {ErrorCode::sql_eval, "sql_eval"},
    {ErrorCode::sink_refused, "sink_refused"},
    {ErrorCode::late, "late"},
    {ErrorCode::future, "future"},
    {ErrorCode::unrouted, "unrouted"},
    {ErrorCode::producer_paused, "producer_paused"},
}};

}  // namespace

std::string_view error_code_name(ErrorCode code) {
  for (const Entry& entry : kCodes) {
    if (entry.first == code) return entry.second;
  }
  return "unknown";
}

std::optional<ErrorCode> error_code_from_name(std::string_view name) {
  for (const Entry& entry : kCodes) {
    if (entry.second == name) return entry.first;
  }
  return std::nullopt;
}

const std::vector<ErrorCode>& all_error_codes() {
  static const std::vector<ErrorCode> codes = [] {
    std::vector<ErrorCode> all;
    for (const Entry& entry : kCodes) all.push_back(entry.first);
    return all;
  }();
  return codes;
}

}  // namespace weir
