#include "formats/json/json_schema_columns.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <set>

#include "config/data_type.h"
#include "formats/error_words.h"
#include "schema/bounded_json.h"

namespace weir::json {
namespace {

using Json = OrderedJson;

constexpr int kMostNodes = 20'000;  // $refs may stand for each other many times
constexpr size_t kMostDepth = 256;  // a level is one or more of them
constexpr size_t kMostChoices = 1000;

// Words that say nothing about which documents fit, or that are read elsewhere.
const std::set<std::string> kSilent = {"$schema",
                                       "$id",
                                       "id",
                                       "$comment",
                                       "title",
                                       "description",
                                       "default",
                                       "examples",
                                       "example",
                                       "deprecated",
                                       "readOnly",
                                       "writeOnly",
                                       "$defs",
                                       "definitions",
                                       "$anchor",
                                       "type",
                                       "properties",
                                       "required",
                                       "items",
                                       "format",
                                       "nullable",
                                       "contentEncoding",
                                       "contentMediaType",
                                       "additionalProperties",
                                       "unevaluatedProperties",
                                       "oneOf",
                                       "anyOf",
                                       "allOf",
                                       "$ref",
                                       "$vocabulary",
                                       "connect.index",
                                       "connect.type",
                                       "connect.name",
                                       "connect.version",
                                       "connect.parameters",
                                       "javaType"};
const std::set<std::string> kChecked = {"enum",       "const",     "minimum",          "maximum",
                                        "multipleOf", "minLength", "exclusiveMinimum", "exclusiveMaximum",
                                        "maxLength",  "pattern",   "minItems",         "maxItems"};

std::string quoted(const std::string& text, char quote) {
  std::string out(1, quote);
  for (const char c : text) out += c == quote ? std::string(2, c) : std::string(1, c);
  return out + quote;
}

// A document that $refs may point into.
struct Document {
  std::string name;
  Json root;
};

// One schema with its $refs and allOfs folded in.
struct Folded {
  Json keys = Json::object();
  const Document* document = nullptr;  // what the $refs of `properties` and `items` are relative to
  std::vector<const Json*> followed;   // what $refs pointed to
};

// What a schema says of a value.
struct Described {
  std::string type;  // in DDL
  bool nullable = false;
};

class Describer {
 public:
  Describer(std::string name, bool ignore) : name_(std::move(name)), ignore_(ignore) {}

  Result<DescribedTable> run(const SchemaText& schema) {
    for (const SchemaText::Needed& needed : schema.needed) {
      auto parsed = parse_bounded_json(needed.text);
      if (!parsed.ok()) return parsed.status().with_context(name_ + ": " + needed.name);
      documents_.push_back({needed.name, std::move(*parsed)});
    }
    auto parsed = parse_bounded_json(schema.text);
    if (!parsed.ok()) return parsed.status().with_context(name_);
    documents_.push_back({"", std::move(*parsed)});
    folding_.push_back(&documents_.back().root);
    WEIR_ASSIGN(Folded root, fold(documents_.back().root, documents_.back(), "#"));
    const Json properties = root.keys.value("properties", Json());
    if (!properties.is_object() || properties.empty()) {
      return refuse("#", "the schema has no properties: a table needs an object with at least one");
    }
    WEIR_TRY(refuse_unsupported(root, "#"));
    const std::set<std::string> needed = required(root);
    for (const auto& [key, property] : properties.items()) {
      const std::string path = "#/properties/" + pointer_token(key);
      if (property == Json(false)) continue;
      if (key.empty() || key.starts_with("_weir_")) {
        return refuse(path, "names that are empty or begin with _weir_ are no columns");
      }
      WEIR_ASSIGN(const Described described, describe(property, *root.document, path, quoted(key, '`'), key));
      ColumnSpec column;
      column.name = key;
      auto type = parse_type_text(described.type);
      if (!type.ok()) return type.status().with_context(name_ + ": " + path);
      column.type = std::move(type->type);
      column.nullable = described.nullable || needed.count(key) == 0;
      table_.columns.push_back(std::move(column));
    }
    table_.schema_name = name_;
    return std::move(table_);
  }

 private:
  Status refuse(const std::string& path, const std::string& words) const {
    return Status::invalid(name_ + ": " + path + ": " + words);
  }

  static std::set<std::string> required(const Folded& schema) {
    std::set<std::string> names;
    if (!schema.keys.contains("required") || !schema.keys["required"].is_array()) return names;
    for (const Json& name : schema.keys["required"]) {
      if (name.is_string()) names.insert(name.get<std::string>());
    }
    return names;
  }

