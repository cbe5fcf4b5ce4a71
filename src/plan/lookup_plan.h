// Tables that are only read FOR SYSTEM_TIME AS OF: no stream, but something that is asked for keys.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/pipeline_spec.h"
#include "plan/registry.h"

namespace weir {

struct LookupPlan {
  TableSpec table;
  const LookupConnector* connector = nullptr;
  const FormatInfo* format = nullptr;
  std::string format_name;
  Options options;
  std::shared_ptr<arrow::Schema> schema;
  std::map<std::string, std::string> storage;
};

// Null after an error. `storage`: s3.* of SET.
std::unique_ptr<LookupPlan> make_lookup_plan(const TableSpec& table, const Registry& registry,
                                             const std::map<std::string, std::string>& storage,
                                             Diagnostics& diagnostics);

// The table itself; nothing has been read yet. One is enough for all tasks of a run. `plan` outlives it.
Result<std::shared_ptr<LookupTable>> open_lookup(const LookupPlan& plan, const Clock& clock,
                                                 std::function<void(const std::string&)> log);

}  // namespace weir
