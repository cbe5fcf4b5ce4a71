// Debezium's change events as JSON: an envelope {op, before, after, …}, or {schema, payload} with it inside.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "formats/json/json_decoder.h"

namespace weir::json {

struct DebeziumSettings {
  enum class Wrapper { automatic, with_schema, without_schema };
  Wrapper wrapper = Wrapper::automatic;
  bool changelog = true;  // false: a row an operation, without weights
  std::string op_column;  // STRING column of the table that takes the operation; "" for none
};

// Operations: c (create) and r (snapshot) insert `after`; u retracts `before` and inserts `after`, as rows
// the `after` alone; d retracts `before`, as rows the `before`. m (a logical message) and tombstones say
// nothing. t (truncate) and what lacks the side that it needs is an error.
class DebeziumDecoder final : public Decoder {
 public:
  static Result<std::unique_ptr<Decoder>> create(const std::vector<ColumnSpec>& columns, Settings settings,
                                                 DebeziumSettings debezium);

  Result<DecodedRows> decode(const EventBatch& batch, size_t begin, size_t end) override;

 private:
  // Where an envelope's parts stand among the inner decoder's rows.
  struct Side {
    std::shared_ptr<arrow::Array> before, after;  // structs
    std::shared_ptr<arrow::Array> op;             // text
  };
  struct Taken;

  DebeziumDecoder(DebeziumSettings debezium, std::unique_ptr<Decoder> inner)
      : debezium_(std::move(debezium)), inner_(std::move(inner)) {}

  std::vector<Side> sides_of(const arrow::RecordBatch& rows) const;
  void take_event(const std::vector<Side>& sides, int64_t row, uint32_t event, Taken& taken,
                  std::vector<ErrorRecord>& errors) const;
  Result<std::shared_ptr<arrow::RecordBatch>> gather(const std::vector<Side>& sides,
                                                     const Taken& taken) const;

  const DebeziumSettings debezium_;
  std::unique_ptr<Decoder> inner_;
  std::shared_ptr<arrow::Schema> schema_;
  int op_index_ = -1;  // of op_column in schema_
};

}  // namespace weir::json
