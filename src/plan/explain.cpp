// What `weir explain` prints: the stream plan of every INSERT, from the sink down to its sources.
#include <arrow/type.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "plan/pipeline_plan.h"

namespace weir {
namespace {

using Json = nlohmann::ordered_json;

// "nats://user:secret@host" -> "nats://***@host", in every URL of a list.
std::string without_user_info(std::string text) {
  for (size_t at = 0; (at = text.find("://", at)) != std::string::npos;) {
    at += 3;
    const size_t end = std::min(text.find_first_of("/, ", at), text.size());
    const size_t user = text.rfind('@', end);
    if (user != std::string::npos && user > at && user < end) text.replace(at, user - at, "***");
  }
  return text;
}

// Options as they were written, secrets left out.
Json shown_options(const Options& options) {
  Json shown = Json::object();
  for (const auto& [name, value] : options.values()) {
    bool secret = options.secret(name);
    // Names that a connector only hands on may be misspelt ones of secrets.
    if (name.starts_with("properties.")) {
      for (const char* part : {"pass", "pasw", "secret", "token", "key", "jaas", "cred"}) {
        if (name.find(part) != std::string::npos && name.find("key.fields") == std::string::npos)
          secret = true;
      }
    }
    shown[name] = secret ? "***" : without_user_info(value.text);
  }
  return shown;
}

Json columns_of(const arrow::Schema& schema) {
  Json columns = Json::array();
  for (const auto& field : schema.fields()) {
    if (field->name() == "_weir_row") continue;
    columns.push_back(
        {{"name", field->name()}, {"type", field->type()->ToString()}, {"nullable", field->nullable()}});
  }
  return columns;
}

Json explain(const PipelinePlan& plan) {
  Json root;
  root["pipeline"] = plan.spec.name;
  root["sets"] = Json::array();
  for (const SetPlan& set : plan.sets) {
    Json entry;
    entry["sources"] = Json::array();
    for (const SourcePlan* source : set.sources) {
      Json shown = {{"name", source->table.name},
                    {"connector", source->connector->name},
                    {"format", source->format->name},
                    {"options", shown_options(source->options)},
                    {"columns", columns_of(*source->schema)}};
      if (source->connector->guarantee) {
        const std::string promised = source->connector->guarantee(source->options);
        if (!promised.empty()) shown["guarantee"] = promised;
      }
      shown["checks"] = Json::array();
      for (const CheckSpec& check : source->checks.checks) shown["checks"].push_back(check.expression);
      entry["sources"].push_back(std::move(shown));
    }
    entry["inserts"] = Json::array();
    for (const InsertPlan* insert : set.inserts) {
      entry["inserts"].push_back({{"insert", insert->label},
                                  {"node", "sink"},
                                  {"connector", insert->sink->connector->name},
                                  {"commit_interval_ms", plan.commit_interval(*insert->sink).count()},
                                  {"options", shown_options(insert->sink->options)},
                                  {"columns", columns_of(*insert->sink->schema)},
                                  {"deterministic", insert->plan.deterministic},
                                  {"inputs", Json::array({Json::parse(insert->plan.tree_json)})}});
    }
    root["sets"].push_back(std::move(entry));
  }
  return root;
}

void print_tree(const Json& node, const std::string& indent, std::string& out) {
  std::string kind = node.value("node", "");
  std::string detail = node.value("detail", "");
  out += indent + kind + (detail.empty() ? "" : ": " + detail) + "\n";
  if (!node.contains("inputs")) return;
  for (const Json& input : node["inputs"]) print_tree(input, indent + "  ", out);
}

}  // namespace

std::string explain_json(const PipelinePlan& plan) { return explain(plan).dump(2) + "\n"; }

std::string explain_text(const PipelinePlan& plan) {
  Json root = explain(plan);
  std::string out = "pipeline " + plan.spec.name + "\n";
  int number = 0;
  for (const Json& set : root["sets"]) {
    out += "set " + std::to_string(++number) + "\n";
    for (const Json& insert : set["inserts"]) {
      out += "  sink " + insert["insert"].get<std::string>() + " (" + insert["connector"].get<std::string>() +
             ", commits every " + std::to_string(insert["commit_interval_ms"].get<int64_t>()) + " ms): ";
      std::string columns;
      for (const Json& column : insert["columns"]) {
        columns += (columns.empty() ? "" : ", ") + column["name"].get<std::string>() + " " +
                   column["type"].get<std::string>() + (column["nullable"].get<bool>() ? "" : " not null");
      }
      out += columns + "\n";
      print_tree(insert["inputs"][0], "    ", out);
    }
    for (const Json& source : set["sources"]) {
      out += "  source " + source["name"].get<std::string>() + " (" + source["connector"].get<std::string>() +
             ", " + source["format"].get<std::string>() + ")";
      for (const auto& [name, value] : source["options"].items())
        out += " " + name + "=" + value.get<std::string>();
      out += "\n";
      if (source.contains("guarantee")) out += "    " + source["guarantee"].get<std::string>() + "\n";
      for (const Json& check : source["checks"]) out += "    check: " + check.get<std::string>() + "\n";
    }
  }
  return out;
}

}  // namespace weir
