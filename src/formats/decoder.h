// bytes -> rows in Arrow builders, types checked in the same pass.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "config/options.h"
#include "config/pipeline_spec.h"
#include "schema/error_record.h"
#include "schema/event_batch.h"
#include "schema/schema_lookup.h"

namespace weir {

struct DecodedRows {
  std::shared_ptr<arrow::RecordBatch> rows;  // the physical columns, in declared order; never null
  // rows->num_rows() indexes into the EventBatch, ascending; a changelog's event may give two rows.
  std::vector<uint32_t> event_of_row;
  // By row: +1 insert, -1 retract. Empty when all are +1, as always with a format that is no changelog.
  std::vector<int8_t> weights;
  // At most one an event, ascending; an event is in rows or here, not in both. An event in neither is one
  // that says nothing (a tombstone of a changelog).
  std::vector<ErrorRecord> errors;
};

// One per partition task; not thread-safe. Keeps buffers between calls.
class Decoder {
 public:
  virtual ~Decoder() = default;
  // Decodes events [begin, end) of `batch`. An event that does not fit becomes an error record and leaves its
  // neighbours alone. The result does not refer to the batch's bytes. Fails as a whole, with nothing decoded,
  // only for what is no event's fault: unavailable when a schema could not be fetched (call again later),
  // schema_changed when the columns were derived from a registry that has a newer version by now.
  virtual Result<DecodedRows> decode(const EventBatch& batch, size_t begin, size_t end) = 0;
};

struct FormatContext {
  std::vector<ColumnSpec> columns;             // the physical columns of the source table, in declared order
  const Options* options = nullptr;            // of connector and format; only read while the decoder is made
  std::shared_ptr<SchemaLookup> schemas = {};  // shared by a source's decoders; never null
  // The registry's subject: 'schema-registry.subject', else "<topic or stream>-value"; "" when neither is
  // there.
  std::string subject = {};
  // The columns were made by describe(): a newer version of the schema in the subject is worth
  // schema_changed.
  bool columns_described = false;
  // What describe() said then: the CHECKs, and the schema as messages name it ("orders-value version 2").
  std::vector<CheckSpec> described_checks = {};
  std::string described_by = {};
};

// What a format's own schema says about a table.
struct DescribedTable {
  std::vector<ColumnSpec> columns;  // physical
  std::vector<CheckSpec> checks;    // SQL predicates over the columns
  std::string schema_name;          // subject or file, for messages and error records
  int32_t schema_version = 0;       // 0: none
};

// A format such as 'json': its options (all below the prefix "<name>.") and its constructor.
struct FormatInfo {
  std::string name;
  std::string summary;
  std::vector<OptionSpec> options;
  // invalid when a column's type cannot be decoded.
  std::function<Result<std::unique_ptr<Decoder>>(const FormatContext&)> create;
  // The columns of a table that declares none. Absent: the format has no schema of its own. invalid: nothing
  // in the options names a schema.
  std::function<Result<DescribedTable>(const FormatContext&)> describe;
  bool uses_registry = false;  // takes the schema-registry.* options
  bool changelog = false;      // its rows carry weights: only sinks that apply changes take them
};

}  // namespace weir
