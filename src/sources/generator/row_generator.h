// JSON documents of a schema, drawn from a seed: the same (seed, partition, row) always gives the same bytes,
// so that a generator can be read again from any position.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "config/pipeline_spec.h"
#include "schema/error_code.h"

namespace weir {

struct GeneratorSettings {
  uint64_t seed = 0;
  int64_t start_us = 0;                 // the time of row 0
  int64_t step_us = 1000;               // from row to row
  double null_share = 0;                // of the nullable fields
  double broken_share = 0;              // of the rows
  std::vector<ErrorCode> broken_codes;  // empty: every code in injectable_codes() that the schema can show
  std::map<std::string, std::string>
      fields;  // "<name>.min|max|length|values|kind" -> text; nested names with dots
};

// The codes that a broken row can be made for. unknown_field and too_deep are only used when they are named.
const std::vector<ErrorCode>& injectable_codes();

class RowGenerator {
 public:
  virtual ~RowGenerator() = default;
  // Appends the document of `row`. `partition` changes what is drawn, not what is counted: sequences and
  // times follow `row`, which is unique over all partitions. Thread-safe.
  virtual void append(int64_t partition, int64_t row, std::string& out) const = 0;
};

// invalid when a column's type cannot be drawn, a field option is unknown or a code does not fit the schema.
Result<std::unique_ptr<RowGenerator>> make_row_generator(const std::vector<ColumnSpec>& physical,
                                                         const GeneratorSettings& settings);

}  // namespace weir
