// ${env:NAME} and ${file:PATH} in option values.
#pragma once

#include <string>

#include "config/options.h"
#include "config/source_text.h"

namespace weir {

// Replaces every reference in `value.text`; "$${" stands for a literal "${". A PATH is relative to `folder`,
// and one newline at the file's end is dropped. What cannot be resolved is an error at the value's place;
// contents appear in no message.
void replace_references(OptionValue& value, const std::string& folder, Diagnostics& diagnostics);

}  // namespace weir
