// The table that rows go to: as it is, as Weir would make it, and whether it can take part in exactly once.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "clients/clickhouse_connection.h"
#include "sinks/clickhouse/column_type.h"

namespace weir {

struct TableName {
  std::string database, table;
  std::string quoted() const;  // `database`.`table`
  std::string text() const { return database + "." + table; }
};

struct TargetTable {
  TableName name;
  std::string engine;                // "MergeTree"
  std::string create_query;          // as the server prints it
  std::vector<TableColumn> columns;  // those that an INSERT may name and Weir can write
  // Others, by name: what they are ("MATERIALIZED", or the type that Weir does not write).
  std::map<std::string, std::string> unwritable;
};

// not_found when there is no such table.
Result<TargetTable> describe_table(ClickHouseConnection& connection, const TableName& name);

// How a missing table is made.
struct TableDefaults {
  std::string engine = "MergeTree";
  std::string order_by, partition_by, ttl;          // expressions as written; empty: a default, or none
  std::map<std::string, std::string> settings;      // of the table
  std::map<std::string, std::string> column_types;  // by column: ClickHouse's spelling
  std::vector<std::string> low_cardinality;
  bool positions = true;    // _weir_partition and _weir_offset
  bool sequence = true;     // _weir_seq
  bool versions = false;    // _weir_version and _weir_deleted, for a changelog
  bool deduplicate = true;  // a window of deduplication tokens
  bool old_server = false;  // LowCardinality is not to be had
};

// The statement that makes the table for rows of `schema` (without hidden columns). invalid: a column that no
// type holds, an option that names no column.
Result<std::string> create_statement(const TableName& name, const arrow::Schema& schema,
                                     const TableDefaults& defaults);

// ALTER TABLE … ADD COLUMN IF NOT EXISTS for what `table` lacks, after checking that everything it has fits;
// empty when it lacks nothing. Added columns take NULL where a type can.
Result<std::string> evolve_statement(const TargetTable& table, const arrow::Schema& schema,
                                     const TableDefaults& defaults, bool may_add);

// invalid when the server is too old to know deduplication tokens.
Status check_tokens(ClickHouseConnection& connection);
// ok when the server drops a repeated block of this table and of every table that its materialized views
// write to; else invalid, with what to change.
Status check_deduplication(ClickHouseConnection& connection, const TargetTable& table);

// How long the table remembers a token: for ever (by blocks, not by time) where it is not replicated.
Result<int64_t> token_memory_s(ClickHouseConnection& connection, const TableName& name);

// How long ago the server last wrote the table's definition. Nothing where that does not tell when the table
// was altered: a replica takes an ALTER later than others do.
Result<std::optional<int64_t>> altered_ago_s(ClickHouseConnection& connection, const TableName& name);

// Whether the expression names that column, or a function called so.
bool expression_names(const std::string& expression, const std::string& column);

// Whether materialized views read from the table.
Result<bool> has_views(ClickHouseConnection& connection, const TableName& name);

// What tells whether two servers hold the same table: compared by same_table().
struct TableIdentity {
  std::string server, table, replica_path;  // "" or zeros: not known
  std::string to_string() const;
  static TableIdentity parse(const std::string& text);
};
Result<TableIdentity> table_identity(ClickHouseConnection& connection, const TableName& name);
bool same_table(const TableIdentity& one, const TableIdentity& other);

// The value of `name = value` in a CREATE statement's settings, or nothing.
std::optional<int64_t> setting_in(const std::string& create_query, const std::string& name);
// The table behind `TO` of a CREATE MATERIALIZED VIEW, or nothing when the view keeps its rows inside.
std::optional<TableName> view_target(const std::string& create_query, const std::string& own_database);

}  // namespace weir
