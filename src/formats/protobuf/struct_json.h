// google.protobuf.Struct, Value and ListValue as JSON text.
#pragma once

#include <string>
#include <string_view>

#include "formats/protobuf/message_plan.h"
#include "formats/protobuf/wire.h"

namespace weir::protobuf {

enum class StructError { none, wire, utf8, number };

struct StructProblem {
  StructError error = StructError::none;
  wire::WireError wire = wire::WireError::none;
  const char* at = nullptr;
};

// Appends the text, without white space, to `out`. Of a key that is given twice the last one counts, in the
// place of the first; a Value with nothing in it is null.
StructProblem struct_json(std::string_view message, JsonKind kind, int max_depth, std::string* out);

}  // namespace weir::protobuf
