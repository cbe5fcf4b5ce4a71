// The columns that an Avro schema makes.
#pragma once

#include <vector>

#include "base/status.h"
#include "config/pipeline_spec.h"
#include "formats/avro/avro_schema.h"

namespace weir::avro {

// A column a field, nested types included: int INT, long BIGINT, float FLOAT, double DOUBLE, boolean BOOLEAN,
// string, enum and uuid STRING, bytes and fixed BYTES, decimal DECIMAL(p, s), date DATE, time-* TIME(3 or 6),
// timestamp-* TIMESTAMP_LTZ(3, 6 or 9), local-timestamp-* TIMESTAMP(3, 6 or 9), array ARRAY, map MAP, record
// ROW. What is no union with null is NOT NULL. A union of several types is a column when one of them takes
// them all by promotion. invalid: a field has no such type (recursive, duration, other unions, null alone),
// with words.
Result<std::vector<ColumnSpec>> describe_schema(const Schema& schema);

}  // namespace weir::avro
