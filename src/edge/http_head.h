// The texts of HTTP that need no connection: targets, answers.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "edge/http_server.h"

namespace weir {

// Splits a request's target into head.path and head.query, decoded. invalid, with words for the client, when
// the path is relative, badly encoded, or holds "..", a control character, a backslash or an encoded slash.
Status parse_target(std::string_view target, HttpHead& head);

// The answer as bytes on the wire. `date` is an IMF-fixdate. A HEAD request gets no body, its length only.
std::string serialize_answer(const HttpAnswer& answer, std::string_view date, bool keep_alive,
                             bool head_only);

// "Sat, 21 Nov 2026 19:57:19 GMT"
std::string http_date(int64_t seconds_since_1970);

std::string_view reason_phrase(int status);

}  // namespace weir
