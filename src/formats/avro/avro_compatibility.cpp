#include "formats/avro/avro_compatibility.h"

#include <algorithm>
#include <map>
#include <utility>

#include "formats/avro/avro_schema.h"

namespace weir {
namespace avro {
namespace {

constexpr size_t kMaxProblems = 100;
constexpr int kMaxDepth = 256;
constexpr int kMaxSteps = 1'000'000;

bool promotes(Type from, Type to) {
  switch (from) {
    case Type::int32: return to == Type::int64 || to == Type::float32 || to == Type::float64;
    case Type::int64: return to == Type::float32 || to == Type::float64;
    case Type::float32: return to == Type::float64;
    case Type::string: return to == Type::bytes;
    case Type::bytes: return to == Type::string;
    default: return false;
  }
}

std::string at(const std::string& path) { return path.empty() ? "" : path + ": "; }

using Problems = std::vector<std::string>;

class Comparison {
 public:
  void compare(const Node& reader, const Node& writer, const std::string& path, int depth,
               Problems& problems) {
    if (problems.size() >= kMaxProblems) return;
    if (depth > kMaxDepth || ++steps_ > kMaxSteps) {
      problems.push_back(at(path) + "the schemas are too deep to compare");
      return;
    }
    if (writer.type == Type::union_of) return writer_union(reader, writer, path, depth, problems);
    if (reader.type == Type::union_of) return reader_union(reader, writer, path, depth, problems);
    if (reader.type != writer.type) {
      if (!promotes(writer.type, reader.type)) misfit(reader, writer, path, problems);
      return;
    }
    switch (reader.type) {
      case Type::record: return records(reader, writer, path, depth, problems);
      case Type::enumeration: return enums(reader, writer, path, problems);
      case Type::array:
        return compare(*reader.children[0], *writer.children[0], path + "/items", depth + 1, problems);
      case Type::map:
        return compare(*reader.children[0], *writer.children[0], path + "/values", depth + 1, problems);
      case Type::fixed:
        if (!names_match(reader, writer)) return misfit(reader, writer, path, problems);
        if (reader.size != writer.size) {
          problems.push_back(path + "/size: the writer's " + std::to_string(writer.size) + " bytes are not " +
                             std::to_string(reader.size));
        }
        return decimals(reader, writer, path, problems);
      case Type::bytes: return decimals(reader, writer, path, problems);
      default: return;
    }
  }

 private:
  static void misfit(const Node& reader, const Node& writer, const std::string& path, Problems& problems) {
    problems.push_back(at(path) + "the writer's " + type_label(writer) + " is no " + type_label(reader));
  }

  // A larger precision of the reader loses nothing; another scale is another number.
  static void decimals(const Node& reader, const Node& writer, const std::string& path, Problems& problems) {
    if (reader.logical != Logical::decimal || writer.logical != Logical::decimal) return;
    if (reader.scale != writer.scale || reader.precision < writer.precision) {
      misfit(reader, writer, path, problems);
    }
  }

  void writer_union(const Node& reader, const Node& writer, const std::string& path, int depth,
                    Problems& problems) {
    for (const Node* branch : writer.children) compare(reader, *branch, path, depth + 1, problems);
  }

  void reader_union(const Node& reader, const Node& writer, const std::string& path, int depth,
                    Problems& problems) {
    Problems nearest;
    size_t nearest_branch = reader.children.size();
    for (size_t i = 0; i < reader.children.size(); ++i) {
      Problems found;
      compare(*reader.children[i], writer, path + "/" + std::to_string(i), depth + 1, found);
      if (found.empty()) return;
      // Of the branch that was meant, what is wrong in it says more than that no branch fits.
      const bool meant = reader.children[i]->type == writer.type &&
                         (!writer.named() || names_match(*reader.children[i], writer));
      if (meant && nearest_branch == reader.children.size()) {
        nearest = std::move(found);
        nearest_branch = i;
      }
    }
    if (nearest.empty()) {
      problems.push_back(at(path) + "the writer's " + type_label(writer) + " is no branch of " +
                         type_label(reader));
    } else {
      problems.insert(problems.end(), nearest.begin(), nearest.end());
    }
  }

  void records(const Node& reader, const Node& writer, const std::string& path, int depth,
               Problems& problems) {
    if (!names_match(reader, writer)) return misfit(reader, writer, path, problems);
    // A pair that was seen is being compared or has been: it adds nothing new. Only its outcome counts, for a
    // union that tries its branches.
    const auto [seen, first] = pairs_.emplace(std::make_pair(&reader, &writer), true);
    if (!first) {
      if (!seen->second) problems.push_back(at(path) + reader.name + " cannot read it, as said before");
      return;
    }
    const size_t before = problems.size();
    for (size_t i = 0; i < reader.fields.size(); ++i) {
      const Field& field = reader.fields[i];
      const std::string here = path + "/fields/" + std::to_string(i);
      const int found = writer_field_of(field, writer);
      if (found >= 0) {
        compare(*field.type, *writer.fields[static_cast<size_t>(found)].type, here + "/type", depth + 1,
                problems);
      } else if (!field.has_default) {
        problems.push_back(here + ": the field '" + field.name +
                           "' is not in the writer's schema and has no default");
      } else if (!field.default_problem.empty()) {
        problems.push_back(here + "/default: " + field.default_problem);
      }
    }
    pairs_[{&reader, &writer}] = problems.size() == before;
  }

  static void enums(const Node& reader, const Node& writer, const std::string& path, Problems& problems) {
    if (!names_match(reader, writer)) return misfit(reader, writer, path, problems);
    if (reader.default_symbol >= 0) return;
    std::string missing;
    for (const std::string& symbol : writer.symbols) {
      if (std::find(reader.symbols.begin(), reader.symbols.end(), symbol) != reader.symbols.end()) continue;
      missing += (missing.empty() ? "" : ", ") + symbol;
    }
    if (!missing.empty()) {
      problems.push_back(path + "/symbols: the writer's " + missing + " and no default");
    }
  }

  std::map<std::pair<const Node*, const Node*>, bool> pairs_;
  int steps_ = 0;
};

}  // namespace
}  // namespace avro

Result<std::vector<std::string>> avro_incompatibilities(const SchemaText& reader, const SchemaText& writer) {
  auto read = avro::parse_schema(reader);
  if (!read.ok()) return read.status().with_context("the reader's schema");
  auto written = avro::parse_schema(writer);
  if (!written.ok()) return written.status().with_context("the writer's schema");
  std::vector<std::string> problems;
  avro::Comparison().compare((*read)->root(), (*written)->root(), "", 0, problems);
  return problems;
}

Result<std::string> avro_canonical_form(const SchemaText& schema) {
  WEIR_ASSIGN(const avro::SchemaHandle parsed, avro::parse_schema(schema));
  const std::string problem = avro::first_default_problem(*parsed);
  if (!problem.empty()) return Status::invalid(problem);
  return avro::canonical_form(parsed->root());
}

}  // namespace weir
