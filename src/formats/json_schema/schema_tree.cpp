#include "formats/json_schema/schema_tree.h"

#include <algorithm>
#include <array>
#include <set>

#include "formats/json_schema/json_schema_compatibility.h"

namespace weir::json_schema {
namespace {

constexpr int kMostHops = 64;  // of $refs to $refs

constexpr std::array kSchemaKeywords{
    "additionalProperties",  "additionalItems", "contains", "propertyNames", "not", "if", "then", "else",
    "unevaluatedProperties", "unevaluatedItems"};
constexpr std::array kSchemaMaps{"properties", "patternProperties", "definitions", "$defs",
                                 "dependentSchemas"};
constexpr std::array kSchemaLists{"allOf", "anyOf", "oneOf", "prefixItems"};
constexpr std::array kCounts{"minLength",     "maxLength",     "minItems",    "maxItems",
                             "minProperties", "maxProperties", "minContains", "maxContains"};
constexpr std::array kTypes{"null", "boolean", "object", "array", "string", "number", "integer"};

std::string percent_decoded(std::string_view text) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0) {
      decoded += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

const Json* at_pointer(const Json& root, const std::string& pointer) {
  try {
    const Json::json_pointer path(pointer);
    return root.contains(path) ? &root.at(path) : nullptr;
  } catch (const std::exception&) {
    return nullptr;
  }
}

void add_anchors(const Json& json, Document& document) {
  if (json.is_object()) {
    for (const char* name : {"$id", "id"}) {
      const auto found = json.find(name);
      if (found != json.end() && found->is_string())
        document.anchors.emplace(found->get<std::string>(), &json);
    }
    const auto anchor = json.find("$anchor");
    if (anchor != json.end() && anchor->is_string()) {
      document.anchors.emplace("#" + anchor->get<std::string>(), &json);
    }
  }
  if (json.is_structured()) {
    for (const Json& child : json) add_anchors(child, document);
  }
}

bool is_schema(const Json& json) { return json.is_object() || json.is_boolean(); }

Status wrong(const std::string& path, const std::string& words) {
  return Status::invalid(path + ": " + words);
}

bool is_type_name(const Json& json) {
  if (!json.is_string()) return false;
  for (const char* type : kTypes) {
    if (json.get_ref<const std::string&>() == type) return true;
  }
  return false;
}

Status check_type(const Json& type, const std::string& path) {
  if (is_type_name(type)) return {};
  if (!type.is_array() || type.empty()) return wrong(path, "'type' is no type's name and no list of names");
  for (const Json& one : type) {
    if (!is_type_name(one)) return wrong(path, "'type' holds what is no type's name");
  }
  return {};
}

bool is_list_of_strings(const Json& json) {
  if (!json.is_array()) return false;
  for (const Json& one : json) {
    if (!one.is_string()) return false;
  }
  return true;
}

Status check_plain(const Json& schema, const std::string& path) {
  const auto has = [&](const char* name, auto fits) {
    const auto found = schema.find(name);
    return found == schema.end() || fits(*found);
  };
  const auto is_count = [](const Json& json) { return json.is_number() && json.get<double>() >= 0; };
  const auto is_number = [](const Json& json) { return json.is_number(); };
  const auto is_bound = [](const Json& json) { return json.is_number() || json.is_boolean(); };
  if (const auto type = schema.find("type"); type != schema.end()) WEIR_TRY(check_type(*type, path));
  for (const char* name : kCounts) {
    if (!has(name, is_count)) return wrong(path, std::string("'") + name + "' is no count");
  }
  if (!has("minimum", is_number) || !has("maximum", is_number)) return wrong(path, "a bound is no number");
  if (!has("exclusiveMinimum", is_bound) || !has("exclusiveMaximum", is_bound)) {
    return wrong(path, "an exclusive bound is neither a number nor, as in draft 4, a boolean");
  }
  const auto is_positive = [](const Json& json) { return json.is_number() && json.get<double>() > 0; };
  if (!has("multipleOf", is_positive)) return wrong(path, "'multipleOf' is no number above 0");
  if (!has("required", is_list_of_strings)) return wrong(path, "'required' is no list of names");
  if (!has("enum", [](const Json& json) { return json.is_array(); })) {
    return wrong(path, "'enum' is no list");
  }
  if (!has("pattern", [](const Json& json) { return json.is_string(); })) {
    return wrong(path, "'pattern' is no string");
  }
  if (!has("$ref", [](const Json& json) { return json.is_string(); })) {
    return wrong(path, "'$ref' is no string");
  }
  return {};
}

}  // namespace

// Schemas that $refs lead to may stand anywhere: not at the place of a keyword, and in any number of hops.
struct Tree::Unchecked {
  std::vector<std::pair<Place, std::string>> places;
  std::set<const Json*> seen;

