#include "formats/json_schema/json_schema_compatibility.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "formats/json_schema/schema_tree.h"

namespace weir {
namespace json_schema {
namespace {

constexpr int kMostSteps = 200'000;  // comparisons of two subschemas
constexpr size_t kMostDepth = 250;   // of schemas within schemas, $refs followed
constexpr size_t kMostProblems = 100;

using Problems = std::vector<std::string>;
using Names = std::set<std::string>;

const Json kAnything = true;

const Json* find(const Json& schema, const char* name) {
  if (!schema.is_object()) return nullptr;
  const auto found = schema.find(name);
  return found == schema.end() ? nullptr : &*found;
}

// Keywords of one schema itself, as opposed to those that combine others.
constexpr const char* kOwnKeywords[] = {"type",
                                        "enum",
                                        "const",
                                        "minLength",
                                        "maxLength",
                                        "pattern",
                                        "minimum",
                                        "maximum",
                                        "multipleOf",
                                        "required",
                                        "exclusiveMinimum",
                                        "exclusiveMaximum",
                                        "properties",
                                        "items",
                                        "patternProperties",
                                        "additionalProperties",
                                        "minProperties",
                                        "maxProperties",
                                        "propertyNames",
                                        "dependencies",
                                        "minItems",
                                        "maxItems",
                                        "dependentRequired",
                                        "dependentSchemas",
                                        "uniqueItems",
                                        "contains",
                                        "prefixItems",
                                        "additionalItems",
                                        "minContains",
                                        "maxContains",
                                        "unevaluatedProperties",
                                        "unevaluatedItems"};

bool has_own_keywords(const Json& schema) {
  return std::any_of(std::begin(kOwnKeywords), std::end(kOwnKeywords),
                     [&](const char* name) { return find(schema, name) != nullptr; });
}

// One of the conditions that a document must meet all of.
struct Condition {
  enum Kind { own, any_of, none_of, branch } kind;
  Place place;  // the schema, or the list of alternatives
};

struct Bound {
  double value;
  bool exclusive;
};

// The tightest upper (sign 1) or lower (sign -1) bound, times the sign; +infinity for none.
Bound bound_of(const Json& schema, const char* inclusive, const char* exclusive, int sign) {
  Bound bound{std::numeric_limits<double>::infinity(), false};
  const Json* closed = find(schema, inclusive);
  const Json* open = find(schema, exclusive);
  if (closed != nullptr) bound = {sign * closed->get<double>(), open != nullptr && *open == true};
  if (open != nullptr && open->is_number() && sign * open->get<double>() <= bound.value) {
    bound = {sign * open->get<double>(), true};
  }
  return bound;
}

Names names_in(const Json& schema, const char* keyword) {
  Names names;
  if (const Json* list = find(schema, keyword)) {
    for (const Json& name : *list) names.insert(name.get<std::string>());
  }
  return names;
}

// "integer" is not in it where "number" is.
Names types_of(const Json& schema) {
  Names types;
  if (const Json* type = find(schema, "type")) {
    if (type->is_string()) types.insert(type->get<std::string>());
    if (type->is_array()) types = names_in(schema, "type");
  } else if (find(schema, "enum") != nullptr || find(schema, "const") != nullptr) {
    const Json* values = find(schema, "enum");
    const Json one = values != nullptr ? *values : Json::array({*find(schema, "const")});
    for (const Json& value : one) {
      types.insert(value.is_number_integer() ? "integer" : value.type_name());
    }
  } else {
    types = {"null", "boolean", "object", "array", "string", "number"};
  }
  if (types.count("number") != 0) types.erase("integer");
  return types;
}

struct Items {
  std::vector<const Json*> first;
  const Json* rest = &kAnything;

  const Json* at(size_t i) const { return i < first.size() ? first[i] : rest; }
};

Items items_of(const Json& schema) {
  Items items;
  const Json* list = find(schema, "prefixItems");
  const Json* all = find(schema, "items");
  const Json* rest = all;
  if (list == nullptr && all != nullptr && all->is_array()) {
    list = all;
    rest = find(schema, "additionalItems");
  }
  if (list != nullptr) {
    for (const Json& item : *list) items.first.push_back(&item);
  }
  if (rest != nullptr && !rest->is_array()) items.rest = rest;
  return items;
}

class Comparison {
 public:
  Comparison(const Tree& reader, const Tree& writer) : reader_(reader), writer_(writer) {}

