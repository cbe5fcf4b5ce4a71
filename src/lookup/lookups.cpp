#include "lookup/lookups.h"

#include "lookup/clickhouse/clickhouse_lookup.h"
#include "lookup/delta/delta_lookup.h"
#include "lookup/file/file_lookup.h"

namespace weir {

const std::vector<LookupConnector>& all_lookups() {
  static const std::vector<LookupConnector> lookups = {
      delta_lookup_connector(),
      clickhouse_lookup_connector(),
      file_lookup_connector(),
  };
  return lookups;
}

}  // namespace weir