  void add(const Place& place, const std::string& path) {
    if (seen.insert(place.json).second) places.emplace_back(place, path);
  }
};

const std::string* reference_of(const Json& schema) {
  if (!schema.is_object()) return nullptr;
  const auto found = schema.find("$ref");
  return found == schema.end() ? nullptr : found->get_ptr<const std::string*>();
}

Result<Tree> Tree::parse(const SchemaText& schema) {
  Tree tree;
  const auto add = [&tree](const std::string& text) -> Status {
    WEIR_ASSIGN(const OrderedJson json, parse_bounded_json(text));
    Json root = json;
    if (!is_schema(root)) return Status::invalid("a JSON Schema is an object or a boolean");
    tree.documents_.push_back({std::move(root), {}});
    add_anchors(tree.documents_.back().root, tree.documents_.back());
    return {};
  };
  WEIR_TRY(add(schema.text));
  for (const SchemaText::Needed& needed : schema.needed) {
    WEIR_TRY(add(needed.text).with_context("the reference '" + needed.name + "'"));
    tree.by_name_.emplace(needed.name, &tree.documents_.back());
  }
  WEIR_TRY(tree.check_all());
  return tree;
}

Status Tree::check_all() const {
  Unchecked unchecked;
  unchecked.add(root(), "#");
  for (const auto& [name, document] : by_name_) unchecked.add({&document->root, document}, name + "#");
  while (!unchecked.places.empty()) {
    const auto [place, path] = std::move(unchecked.places.back());
    unchecked.places.pop_back();
    WEIR_TRY(check(place, path, unchecked));
  }
  return {};
}

Place Tree::find(const Document& from, const std::string& reference) const {
  if (const auto anchor = from.anchors.find(reference); anchor != from.anchors.end()) {
    return {anchor->second, &from};
  }
  const size_t hash = reference.find('#');
  const std::string name = reference.substr(0, hash);
  const Document* document = &from;
  const Json* base = &from.root;
  if (!name.empty()) {
    const auto named = by_name_.find(name);
    document = named == by_name_.end() ? nullptr : named->second;
    for (auto one = documents_.begin(); document == nullptr && one != documents_.end(); ++one) {
      if (one->anchors.count(name) != 0) document = &*one;
    }
    if (document == nullptr) return {};
    const auto inner = document->anchors.find(name);
    base = inner == document->anchors.end() ? &document->root : inner->second;
  }
  if (hash == std::string::npos || hash + 1 == reference.size()) return {base, document};
  const std::string fragment = percent_decoded(std::string_view(reference).substr(hash + 1));
  if (fragment.front() == '/') return {at_pointer(*base, fragment), document};
  const auto anchor = document->anchors.find("#" + fragment);
  return {anchor == document->anchors.end() ? nullptr : anchor->second, document};
}

Place Tree::target(const Place& place, const std::string& reference) const {
  return find(*place.document, reference);
}

Status Tree::check(const Place& place, const std::string& path, Unchecked& unchecked) const {
  const Json& schema = *place.json;
  if (schema.is_boolean()) return {};
  if (!schema.is_object()) return wrong(path, "a schema is an object or a boolean");
  WEIR_TRY(check_plain(schema, path));
  Place here = place;
  for (int hops = 0; const std::string* reference = reference_of(*here.json); ++hops) {
    if (hops == kMostHops) return wrong(path, "'$ref' goes round in a circle");
    const Place there = find(*here.document, *reference);
    if (there.json == nullptr || !is_schema(*there.json)) {
      return wrong(path, "the $ref '" + *reference +
                             "' is neither in this schema nor among its references; none is fetched");
    }
    if (hops == 0) unchecked.add(there, path + "/$ref");
    here = there;
  }
  return check_children(place, path, unchecked);
}

Status Tree::check_children(const Place& place, const std::string& path, Unchecked& unchecked) const {
  const Json& schema = *place.json;
  const auto child = [&](const Json& json, const std::string& step) {
    return check({&json, place.document}, path + "/" + step, unchecked);
  };
  const auto list = [&](const Json& json, const std::string& step) -> Status {
    for (size_t i = 0; i < json.size(); ++i) WEIR_TRY(child(json[i], step + "/" + std::to_string(i)));
    return {};
  };
  for (const auto& [key, value] : schema.items()) {
    const auto is_in = [&](const auto& names) {
      return std::find(names.begin(), names.end(), std::string_view(key)) != names.end();
    };
    if (is_in(kSchemaKeywords)) {
      WEIR_TRY(child(value, key));
    } else if (is_in(kSchemaMaps)) {
      if (!value.is_object()) return wrong(path, "'" + key + "' is no object");
      for (const auto& [name, one] : value.items()) WEIR_TRY(child(one, key + "/" + name));
    } else if (is_in(kSchemaLists)) {
      if (!value.is_array() || value.empty()) return wrong(path, "'" + key + "' is no list of schemas");
      WEIR_TRY(list(value, key));
    } else if (key == "items") {
      WEIR_TRY(value.is_array() ? list(value, key) : child(value, key));
    } else if (key == "dependencies" || key == "dependentRequired") {
      if (!value.is_object()) return wrong(path, "'" + key + "' is no object");
      for (const auto& [name, one] : value.items()) {
        if (is_list_of_strings(one)) continue;
        if (key == "dependentRequired")
          return wrong(path, "'dependentRequired' holds what is no list of names");
        WEIR_TRY(child(one, key + "/" + name));
      }
    }
  }
  return {};
}

}  // namespace weir::json_schema
