#include "plan/registry.h"

namespace weir {
namespace {

template <typename Entry>
const Entry* find_named(const std::vector<Entry>& entries, const std::string& name) {
  for (const Entry& entry : entries) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

}  // namespace

const SourceConnector* Registry::source(const std::string& name) const { return find_named(sources, name); }
const SinkConnector* Registry::sink(const std::string& name) const { return find_named(sinks, name); }
const FormatInfo* Registry::format(const std::string& name) const { return find_named(formats, name); }
const LookupConnector* Registry::lookup(const std::string& name) const { return find_named(lookups, name); }

std::vector<std::string> Registry::connector_names() const {
  std::vector<std::string> names;
  for (const auto& source : sources) names.push_back(source.name);
  for (const auto& sink : sinks) names.push_back(sink.name);
  return names;
}

}  // namespace weir
