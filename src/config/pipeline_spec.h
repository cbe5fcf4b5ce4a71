// A pipeline file after parsing and validation, before any query text was planned.
#pragma once

#include <arrow/type_fwd.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "config/options.h"
#include "config/source_text.h"

namespace weir {

// A type of the dialect. `arrow` is how it is decoded:
//   BOOLEAN bool, TINYINT..BIGINT int8..int64, FLOAT float32, DOUBLE float64, DECIMAL(p,s) decimal128,
//   STRING/VARCHAR(n)/CHAR(n) utf8, BYTES/VARBINARY binary, DATE date32, TIME(p) time32 ms or time64 us/ns,
//   TIMESTAMP(p) timestamp without zone (ms for p<=3, us for <=6, ns above), TIMESTAMP_LTZ(p) the same with
//   zone "UTC", ARRAY list, MAP map, ROW struct.
struct DataType {
  std::string text;                        // as Flink prints it, for messages: "DECIMAL(12, 2)"
  std::shared_ptr<arrow::DataType> arrow;  // children carry nullability
  int max_length = -1;  // of CHAR/VARCHAR(n) in Unicode code points, of BINARY/VARBINARY(n) in bytes
  std::vector<DataType> children;  // ARRAY: element; MAP: key, value; ROW: fields, in order
};

enum class ColumnKind { physical, metadata, computed };

struct ColumnSpec {
  std::string name;
  ColumnKind kind = ColumnKind::physical;
  DataType type;  // not set for computed columns: the planner types them
  bool nullable = true;
  std::string metadata_key;  // for metadata columns: one of metadata_keys()
  std::string expression;    // for computed columns, as written
  Location location;
  Location expression_location;
};

struct CheckSpec {
  std::string name;        // of CONSTRAINT name CHECK (…), or "check_1", …
  std::string expression;  // without the parentheses
  Location location;       // of the expression's first byte
};

struct TableSpec {
  std::string name;
  std::vector<ColumnSpec> columns;  // empty: the schema comes from the query (sinks)
  std::vector<CheckSpec> checks;
  std::vector<std::string> primary_key;
  std::string connector;                       // the value of 'connector'
  std::map<std::string, OptionValue> options;  // all of WITH but 'connector', secrets resolved
  Location location;                           // of the name
  Location connector_location;
  std::string watermark_column;  // of WATERMARK FOR column AS expression; empty: none
  std::string watermark_expression;
  Location watermark_location;  // of the expression's first byte
};

struct ViewSpec {
  std::string name;
  std::string query;  // the text after AS, as written
  Location location;
  Location query_location;  // of the query's first byte: planner errors are mapped back with it
};

struct InsertSpec {
  std::string table;
  std::vector<std::string> columns;  // of INSERT INTO t (a, b); empty: by position
  std::vector<Location> column_locations;
  std::string query;
  Location location;
  Location query_location;
  int statement_set = -1;  // ordinal of its EXECUTE STATEMENT SET block, or -1
};

struct PipelineSpec {
  std::string name;  // SET 'pipeline.name' or the file's stem
  std::string file;
  std::vector<TableSpec> tables;
  std::vector<ViewSpec> views;
  std::vector<InsertSpec> inserts;
  Options settings;  // every SET, validated against setting_specs()

  const TableSpec* table(const std::string& name) const;
};

const std::vector<std::string>& metadata_keys();

// pipeline.name, pipeline.commit-interval ('10 s'), pipeline.batch-rows, error-lake.path
// ('./weir-data/errors'), error-lake.enabled, state.path ('./weir-data/state'), pipeline.engine ('embedded'),
// s3.*, …
const std::vector<OptionSpec>& setting_specs();

// Splits and parses `text`; `file` is only used in locations and for the default name. Everything that can be
// known without connectors or the planner is checked; problems are added to `diagnostics`, and the result is
// usable only when there is none.
PipelineSpec parse_pipeline(const std::string& file, const std::string& text, Diagnostics& diagnostics);

}  // namespace weir
