#include "formats/formats.h"

#include "formats/avro/avro_format.h"
#include "formats/csv/csv_format.h"
#include "formats/json/json_format.h"
#include "formats/protobuf/protobuf_format.h"
#include "formats/raw/raw_format.h"

namespace weir {

const std::vector<FormatInfo>& all_formats() {
  static const std::vector<FormatInfo> formats = {
      avro_format(), avro_confluent_format(), json_format(), debezium_json_format(), raw_format(),
      csv_format(),  protobuf_format(),
  };
  return formats;
}

}  // namespace weir
