// Avro schemas (specification 1.12), parsed and with every name resolved.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "schema/schema_lookup.h"

namespace weir::avro {

enum class Type : uint8_t {
  null,
  boolean,
  int32,
  int64,
  float32,
  float64,
  bytes,
  string,
  record,
  enumeration,
  array,
  map,
  fixed,
  union_of,
};

enum class Logical : uint8_t {
  none,
  decimal,
  uuid,
  date,
  time_millis,
  time_micros,
  timestamp_millis,
  timestamp_micros,
  timestamp_nanos,
  local_timestamp_millis,
  local_timestamp_micros,
  local_timestamp_nanos,
  duration,
};

struct Node;

struct Field {
  std::string name;
  std::vector<std::string> aliases;
  const Node* type = nullptr;
  bool has_default = false;
  std::string default_bytes;    // the default in Avro's encoding of `type`
  std::string default_problem;  // why the default is no value of `type`; "" when it is one
};

struct Node {
  Type type = Type::null;
  Logical logical = Logical::none;  // what the specification tells readers to ignore is none
  int precision = 0;                // of a decimal
  int scale = 0;
  int64_t size = 0;  // of fixed

  std::string name;                  // full name of a record, enum or fixed
  std::vector<std::string> aliases;  // full names
  std::vector<Field> fields;
  std::vector<std::string> symbols;
  int default_symbol = -1;            // of an enum: index of its default
  std::vector<const Node*> children;  // array: items; map: values; union: its branches

  bool named() const { return type == Type::record || type == Type::enumeration || type == Type::fixed; }
  // The name without its namespace.
  std::string_view short_name() const;
};

// Owns its nodes; they point at each other, and a recursive schema is a cycle.
class Schema {
 public:
  const Node& root() const { return *root_; }

 private:
  friend class SchemaParser;
  std::deque<Node> nodes_;
  std::map<std::string, Node*> names_;
  Node* root_ = nullptr;
};

using SchemaHandle = std::shared_ptr<const Schema>;  // shared by the plans that were made of it

// At most 16 MB of text, 64 levels and 100,000 types. invalid: with a JSON Pointer to what is wrong. A
// default that does not fit its field is remembered there, for it matters only to who needs it.
Result<SchemaHandle> parse_schema(const SchemaText& text);

// The first default of the schema that does not fit, in words; "" when all fit.
std::string first_default_problem(const Schema& schema);

// "int", "record shop.Order", "timestamp-millis", "[null, string]": for messages.
std::string type_label(const Node& node);

// The specification's Parsing Canonical Form, and its CRC-64-AVRO.
std::string canonical_form(const Node& root);
uint64_t fingerprint(std::string_view canonical);

// Whether a reader's named type takes the writer's: the names without namespaces are the same, or an alias is
// the writer's name.
bool names_match(const Node& reader, const Node& writer);
// The writer's field for a reader's one, by name, then by alias; -1: none.
int writer_field_of(const Field& reader, const Node& writer_record);

}  // namespace weir::avro
