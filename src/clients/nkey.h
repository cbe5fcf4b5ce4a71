// NKeys, the Ed25519 keys of NATS:
// https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/nkey_auth
#pragma once

#include <string>

#include "base/status.h"

namespace weir {

// `option` is a seed ("SU…") or a file that holds one, maybe among comments. Errors never repeat the seed.
Result<std::string> nkey_seed(const std::string& option);

// The public key ("U…") of a user's seed.
Result<std::string> nkey_public_key(const std::string& seed);

}  // namespace weir