  Result<Problems> run() {
    Problems problems;
    compare(reader_.root(), writer_.root(), "#", problems);
    if (steps_ > kMostSteps) return Status::invalid("the JSON Schemas are too intricate to compare");
    if (problems.size() > kMostProblems) problems.resize(kMostProblems);
    return problems;
  }

 private:
  static void say(Problems& problems, const char* what, const std::string& path, const std::string& words) {
    if (problems.size() <= kMostProblems)
      problems.push_back(std::string(what) + " at " + path + ": " + words);
  }

  // What stands beside a $ref counts, too, as in the later drafts.
  void collect(const Tree& tree, const Place& place, std::set<const Json*>& seen,
               std::vector<Condition>& conditions) {
    const Json& schema = *place.json;
    if (schema == true || !seen.insert(&schema).second) return;
    if (seen.size() > kMostDepth) {
      steps_ = kMostSteps + 1;
      return;
    }
    if (schema == false || has_own_keywords(schema)) conditions.push_back({Condition::own, place});
    if (const std::string* reference = reference_of(schema)) {
      collect(tree, tree.target(place, *reference), seen, conditions);
    }
    if (const Json* all = find(schema, "allOf")) {
      for (const Json& one : *all) collect(tree, {&one, place.document}, seen, conditions);
    }
    for (const char* name : {"anyOf", "oneOf"}) {
      const Json* list = find(schema, name);
      if (list == nullptr) continue;
      if (list->size() == 1) {
        collect(tree, {&list->front(), place.document}, seen, conditions);
      } else {
        conditions.push_back({Condition::any_of, {list, place.document}});
      }
    }
    if (const Json* excluded = find(schema, "not")) {
      conditions.push_back({Condition::none_of, {excluded, place.document}});
    }
    if (find(schema, "if") != nullptr) conditions.push_back({Condition::branch, place});
  }

  bool fits(const Place& reader, const Place& writer, const std::string& path) {
    Problems problems;
    compare(reader, writer, path, problems);
    return problems.empty();
  }

  void compare(const Place& reader, const Place& writer, const std::string& path, Problems& problems) {
    if (++steps_ > kMostSteps || problems.size() > kMostProblems) return;
    if (*reader.json == true || *writer.json == false) return;
    // Met again below itself: whatever is wrong with the pair is said above.
    if (!open_.emplace(reader.json, writer.json).second) return;
    if (open_.size() > kMostDepth) steps_ = kMostSteps;
    std::vector<Condition> asked, given;
    std::set<const Json*> seen;
    collect(reader_, reader, seen, asked);
    seen.clear();
    collect(writer_, writer, seen, given);
    for (const Condition& condition : asked) meet(condition, given, writer, path, problems);
    open_.erase({reader.json, writer.json});
  }

  void meet(const Condition& asked, const std::vector<Condition>& given, const Place& writer,
            const std::string& path, Problems& problems) {
    switch (asked.kind) {
      case Condition::own: return meet_own(asked.place, given, writer, path, problems);
      case Condition::any_of: return meet_any(asked.place, given, writer, path, problems);
      case Condition::none_of:
        for (const Condition& one : given) {
          if (one.kind == Condition::none_of && excludes(one.place, asked.place, path)) return;
        }
        return say(problems, "NOT_TYPE_EXTENDED", path, "'not' excludes what was allowed");
      case Condition::branch:
        for (const Condition& one : given) {
          if (one.kind == Condition::branch && same_branch(*one.place.json, *asked.place.json)) return;
        }
        return say(problems, "CONDITION_CHANGED", path, "'if' was added or changed");
    }
  }

  // Whether everything that `reader`'s schema excludes was excluded by `writer`'s.
  bool excludes(const Place& writer, const Place& reader, const std::string& path) {
    Comparison turned(writer_, reader_);
    turned.steps_ = steps_;
    const bool result = turned.fits(writer, reader, path);
    steps_ = turned.steps_;
    return result;
  }

  static bool same_branch(const Json& a, const Json& b) {
    for (const char* name : {"if", "then", "else"}) {
      const Json* left = find(a, name);
      const Json* right = find(b, name);
      if ((left == nullptr) != (right == nullptr) || (left != nullptr && *left != *right)) return false;
    }
    return true;
  }

  void meet_own(const Place& asked, const std::vector<Condition>& given, const Place& writer,
                const std::string& path, Problems& problems) {
    Problems best;
    bool tried = false;
    for (const Condition& one : given) {
      Problems found;
      if (one.kind == Condition::own) {
        compare_own(asked, one.place, path, found);
      } else if (one.kind == Condition::any_of) {
        for (const Json& alternative : *one.place.json) {
          compare(asked, {&alternative, one.place.document}, path, found);
        }
      } else {
        continue;
      }
      if (found.empty()) return;
      if (!tried || found.size() < best.size()) best = std::move(found);
      tried = true;
    }
    if (!tried) compare_own(asked, {&kAnything, writer.document}, path, best);
    problems.insert(problems.end(), best.begin(), best.end());
  }

