// Decodes JSON objects along a table's columns.
//
// What a type takes (leniencies are options of json_format()):
//   BOOLEAN             true, false
//   TINYINT … BIGINT    numbers without fraction and exponent, in range (json.allow-integral-floats: 1.0,
//   1e3) FLOAT, DOUBLE       any number, rounded correctly; overflow is out_of_range, underflow is 0
//   DECIMAL(p, s)       a number or a string holding one, exact; digits other than 0 beyond the scale and
//   more than p
//                       digits are out_of_range
//   STRING, VARCHAR(n)  strings; more than n code points are out_of_range
//   BYTES               base64 in a string (json.binary-encoding)
//   DATE                "2026-11-21"
//   TIME(p)             "12:34", "12:34:56.789"; TIMESTAMP(p): such a date, 'T' or ' ', such a time, and
//   optionally Z or an
//                       offset, which is converted to UTC. What is no date or time, and digits of a second
//                       other than 0 beyond the type's, are bad_timestamp. The types hold 3, 6 or 9 digits.
//   ARRAY, MAP, ROW     arrays, objects, objects. Keys of a MAP are strings or integers
// A value of another JSON type is wrong_type. A missing field is null, or missing_required. A key given twice
// is duplicate_key in the event, in ROWs and in MAPs; inside fields that the table does not have it is not
// looked for. invalid_utf8 comes first, otherwise the first problem from the left is reported. Fields that
// the table does not have are validated all the same.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "formats/decoder.h"
#include "formats/json/confluent_frame.h"
#include "formats/json/walk.h"

namespace weir::json {

class JsonDecoder final : public Decoder {
 public:
  // `rest_column`: name of the STRING column for unknown fields, "" for none. `frame`: null for documents
  // without one.
  static Result<std::unique_ptr<Decoder>> create(const std::vector<ColumnSpec>& specs, Settings settings,
                                                 const std::string& rest_column,
                                                 std::unique_ptr<ConfluentFrame> frame);

  Result<DecodedRows> decode(const EventBatch& batch, size_t begin, size_t end) override;

 private:
  explicit JsonDecoder(Settings settings) : walk_(std::move(settings)) {}

  Walk walk_;
  std::unique_ptr<ConfluentFrame> frame_;
  std::vector<std::unique_ptr<Column>> columns_;
  std::unique_ptr<ObjectPlan> root_;
  Column* rest_ = nullptr;
  std::shared_ptr<arrow::Schema> schema_;
};

}  // namespace weir::json
