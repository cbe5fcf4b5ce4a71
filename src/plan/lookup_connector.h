// What a connector that can be looked up declares: its options and how a table of it is opened.
#pragma once

#include <arrow/type_fwd.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "config/options.h"
#include "config/pipeline_spec.h"
#include "formats/decoder.h"

namespace weir {

class LookupTable;  // operators/lookup_table.h

struct LookupContext {
  std::string table;                           // its name in the file, for messages
  std::vector<ColumnSpec> columns;             // as declared
  std::shared_ptr<arrow::Schema> schema;       // of these columns
  std::vector<std::string> primary_key;        // as declared; may be empty
  Options options;                             // of connector and format
  std::string format_name;                     // of connectors that read one
  const FormatInfo* format = nullptr;          // null: one that the connector reads by itself (parquet)
  std::map<std::string, std::string> storage;  // s3.* of the table over those of SET
  const Clock* clock = nullptr;
  std::function<void(const std::string&)> log;  // one line for the operator; may be empty
};

struct LookupConnector {
  std::string name;
  std::string summary;
  std::vector<OptionSpec> options;
  std::vector<std::string> formats;  // choices of 'format', the first is the default; empty: it reads none
  // invalid: options or columns that do not go together. Does no I/O.
  std::function<Status(const LookupContext&)> check;
  // Does no I/O either: the first lookup does.
  std::function<Result<std::shared_ptr<LookupTable>>(LookupContext)> create;
};

}  // namespace weir