  Result<std::pair<const Json*, const Document*>> resolve(const std::string& ref, const Document& from,
                                                          const std::string& path) {
    const size_t hash = std::min(ref.find('#'), ref.size());
    const std::string file = ref.substr(0, hash);
    const std::string fragment = hash < ref.size() ? ref.substr(hash + 1) : "";
    const Document* document = file.empty() ? &from : nullptr;
    for (const Document& each : documents_) {
      if (!file.empty() && each.name == file) document = &each;
      if (!file.empty() && each.root.is_object() && each.root.value("$id", Json()) == Json(file))
        document = &each;
    }
    if (document == nullptr) return refuse(path, "$ref '" + ref + "' names no schema that is at hand");
    if (!fragment.empty() && fragment[0] != '/') {
      return refuse(path, "$ref '" + ref + "': only JSON Pointers are followed, no anchors");
    }
    Json::json_pointer pointer;
    try {
      pointer = Json::json_pointer(fragment);
    } catch (const Json::exception&) {
      return refuse(path, "$ref '" + ref + "' is no JSON Pointer");
    }
    if (!document->root.contains(pointer)) return refuse(path, "$ref '" + ref + "' points to nothing");
    return std::pair{&document->root.at(pointer), document};
  }

  // `more` into `into`: what both say must be the same, but for properties and required, which add up.
  Status merge(Folded& into, const Folded& more, const std::string& path) {
    for (const auto& [key, value] : more.keys.items()) {
      if (!into.keys.contains(key)) {
        into.keys[key] = value;
        continue;
      }
      Json& there = into.keys[key];
      if (there == value) continue;
      if (key == "properties" && there.is_object() && value.is_object() && into.document == more.document) {
        for (const auto& [name, property] : value.items()) {
          if (!there.contains(name)) {
            there[name] = property;
          } else if (there[name] != property) {
            there[name] = Json{{"allOf", Json::array({there[name], property})}};
          }
        }
      } else if (key == "required" && there.is_array() && value.is_array()) {
        for (const Json& name : value) there.push_back(name);
      } else if (kSilent.count(key) == 0 || key == "type" || key == "format" || key == "properties" ||
                 key == "items" || key == "additionalProperties") {
        return refuse(path, "'" + key + "' is given twice, by allOf or beside $ref, and differs");
      }
    }
    return {};
  }

  Result<Folded> fold(const Json& schema, const Document& document, const std::string& path) {
    if (++nodes_ > kMostNodes) return refuse(path, "the schema unfolds into too much");
    Folded folded;
    folded.document = &document;
    if (schema == Json(true)) return folded;
    if (!schema.is_object()) return refuse(path, "expected a schema, found " + schema.dump().substr(0, 40));
    folded.keys = schema;
    folded.keys.erase("$ref");
    folded.keys.erase("allOf");
    struct Part {
      const Json* schema;
      const Document* document;
      bool referred;  // a $ref points to it: it lives as long as its document
    };
    std::vector<Part> parts;
    if (schema.contains("$ref")) {
      if (!schema["$ref"].is_string()) return refuse(path, "$ref is no string");
      WEIR_ASSIGN(const auto target, resolve(schema["$ref"].get<std::string>(), document, path));
      parts.push_back({target.first, target.second, true});
    }
    if (schema.contains("allOf") && schema["allOf"].is_array()) {
      for (const Json& part : schema["allOf"]) parts.push_back({&part, &document, false});
    }
    for (const Part& part : parts) {
      if (std::find(folding_.begin(), folding_.end(), part.schema) != folding_.end()) {
        return refuse(path, "the schema contains itself: a column cannot");
      }
      folding_.push_back(part.schema);
      auto made = fold(*part.schema, *part.document, path);
      folding_.pop_back();
      if (!made.ok()) return made.status();
      // What a part of another document says stays relative to that one.
      const bool nested = made->keys.contains("properties") || made->keys.contains("items") ||
                          made->keys.contains("additionalProperties") || made->keys.contains("oneOf") ||
                          made->keys.contains("anyOf");
      const bool ours = folded.keys.contains("properties") || folded.keys.contains("items") ||
                        folded.keys.contains("additionalProperties");
      if (nested && made->document != folded.document) {
        if (ours) return refuse(path, "properties both here and in another document");
        folded.document = made->document;
      }
      WEIR_TRY(merge(folded, *made, path));
      if (part.referred) folded.followed.push_back(part.schema);
      folded.followed.insert(folded.followed.end(), made->followed.begin(), made->followed.end());
    }
    return folded;
  }

