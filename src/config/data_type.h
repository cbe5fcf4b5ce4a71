// Types of the dialect, as DataType describes them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "config/lexer.h"
#include "config/pipeline_spec.h"

namespace weir {

struct ParsedType {
  DataType type;
  bool nullable = true;  // false: NOT NULL stands behind it
};

// Reads a type and its NOT NULL or NULL. Nothing: the errors are in the cursor's diagnostics.
std::optional<ParsedType> parse_type(TokenCursor& cursor);

// The type of a whole text such as "ROW<a INT NOT NULL, b ARRAY<STRING>>".
Result<ParsedType> parse_type_text(const std::string& text);

// SQL spelling of an Arrow type: "DECIMAL(12, 2)", "ROW<a BIGINT>". What the dialect has no name for is told
// as Arrow does.
std::string sql_type(const arrow::DataType& type);

// The names a type may begin with.
const std::vector<std::string>& type_names();

}  // namespace weir
