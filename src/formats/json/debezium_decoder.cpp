#include "formats/json/debezium_decoder.h"

#include <arrow/array.h>
#include <arrow/array/concatenate.h>
#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/record_batch.h>

#include <algorithm>

namespace weir::json {
namespace {

ColumnSpec row_column(const std::string& name, const std::vector<ColumnSpec>& fields) {
  ColumnSpec column;
  column.name = name;
  arrow::FieldVector arrow_fields;
  column.type.text = "ROW";
  for (const ColumnSpec& field : fields) {
    arrow_fields.push_back(arrow::field(field.name, field.type.arrow, field.nullable));
    column.type.children.push_back(field.type);
  }
  column.type.arrow = arrow::struct_(std::move(arrow_fields));
  return column;
}

ColumnSpec text_column(const std::string& name) {
  ColumnSpec column;
  column.name = name;
  column.type.text = "STRING";
  column.type.arrow = arrow::utf8();
  return column;
}

Status failed(const arrow::Status& status) { return Status::internal("Arrow: " + status.ToString()); }

}  // namespace

// The rows of a batch by where their values stand: side 2 * i is sides[i].before, 2 * i + 1 its after.
struct DebeziumDecoder::Taken {
  std::vector<std::pair<int, int64_t>> rows;  // side, row of the inner decoder
  std::vector<uint32_t> events;
  std::vector<int8_t> weights;
};

Result<std::unique_ptr<Decoder>> DebeziumDecoder::create(const std::vector<ColumnSpec>& columns,
                                                         Settings settings, DebeziumSettings debezium) {
  std::vector<ColumnSpec> fields;
  arrow::FieldVector all;
  int op_index = -1;
  for (const ColumnSpec& column : columns) {
    if (!debezium.op_column.empty() && column.name == debezium.op_column) {
      if (column.type.arrow->id() != arrow::Type::STRING) {
        return Status::invalid("debezium-json.op-column '" + column.name + "' must be of type STRING");
      }
      op_index = static_cast<int>(all.size());
    } else {
      fields.push_back(column);
    }
    all.push_back(arrow::field(column.name, column.type.arrow, column.nullable));
  }
  if (!debezium.op_column.empty() && op_index < 0) {
    return Status::invalid("debezium-json.op-column '" + debezium.op_column +
                           "' is not a column of the table");
  }
  if (fields.empty()) return Status::invalid("format 'debezium-json' needs a column of the captured table");
  const std::vector<ColumnSpec> envelope = {text_column("op"), row_column("before", fields),
                                            row_column("after", fields)};
  std::vector<ColumnSpec> outer;
  using Wrapper = DebeziumSettings::Wrapper;
  if (debezium.wrapper != Wrapper::with_schema) outer = envelope;
  if (debezium.wrapper != Wrapper::without_schema) outer.push_back(row_column("payload", envelope));
  WEIR_ASSIGN(auto inner, JsonDecoder::create(outer, std::move(settings), "", nullptr));
  std::unique_ptr<DebeziumDecoder> decoder(new DebeziumDecoder(std::move(debezium), std::move(inner)));
  decoder->schema_ = arrow::schema(std::move(all));
  decoder->op_index_ = op_index;
  return std::unique_ptr<Decoder>(std::move(decoder));
}

Result<DecodedRows> DebeziumDecoder::decode(const EventBatch& batch, size_t begin, size_t end) {
  EventBatch present;  // without tombstones
  present.bytes = batch.bytes;
  std::vector<uint32_t> event_of;
  for (size_t event = begin; event < end; ++event) {
    if (batch.events[event].payload.size < 0) continue;
    present.events.push_back(batch.events[event]);
    event_of.push_back(static_cast<uint32_t>(event));
  }
  WEIR_ASSIGN(DecodedRows decoded, inner_->decode(present, 0, present.events.size()));
  DecodedRows result;
  for (ErrorRecord& error : decoded.errors) {
    error.event = event_of[error.event];
    result.errors.push_back(std::move(error));
  }
  const std::vector<Side> sides = sides_of(*decoded.rows);
  Taken taken;
  for (int64_t row = 0; row < decoded.rows->num_rows(); ++row) {
    take_event(sides, row, event_of[decoded.event_of_row[static_cast<size_t>(row)]], taken, result.errors);
  }
  std::sort(result.errors.begin(), result.errors.end(),
            [](const ErrorRecord& a, const ErrorRecord& b) { return a.event < b.event; });
  WEIR_ASSIGN(result.rows, gather(sides, taken));
  result.event_of_row = std::move(taken.events);
  if (debezium_.changelog) result.weights = std::move(taken.weights);
  return result;
}

std::vector<DebeziumDecoder::Side> DebeziumDecoder::sides_of(const arrow::RecordBatch& rows) const {
  std::vector<Side> sides;
  if (debezium_.wrapper != DebeziumSettings::Wrapper::with_schema) {
    sides.push_back({rows.column(1), rows.column(2), rows.column(0)});
  }
  if (debezium_.wrapper != DebeziumSettings::Wrapper::without_schema) {
    const auto& payload = static_cast<const arrow::StructArray&>(*rows.column(rows.num_columns() - 1));
    sides.push_back({payload.field(1), payload.field(2), payload.field(0)});
  }
  return sides;
}

void DebeziumDecoder::take_event(const std::vector<Side>& sides, int64_t row, uint32_t event, Taken& taken,
                                 std::vector<ErrorRecord>& errors) const {
  int which = 0;
  while (which + 1 < static_cast<int>(sides.size()) && sides[static_cast<size_t>(which)].op->IsNull(row))
    ++which;
  const Side& side = sides[static_cast<size_t>(which)];
  const bool wrapped = debezium_.wrapper == DebeziumSettings::Wrapper::with_schema || which == 1;
  ErrorRecord error;
  error.event = event;
  const auto fail = [&](ErrorCode code, const char* field, std::string message) {
    error.code = code;
    error.field = std::string(wrapped && !side.op->IsNull(row) ? "/payload" : "") + field;
    error.message = std::move(message);
    errors.push_back(std::move(error));
  };
  if (side.op->IsNull(row)) {
    return fail(ErrorCode::missing_required, "/op", "no change event of Debezium: 'op' is missing");
  }
  const std::string op(static_cast<const arrow::StringArray&>(*side.op).GetView(row));
  const bool inserts = op == "c" || op == "r" || op == "u";
  const bool retracts = op == "d" || (op == "u" && debezium_.changelog);
  if (op == "m") return;
  if (!inserts && !retracts) {
    return fail(ErrorCode::malformed, "/op",
                op == "t" ? "a TRUNCATE cannot be applied ('skipped.operations' of the Debezium connector)"
                          : "the operation '" + op.substr(0, 20) + "', expected c, r, u or d");
  }
  if (inserts && side.after->IsNull(row)) {
    return fail(ErrorCode::missing_required, "/after", "the operation '" + op + "' without 'after'");
  }
  if (retracts && side.before->IsNull(row)) {
    return fail(
        ErrorCode::missing_required, "/before",
        "the operation '" + op +
            "' without 'before': the table needs REPLICA IDENTITY FULL (PostgreSQL) or full row images");
  }
  const auto take = [&](bool after) {
    taken.rows.emplace_back(2 * which + (after ? 1 : 0), row);
    taken.events.push_back(event);
    taken.weights.push_back(after ? 1 : -1);
  };
  if (retracts) take(false);
  if (inserts) take(true);
}

Result<std::shared_ptr<arrow::RecordBatch>> DebeziumDecoder::gather(const std::vector<Side>& sides,
                                                                    const Taken& taken) const {
  const auto count = static_cast<int64_t>(taken.rows.size());
  const int64_t length = sides[0].op->length();
  arrow::Int64Builder positions;
  arrow::StringBuilder ops;
  arrow::Status status = positions.Reserve(count);
  for (size_t i = 0; status.ok() && i < taken.rows.size(); ++i) {
    const auto& [side, row] = taken.rows[i];
    status = positions.Append(side * length + row);
    if (status.ok() && op_index_ >= 0) {
      const auto& from = static_cast<const arrow::StringArray&>(*sides[static_cast<size_t>(side / 2)].op);
      status = ops.Append(from.GetView(row));
    }
  }
  std::shared_ptr<arrow::Array> indexes, op_values;
  if (status.ok()) status = positions.Finish(&indexes);
  if (status.ok()) status = ops.Finish(&op_values);
  if (!status.ok()) return failed(status);
  arrow::ArrayVector columns;
  int field = 0;
  for (int i = 0; i < schema_->num_fields(); ++i) {
    if (i == op_index_) {
      columns.push_back(op_values);
      continue;
    }
    arrow::ArrayVector parts;
    for (const Side& side : sides) {
      parts.push_back(static_cast<const arrow::StructArray&>(*side.before).field(field));
      parts.push_back(static_cast<const arrow::StructArray&>(*side.after).field(field));
    }
    ++field;
    auto all = arrow::Concatenate(parts);
    if (!all.ok()) return failed(all.status());
    auto picked = arrow::compute::Take(**all, *indexes, arrow::compute::TakeOptions::NoBoundsCheck());
    if (!picked.ok()) return failed(picked.status());
    columns.push_back(*picked);
  }
  return arrow::RecordBatch::Make(schema_, count, std::move(columns));
}

}  // namespace weir::json
