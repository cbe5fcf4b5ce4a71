// A changelog in ClickHouse: retractions become rows that say so, and a version tells which row of a key
// counts.
//
// The table is a ReplacingMergeTree(_weir_version, _weir_deleted) sorted by the primary key. Versions come of
// the event's position alone, so a row that is written twice changes nothing, and one that is written late
// (replay) does not win over what came after its event.
#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace weir {

struct TargetTable;
class ClickHouseConnection;

// UInt8: 1 retracts the key. kVersionColumn (sink.h) is UInt64.
inline constexpr const char* kDeletedColumn = "_weir_deleted";

// Rises with the offset; within an event retractions come first, then its rows in order. `offset` is 0 to
// kHighestVersionedOffset, `ordinal` counts the rows of an event.
inline constexpr int64_t kHighestVersionedOffset = (int64_t{1} << 50) - 1;
uint64_t row_version(int64_t offset, bool retracts, int64_t ordinal);

// Adds kVersionColumn, unless the rows bring it (replay), and kDeletedColumn behind kWeightColumn.
Result<std::shared_ptr<arrow::RecordBatch>> with_versions(const std::shared_ptr<arrow::RecordBatch>& rows);

// The engine of a table that is made; `engine` is the option. invalid: the option names one that cannot.
Result<std::string> changelog_engine(const std::string& engine);

// ok when rows of a changelog with this key replace each other in the table; else invalid, with what it
// takes.
Status check_replacing(ClickHouseConnection& connection, const TargetTable& table,
                       const std::vector<std::string>& primary_key);

}  // namespace weir
