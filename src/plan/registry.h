// Which connectors and formats this binary has. Filled by main.cpp's wiring, read by planning, checks and
// `weir connectors`.
#pragma once

#include <string>
#include <vector>

#include "formats/decoder.h"
#include "sinks/sink.h"
#include "sources/source.h"

namespace weir {

struct Registry {
  std::vector<SourceConnector> sources;
  std::vector<SinkConnector> sinks;
  std::vector<FormatInfo> formats;

  const SourceConnector* source(const std::string& name) const;
  const SinkConnector* sink(const std::string& name) const;
  const FormatInfo* format(const std::string& name) const;
  std::vector<std::string> connector_names() const;
};

}  // namespace weir
