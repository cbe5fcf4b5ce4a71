#pragma once

#include "formats/decoder.h"

namespace weir {

// 'csv': one record an event, its fields by position.
FormatInfo csv_format();

}  // namespace weir