  void meet_any(const Place& asked, const std::vector<Condition>& given, const Place& writer,
                const std::string& path, Problems& problems) {
    const auto takes = [&](const Place& one) {
      return std::any_of(asked.json->begin(), asked.json->end(), [&](const Json& alternative) {
        return fits({&alternative, asked.document}, one, path);
      });
    };
    for (const Condition& one : given) {
      if (one.kind != Condition::any_of) continue;
      const bool all = std::all_of(one.place.json->begin(), one.place.json->end(),
                                   [&](const Json& old) { return takes({&old, one.place.document}); });
      if (all) return;
    }
    if (takes(writer)) return;
    say(problems, "SUM_TYPE_NARROWED", path, "no alternative takes all that was allowed");
  }

  void compare_own(const Place& reader, const Place& writer, const std::string& path, Problems& problems) {
    const Json& now = *reader.json;
    const Json& was = *writer.json;
    if (was == false) return;
    if (now == false) return say(problems, "SCHEMA_ADDED", path, "nothing is allowed any more");
    const Names types = types_of(was);
    const Names taken = types_of(now);
    std::string lost;
    size_t count = 0;
    for (const std::string& type : types) {
      if (taken.count(type) != 0 || (type == "integer" && taken.count("number") != 0)) continue;
      lost += (count++ == 0 ? "" : ", ") + type;
    }
    if (count > 0) {
      const bool narrowed =
          count < types.size() || (types.count("number") != 0 && taken.count("integer") != 0);
      return say(problems, narrowed ? "TYPE_NARROWED" : "TYPE_CHANGED", path, lost + " is no longer allowed");
    }
    compare_values(now, was, path, problems);
    if (types.count("string") != 0) compare_strings(now, was, path, problems);
    if (types.count("number") != 0 || types.count("integer") != 0) compare_numbers(now, was, path, problems);
    if (types.count("array") != 0) compare_arrays(reader, writer, path, problems);
    if (types.count("object") != 0) compare_objects(reader, writer, path, problems);
  }

  static void compare_values(const Json& now, const Json& was, const std::string& path, Problems& problems) {
    const auto values = [](const Json& schema) -> std::vector<Json> {
      if (const Json* one = find(schema, "const")) return {*one};
      if (const Json* list = find(schema, "enum")) return {list->begin(), list->end()};
      return {};
    };
    const auto allowed = values(now);
    if (find(now, "const") == nullptr && find(now, "enum") == nullptr) return;
    if (find(was, "const") == nullptr && find(was, "enum") == nullptr) {
      return say(problems, "ENUM_ARRAY_CHANGED", path, "only listed values are allowed now");
    }
    for (const Json& value : values(was)) {
      if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) continue;
      std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
      if (text.size() > 100) text = text.substr(0, 100) + "…";
      return say(problems, "ENUM_ARRAY_NARROWED", path, text + " is no longer allowed");
    }
  }

  static void at_most(const Json& now, const Json& was, const char* name, const std::string& path,
                      Problems& problems) {
    const Json* bound = find(now, name);
    const Json* before = find(was, name);
    if (bound == nullptr || (before != nullptr && before->get<double>() <= bound->get<double>())) return;
    say(problems, before == nullptr ? "UPPER_BOUND_ADDED" : "UPPER_BOUND_DECREASED", path,
        std::string(name) + " is " + bound->dump() + (before == nullptr ? "" : ", was " + before->dump()));
  }

  static void at_least(const Json& now, const Json& was, const char* name, const std::string& path,
                       Problems& problems) {
    const Json* bound = find(now, name);
    const Json* before = find(was, name);
    if (bound == nullptr || bound->get<double>() <= 0) return;
    if (before != nullptr && before->get<double>() >= bound->get<double>()) return;
    say(problems, before == nullptr ? "LOWER_BOUND_ADDED" : "LOWER_BOUND_INCREASED", path,
        std::string(name) + " is " + bound->dump() + (before == nullptr ? "" : ", was " + before->dump()));
  }

