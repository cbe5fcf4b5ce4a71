// Why one event could not be applied. Small on purpose: the payload stays in its EventBatch.
#pragma once

#include <cstdint>
#include <string>

#include "schema/error_code.h"

namespace weir {

struct ErrorRecord {
  uint32_t event = 0;  // index into the EventBatch
  ErrorCode code = ErrorCode::malformed;
  std::string message;    // what was found and what was expected; no payload bytes beyond a short excerpt
  std::string field;      // JSON Pointer (RFC 6901) of the offending value, "" for the whole event
  int64_t byte = -1;      // offset of the offending byte in the payload; -1: not one place
  std::string id_suffix;  // tells apart several errors of one event and sink: "/2"; usually empty
  std::string sink;       // only for errors of one INSERT (sql_eval, sink_refused): its name
};

}  // namespace weir
