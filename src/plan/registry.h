// Which connectors and formats this binary has. Filled by main.cpp's wiring, read by planning, checks and
// `weir connectors`.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "formats/decoder.h"
#include "plan/lookup_connector.h"
#include "schema/schema_lookup.h"
#include "sinks/sink.h"
#include "sources/source.h"

namespace weir {

// How a source's decoders come by schemas: the schema-registry.* options and what is made of them.
struct SchemaLookupInfo {
  std::vector<OptionSpec> options;
  // `folder`: what relative paths of schema files are relative to.
  std::function<Result<std::shared_ptr<SchemaLookup>>(const Options&, const std::string& folder)> create;
};

// What is done to a payload before it is decoded: the payload.* options of every source table.
struct PayloadInfo {
  std::vector<OptionSpec> options;
  std::function<Status(const Options&)> check;  // invalid: options that contradict each other
};

struct Registry {
  std::vector<SourceConnector> sources;
  std::vector<SinkConnector> sinks;
  std::vector<FormatInfo> formats;
  SchemaLookupInfo schemas;
  PayloadInfo payloads;
  std::vector<LookupConnector> lookups;

  const SourceConnector* source(const std::string& name) const;
  const SinkConnector* sink(const std::string& name) const;
  const FormatInfo* format(const std::string& name) const;
  const LookupConnector* lookup(const std::string& name) const;
  std::vector<std::string> connector_names() const;
};

}  // namespace weir
