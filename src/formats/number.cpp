#include "formats/number.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string>

#include "formats/scan.h"

namespace weir {
namespace {

constexpr int kMaxDecimalDigits = 38;

template <typename T>
NumberOutcome to_float(std::string_view text, T* value) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, *value);
  if (error == std::errc() && stop == end) return NumberOutcome::ok;
  if (error != std::errc::result_out_of_range) return NumberOutcome::not_a_number;
  // from_chars does not tell too large from too small.
  const std::string copy(text);
  *value = sizeof(T) == 4 ? static_cast<T>(std::strtof(copy.c_str(), nullptr))
                          : static_cast<T>(std::strtod(copy.c_str(), nullptr));
  return std::isfinite(*value) ? NumberOutcome::ok : NumberOutcome::out_of_range;
}

}  // namespace

const char* number_end(const char* at) {
  if (*at == '-') ++at;
  if (*at == '0') {
    ++at;
    if (is_digit(*at)) return nullptr;
  } else {
    if (!is_digit(*at)) return nullptr;
    while (is_digit(*at)) ++at;
  }
  if (*at == '.') {
    ++at;
    if (!is_digit(*at)) return nullptr;
    while (is_digit(*at)) ++at;
  }
  if (*at == 'e' || *at == 'E') {
    ++at;
    if (*at == '+' || *at == '-') ++at;
    if (!is_digit(*at)) return nullptr;
    while (is_digit(*at)) ++at;
  }
  return at;
}

NumberOutcome exact_decimal(std::string_view text, int precision, int scale, __int128* unscaled) {
  *unscaled = 0;
  const bool negative = !text.empty() && text[0] == '-';
  const std::string_view body = text.substr(negative ? 1 : 0);
  const size_t mantissa_end = std::min(body.find_first_of("eE"), body.size());
  int64_t exponent = 0;
  if (mantissa_end < body.size()) {
    size_t i = mantissa_end + 1;
    const bool minus = body[i] == '-';
    if (minus || body[i] == '+') ++i;
    for (; i < body.size(); ++i) exponent = std::min<int64_t>(exponent * 10 + (body[i] - '0'), 4'000'000'000);
    if (minus) exponent = -exponent;
  }
  const std::string_view mantissa = body.substr(0, mantissa_end);
  const size_t point = std::min(mantissa.find('.'), mantissa.size());
  const size_t first = mantissa.find_first_of("123456789");
  if (first == std::string_view::npos) return NumberOutcome::ok;
  const size_t last = mantissa.find_last_of("123456789");
  // Powers of ten of the first and the last digit that is not 0.
  const auto power = [&](size_t at) {
    const int64_t distance = static_cast<int64_t>(point) - static_cast<int64_t>(at);
    return exponent + (at < point ? distance - 1 : distance);
  };
  const int64_t lowest = power(last) + scale;
  if (power(first) + scale + 1 > std::min(precision, kMaxDecimalDigits)) return NumberOutcome::out_of_range;
  if (lowest < 0) return NumberOutcome::excess_scale;
  unsigned __int128 value = 0;
  for (size_t i = first; i <= last; ++i) {
    if (mantissa[i] != '.') value = value * 10 + static_cast<unsigned>(mantissa[i] - '0');
  }
  for (int64_t i = 0; i < lowest; ++i) value *= 10;
  *unscaled = negative ? -static_cast<__int128>(value) : static_cast<__int128>(value);
  return NumberOutcome::ok;
}

NumberOutcome to_float64(std::string_view text, double* value) { return to_float(text, value); }
NumberOutcome to_float32(std::string_view text, float* value) { return to_float(text, value); }

}  // namespace weir
