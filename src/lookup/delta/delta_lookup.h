// A Delta table as a lookup table: held as a whole, read anew when it has a new version.
#pragma once

#include "plan/lookup_connector.h"

namespace weir {

LookupConnector delta_lookup_connector();

}  // namespace weir