  Status refuse_unsupported(const Folded& schema, const std::string& path) {
    if (ignore_) return {};
    for (const auto& [key, value] : schema.keys.items()) {
      if (kSilent.count(key) != 0 || kChecked.count(key) != 0 || key.starts_with("x-")) continue;
      if (key == "uniqueItems" && value == Json(false)) continue;
      return unsupported(path, "'" + key + "'");
    }
    return {};
  }

  Status unsupported(const std::string& path, const std::string& what) const {
    if (ignore_) return {};
    return refuse(path, what +
                            " cannot be checked: declare the columns, or set 'json.schema-unsupported' = "
                            "'ignore' to leave such words out");
  }

  // `place` is the SQL expression of the value, "" where there is none (inside ARRAY and MAP).
  Result<Described> describe(const Json& schema, const Document& document, const std::string& path,
                             const std::string& place, const std::string& name) {
    if (folding_.size() > kMostDepth) return refuse(path, "nested too deeply");
    const size_t open = folding_.size();
    auto described = describe_open(schema, document, path, place, name);
    folding_.resize(open);
    return described;
  }

  Result<Described> describe_open(const Json& schema, const Document& document, const std::string& path,
                                  const std::string& place, const std::string& name) {
    WEIR_ASSIGN(Folded folded, fold(schema, document, path));
    bool nullable = false;
    WEIR_TRY(fold_choice(folded, path, nullable));
    folding_.push_back(&schema);  // closed by describe()
    folding_.insert(folding_.end(), folded.followed.begin(), folded.followed.end());
    WEIR_TRY(refuse_unsupported(folded, path));
    WEIR_ASSIGN(const std::string type, type_of(folded, path, nullable));
    Described described;
    if (folded.keys.value("nullable", Json()) == Json(true)) nullable = true;
    described.nullable = nullable;
    if (type == "boolean") {
      described.type = "BOOLEAN";
    } else if (type == "integer") {
      described.type = "BIGINT";
    } else if (type == "number") {
      described.type = number_type(folded);
    } else if (type == "string") {
      described.type = string_type(folded);
    } else if (type == "array") {
      WEIR_ASSIGN(described.type, array_type(folded, path, name));
    } else if (type == "object") {
      WEIR_ASSIGN(described.type, object_type(folded, path, place, name));
    } else {
      return refuse(path, "no column takes the type '" + type + "'");
    }
    WEIR_TRY(add_checks(folded, described.type, path, place, name));
    return described;
  }

  // oneOf or anyOf of null and one other.
  Status fold_choice(Folded& folded, const std::string& path, bool& nullable) {
    for (const char* key : {"oneOf", "anyOf"}) {
      if (!folded.keys.contains(key)) continue;
      const Json choices = folded.keys[key];
      const Json* other = nullptr;
      size_t others = 0;
      if (choices.is_array()) {
        for (const Json& choice : choices) {
          const bool null = choice.is_object() && choice.value("type", Json()) == Json("null");
          nullable = nullable || null;
          if (null) continue;
          other = &choice;
          ++others;
        }
      }
      if (others != 1) {
        return refuse(path, std::string(key) + " of several types has no column: declare the columns");
      }
      folded.keys.erase(key);
      const Document* document = folded.document;
      WEIR_ASSIGN(const Folded made, fold(*other, *document, path));
      folded.document = made.document;
      folded.followed.insert(folded.followed.end(), made.followed.begin(), made.followed.end());
      WEIR_TRY(merge(folded, made, path));
    }
    return {};
  }

