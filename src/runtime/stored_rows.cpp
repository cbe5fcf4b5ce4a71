#include "runtime/stored_rows.h"

#include <arrow/array.h>
#include <arrow/array/util.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/type.h>

#include "config/data_type.h"
#include "formats/json/json_format.h"
#include "runtime/rows.h"
#include "sinks/sink.h"

namespace weir {
namespace {

// Rows as JSON need none.
class NoSchemas final : public SchemaLookup {
 public:
  Result<std::string> file(const std::string&) override { return none(); }
  Result<SchemaPointer> by_id(int32_t) override { return none(); }
  Result<SchemaPointer> latest(const std::string&) override { return none(); }
  Result<SchemaPointer> version(const std::string&, int32_t) override { return none(); }

 private:
  static Status none() { return Status::internal("the rows of a sink have no schema of their own"); }
};

}  // namespace

Result<std::unique_ptr<StoredRows>> StoredRows::create(const SinkPlan& sink) {
  std::vector<ColumnSpec> columns;
  for (const auto& field : sink.schema->fields()) {
    WEIR_ASSIGN(auto parsed, parse_type_text(sql_type(*field->type())));
    ColumnSpec column;
    column.name = field->name();
    column.type = std::move(parsed.type);
    column.nullable = field->nullable();
    columns.push_back(std::move(column));
  }
  if (sink.changelog) {
    for (const auto& [name, type] : {std::pair{kWeightColumn, "TINYINT"}, {kVersionColumn, "BIGINT"}}) {
      WEIR_ASSIGN(auto parsed, parse_type_text(type));
      ColumnSpec column;
      column.name = name;
      column.type = std::move(parsed.type);
      column.nullable = false;
      columns.push_back(std::move(column));
    }
  }
  const FormatInfo json = json_format();
  std::map<std::string, OptionValue> values;
  values["json.max-size"].text = "1 gb";  // the row was made here, from an event that was within its bounds
  values["json.max-depth"].text = "1024";
  const Options options(json.options, std::move(values));
  FormatContext context;
  context.columns = std::move(columns);
  context.options = &options;
  context.schemas = std::make_shared<NoSchemas>();
  WEIR_ASSIGN(auto decoder, json.create(context));
  return std::unique_ptr<StoredRows>(new StoredRows(sink, std::move(decoder)));
}

Result<std::shared_ptr<arrow::RecordBatch>> StoredRows::decode(const EventBatch& batch,
                                                               const std::string& partition,
                                                               std::vector<ErrorRecord>& errors) {
  WEIR_ASSIGN(DecodedRows decoded, decoder_->decode(batch, 0, batch.events.size()));
  errors = std::move(decoded.errors);
  const int64_t count = decoded.rows->num_rows();
  if (count == 0) return std::shared_ptr<arrow::RecordBatch>();
  arrow::ArrayVector columns = decoded.rows->columns();
  arrow::FieldVector fields = sink_.schema->fields();
  const arrow::ArrayVector change(columns.begin() + static_cast<ptrdiff_t>(fields.size()), columns.end());
  columns.resize(fields.size());
  for (size_t i = 0; i < columns.size(); ++i) {
    fields[i] = arrow::field(fields[i]->name(), columns[i]->type(), fields[i]->nullable());
  }
  auto partitions = arrow::MakeArrayFromScalar(arrow::StringScalar(partition), count);
  if (!partitions.ok()) return arrow_status(partitions.status());
  std::vector<int64_t> offsets;
  for (uint32_t event : decoded.event_of_row) offsets.push_back(batch.events[event].offset);
  columns.push_back(*partitions);
  columns.push_back(
      std::make_shared<arrow::Int64Array>(count, arrow::Buffer::FromVector(std::move(offsets))));
  fields.push_back(arrow::field(kPartitionColumn, arrow::utf8(), false));
  fields.push_back(arrow::field(kOffsetColumn, arrow::int64(), false));
  if (sink_.changelog) {
    columns.insert(columns.end(), change.begin(), change.end());
    fields.push_back(arrow::field(kWeightColumn, arrow::int8(), false));
    fields.push_back(arrow::field(kVersionColumn, arrow::int64(), false));
  }
  return arrow::RecordBatch::Make(arrow::schema(fields), count, std::move(columns));
}

}  // namespace weir
