// 'format' = 'json': one JSON object an event, decoded along the columns of the table.
//
// Strict unless an option says otherwise; what each type takes stands in json_decoder.h.
#pragma once

#include "formats/decoder.h"

namespace weir {

FormatInfo json_format();

}  // namespace weir
