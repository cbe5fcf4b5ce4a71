// Query text between Flink's spelling and DataFusion's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/source_text.h"

namespace weir {

// The query, or expression, as DataFusion reads it: `name` becomes "name"; in casts BYTES becomes BYTEA,
// TIMESTAMP_LTZ(p) and TIMESTAMP(p) WITH LOCAL TIME ZONE become TIMESTAMP(p) WITH TIME ZONE, and a bare
// TIMESTAMP is TIMESTAMP(6), also before a literal; comments become blanks. Line numbers stay. What the
// planner of rust/bridge reads by other words: TABLE within a window function is left out, `TABLE t PARTITION
// BY a, b` is _weir_partitioned(t, a, b), `d FOR SYSTEM_TIME AS OF o.p` is _weir_lookup(d, o.p), and INTERVAL
// '1:30' MINUTE TO SECOND is INTERVAL '1 MINUTE 30 SECOND'.
std::string portable_query(const std::string& query);

// Refuses what no operator does (OVER, outer joins, ORDER BY, INTERSECT, …), at its place in the file.
// `location` is that of the query's first byte. Only spellings are seen: what looks like a function is left
// to the planner.
std::optional<Diagnostic> refuse_unsupported(const std::string& query, const Location& location);

// Names of the tables that stand in front of FOR SYSTEM_TIME AS OF.
std::vector<std::string> looked_up_tables(const std::string& query);

// A place within a query (line and column from 1, in bytes) as a place in its file.
Location offset_location(const Location& query_start, int line, int column);

// The same for a place that the planner reports within portable_query(query), its column in characters.
Location planner_location(const std::string& query, const Location& query_start, int line, int column);

}  // namespace weir
