// A local file as a lookup table: NDJSON or CSV along the declared columns, or Parquet. Held as a whole, read
// anew when its time or size changes.
#pragma once

#include "plan/lookup_connector.h"

namespace weir {

LookupConnector file_lookup_connector();

}  // namespace weir