  Result<std::string> type_of(const Folded& schema, const std::string& path, bool& nullable) {
    std::set<std::string> types;
    const Json type = schema.keys.value("type", Json());
    if (type.is_string()) types.insert(type.get<std::string>());
    if (type.is_array()) {
      for (const Json& each : type) types.insert(each.is_string() ? each.get<std::string>() : "?");
    }
    Json values = schema.keys.value("enum", Json());
    if (schema.keys.contains("const")) values = Json::array({schema.keys["const"]});
    if (values.is_array()) {
      for (const Json& value : values) {
        if (value.is_null()) nullable = nullable || type.is_null() || types.count("null") != 0;
        if (!type.is_null() || value.is_null()) continue;
        types.insert(value.is_string()           ? "string"
                     : value.is_boolean()        ? "boolean"
                     : value.is_number_integer() ? "integer"
                     : value.is_number()         ? "number"
                                                 : "?");
      }
    }
    if (types.erase("null") != 0) nullable = true;
    if (types.empty() && schema.keys.contains("properties")) types.insert("object");
    if (types.empty() && schema.keys.contains("items")) types.insert("array");
    if (types.count("number") != 0) types.erase("integer");
    if (types.size() == 1) return *types.begin();
    return refuse(path, types.empty() ? "a value of any type has no column: declare the columns"
                                      : "several types have no column: declare the columns");
  }

  static std::string number_type(const Folded& schema) {
    const Json step = schema.keys.value("multipleOf", Json());
    if (step.is_number_float()) {
      for (int digits = 1; digits <= 18; ++digits) {
        if (step.get<double>() == std::pow(10.0, -digits))
          return "DECIMAL(38, " + std::to_string(digits) + ")";
      }
    }
    return "DOUBLE";
  }

  static std::string string_type(const Folded& schema) {
    const Json format = schema.keys.value("format", Json());
    if (format == Json("date-time")) return "TIMESTAMP(6)";
    if (format == Json("date")) return "DATE";
    if (schema.keys.value("contentEncoding", Json()) == Json("base64")) return "BYTES";
    const Json most = schema.keys.value("maxLength", Json());
    if (most.is_number_unsigned() && most.get<uint64_t>() >= 1 && most.get<uint64_t>() < 1'000'000'000) {
      return "VARCHAR(" + most.dump() + ")";
    }
    return "STRING";
  }

  Result<std::string> array_type(const Folded& schema, const std::string& path, const std::string& name) {
    const Json items = schema.keys.value("items", Json());
    if (!items.is_object() || schema.keys.contains("prefixItems")) {
      return refuse(path, "an array without one schema for its items has no column: declare the columns");
    }
    WEIR_ASSIGN(const Described element, describe(items, *schema.document, path + "/items", "", name));
    return "ARRAY<" + element.type + (element.nullable ? ">" : " NOT NULL>");
  }

  Result<std::string> object_type(const Folded& schema, const std::string& path, const std::string& place,
                                  const std::string& name) {
    const Json properties = schema.keys.value("properties", Json());
    if (properties.is_object() && !properties.empty()) {
      const std::set<std::string> needed = required(schema);
      std::string fields;
      for (const auto& [key, property] : properties.items()) {
        if (property == Json(false)) continue;
        const std::string quoted_key = quoted(key, '`');
        WEIR_ASSIGN(const Described field,
                    describe(property, *schema.document, path + "/properties/" + pointer_token(key),
                             place.empty() ? "" : place + "." + quoted_key, name + "." + key));
        const bool nullable = field.nullable || needed.count(key) == 0;
        fields +=
            (fields.empty() ? "" : ", ") + quoted_key + " " + field.type + (nullable ? "" : " NOT NULL");
      }
      return "ROW<" + fields + ">";
    }
    const Json values = schema.keys.value("additionalProperties", Json());
    if (!values.is_object() || values.empty()) {
      return refuse(path, "an object without properties has no column: declare the columns");
    }
    WEIR_ASSIGN(const Described value,
                describe(values, *schema.document, path + "/additionalProperties", "", name));
    return "MAP<STRING, " + value.type + (value.nullable ? ">" : " NOT NULL>");
  }

  // A pattern that means the same to the engine (Rust's regex); false: it has what that one lacks.
  static bool portable_pattern(const std::string& pattern) {
    bool in_class = false;
    for (size_t i = 0; i < pattern.size(); ++i) {
      const char c = pattern[i];
      const char next = i + 1 < pattern.size() ? pattern[i + 1] : '\0';
      if (c == '\\') {
        if ((next >= '1' && next <= '9') || next == 'k' || next == 'c') return false;
        ++i;
      } else if (in_class) {
        if (c == '[' || ((c == '&' || c == '~' || c == '-') && next == c)) return false;
        in_class = c != ']';
      } else if (c == '[') {
        in_class = true;
        if (next == ']' || (next == '^' && i + 2 < pattern.size() && pattern[i + 2] == ']')) return false;
      } else if (c == '(' && next == '?') {
        if (i + 2 >= pattern.size() || pattern[i + 2] != ':') return false;
      }
    }
    return !in_class;
  }

