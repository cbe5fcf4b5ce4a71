// A pipeline cut in two: what runs on Flink, Kafka to Kafka, and a pipeline file with which Weir carries
// Flink's topics into the sinks that Flink does not have.
#pragma once

#include <string>
#include <vector>

#include "flink/flink_table.h"
#include "plan/pipeline_plan.h"

namespace weir {

struct FlinkChoices {
  bool all = false;  // stateless INSERTs move too
  bool skip_bad_events =
      true;  // and the sinks' pipeline reads the sources for the error lake; else Flink's job fails
  std::string savepoint;   // to start from; "" starts anew
  std::string sinks_file;  // the name under which the second file will be written, for messages
};

// A topic that Flink writes and that is made before it starts.
struct FlinkTopic {
  std::string name;
  const SourcePlan* cluster = nullptr;  // whose connection options reach the cluster; of the plan
  Location location;                    // of the INSERT
};

struct FlinkDeployment {
  std::string pipeline;
  std::vector<FlinkStatement> settings;  // SET, one each
  std::vector<FlinkStatement> tables;    // tables and views, in order
  FlinkStatement job;                    // the statement set
  std::vector<FlinkTopic> topics;
  std::string sinks_sql;  // the second file; "" when every INSERT ends in Kafka and nothing is left for Weir

  // What `--dry-run` prints: every statement, without secrets.
  std::string shown() const;
};

// The INSERTs that move to Flink: the stateful ones; all of them when `all`.
std::vector<const InsertPlan*> flink_inserts(const PipelinePlan& plan, bool all);

// `file_text` is the pipeline's file: what stays with Weir is taken from it as it is written, so that
// references to secrets stay references. Usable only when `diagnostics` has no errors. `plan` must outlive
// it.
FlinkDeployment plan_flink(const PipelinePlan& plan, const std::string& file_text,
                           const FlinkChoices& choices, Diagnostics& diagnostics);

}  // namespace weir
