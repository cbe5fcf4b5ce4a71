// weir.toml: what `weir serve` listens on, which streams it takes and where they go.
//
//   [server]            listen, data, error-lake.path, tokens, tls-cert, tls-key, limits
//   [[stream]]          name, tokens, partitions, max-body, max-depth, rate, retention
//   [[route]]           stream, type, subject, header.<name>  ->  to = "log:NAME" | "nats:NAME" |
//   "kafka:NAME"
//   [[target]]          name, connector = "nats" | "kafka", and that connector's own options
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "config/options.h"
#include "config/source_text.h"

namespace weir {

struct EdgeStream {
  std::string name;
  Options options;
  std::vector<std::string> tokens;  // secret; empty: those of the server
};

struct EdgeRoute {
  // Patterns with '*' for any text; subject uses NATS' '*' and '>'. Empty: anything.
  std::string stream, type, subject;
  std::map<std::string, std::string> headers;  // lower-case name -> pattern
  std::string to;                              // "log:orders"
  Location location;
};

struct EdgeTargetSpec {
  std::string name;
  std::string connector;  // "nats" or "kafka"
  Options options;
  Location location;
};

struct EdgeConfig {
  std::string file;
  Options server;
  std::vector<std::string> tokens;  // of [server]; secret
  std::vector<EdgeStream> streams;
  std::vector<EdgeRoute> routes;
  std::vector<EdgeTargetSpec> targets;
};

// Declared once: validation, `weir connectors` and docs/edge.md read these.
const std::vector<OptionSpec>& server_option_specs();
const std::vector<OptionSpec>& stream_option_specs();
const std::vector<OptionSpec>& route_option_specs();

// `text` may be empty: all defaults. Every problem is a diagnostic at its line and column.
EdgeConfig parse_edge_config(const std::string& file, const std::string& text, Diagnostics& diagnostics);

}  // namespace weir
