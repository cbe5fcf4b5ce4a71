// Confluent's frame around a Protobuf message: a zero byte, the schema's id, which of its messages it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "schema/error_record.h"
#include "schema/schema_lookup.h"

namespace weir::protobuf {

struct FrameHeader {
  int32_t id = 0;
  std::vector<int32_t> indexes;  // of the file's messages, then of those nested in it; never empty
  size_t size = 0;               // bytes; the message begins behind them

  bool operator<(const FrameHeader& other) const {
    return std::pair(id, indexes) < std::pair(other.id, other.indexes);
  }
};

// False: `error` has code, message and byte.
bool read_frame_header(std::string_view payload, FrameHeader& header, ErrorRecord& error);

// The full name of the message that a framed event holds, by the schema that wrote it. invalid: the schema
// cannot be read, or has no such message.
Result<std::string> message_name(const SchemaText& writer, const FrameHeader& header);

}  // namespace weir::protobuf
