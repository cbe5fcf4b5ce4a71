// Named points at which a test may end the process as `kill -9` would.
//
// WEIR_CRASH_POINT="name:n" kills this process with SIGKILL at the n-th passage (from 1) of that point;
// "*:n" at the n-th passage of any point. Unset (always, in production): one predictable branch.
#pragma once

namespace weir {

void crash_point(const char* name);

}  // namespace weir
