// A ClickHouse table as a lookup table: asked for the keys of a batch, with or without a cache of answers, or
// held as a whole.
#pragma once

#include "plan/lookup_connector.h"

namespace weir {

LookupConnector clickhouse_lookup_connector();

}  // namespace weir
