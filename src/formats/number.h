// JSON numbers, exactly.
#pragma once

#include <cstdint>
#include <string_view>

namespace weir {

// A number token by the JSON grammar at `at`: its end, or null when there is none (leading zeros, "+1", "1.",
// ".5" and NaN are none). Stops at the first byte that cannot belong to a number.
const char* number_end(const char* at);

enum class NumberOutcome { ok, not_a_number, out_of_range, excess_scale };

// `text` is a whole number token. The value times 10^scale as an integer, without rounding.
// out_of_range: more than `precision` digits; excess_scale: digits other than 0 beyond the scale.
NumberOutcome exact_decimal(std::string_view text, int precision, int scale, __int128* unscaled);

// Correctly rounded. Overflow is out_of_range; what is nearer to 0 than the type can hold becomes 0.
NumberOutcome to_float64(std::string_view text, double* value);
NumberOutcome to_float32(std::string_view text, float* value);

}  // namespace weir
