// Subjects of NATS that a message can be published on.
#pragma once

#include <string_view>

#include "base/status.h"

namespace weir {

// Tokens between dots, none empty; no wildcards, white space or control characters.
Status check_subject(std::string_view subject);

// Whether `filter`, in which '*' stands for one token and a last '>' for one or more, takes `subject`.
bool takes_subject(std::string_view filter, std::string_view subject);

}  // namespace weir
