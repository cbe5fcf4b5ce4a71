// 'format' = 'json': one JSON object an event, decoded along the columns of the table.
//
// Strict unless an option says otherwise; what each type takes stands in json_decoder.h.
#pragma once

#include "formats/decoder.h"

namespace weir {

FormatInfo json_format();
// 'debezium-json': change events of Debezium as a changelog, or as rows.
FormatInfo debezium_json_format();

}  // namespace weir
