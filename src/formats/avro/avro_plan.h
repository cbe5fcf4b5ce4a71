// A writer's schema and a table's columns, compiled into the steps that read a datum straight into the
// columns.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "formats/avro/avro_schema.h"
#include "formats/column.h"

namespace weir::avro {

using columns::Column;
using columns::Kind;

enum class Op : uint8_t {
  // Reads a value of the writer into the column.
  null,
  boolean,
  int8,
  int16,
  int32,  // an int of the writer; also DATE
  int64,  // a long of the writer
  int_to_int64,
  int_to_float32,
  int_to_float64,
  long_to_float32,
  long_to_float64,
  float32,
  float_to_float64,
  float64,
  text,    // string, or bytes that must be text
  binary,  // bytes or string
  fixed_binary,
  uuid_text,  // fixed(16)
  decimal,
  fixed_decimal,
  int_time,
  long_time,
  timestamp,
  enumeration,
  list,
  map,
  row,
  union_of,
  misfit,  // a branch of a union that the column cannot take
  // Reads nothing.
  put_null,
  put_default,
  missing,
  // Reads, keeps nothing.
  skip,
};

// How to get past a value of the writer. Recursive like the schema.
struct Skip {
  enum class Op : uint8_t { nothing, varint, fixed, bytes, record, array, map, union_of };
  Op op = Op::nothing;
  int64_t size = 0;       // of fixed
  int64_t min_bytes = 0;  // that a value takes
  std::vector<const Skip*> children;
};

struct Step {
  Op op = Op::skip;
  // Of a union of null and the type that `op` reads: the byte of null's index, 0 or 2; -1: no such union.
  int8_t null_byte = -1;
  bool exact = true;         // numbers go in as they are, neither multiplied nor divided
  Column* column = nullptr;  // null: skip
  int64_t size = 0;          // bytes of a fixed
  int64_t multiply = 1;      // from the writer's unit to the column's; one of the two is 1
  int64_t divide = 1;
  int64_t min_bytes = 0;  // list, map: of an item
  std::vector<Step>
      children;  // row: fields; list: item; map: value, key; union: branches; default: how to read it
  const Skip* skip = nullptr;

  __int128 factor = 1;  // decimal: to the column's scale, multiplied or divided
  __int128 limit = 0;   // decimal: 10^precision of the column
  bool shrink = false;  // decimal: divide by the factor

  std::string name;   // of the field, for JSON Pointers
  std::string bytes;  // default, with EventBatch::kPadding zeros behind it
  int64_t bytes_size = 0;
  std::string words;                 // misfit: what is wrong
  std::vector<std::string> symbols;  // enum: the column's text by the writer's index
  std::vector<bool> known_symbols;   // enum: false where the reader has neither the symbol nor a default
};

struct Plan {
  std::vector<Step> fields;  // of the writer's record in its order, then what it lacks
  SchemaHandle writer;       // skips and steps were made of it
  std::deque<Skip> skips;
};

// The table's columns by name; they outlive the plan.
struct Target {
  std::vector<std::string> names;
  std::vector<Column*> columns;
};

// `reader`: whose aliases, defaults and unions count; may be null. invalid: no datum of the writer fits the
// columns; the message begins with a JSON Pointer and says why.
Result<std::unique_ptr<Plan>> compile_plan(const SchemaHandle& writer, const SchemaHandle& reader,
                                           const Target& target);

// Bytes that a value takes at least.
int64_t least_bytes(const Node& node);

}  // namespace weir::avro
