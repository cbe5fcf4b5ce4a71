// CREATE TABLE, behind its first two words.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/lexer.h"
#include "config/pipeline_spec.h"

namespace weir {

// Reads up to the end of the statement, without its ';'. Nothing: the table is unusable and the errors are
// reported.
std::optional<TableSpec> parse_table(TokenCursor& cursor);

// False, with an error, when IF is not followed by NOT EXISTS.
bool parse_if_not_exists(TokenCursor& cursor);

// A bare name: catalogs and databases are refused.
bool parse_object_name(TokenCursor& cursor, const std::string& what, std::string& name);

struct NamedPlace {
  std::string name;
  Location location;
};

// "(a, b)", without doubles.
bool parse_name_list(TokenCursor& cursor, const std::string& what, std::vector<NamedPlace>& names);

// The string behind COMMENT.
bool parse_comment_text(TokenCursor& cursor);

}  // namespace weir
