// JSON Schemas as trees with their $refs resolved, for comparing them; drafts 4 to 2020-12.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "schema/bounded_json.h"
#include "schema/schema_lookup.h"

namespace weir::json_schema {

using Json = nlohmann::json;  // finds a key in an object with many

struct Document;

// A subschema (an object or a boolean) and the document that its local $refs point into.
struct Place {
  const Json* json = nullptr;
  const Document* document = nullptr;
};

struct Document {
  Json root;
  std::map<std::string, const Json*> anchors;  // by $id, id, "#" + $anchor
};

// Immutable once parsed; places point into it.
class Tree {
 public:
  // invalid for what is no JSON Schema, and for a $ref that leads nowhere within it and `schema.needed`.
  static Result<Tree> parse(const SchemaText& schema);

  Place root() const { return {&documents_.front().root, &documents_.front()}; }
  // Where the $ref of `place` leads; every one does, once the tree is parsed.
  Place target(const Place& place, const std::string& reference) const;

 private:
  struct Unchecked;

  Place find(const Document& from, const std::string& reference) const;
  Status check_all() const;
  Status check(const Place& place, const std::string& path, Unchecked& unchecked) const;
  Status check_children(const Place& place, const std::string& path, Unchecked& unchecked) const;

  std::deque<Document> documents_;  // the schema, then those it needs; never moves them
  std::map<std::string, const Document*> by_name_;
};

// The $ref of a schema, or nullptr.
const std::string* reference_of(const Json& schema);

}  // namespace weir::json_schema