  static void compare_strings(const Json& now, const Json& was, const std::string& path, Problems& problems) {
    at_most(now, was, "maxLength", path, problems);
    at_least(now, was, "minLength", path, problems);
    const Json* pattern = find(now, "pattern");
    const Json* before = find(was, "pattern");
    if (pattern == nullptr || (before != nullptr && *before == *pattern)) return;
    say(problems, before == nullptr ? "PATTERN_ADDED" : "PATTERN_CHANGED", path,
        "'pattern' may exclude values");
  }

  static void compare_numbers(const Json& now, const Json& was, const std::string& path, Problems& problems) {
    const auto tighter = [&](const char* inclusive, const char* exclusive, int sign) {
      const Bound bound = bound_of(now, inclusive, exclusive, sign);
      const Bound before = bound_of(was, inclusive, exclusive, sign);
      return bound.value < before.value ||
             (bound.value == before.value && bound.exclusive && !before.exclusive);
    };
    if (tighter("maximum", "exclusiveMaximum", 1)) {
      say(problems, "MAXIMUM_DECREASED", path, "the upper bound is lower than before, or new");
    }
    if (tighter("minimum", "exclusiveMinimum", -1)) {
      say(problems, "MINIMUM_INCREASED", path, "the lower bound is higher than before, or new");
    }
    const Json* step = find(now, "multipleOf");
    if (step == nullptr) return;
    const Json* before = find(was, "multipleOf");
    double old = before == nullptr ? 0 : before->get<double>();
    if (before == nullptr && types_of(was).count("integer") != 0) old = 1;
    const double times = old / step->get<double>();
    if (old > 0 && std::abs(times - std::round(times)) < 1e-9 * std::max(1.0, times)) return;
    say(problems, "MULTIPLE_OF_CHANGED", path, "multipleOf is " + step->dump());
  }

  void compare_arrays(const Place& reader, const Place& writer, const std::string& path, Problems& problems) {
    const Json& now = *reader.json;
    const Json& was = *writer.json;
    at_most(now, was, "maxItems", path, problems);
    at_least(now, was, "minItems", path, problems);
    const auto unique = [](const Json& schema) {
      const Json* value = find(schema, "uniqueItems");
      return value != nullptr && *value == true;
    };
    if (unique(now) && !unique(was)) say(problems, "UNIQUE_ITEMS_ADDED", path, "items must be unique now");
    const Items items = items_of(now);
    const Items before = items_of(was);
    const size_t first = std::max(items.first.size(), before.first.size());
    for (size_t i = 0; i < first; ++i) {
      compare({items.at(i), reader.document}, {before.at(i), writer.document},
              path + "/items/" + std::to_string(i), problems);
    }
    compare({items.rest, reader.document}, {before.rest, writer.document}, path + "/items", problems);
    if (find(now, "contains") != nullptr) {
      compare_named(reader, writer, "contains", path, problems);
      at_least(now, was, "minContains", path, problems);
      at_most(now, was, "maxContains", path, problems);
    }
    same(now, was, "unevaluatedItems", path, problems);
  }

  // A subschema that allows everything where it is absent.
  void compare_named(const Place& reader, const Place& writer, const char* name, const std::string& path,
                     Problems& problems) {
    const Json* now = find(*reader.json, name);
    const Json* was = find(*writer.json, name);
    if (now == nullptr) return;
    compare({now, reader.document}, {was == nullptr ? &kAnything : was, writer.document}, path + "/" + name,
            problems);
  }

  // Keywords whose meaning hangs on their surroundings.
  static void same(const Json& now, const Json& was, const char* name, const std::string& path,
                   Problems& problems) {
    const Json* value = find(now, name);
    const Json* before = find(was, name);
    if (value == nullptr || *value == true || (before != nullptr && *before == *value)) return;
    say(problems, "CONTENT_MODEL_NARROWED", path, std::string("'") + name + "' was added or changed");
  }

  void compare_objects(const Place& reader, const Place& writer, const std::string& path,
                       Problems& problems) {
    const Json& now = *reader.json;
    const Json& was = *writer.json;
    at_most(now, was, "maxProperties", path, problems);
    at_least(now, was, "minProperties", path, problems);
    compare_required(now, was, path, problems);
    compare_properties(reader, writer, path, problems);
    compare_named(reader, writer, "additionalProperties", path, problems);
    compare_named(reader, writer, "propertyNames", path, problems);
    if (const Json* patterns = find(now, "patternProperties")) {
      const Json* before = find(was, "patternProperties");
      for (const auto& [pattern, schema] : patterns->items()) {
        const Json* old = before == nullptr ? nullptr : find(*before, pattern.c_str());
        compare({&schema, reader.document}, {old == nullptr ? &kAnything : old, writer.document},
                path + "/patternProperties/" + pattern, problems);
      }
    }
    compare_dependencies(reader, writer, path, problems);
    same(now, was, "unevaluatedProperties", path, problems);
  }

