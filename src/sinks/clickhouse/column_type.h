// A ClickHouse column's type as a tree, read from the text that system.columns gives.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace weir {

enum class ClickHouseKind {
  boolean,
  int8,
  int16,
  int32,
  int64,
  int128,
  int256,
  uint8,
  uint16,
  uint32,
  uint64,
  uint128,
  uint256,
  bfloat16,
  float32,
  float64,
  decimal,
  string,
  fixed_string,
  date,
  date32,
  date_time,
  date_time64,
  time,
  time64,
  uuid,
  ipv4,
  ipv6,
  enum8,
  enum16,
  json,
  nullable,
  low_cardinality,
  array,
  map,
  tuple,
  nested,
};

struct ClickHouseType {
  ClickHouseKind kind = ClickHouseKind::string;
  int precision = 0;      // decimal: digits; date_time64, time64: digits of the fraction
  int scale = 0;          // decimal
  int64_t length = 0;     // fixed_string: bytes
  std::string time_zone;  // date_time, date_time64; empty: the server's
  std::vector<std::pair<std::string, int16_t>> enum_values;
  std::vector<ClickHouseType> children;  // nullable, low_cardinality, array: 1; map: 2; tuple, nested: any
  std::vector<std::string> names;        // of a tuple's or nested's children; empty: a tuple without names
  // What the text said that the tree does not: SimpleAggregateFunction(…), Point, JSON(…). Printed instead.
  std::string alias;

  // "Array(Nullable(String))": parse(to_string()) gives the same type.
  std::string to_string() const;
  // Without Nullable and LowCardinality around it.
  const ClickHouseType& inner() const;
  // Whether the column takes NULL: Nullable(T) and LowCardinality(Nullable(T)).
  bool takes_null() const;
  // Bytes of one value, where all have the same: 0 for the others.
  int64_t fixed_width_bytes() const;
  bool operator==(const ClickHouseType& other) const;

  // invalid: the text is no type, or one that Weir does not write (Variant, Dynamic, AggregateFunction, …).
  static Result<ClickHouseType> parse(std::string_view text);
  static ClickHouseType of(ClickHouseKind kind);
  static ClickHouseType nullable(ClickHouseType of);
  static ClickHouseType array(ClickHouseType element);
};

// `name` between backquotes, for a statement: `a\`b`.
std::string quoted_identifier(std::string_view name);

// The type of a column that Weir creates for an Arrow type of the dialect. TIME(p) becomes Int64 in Arrow's
// unit (milliseconds to p = 3, then micro-, then nanoseconds since midnight): Time64 is in no server before
// 25.6. Arrays, maps and rows cannot be Nullable in ClickHouse: a NULL one is stored empty, a NULL row as a
// tuple of NULLs, so its fields are all Nullable. invalid: no ClickHouse type holds it.
Result<ClickHouseType> clickhouse_type_for(const arrow::DataType& type, bool nullable);

// Whether a column of the Arrow type can be written to an existing column. What fits always or can be checked
// value by value (an integer's range, the text of a UUID, a NULL where the column takes none) is ok: rows
// that do not fit are refused when they are encoded. invalid: the message names both types and what to do.
Status can_store(const arrow::DataType& type, const ClickHouseType& target);

// One column of a block: where its values come from.
struct ColumnTarget {
  std::string name;  // as the table has it: "n.a" for a flattened Nested
  ClickHouseType type;
  int column = 0;          // index in the Arrow schema
  int element_field = -1;  // >= 0: that field of the column's ARRAY<ROW<…>>
};

struct TableColumn {
  std::string name;
  ClickHouseType type;
};

// Columns by name. ARRAY<ROW<a, b>> n also finds n.a and n.b of a flattened Nested. invalid with every
// problem: a column of the schema that the table lacks, a type that cannot be stored. Columns that only the
// table has are left out: they get their defaults.
Result<std::vector<ColumnTarget>> match_columns(const std::string& table, const arrow::Schema& schema,
                                                const std::vector<TableColumn>& existing);

}  // namespace weir
