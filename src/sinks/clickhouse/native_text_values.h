// Texts of ClickHouse's values that are not numbers: as the server writes and reads them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

// "61f0c404-5cb3-11e7-907b-a6006ad3dba0", also without hyphens: 16 bytes as the column holds them, two
// little-endian halves. False: no UUID.
bool parse_uuid(std::string_view text, uint8_t* out);

// "192.168.0.1": 4 bytes, little-endian.
bool parse_ipv4(std::string_view text, uint8_t* out);

// "2001:db8::1", "::ffff:1.2.3.4", and "1.2.3.4" as the mapped address: 16 bytes in network order.
bool parse_ipv6(std::string_view text, uint8_t* out);

// Empty when the text is one JSON object (RFC 8259), else what is wrong and where.
std::string json_object_problem(std::string_view text);

}  // namespace weir
