// ISO-8601 dates and times as JSON strings hold them.
#pragma once

#include <cstdint>
#include <string_view>

namespace weir {

enum class TimeOutcome {
  ok,
  not_iso,       // the text is no such date or time
  too_precise,   // digits other than 0 beyond what the type holds
  out_of_range,  // the type cannot hold the instant
};

// "2026-11-21" -> days since 1970-01-01; years 0001 to 9999.
TimeOutcome parse_date(std::string_view text, int64_t* days);

// "12:34", "12:34:56" or "12:34:56.789" -> units since midnight, `fraction_digits` (0, 3, 6, 9) of them a
// second.
TimeOutcome parse_time(std::string_view text, int fraction_digits, int64_t* units);

// What follows the 10 bytes of the date: 'T', 't' or ' ', a time, and optionally 'Z' or an offset such as
// +02, +0200 or +02:00. Units since 1970-01-01 UTC; without an offset the text is UTC already.
TimeOutcome parse_after_date(std::string_view text, int64_t days, int fraction_digits, int64_t* units);

}  // namespace weir
