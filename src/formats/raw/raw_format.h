// Format 'raw': an event's bytes, as they are, in one column.
#pragma once

#include "formats/decoder.h"

namespace weir {

FormatInfo raw_format();

}  // namespace weir
