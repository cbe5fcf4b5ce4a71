// CRC-32C (Castagnoli, as in RFC 3720): by the processor's instruction where there is one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weir {

// Continues `crc`, which is 0 at first: crc32c(b, crc32c(a)) is that of a and b in a row.
uint32_t crc32c(const char* bytes, size_t size, uint32_t crc = 0);

}  // namespace weir
