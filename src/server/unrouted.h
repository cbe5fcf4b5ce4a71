// Events that matched no route: from the log's stream `_unrouted` into the error lake, and back by replay.
//
// The edge appends them there (headers hold "weir-stream"); a mover writes them to the Delta table
// <error-lake.path>/_edge/unrouted, each once: rows and the log's offset are one commit. Resolutions are in
// <error-lake.path>/_edge/_resolved.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "edge/edge_config.h"
#include "edge/event_target.h"
#include "edge/http_server.h"
#include "edge/publish.h"
#include "edge/router.h"
#include "plan/pipeline_plan.h"
#include "runtime/error_query.h"
#include "runtime/replay.h"

namespace weir {

inline constexpr const char* kUnroutedStream = "_unrouted";
inline constexpr const char* kReplayPath = "/v1/unrouted/replay";

struct UnroutedSettings {
  std::string log_folder;                       // of the embedded log's streams
  std::string error_lake;                       // error-lake.path: a folder or s3://
  std::map<std::string, std::string> storage;   // s3.* of the server's options, without the prefix
  std::function<void(const std::string&)> log;  // a line for the operator; may be empty
};

UnroutedSettings unrouted_settings(const EdgeConfig& config);

// Moves while it lives: looks about once a second, goes on when the lake is away, never holds up the edge.
class UnroutedMover {
 public:
  virtual ~UnroutedMover() = default;  // stops; what it has not moved waits in the log
  static std::unique_ptr<UnroutedMover> start(UnroutedSettings settings, const Clock& clock);
};

// Moves all that is there now, and returns.
Status move_unrouted(const UnroutedSettings& settings, const Clock& clock);

// The edge's error tables as those of a pipeline "_edge" with one source "unrouted": for list, show, count.
std::unique_ptr<PipelinePlan> edge_error_plan(const UnroutedSettings& settings);

// Routes one stored event and publishes it. The views stay valid until `done`, which is called once: false
// when no route fits. `event.headers` is what the edge had stored, "weir-stream" included.
using Reroute = std::function<void(const std::string& stream, EdgeEvent event, RequestKey key,
                                   std::function<void(Result<bool>)> done)>;
// By these routes; both outlive the result.
Reroute reroute_by(const Router& router, TargetSet& targets);

struct UnroutedReplay {
  ErrorFilter filter;
  // Errors that a replay of this name has tried are left out, so that a long one can be cut into calls.
  std::string run;
  std::chrono::milliseconds at_most{10'000};
};

struct UnroutedCounts : ReplayCounts {
  bool more = false;  // the time was over first: call again
};

// Every unresolved error that the filter lets through is published again under its id as the key, then noted
// as resolved. Interrupted or run twice within 24 h, it stores nothing twice. One call at a time.
Result<UnroutedCounts> replay_unrouted(const UnroutedSettings& settings, const UnroutedReplay& replay,
                                       const Reroute& reroute, const Clock& clock);

// POST kReplayPath {"run", "source", "code", "id", "where"} -> {"replayed", "resolved", "failed", "more"},
// for `weir errors replay` while the server holds the log. `admit` looks at the token. The arguments outlive
// the route.
HttpRoute unrouted_replay_route(const EdgeConfig& config, TargetSet& targets, const Clock& clock,
                                std::function<std::optional<HttpAnswer>(const HttpHead&)> admit);

}  // namespace weir