  static std::string literal(const Json& value) {
    return value.is_string() ? quoted(value.get<std::string>(), '\'') : value.dump();
  }

  void check(const std::string& name, const std::string& keyword, const std::string& expression) {
    CheckSpec made;
    made.name = name + " " + keyword;
    made.expression = expression;
    table_.checks.push_back(std::move(made));
  }

  Status add_checks(const Folded& schema, const std::string& type, const std::string& path,
                    const std::string& place, const std::string& name) {
    for (const auto& [key, value] : schema.keys.items()) {
      if (kChecked.count(key) == 0) continue;
      const bool in_type = (key == "maxLength" && type.starts_with("VARCHAR")) ||
                           (key == "multipleOf" && type.starts_with("DECIMAL"));
      if (in_type) continue;
      const std::string expression = place.empty() ? "" : predicate(key, value, schema, type, place);
      if (expression == "TRUE") continue;
      if (expression.empty()) {
        WEIR_TRY(unsupported(path, "'" + key + "'" + (place.empty() ? " inside an array or map" : "")));
        continue;
      }
      check(name, key, expression);
    }
    return {};
  }

  // "" when it cannot be said, "TRUE" when it says nothing.
  static std::string predicate(const std::string& key, const Json& value, const Folded& schema,
                               const std::string& type, const std::string& place) {
    const bool number = type == "BIGINT" || type == "DOUBLE" || type.starts_with("DECIMAL");
    const bool text = type == "STRING" || type.starts_with("VARCHAR");
    if (key == "enum" || key == "const") {
      const Json values = key == "enum" ? value : Json::array({value});
      std::string list;
      if (!values.is_array() || values.size() > kMostChoices) return "";
      for (const Json& each : values) {
        if (each.is_null()) continue;
        const bool fits = each.is_string()    ? text
                          : each.is_boolean() ? type == "BOOLEAN"
                                              : each.is_number() && number;
        if (!fits) return "";
        list += (list.empty() ? "" : ", ") + literal(each);
      }
      return list.empty() ? "" : place + " IN (" + list + ")";
    }
    if (key == "minimum" || key == "maximum" || key == "exclusiveMinimum" || key == "exclusiveMaximum") {
      const bool low = key.ends_with("inimum");
      if (value.is_boolean()) return "TRUE";  // draft 4: read with minimum and maximum
      if (!value.is_number() || !number) return number ? "" : "TRUE";
      const Json strict = schema.keys.value(low ? "exclusiveMinimum" : "exclusiveMaximum", Json());
      const bool beyond = value.is_number_unsigned() && value.get<uint64_t>() > INT64_MAX;
      if (beyond && !low && type == "BIGINT") return "TRUE";
      const bool exclusive = key.starts_with("exclusive") || strict == Json(true);
      return place + (low ? " >" : " <") + (exclusive ? " " : "= ") + literal(value);
    }
    if (key == "multipleOf") {
      if (!number) return "TRUE";
      if (!value.is_number() || value.get<double>() != std::floor(value.get<double>()) ||
          value.get<double>() < 1) {
        return "";
      }
      return place + " % " + literal(value) + " = 0";
    }
    if (!value.is_number_unsigned() && key != "pattern") return "";
    if (key == "minLength") return !text ? "TRUE" : "CHAR_LENGTH(" + place + ") >= " + literal(value);
    if (key == "maxLength") return !text ? "TRUE" : "CHAR_LENGTH(" + place + ") <= " + literal(value);
    if (key == "minItems" || key == "maxItems") {
      if (!type.starts_with("ARRAY")) return "TRUE";
      return "CARDINALITY(" + place + ") " + (key == "minItems" ? ">= " : "<= ") + literal(value);
    }
    if (key == "pattern") {
      if (!text) return "TRUE";
      if (!value.is_string() || !portable_pattern(value.get<std::string>())) return "";
      return "REGEXP_LIKE(" + place + ", " + literal(value) + ")";
    }
    return "";
  }

  std::string name_;
  bool ignore_;
  std::vector<Document> documents_;
  std::vector<const Json*> folding_;  // that are open: a schema inside itself is found here
  int nodes_ = 0;
  DescribedTable table_;
};

}  // namespace

Result<DescribedTable> describe_json_schema(const SchemaText& schema, const std::string& name,
                                            bool ignore_unsupported) {
  return Describer(name, ignore_unsupported).run(schema);
}

}  // namespace weir::json
