// Query text between Flink's spelling and DataFusion's.
#pragma once

#include <optional>
#include <string>

#include "config/source_text.h"

namespace weir {

// The query, or expression, as DataFusion reads it: `name` becomes "name"; in casts BYTES becomes BYTEA,
// TIMESTAMP_LTZ(p) and TIMESTAMP(p) WITH LOCAL TIME ZONE become TIMESTAMP(p) WITH TIME ZONE, and a bare
// TIMESTAMP is TIMESTAMP(6), also before a literal; comments become blanks. Line numbers stay.
std::string portable_query(const std::string& query);

// Refuses what needs state (windows, aggregates, joins, DISTINCT, ORDER BY, …), at its place in the file.
// `location` is that of the query's first byte. Only spellings are seen: what looks like a function is left
// to the planner.
std::optional<Diagnostic> refuse_stateful(const std::string& query, const Location& location);

// A place within a query (line and column from 1, in bytes) as a place in its file.
Location offset_location(const Location& query_start, int line, int column);

// The same for a place that the planner reports within portable_query(query), its column in characters.
Location planner_location(const std::string& query, const Location& query_start, int line, int column);

}  // namespace weir
