// Weir's tables as Flink's DDL.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/source_text.h"
#include "plan/pipeline_plan.h"

namespace weir {

std::string flink_identifier(const std::string& name);  // `name`
std::string flink_literal(const std::string& text);     // 'text'

// One statement for the gateway.
struct FlinkStatement {
  std::string text;
  std::string shown;  // the same with *** for secrets
  // From line `line` of `text` on (from 1), what stands there is the file's text from `location` on.
  struct Part {
    int line = 1;
    Location location;
  };
  std::vector<Part> parts;
  Location location;  // of what it was made of, where no part fits

  // The place in the file of a place that Flink names within `text`; 0: it named none.
  Location place(int line, int column) const;
};

struct FlinkOption {
  std::string name, value;
  bool secret = false;
};
using FlinkOptions = std::vector<FlinkOption>;

// How a Kafka table's cluster is reached, as Java's client names it: PLAIN and SCRAM users become a JAAS
// line, PEM files stores of type PEM. What has no counterpart is a warning at its place.
FlinkOptions flink_kafka_properties(const Options& options, Diagnostics& diagnostics);

// CREATE TABLE of a source, and where NOT NULL columns or CHECKs stand, a view of its name over it that
// leaves out what they refuse. Errors name what Flink cannot read. `skip_bad_events`: Flink passes over what
// it cannot parse, otherwise its job fails.
std::vector<FlinkStatement> flink_source(const SourcePlan& source, bool skip_bad_events,
                                         Diagnostics& diagnostics);

struct FlinkSink {
  std::string table;  // Flink's
  std::string topic;
  std::string transactional_id_prefix;
  bool changelog = false;
};

// CREATE TABLE of a topic that takes `schema`, exactly once, in JSON, or as a changelog in Debezium's.
// `format_options` stand in place of the plain JSON ones where not empty.
FlinkStatement flink_sink(const FlinkSink& sink, const arrow::Schema& schema, const FlinkOptions& cluster,
                          const FlinkOptions& format_options, const Location& location);

// The format of a topic into which a Kafka sink of the file writes, from the sink's own options.
FlinkOptions flink_kafka_sink_format(const Options& options, const Location& location,
                                     Diagnostics& diagnostics);

}  // namespace weir
