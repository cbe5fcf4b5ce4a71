// A message's headers as the JSON object that METADATA FROM 'headers' is made of.
#pragma once

#include <librdkafka/rdkafka.h>

#include <string>

namespace weir {

// Appends {"name":"value",…}. Of a name that comes twice the last value counts. A value without bytes is
// null; one that is not UTF-8 is "base64:" and its base64. Bytes of a name that are not UTF-8 become U+FFFD.
void append_kafka_headers(const rd_kafka_headers_t* headers, std::string& out);

}  // namespace weir