  static void compare_required(const Json& now, const Json& was, const std::string& path,
                               Problems& problems) {
    const Names before = names_in(was, "required");
    const Json* properties = find(now, "properties");
    for (const std::string& name : names_in(now, "required")) {
      if (before.count(name) != 0) continue;
      const Json* property = properties == nullptr ? nullptr : find(*properties, name.c_str());
      if (property != nullptr && find(*property, "default") != nullptr) continue;
      say(problems, "REQUIRED_ATTRIBUTE_ADDED", path, "'" + name + "' is required now and has no default");
    }
  }

  // What a schema says about a property that it does not name. Which pattern matches is not looked at: all
  // must do.
  static std::vector<const Json*> covering(const Json& schema) {
    std::vector<const Json*> schemas;
    if (const Json* patterns = find(schema, "patternProperties")) {
      for (const Json& one : *patterns) schemas.push_back(&one);
    }
    const Json* additional = find(schema, "additionalProperties");
    schemas.push_back(additional == nullptr ? &kAnything : additional);
    return schemas;
  }

  void compare_properties(const Place& reader, const Place& writer, const std::string& path,
                          Problems& problems) {
    static const Json kNone = Json::object();
    const Json* named = find(*reader.json, "properties");
    const Json* named_before = find(*writer.json, "properties");
    const Json& properties = named == nullptr ? kNone : *named;
    const Json& before = named_before == nullptr ? kNone : *named_before;
    for (const auto& [name, schema] : properties.items()) {
      const std::string here = path + "/properties/" + name;
      if (const Json* old = find(before, name.c_str())) {
        compare({&schema, reader.document}, {old, writer.document}, here, problems);
        continue;
      }
      for (const Json* cover : covering(*writer.json)) {
        if (fits({&schema, reader.document}, {cover, writer.document}, here)) continue;
        if (*cover == true) {
          say(problems, "PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL", here,
              "older documents may hold anything there (they are closed by additionalProperties: false)");
        } else {
          say(problems, "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", here,
              "older documents may hold other values there");
        }
        break;
      }
    }
    for (const auto& [name, schema] : before.items()) {
      if (find(properties, name.c_str()) != nullptr) continue;
      const std::string here = path + "/properties/" + name;
      const Json* rest = find(*reader.json, "additionalProperties");
      const Json& cover = rest == nullptr ? kAnything : *rest;
      if (fits({&cover, reader.document}, {&schema, writer.document}, here)) continue;
      say(problems,
          cover == false ? "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL"
                         : "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
          here, "older documents may hold it");
    }
  }

  void compare_dependencies(const Place& reader, const Place& writer, const std::string& path,
                            Problems& problems) {
    for (const char* keyword : {"dependencies", "dependentRequired", "dependentSchemas"}) {
      const Json* now = find(*reader.json, keyword);
      const Json* was = find(*writer.json, keyword);
      if (now == nullptr) continue;
      for (const auto& [name, schema] : now->items()) {
        const std::string here = path + "/" + keyword + "/" + name;
        const Json* old = was == nullptr ? nullptr : find(*was, name.c_str());
        if (!schema.is_array()) {
          const Json* before = old == nullptr || old->is_array() ? &kAnything : old;
          compare({&schema, reader.document}, {before, writer.document}, here, problems);
          continue;
        }
        for (const Json& needed : schema) {
          if (old != nullptr && old->is_array() &&
              std::find(old->begin(), old->end(), needed) != old->end()) {
            continue;
          }
          say(problems, "DEPENDENCY_ARRAY_EXTENDED", here, needed.dump() + " is needed now");
        }
      }
    }
  }

  const Tree& reader_;
  const Tree& writer_;
  std::set<std::pair<const Json*, const Json*>> open_;  // being compared
  int steps_ = 0;
};

}  // namespace
}  // namespace json_schema

Status check_json_schema(const SchemaText& schema) { return json_schema::Tree::parse(schema).status(); }

Result<std::vector<std::string>> json_schema_incompatibilities(const SchemaText& reader,
                                                               const SchemaText& writer) {
  auto read = json_schema::Tree::parse(reader);
  if (!read.ok()) return read.status().with_context("the reader's schema");
  auto written = json_schema::Tree::parse(writer);
  if (!written.ok()) return written.status().with_context("the writer's schema");
  return json_schema::Comparison(*read, *written).run();
}

}  // namespace weir
