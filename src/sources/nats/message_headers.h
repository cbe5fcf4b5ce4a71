// Headers of a NATS message as events carry them.
#pragma once

#include <nats/nats.h>

#include <string>

namespace weir {

// A JSON object of strings, several values of one name joined by ", "; "" when the message has none.
std::string headers_json(natsMsg* message);

}  // namespace weir
