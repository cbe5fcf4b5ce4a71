// A registry of connectors that do nothing, for this folder's tests: source 'in' with format 'json', sinks
// 'out' (appends), 'table' (takes changelogs by key).
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "plan/pipeline_plan.h"

namespace weir {

class NoDecoder final : public Decoder {
 public:
  Result<DecodedRows> decode(const EventBatch&, size_t, size_t) override {
    return Status::internal("a test");
  }
};

inline Registry registry_for_test() {
  Registry registry;
  SourceConnector in;
  in.name = "in";
  registry.sources.push_back(in);
  SinkConnector out;
  out.name = "out";
  registry.sinks.push_back(out);
  SinkConnector table;
  table.name = "table";
  table.takes_changelog = true;
  table.changelog_by_key = true;
  registry.sinks.push_back(table);
  LookupConnector lookup;
  lookup.name = "in";
  lookup.check = [](const LookupContext&) { return Status(); };
  registry.lookups.push_back(lookup);
  FormatInfo json;
  json.name = "json";
  json.create = [](const FormatContext&) -> Result<std::unique_ptr<Decoder>> {
    return std::unique_ptr<Decoder>(std::make_unique<NoDecoder>());
  };
  registry.formats.push_back(json);
  registry.schemas.create = [](const Options&, const std::string&) -> Result<std::shared_ptr<SchemaLookup>> {
    return std::shared_ptr<SchemaLookup>();
  };
  registry.payloads.check = [](const Options&) { return Status(); };
  return registry;
}

struct PlannedText {
  std::unique_ptr<PipelinePlan> plan;
  std::string errors;  // one a line: "2:5 message"
};

inline PlannedText plan_text(const std::string& text) {
  const Registry registry = registry_for_test();
  Diagnostics diagnostics;
  PipelineSpec spec = parse_pipeline("test.sql", text, diagnostics);
  PlannedText result;
  result.plan = plan_pipeline(std::move(spec), registry, diagnostics);
  for (const Diagnostic& entry : diagnostics.entries()) {
    if (entry.warning) continue;
    result.errors += std::to_string(entry.location.line) + ":" + std::to_string(entry.location.column) + " " +
                     entry.message + "\n";
  }
  return result;
}

}  // namespace weir
