// 'format' = 'avro' and 'avro-confluent': Avro's binary encoding, decoded along the columns of the table.
#pragma once

#include "formats/decoder.h"

namespace weir {

FormatInfo avro_format();
// Flink's name for avro with Confluent's framing; its options are below "avro-confluent.".
FormatInfo avro_confluent_format();

}  // namespace weir
