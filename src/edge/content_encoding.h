// Content-Encoding of a request's body, undone with a bound.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "edge/http_server.h"

namespace weir {

// `encoding`: the header's value. Nothing, and `out` holds the decoded body; or a problem: 415 for an unknown
// encoding, 413 beyond `max_bytes`, 400 for a damaged body.
std::optional<HttpAnswer> decode_body(std::string_view encoding, std::string_view body, int64_t max_bytes,
                                      std::string& out);

}  // namespace weir
