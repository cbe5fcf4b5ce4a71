// Small text forms that the whole system shares: durations, sizes, near names.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace weir {

// "200 ms", "10 s", "5 min", "2 h", "1 d"; a bare number is milliseconds.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

// "64 mb", "1 gb", "512 kb", "100 b"; powers of 1024; a bare number is bytes.
Result<int64_t> parse_size(std::string_view text);

// The candidate nearest to `name` by edit distance, or "" when none is near enough to suggest.
std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates);

// " Did you mean 'x'?" or "".
std::string suggestion(std::string_view name, const std::vector<std::string>& candidates);

// 1234567 -> "1,234,567"
std::string with_thousands(int64_t number);

// "a, b,,c" -> a, b, c: parts between commas, without white space around them; empty ones are left out.
std::vector<std::string> split_list(const std::string& text);

}  // namespace weir
