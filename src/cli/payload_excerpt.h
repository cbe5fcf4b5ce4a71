// A stored event for the eye: bytes that do not print are escaped, and a caret stands under the offending
// one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

// Control characters and bytes that are not UTF-8 become "\xNN".
std::string printable(std::string_view bytes);

// Up to `width` columns of the line that holds byte `at`, indented by two, and below it "  ^" under that
// byte; without a place (at < 0) the payload's beginning alone. "…" marks what was cut.
std::string payload_excerpt(std::string_view payload, int64_t at, size_t width);

}  // namespace weir
