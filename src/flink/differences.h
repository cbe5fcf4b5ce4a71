// What Flink would take differently, or not at all.
#pragma once

#include <string>
#include <vector>

#include "config/source_text.h"
#include "plan/pipeline_plan.h"

namespace weir {

// A function, operator or aggregate, with an expression that gives the same in Weir and in Flink. Examples
// read the columns of the table that docs/portable-sql.md shows.
struct PortableFunction {
  const char* name;
  const char* example;
};

// One that Flink has under this name with another meaning (a warning), or not at all (an error).
struct DifferingFunction {
  const char* name;
  bool refused;
  const char* words;  // what is different, what to write
};

const std::vector<PortableFunction>& portable_functions();
const std::vector<DifferingFunction>& differing_functions();
// Flink's reserved words, in upper case, sorted.
const std::vector<std::string>& flink_reserved_words();

// docs/portable-sql.md.
std::string portable_sql_markdown();

// Errors for what Flink does not take, warnings for what it takes differently, at their places in the file.
// The INSERTs that `weir deploy flink` moves are looked at: the stateful ones, or all when there is none.
void find_flink_differences(const PipelinePlan& plan, const std::string& file_text, Diagnostics& diagnostics);

}  // namespace weir
