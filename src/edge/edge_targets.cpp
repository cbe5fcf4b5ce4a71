#include "edge/edge_targets.h"

#include "edge/kafka_target.h"
#include "edge/log_target.h"
#include "edge/nats_target.h"

namespace weir {
namespace {

// Segments are preallocated: streams that nobody declared must not take the disk.
constexpr int64_t kUndeclaredSegmentBytes = 16 << 20;

LogWriterSettings log_settings(const EdgeConfig& config, const std::string& stream) {
  LogWriterSettings settings;
  settings.folder = edge_log_folder(config);
  settings.stream = stream;
  settings.retention.consumed = stream.starts_with('_');  // of Weir's own: what was moved on may go
  settings.segment_bytes = kUndeclaredSegmentBytes;
  for (const EdgeStream& declared : config.streams) {
    if (declared.name != stream) continue;
    const Options& options = declared.options;
    settings.partitions = static_cast<int>(options.integer("partitions"));
    settings.segment_bytes = options.size("segment");
    if (options.has("retention.size")) settings.retention.max_bytes = options.size("retention.size");
    if (options.has("retention.age")) {
      settings.retention.max_age =
          std::chrono::duration_cast<std::chrono::seconds>(options.duration("retention.age"));
    }
    settings.retention.consumed = options.boolean("retention.consumed");
  }
  return settings;
}

}  // namespace

std::string edge_log_folder(const EdgeConfig& config) { return config.server.string("data") + "/log"; }

Result<std::unique_ptr<EdgeTargets>> EdgeTargets::open(const EdgeConfig& config, const Clock& clock) {
  auto targets = std::unique_ptr<EdgeTargets>(new EdgeTargets(config, clock));
  if (!config.targets.empty()) {
    WEIR_ASSIGN(targets->keys_, KeyStore::open(edge_log_folder(config), clock));
  }
  for (const EdgeStream& stream : config.streams) {
    if (auto opened = targets->open_target("log:" + stream.name); !opened.ok()) return opened.status();
  }
  for (const EdgeRoute& route : config.routes) {
    if (auto opened = targets->open_target(route.to); !opened.ok()) return opened.status();
  }
  return targets;
}

EventTarget* EdgeTargets::find(const std::string& name) const {
  std::shared_lock lock(mutex_);
  auto found = targets_.find(name);
  return found == targets_.end() ? nullptr : found->second.get();
}

Result<EventTarget*> EdgeTargets::open_target(const std::string& name) {
  std::lock_guard opening(opening_);
  if (EventTarget* there = find(name)) return there;
  auto opened = name.starts_with("log:") ? open_log(name.substr(4)) : open_broker(name);
  if (!opened.ok()) return opened.status();
  EventTarget* target = opened->get();
  std::unique_lock lock(mutex_);
  targets_[name] = *std::move(opened);
  return target;
}

Result<std::unique_ptr<EventTarget>> EdgeTargets::open_log(const std::string& stream) {
  {
    std::shared_lock lock(mutex_);
    if (writers_.size() >= config_.streams.size() + config_.routes.size() + kMostLogStreams) {
      return Status(Code::exhausted, "there are " + std::to_string(kMostLogStreams) +
                                         " streams already: declare those that you "
                                         "need with [[stream]]");
    }
  }
  auto opened = LogWriter::open(log_settings(config_, stream), clock_);
  if (!opened.ok()) return opened.status().with_context("the log's stream '" + stream + "'");
  std::shared_ptr<LogWriter> writer = *std::move(opened);
  std::unique_lock lock(mutex_);
  writers_[stream] = writer;
  return make_log_target("log:" + stream, std::move(writer));
}

Result<std::unique_ptr<EventTarget>> EdgeTargets::open_broker(const std::string& name) {
  for (const EdgeTargetSpec& spec : config_.targets) {
    if (spec.connector + ":" + spec.name != name) continue;
    return spec.connector == "nats" ? open_nats_target(spec, name, clock_, keys_)
                                    : open_kafka_target(spec, name, clock_, keys_);
  }
  return Status(Code::not_found, "there is no target '" + name + "'");
}

Status EdgeTargets::retain() {
  Status first;
  for (const auto& [stream, writer] : log_writers()) {
    Status retained = writer->retain();
    if (!retained.ok() && first.ok()) first = retained.with_context("the log's stream '" + stream + "'");
  }
  if (keys_ != nullptr) {
    if (Status retained = keys_->retain(); !retained.ok() && first.ok()) first = retained;
  }
  return first;
}

std::vector<std::pair<std::string, std::shared_ptr<LogWriter>>> EdgeTargets::log_writers() const {
  std::shared_lock lock(mutex_);
  return {writers_.begin(), writers_.end()};
}

}  // namespace weir
