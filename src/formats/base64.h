// RFC 4648 base64, standard alphabet, with padding and without line breaks.
#pragma once

#include <cstdint>
#include <string_view>

namespace weir {

// Writes at most text.size() bytes to `out`; gives their number, or -1 when `text` is not base64.
int64_t decode_base64(std::string_view text, uint8_t* out);

}  // namespace weir
