// What a web page must not do to a server that asks for no token.
#pragma once

#include <optional>
#include <string>

#include "edge/http_server.h"

namespace weir {

// For a loopback listener without tokens: 403 when the request was meant for another host (a name that was
// made to point here), or was sent by a page of another origin. `listen_host`: the listener's own.
std::optional<HttpAnswer> refuse_foreign(const HttpHead& head, const std::string& listen_host);

}  // namespace weir
