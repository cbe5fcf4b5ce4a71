// Events that matched no route: from the log's stream `_unrouted` into the error lake, and back by replay.
//
// The edge appends them there (headers hold "weir-stream"); a mover writes them to the Delta table
// <error-lake.path>/_edge/unrouted, each once: rows and the log's offset are one commit. Resolutions are in
// <error-lake.path>/_edge/_resolved.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "edge/event_target.h"
#include "plan/pipeline_plan.h"
#include "runtime/error_query.h"
#include "runtime/replay.h"

namespace weir {

inline constexpr const char* kUnroutedStream = "_unrouted";

struct UnroutedSettings {
  std::string log_folder;                      // of the embedded log's streams
  std::string error_lake;                      // error-lake.path: a folder or s3://
  std::map<std::string, std::string> storage;  // s3.* of the server's options, without the prefix
  std::function<void(const std::string&)> log;  // a line for the operator; may be empty
};

// Moves while it lives: looks about once a second, goes on when the lake is away, never holds up the edge.
class UnroutedMover {
 public:
  virtual ~UnroutedMover() = default;  // stops; what it has not moved waits in the log
  static std::unique_ptr<UnroutedMover> start(UnroutedSettings settings, const Clock& clock);
};

// The edge's error tables as those of a pipeline "_edge" with one source "unrouted": for list, show, count.
std::unique_ptr<PipelinePlan> edge_error_plan(const UnroutedSettings& settings);

// Routes one stored event by today's routes and publishes it. The views stay valid until `done`, which is
// called once: false when no route fits. `event.headers` is what the edge had stored, without "weir-stream".
using Reroute = std::function<void(const std::string& stream, EdgeEvent event, RequestKey key,
                                   std::function<void(Result<bool>)> done)>;

// Every unresolved error that `filter` lets through is published again under its id as the key, then noted as
// resolved. Interrupted or run twice within 24 h, it stores nothing twice. One call at a time.
Result<ReplayCounts> replay_unrouted(const UnroutedSettings& settings, const ErrorFilter& filter,
                                     const Reroute& reroute, const Clock& clock);

}  // namespace weir
