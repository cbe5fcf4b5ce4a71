// Statements of a pipeline file, before names between them are resolved.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "config/options.h"
#include "config/pipeline_spec.h"
#include "config/source_text.h"

namespace weir {

struct SetStatement {
  std::string key;
  OptionValue value;
};

// Option values are as written: ${…} is not replaced yet, and TableSpec::connector is still among its
// options.
struct Statements {
  std::vector<SetStatement> settings;
  std::vector<TableSpec> tables;
  std::vector<ViewSpec> views;
  std::vector<InsertSpec> inserts;
};

// Reads every statement; behind a broken one it goes on after the next ';'.
Statements parse_statements(const std::string& file, const std::string& text, Diagnostics& diagnostics);

}  // namespace weir
