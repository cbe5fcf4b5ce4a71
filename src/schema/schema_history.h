// The versions that the columns of a pipeline's tables have had: what error records and refusals name.
//
// One object a version, put if absent: <pipeline>/schemas/<table>/<version, 6 digits>.json below state.path:
//   {"format": "weir-schema", "version": 1, "number": 3, "since": "2026-11-21T16:00:00Z",
//    "columns": [{"name": "amount", "type": "DECIMAL(12, 2)", "nullable": true}, …]}
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/objects.h"
#include "base/status.h"

namespace weir {

struct SchemaColumn {
  std::string name;
  std::string type;  // as SQL
  bool nullable = true;
  bool operator==(const SchemaColumn&) const = default;
};

struct SchemaVersion {
  int32_t number = 0;  // from 1; 0: none was recorded yet
  std::string since;
  std::vector<SchemaColumn> columns;
};

// What differs, in words: "amount DECIMAL(12, 2) is now STRING", "note STRING is new". Empty: nothing.
std::vector<std::string> schema_changes(const std::vector<SchemaColumn>& before,
                                        const std::vector<SchemaColumn>& now);

// `objects` is the root of state.path and outlives the history. One thread.
class SchemaHistory {
 public:
  SchemaHistory(ObjectStore& objects, const std::string& pipeline, const std::string& table);

  // The newest version. invalid when the object is damaged or newer than this binary.
  Result<SchemaVersion> newest();
  // The number of the version that has these columns: the newest, or one that is added now. Another worker
  // may add it at the same time.
  Result<int32_t> record(const std::vector<SchemaColumn>& columns, int64_t now_us);

 private:
  ObjectStore& objects_;
  std::string folder_;
};

}  // namespace weir
