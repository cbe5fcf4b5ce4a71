// The formats Weir knows: one registration line each, in formats.cpp.
#pragma once

#include <vector>

#include "formats/decoder.h"

namespace weir {

const std::vector<FormatInfo>& all_formats();

}  // namespace weir
