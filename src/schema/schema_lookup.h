// Where formats get schemas from: local files and a registry. Formats do no I/O themselves.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"

namespace weir {

enum class SchemaKind { avro, json, protobuf };

// As the registry's API spells it: "AVRO", "JSON", "PROTOBUF".
const char* schema_kind_name(SchemaKind kind);

struct SchemaReference {
  std::string name;  // as the schema's text names it: a full name, a $ref or an import's path
  std::string subject;
  int32_t version = 0;
  bool operator==(const SchemaReference&) const = default;
};

// A schema's text with everything it refers to.
struct SchemaText {
  SchemaKind kind = SchemaKind::avro;
  std::string text;
  // Of all schemas that this one needs, directly or not; a schema comes after those that it needs itself.
  struct Needed {
    std::string name;
    std::string text;
  };
  std::vector<Needed> needed;
};

// One that a registry holds.
struct RegisteredSchema {
  int32_t id = 0;
  std::string subject;  // "" when the registry only told the id
  int32_t version = 0;  // in its subject; 0 when unknown
  SchemaText schema;

  // "orders-value version 3 (id 7)": for messages.
  std::string label() const;
};

using SchemaPointer = std::shared_ptr<const RegisteredSchema>;

// Thread-safe: shared by the decoders of a source. What was fetched once is kept for the life of the object
// (an id never changes its schema), so that a registry that is away stops only what is new.
class SchemaLookup {
 public:
  virtual ~SchemaLookup() = default;
  // The text of a file next to the pipeline, at most 16 MB.
  virtual Result<std::string> file(const std::string& path) = 0;
  // Of the registry of 'schema-registry.url'. not_found: the registry answered that there is none (remembered
  // for a second only); unavailable: it did not answer, or with nonsense; denied; invalid: no registry is
  // configured. A latest one is believed for a while, but never on when by_id had to fetch a schema: what an
  // event was written with is at most as new as what `latest` then gives.
  virtual Result<SchemaPointer> by_id(int32_t id) = 0;
  virtual Result<SchemaPointer> latest(const std::string& subject) = 0;
  virtual Result<SchemaPointer> version(const std::string& subject, int32_t version) = 0;
};

}  // namespace weir
