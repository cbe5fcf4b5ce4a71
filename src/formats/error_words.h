// What the error records of all formats have in common.
#pragma once

#include <string>
#include <string_view>

namespace weir {

// Of an event that has no payload at all.
inline constexpr const char* kNoPayload =
    "no payload: a tombstone (a message without a value). 'scan.tombstones' = 'skip' leaves them out";

// A name as a reference token of a JSON Pointer (RFC 6901), without the slash in front.
std::string pointer_token(std::string_view name);

}  // namespace weir
