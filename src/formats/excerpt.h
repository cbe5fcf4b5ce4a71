// What messages show of a payload.
#pragma once

#include <string>
#include <string_view>

namespace weir {

// At most 40 bytes, cut between characters, without control characters.
std::string excerpt(std::string_view text);

}  // namespace weir
