// The tables that one sink writes to: a single one, or one for each value of a column.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/status.h"
#include "clients/clickhouse_connection.h"
#include "sinks/clickhouse/block_encoder.h"
#include "sinks/clickhouse/target_table.h"

namespace weir {

struct TargetSettings {
  std::string sink;                       // the table's name in the file, for messages
  std::shared_ptr<arrow::Schema> schema;  // the rows' columns, without the hidden two
  std::string database;
  std::string table;  // "events", or "events_{tenant}": a table for each value of that column
  TableDefaults defaults;
  std::vector<std::string> changelog_key;  // the primary key where a changelog comes in; else empty
  bool add_columns = true;
  bool exactly_once = true;
  int64_t max_tables = 100;
};

// Rows of one table, or rows that go to none.
struct TableRows {
  std::string table;
  RowBatches batches;
  std::string refused;  // not empty: why these rows have no table
};

// "events_{tenant}" in pieces; column "" for a plain name. invalid: braces that do not match, no such column,
// or one that is not text.
struct TablePattern {
  std::string prefix, column, suffix;
};
Result<TablePattern> parse_table_pattern(const std::string& text, const arrow::Schema& schema);

// Not safe for two threads at once.
class TargetTables {
 public:
  // `connection`, which was greeted, must outlive this. invalid: 'table' is no pattern for these rows.
  static Result<std::unique_ptr<TargetTables>> create(TargetSettings settings,
                                                      ClickHouseConnection& connection);

  // Makes the database and a single table where they are missing, adds columns, and checks what is there.
  Status open();
  // With several URLs: from now on only those that hold the same single table are used. `known`: what this
  // returned at an earlier open, or "". invalid: this is another server's table. Empty while there is none.
  Result<std::string> pin_servers(const std::string& known);
  // The same questions without a change: invalid for what does not fit, ok for what does not exist.
  Status check();

  bool is_single() const { return pattern_.column.empty(); }
  // Rows cut by table, in the order in which tables first appear. Tables that are met for the first time are
  // made or checked.
  Result<std::vector<TableRows>> split(const RowBatches& batches);
  // Of a table that open() or split() has seen.
  Result<BlockEncoder*> encoder(const std::string& table);
  // Makes a table of an earlier run again when it is gone.
  Status ensure(const std::string& table);
  TableName name(const std::string& table) const { return {settings_.database, table}; }

 private:
  TargetTables(TargetSettings settings, ClickHouseConnection& connection, TablePattern pattern);
  Status open_table(const std::string& table);
  Status check_table(const TargetTable& table);
  Status load_existing();
  std::string refusal(const std::string& table) const;

  TargetSettings settings_;
  ClickHouseConnection& connection_;
  TablePattern pattern_;
  std::shared_ptr<arrow::Schema> appended_;  // with the hidden columns
  std::map<std::string, std::unique_ptr<BlockEncoder>> encoders_;
  std::set<std::string> existing_;  // of the pattern, as of the last split that met a new one
};

}  // namespace weir
