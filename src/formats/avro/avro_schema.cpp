#include "formats/avro/avro_schema.h"

#include <algorithm>
#include <array>
#include <set>

namespace weir::avro {
namespace {

constexpr const char* kTypeNames[] = {"null",   "boolean", "int",  "long",  "float", "double", "bytes",
                                      "string", "record",  "enum", "array", "map",   "fixed",  "union"};

constexpr const char* kLogicalNames[] = {"",
                                         "decimal",
                                         "uuid",
                                         "date",
                                         "time-millis",
                                         "time-micros",
                                         "timestamp-millis",
                                         "timestamp-micros",
                                         "timestamp-nanos",
                                         "local-timestamp-millis",
                                         "local-timestamp-micros",
                                         "local-timestamp-nanos",
                                         "duration"};

// Names and symbols hold no character that JSON must escape.
std::string quoted(const std::string& text) { return '"' + text + '"'; }

void append_canonical(const Node& node, std::set<const Node*>& defined, std::string& out) {
  if (node.named() && !defined.insert(&node).second) {
    out += quoted(node.name);
    return;
  }
  switch (node.type) {
    case Type::record: {
      out += "{\"name\":" + quoted(node.name) + ",\"type\":\"record\",\"fields\":[";
      for (const Field& field : node.fields) {
        if (&field != &node.fields.front()) out += ',';
        out += "{\"name\":" + quoted(field.name) + ",\"type\":";
        append_canonical(*field.type, defined, out);
        out += '}';
      }
      out += "]}";
      return;
    }
    case Type::enumeration: {
      out += "{\"name\":" + quoted(node.name) + ",\"type\":\"enum\",\"symbols\":[";
      for (const std::string& symbol : node.symbols) {
        out += (&symbol == &node.symbols.front() ? "" : ",") + quoted(symbol);
      }
      out += "]}";
      return;
    }
    case Type::fixed:
      out += "{\"name\":" + quoted(node.name) + ",\"type\":\"fixed\",\"size\":" + std::to_string(node.size) +
             "}";
      return;
    case Type::array:
    case Type::map:
      out += node.type == Type::array ? "{\"type\":\"array\",\"items\":" : "{\"type\":\"map\",\"values\":";
      append_canonical(*node.children[0], defined, out);
      out += '}';
      return;
    case Type::union_of:
      out += '[';
      for (const Node* branch : node.children) {
        if (branch != node.children.front()) out += ',';
        append_canonical(*branch, defined, out);
      }
      out += ']';
      return;
    default: out += quoted(kTypeNames[static_cast<int>(node.type)]);
  }
}

std::string default_problem_below(const Node& node, const std::string& path, std::set<const Node*>& seen) {
  if (!seen.insert(&node).second) return "";
  for (size_t i = 0; i < node.fields.size(); ++i) {
    const Field& field = node.fields[i];
    const std::string here = path + "/fields/" + std::to_string(i);
    if (!field.default_problem.empty()) return here + "/default: " + field.default_problem;
    std::string problem = default_problem_below(*field.type, here + "/type", seen);
    if (!problem.empty()) return problem;
  }
  for (size_t i = 0; i < node.children.size(); ++i) {
    const std::string here = path + (node.type == Type::union_of ? "/" + std::to_string(i)
                                     : node.type == Type::array  ? "/items"
                                                                 : "/values");
    std::string problem = default_problem_below(*node.children[i], here, seen);
    if (!problem.empty()) return problem;
  }
  return "";
}

}  // namespace

std::string_view Node::short_name() const {
  const size_t dot = name.rfind('.');
  return std::string_view(name).substr(dot == std::string::npos ? 0 : dot + 1);
}

std::string first_default_problem(const Schema& schema) {
  std::set<const Node*> seen;
  return default_problem_below(schema.root(), "", seen);
}

std::string type_label(const Node& node) {
  const std::string base = kTypeNames[static_cast<int>(node.type)];
  if (node.logical == Logical::decimal) {
    return "decimal(" + std::to_string(node.precision) + ", " + std::to_string(node.scale) + ")";
  }
  if (node.logical != Logical::none) return kLogicalNames[static_cast<int>(node.logical)];
  if (node.named()) return base + " " + node.name;
  if (node.type == Type::array || node.type == Type::map)
    return base + " of " + type_label(*node.children[0]);
  if (node.type != Type::union_of) return base;
  std::string label = "[";
  for (size_t i = 0; i < node.children.size(); ++i) {
    if (i == 8) return label + ", …]";
    label += (i == 0 ? "" : ", ") + type_label(*node.children[i]);
  }
  return label + "]";
}

std::string canonical_form(const Node& root) {
  std::string out;
  std::set<const Node*> defined;
  append_canonical(root, defined, out);
  return out;
}

uint64_t fingerprint(std::string_view canonical) {
  constexpr uint64_t kEmpty = 0xc15d213aa4d7a795u;
  static const std::array<uint64_t, 256> table = [] {
    std::array<uint64_t, 256> made{};
    for (uint64_t i = 0; i < 256; ++i) {
      uint64_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ (kEmpty & (0 - (value & 1)));
      made[i] = value;
    }
    return made;
  }();
  uint64_t crc = kEmpty;
  for (char c : canonical) crc = (crc >> 8) ^ table[(crc ^ static_cast<uint8_t>(c)) & 0xff];
  return crc;
}

bool names_match(const Node& reader, const Node& writer) {
  if (reader.short_name() == writer.short_name()) return true;
  return std::find(reader.aliases.begin(), reader.aliases.end(), writer.name) != reader.aliases.end();
}

int writer_field_of(const Field& reader, const Node& writer_record) {
  const auto find = [&writer_record](const std::string& name) {
    for (size_t i = 0; i < writer_record.fields.size(); ++i) {
      if (writer_record.fields[i].name == name) return static_cast<int>(i);
    }
    return -1;
  };
  int found = find(reader.name);
  for (size_t i = 0; found < 0 && i < reader.aliases.size(); ++i) found = find(reader.aliases[i]);
  return found;
}

}  // namespace weir::avro
