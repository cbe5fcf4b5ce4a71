// JSON text -> Schema.
#include <simdjson.h>

#include <cctype>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_map>

#include "formats/avro/avro_schema.h"

namespace weir::avro {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxText = 16 << 20;
constexpr int kMaxDepth = 64;
constexpr int kMaxReferenceDepth = 500;
constexpr size_t kMaxNodes = 100'000;
constexpr int kMaxJsonDepth = 300;  // some levels of JSON for one of types
constexpr int kMaxDefaultSteps = 1'000'000;
constexpr size_t kMaxDefaultBytes = 1 << 20;

constexpr std::pair<const char*, Type> kPrimitives[] = {
    {"null", Type::null},     {"boolean", Type::boolean}, {"int", Type::int32},   {"long", Type::int64},
    {"float", Type::float32}, {"double", Type::float64},  {"bytes", Type::bytes}, {"string", Type::string},
};

const Type* primitive(const std::string& name) {
  for (const auto& [known, type] : kPrimitives) {
    if (name == known) return &type;
  }
  return nullptr;
}

bool is_simple_name(std::string_view name) {
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0])) != 0) return false;
  for (char c : name) {
    const bool letter =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    if (!letter) return false;
  }
  return true;
}

bool is_full_name(std::string_view name) {
  while (true) {
    const size_t dot = name.find('.');
    if (!is_simple_name(name.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    name.remove_prefix(dot + 1);
  }
}

std::string excerpt(const Json& json) {
  std::string text = json.dump(-1, ' ', true, Json::error_handler_t::replace);
  return text.size() <= 60 ? text : text.substr(0, 57) + "...";
}

Status wrong(const std::string& path, const std::string& message) {
  return Status::invalid((path.empty() ? "" : path + ": ") + message);
}

// Before a tree is built of it: brackets outside of strings.
bool nested_too_deep(const std::string& text) {
  int depth = 0;
  bool inside = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (inside) {
      if (c == '\\') ++i;
      if (c == '"') inside = false;
    } else if (c == '"') {
      inside = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxJsonDepth) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

void put_long(std::string& out, int64_t value) {
  uint64_t bits = (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
  for (; bits >= 0x80; bits >>= 7) out += static_cast<char>(bits | 0x80);
  out += static_cast<char>(bits);
}

// A default of bytes and fixed: code points up to 255 are bytes.
bool latin1(const std::string& text, std::string& out) {
  for (size_t i = 0; i < text.size(); ++i) {
    const uint8_t c = static_cast<uint8_t>(text[i]);
    if (c < 0x80) {
      out += text[i];
    } else if ((c & 0xfc) == 0xc0 && i + 1 < text.size()) {
      out += static_cast<char>(((c & 3) << 6) | (static_cast<uint8_t>(text[++i]) & 0x3f));
    } else {
      return false;
    }
  }
  return true;
}

// Defaults -> Avro's encoding.
class DefaultEncoder {
 public:
  // Appends `json` in the encoding of `node`; "" or what does not fit.
  std::string encode(const Node& node, const Json& json, std::string& out, int depth);

 private:
  std::string record(const Node& node, const Json& json, std::string& out, int depth);
  std::string items(const Node& node, const Json& json, std::string& out, int depth);
  std::string branch(const Node& node, const Json& json, std::string& out, int depth);
  static std::string integer(const Node& node, const Json& json, std::string& out);
  static std::string bytes(const Node& node, const Json& json, std::string& out);

  int steps_ = 0;  // a union tries its branches: bounded
};

std::string misfit(const Node& node, const Json& json) {
  return excerpt(json) + " is no " + type_label(node);
}

std::string DefaultEncoder::record(const Node& node, const Json& json, std::string& out, int depth) {
  for (const Field& field : node.fields) {
    const auto found = json.find(field.name);
    if (found == json.end()) {
      // Its own default: encoded before, or this is a default within its own record.
      if (!field.has_default || (field.default_bytes.empty() && field.type->type != Type::null)) {
        return "field '" + field.name + "' is missing";
      }
      out += field.default_bytes;
      continue;
    }
    std::string problem = encode(*field.type, *found, out, depth + 1);
    if (!problem.empty()) return field.name + ": " + problem;
  }
  return "";
}

std::string DefaultEncoder::items(const Node& node, const Json& json, std::string& out, int depth) {
  if (!json.empty()) put_long(out, static_cast<int64_t>(json.size()));
  for (const auto& [key, value] : json.items()) {
    if (node.type == Type::map) {
      put_long(out, static_cast<int64_t>(key.size()));
      out += key;
    }
    std::string problem = encode(*node.children[0], value, out, depth + 1);
    if (!problem.empty()) return problem;
  }
  out += '\0';
  return "";
}

// The first branch that takes it (1.12); earlier versions allow the first branch only.
std::string DefaultEncoder::branch(const Node& node, const Json& json, std::string& out, int depth) {
  std::string first_problem;
  for (size_t i = 0; i < node.children.size(); ++i) {
    std::string bytes;
    put_long(bytes, static_cast<int64_t>(i));
    std::string problem = encode(*node.children[i], json, bytes, depth + 1);
    if (problem.empty()) {
      out += bytes;
      return "";
    }
    if (first_problem.empty()) first_problem = std::move(problem);
  }
  return first_problem;
}

std::string DefaultEncoder::integer(const Node& node, const Json& json, std::string& out) {
  if (!json.is_number_integer() ||
      (json.is_number_unsigned() && json.get<uint64_t>() > std::numeric_limits<int64_t>::max())) {
    return misfit(node, json);
  }
  const int64_t value = json.get<int64_t>();
  if (node.type == Type::int32 && value != static_cast<int32_t>(value)) return misfit(node, json);
  put_long(out, value);
  return "";
}

std::string DefaultEncoder::bytes(const Node& node, const Json& json, std::string& out) {
  std::string bytes;
  if (!json.is_string() || !latin1(json.get_ref<const std::string&>(), bytes)) return misfit(node, json);
  if (node.type == Type::fixed && static_cast<int64_t>(bytes.size()) != node.size) return misfit(node, json);
  if (node.type == Type::bytes) put_long(out, static_cast<int64_t>(bytes.size()));
  out += bytes;
  return "";
}

std::string DefaultEncoder::encode(const Node& node, const Json& json, std::string& out, int depth) {
  if (depth > kMaxDepth || ++steps_ > kMaxDefaultSteps || out.size() > kMaxDefaultBytes) {
    return "larger than a default may be";
  }
  switch (node.type) {
    case Type::null: return json.is_null() ? "" : misfit(node, json);
    case Type::boolean:
      if (!json.is_boolean()) return misfit(node, json);
      out += json.get<bool>() ? '\1' : '\0';
      return "";
    case Type::int32:
    case Type::int64: return integer(node, json, out);
    case Type::float32:
    case Type::float64: {
      if (!json.is_number()) return misfit(node, json);
      const double wide = json.get<double>();
      const float narrow = static_cast<float>(wide);
      const bool is_double = node.type == Type::float64;
      out.append(is_double ? reinterpret_cast<const char*>(&wide) : reinterpret_cast<const char*>(&narrow),
                 is_double ? 8 : 4);
      return "";
    }
    case Type::bytes:
    case Type::fixed: return bytes(node, json, out);
    case Type::string: {
      if (!json.is_string()) return misfit(node, json);
      const std::string& text = json.get_ref<const std::string&>();
      put_long(out, static_cast<int64_t>(text.size()));
      out += text;
      return "";
    }
    case Type::enumeration:
      for (size_t i = 0; json.is_string() && i < node.symbols.size(); ++i) {
        if (node.symbols[i] != json.get_ref<const std::string&>()) continue;
        put_long(out, static_cast<int64_t>(i));
        return "";
      }
      return misfit(node, json);
    case Type::record: return json.is_object() ? record(node, json, out, depth) : misfit(node, json);
    case Type::array: return json.is_array() ? items(node, json, out, depth) : misfit(node, json);
    case Type::map: return json.is_object() ? items(node, json, out, depth) : misfit(node, json);
    case Type::union_of: return branch(node, json, out, depth);
  }
  return misfit(node, json);
}

void set_decimal(Node& node, const Json& json) {
  const auto precision = json.find("precision");
  const auto scale = json.find("scale");
  if (precision == json.end() || !precision->is_number_integer()) return;
  if (scale != json.end() && !scale->is_number_integer()) return;
  const int64_t digits = precision->get<int64_t>();
  const int64_t fraction = scale == json.end() ? 0 : scale->get<int64_t>();
  if (digits < 1 || digits > 1'000'000 || fraction < 0 || fraction > digits) return;
  // Digits that n bytes hold for sure: log10(2^(8n-1) - 1).
  if (node.type == Type::fixed && node.size < 1000 &&
      static_cast<double>(digits) > static_cast<double>(8 * node.size - 1) * 0.30102999566398120) {
    return;
  }
  node.logical = Logical::decimal;
  node.precision = static_cast<int>(digits);
  node.scale = static_cast<int>(fraction);
}

// What a logical type may annotate; anything else is ignored, as the specification wants it.
void set_logical(Node& node, const Json& json) {
  const auto found = json.find("logicalType");
  if (found == json.end() || !found->is_string()) return;
  const std::string& name = found->get_ref<const std::string&>();
  if (name == "decimal") {
    if (node.type == Type::bytes || node.type == Type::fixed) set_decimal(node, json);
    return;
  }
  static const std::unordered_map<std::string, std::pair<Logical, Type>> known = {
      {"date", {Logical::date, Type::int32}},
      {"time-millis", {Logical::time_millis, Type::int32}},
      {"time-micros", {Logical::time_micros, Type::int64}},
      {"timestamp-millis", {Logical::timestamp_millis, Type::int64}},
      {"timestamp-micros", {Logical::timestamp_micros, Type::int64}},
      {"timestamp-nanos", {Logical::timestamp_nanos, Type::int64}},
      {"local-timestamp-millis", {Logical::local_timestamp_millis, Type::int64}},
      {"local-timestamp-micros", {Logical::local_timestamp_micros, Type::int64}},
      {"local-timestamp-nanos", {Logical::local_timestamp_nanos, Type::int64}},
  };
  const auto entry = known.find(name);
  if (entry != known.end() && entry->second.second == node.type) node.logical = entry->second.first;
  if (name == "uuid" && (node.type == Type::string || (node.type == Type::fixed && node.size == 16))) {
    node.logical = Logical::uuid;
  }
  if (name == "duration" && node.type == Type::fixed && node.size == 12) node.logical = Logical::duration;
}

}  // namespace

class SchemaParser {
 public:
  Result<SchemaHandle> parse(const SchemaText& text) {
    size_t size = text.text.size();
    for (const auto& needed : text.needed) size += needed.text.size();
    if (size > kMaxText) return Status::invalid("an Avro schema has at most 16 MB of text");
    for (const auto& needed : text.needed) {
      auto parsed = parse_text(needed.text);
      if (!parsed.ok())
        return parsed.status().with_context("the schema '" + needed.name + "' that it refers to");
    }
    WEIR_ASSIGN(schema_->root_, parse_text(text.text));
    // Last, when every type is whole. The documents are alive: defaults point into them.
    for (auto& [field, json] : defaults_) {
      field->default_problem = encoder_.encode(*field->type, *json, field->default_bytes, 0);
      if (!field->default_problem.empty()) field->default_bytes.clear();
    }
    std::set<const Node*> seen;
    if (!shallow(*schema_->root_, seen, 0))
      return Status::invalid("types refer to each other more than 500 deep");
    return SchemaHandle(std::move(schema_));
  }

 private:
  // In the order in which others walk a schema.
  static bool shallow(const Node& node, std::set<const Node*>& seen, int depth) {
    if (depth > kMaxReferenceDepth) return false;
    if (!seen.insert(&node).second) return true;
    for (const Field& field : node.fields) {
      if (!shallow(*field.type, seen, depth + 1)) return false;
    }
    for (const Node* child : node.children) {
      if (!shallow(*child, seen, depth + 1)) return false;
    }
    return true;
  }

  struct Default {
    Field* field;
    const Json* json;
  };

  Result<Node*> parse_text(const std::string& text) {
    if (!simdjson::validate_utf8(text)) return Status::invalid("not UTF-8");
    if (nested_too_deep(text)) return Status::invalid("types are nested more than 64 deep");
    documents_.push_back(Json::parse(text, nullptr, false));
    Json& document = documents_.back();
    if (document.is_discarded()) {
      // A bare name is no JSON, but what some tools keep for a primitive schema.
      if (primitive(text) == nullptr) return Status::invalid("not JSON");
      document = text;
    }
    return parse_type(document, "", "", 0);
  }

  Result<Node*> make(Type type, const std::string& path) {
    if (schema_->nodes_.size() >= kMaxNodes) return wrong(path, "more than 100,000 types");
    Node& node = schema_->nodes_.emplace_back();
    node.type = type;
    return &node;
  }

  Result<Node*> parse_type(const Json& json, const std::string& space, const std::string& path, int depth) {
    if (depth > kMaxDepth) return wrong(path, "types are nested more than 64 deep");
    if (json.is_string()) return parse_name(json.get_ref<const std::string&>(), space, path);
    if (json.is_array()) return parse_union(json, space, path, depth);
    if (!json.is_object()) return wrong(path, "found " + excerpt(json) + ", expected a type");
    const auto type = json.find("type");
    if (type == json.end()) return wrong(path, "a type without 'type'");
    if (!type->is_string()) return parse_type(*type, space, path + "/type", depth + 1);
    const std::string& name = type->get_ref<const std::string&>();
    if (const Type* simple = primitive(name)) {
      WEIR_ASSIGN(Node * node, make(*simple, path));
      set_logical(*node, json);
      return node;
    }
    if (name == "record" || name == "error") return parse_record(json, space, path, depth);
    if (name == "enum") return parse_enum(json, space, path);
    if (name == "fixed") return parse_fixed(json, space, path);
    if (name == "array" || name == "map") {
      const char* key = name == "array" ? "items" : "values";
      const auto item = json.find(key);
      if (item == json.end()) return wrong(path, "an " + name + " without '" + key + "'");
      WEIR_ASSIGN(Node * node, make(name == "array" ? Type::array : Type::map, path));
      WEIR_ASSIGN(Node * child, parse_type(*item, space, path + "/" + key, depth + 1));
      node->children.push_back(child);
      return node;
    }
    return parse_name(name, space, path + "/type");
  }

  Result<Node*> parse_name(const std::string& name, const std::string& space, const std::string& path) {
    if (const Type* simple = primitive(name)) return make(*simple, path);
    auto& names = schema_->names_;
    auto found = names.end();
    if (name.find('.') == std::string::npos && !space.empty()) found = names.find(space + "." + name);
    if (found == names.end()) found = names.find(name);
    if (found == names.end()) return wrong(path, "unknown type " + excerpt(name));
    return found->second;
  }

  Result<Node*> parse_union(const Json& json, const std::string& space, const std::string& path, int depth) {
    WEIR_ASSIGN(Node * node, make(Type::union_of, path));
    std::set<std::string> seen;
    for (size_t i = 0; i < json.size(); ++i) {
      const std::string here = path + "/" + std::to_string(i);
      WEIR_ASSIGN(Node * branch, parse_type(json[i], space, here, depth + 1));
      if (branch->type == Type::union_of) return wrong(here, "a union directly inside a union");
      const std::string kind =
          branch->named() ? branch->name : std::to_string(static_cast<int>(branch->type));
      if (!seen.insert(kind).second) return wrong(here, "a union holds " + type_label(*branch) + " twice");
      node->children.push_back(branch);
    }
    if (node->children.empty()) return wrong(path, "a union without types");
    return node;
  }

  // Reads name, namespace and aliases of a new named type, and makes it known.
  Result<Node*> parse_named(const Json& json, Type type, const std::string& space, const std::string& path) {
    const auto name = json.find("name");
    if (name == json.end() || !name->is_string()) return wrong(path, "a named type without 'name'");
    std::string full = name->get<std::string>();
    const auto own_space = json.find("namespace");
    if (full.find('.') == std::string::npos) {
      std::string prefix = space;
      if (own_space != json.end() && own_space->is_string()) prefix = own_space->get<std::string>();
      if (!prefix.empty()) full = prefix + "." + full;
    }
    if (!is_full_name(full)) return wrong(path + "/name", excerpt(full) + " is no name");
    if (primitive(full) != nullptr) return wrong(path + "/name", excerpt(full) + " is a type of Avro's own");
    WEIR_ASSIGN(Node * node, make(type, path));
    node->name = full;
    if (!schema_->names_.emplace(full, node).second) {
      return wrong(path + "/name", "the name '" + full + "' is defined twice");
    }
    const auto aliases = json.find("aliases");
    for (size_t i = 0; aliases != json.end() && aliases->is_array() && i < aliases->size(); ++i) {
      if (!(*aliases)[i].is_string()) continue;
      const std::string alias = (*aliases)[i].get<std::string>();
      const bool qualified = alias.find('.') != std::string::npos || space_of(full).empty();
      node->aliases.push_back(qualified ? alias : space_of(full) + "." + alias);
    }
    return node;
  }

  static std::string space_of(const std::string& full) {
    const size_t dot = full.rfind('.');
    return dot == std::string::npos ? "" : full.substr(0, dot);
  }

  Result<Node*> parse_record(const Json& json, const std::string& space, const std::string& path, int depth) {
    WEIR_ASSIGN(Node * node, parse_named(json, Type::record, space, path));
    const auto fields = json.find("fields");
    if (fields == json.end() || !fields->is_array()) return wrong(path, "a record without 'fields'");
    std::set<std::string> names;
    node->fields.resize(fields->size());  // defaults point at them
    for (size_t i = 0; i < fields->size(); ++i) {
      const Json& each = (*fields)[i];
      const std::string here = path + "/fields/" + std::to_string(i);
      const auto name = each.is_object() ? each.find("name") : each.end();
      if (!each.is_object() || name == each.end() || !name->is_string()) {
        return wrong(here, "a field without 'name'");
      }
      Field& field = node->fields[i];
      field.name = name->get<std::string>();
      if (!is_simple_name(field.name)) return wrong(here + "/name", excerpt(field.name) + " is no name");
      if (!names.insert(field.name).second) {
        return wrong(here + "/name", "the field '" + field.name + "' stands twice");
      }
      const auto type = each.find("type");
      if (type == each.end()) return wrong(here, "a field without 'type'");
      WEIR_ASSIGN(field.type, parse_type(*type, space_of(node->name), here + "/type", depth + 1));
      const auto aliases = each.find("aliases");
      for (size_t a = 0; aliases != each.end() && aliases->is_array() && a < aliases->size(); ++a) {
        if ((*aliases)[a].is_string()) field.aliases.push_back((*aliases)[a].get<std::string>());
      }
      const auto otherwise = each.find("default");
      if (otherwise == each.end()) continue;
      field.has_default = true;
      defaults_.push_back({&field, &*otherwise});
    }
    return node;
  }

  Result<Node*> parse_enum(const Json& json, const std::string& space, const std::string& path) {
    WEIR_ASSIGN(Node * node, parse_named(json, Type::enumeration, space, path));
    const auto symbols = json.find("symbols");
    if (symbols == json.end() || !symbols->is_array()) return wrong(path, "an enum without 'symbols'");
    std::set<std::string> seen;
    for (size_t i = 0; i < symbols->size(); ++i) {
      const std::string here = path + "/symbols/" + std::to_string(i);
      const Json& symbol = (*symbols)[i];
      if (!symbol.is_string() || !is_simple_name(symbol.get_ref<const std::string&>())) {
        return wrong(here, excerpt(symbol) + " is no symbol");
      }
      node->symbols.push_back(symbol.get<std::string>());
      if (!seen.insert(node->symbols.back()).second) {
        return wrong(here, "the symbol '" + node->symbols.back() + "' stands twice");
      }
    }
    const auto otherwise = json.find("default");
    if (otherwise == json.end()) return node;
    for (size_t i = 0; otherwise->is_string() && i < node->symbols.size(); ++i) {
      if (node->symbols[i] == otherwise->get_ref<const std::string&>())
        node->default_symbol = static_cast<int>(i);
    }
    if (node->default_symbol < 0)
      return wrong(path + "/default", excerpt(*otherwise) + " is none of the symbols");
    return node;
  }

  Result<Node*> parse_fixed(const Json& json, const std::string& space, const std::string& path) {
    WEIR_ASSIGN(Node * node, parse_named(json, Type::fixed, space, path));
    const auto size = json.find("size");
    if (size == json.end() || !size->is_number_unsigned() || size->get<uint64_t>() > INT32_MAX) {
      return wrong(path, "a fixed needs a 'size' in bytes");
    }
    node->size = size->get<int64_t>();
    set_logical(*node, json);
    return node;
  }

  std::shared_ptr<Schema> schema_ = std::make_shared<Schema>();
  std::deque<Json> documents_;
  std::vector<Default> defaults_;
  DefaultEncoder encoder_;
};

Result<SchemaHandle> parse_schema(const SchemaText& text) { return SchemaParser().parse(text); }

}  // namespace weir::avro
