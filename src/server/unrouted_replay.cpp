// Stored unrouted events, routed again.
#include <arrow/array.h>
#include <arrow/record_batch.h>

#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>

#include "base/crash_point.h"
#include "edge/event_text.h"
#include "edge/log_target.h"
#include "formats/json_text.h"
#include "runtime/tables.h"
#include "server/unrouted.h"
#include "sinks/error_lake/error_lake.h"

namespace weir {
namespace {

constexpr size_t kBatchErrors = 1'000;
constexpr size_t kBatchBytes = 8 << 20;
constexpr int kMostAttempts = 10;
constexpr const char* kReplayApp = "weir/_edge/unrouted/_replay";

struct StoredEventRow {
  std::string id, stream, subject, headers, payload;
  std::optional<std::string> key;
  int64_t event_time_us = 0;
};

struct Outcome {
  bool answered = false;
  Result<bool> routed = false;
};

std::optional<std::string> text_at(const arrow::RecordBatch& batch, const char* column, int64_t row) {
  const auto array = batch.GetColumnByName(column);
  if (array == nullptr || array->IsNull(row)) return std::nullopt;
  return static_cast<const arrow::BinaryArray&>(*array).GetString(row);  // utf8 has the same layout
}

class Replay {
 public:
  Replay(const UnroutedSettings& settings, const UnroutedReplay& wanted, const Reroute& reroute,
         const Clock& clock)
      : wanted_(wanted),
        reroute_(reroute),
        clock_(clock),
        plan_(edge_error_plan(settings)),
        source_(*plan_->sources.front()) {}

  Result<UnroutedCounts> run() {
    ErrorFilter filter = wanted_.filter;
    WEIR_TRY(sources_of(*plan_, filter).status());
    if (!wanted_.run.empty()) {
      std::string quoted;
      for (const char c : wanted_.run) quoted += c == '\'' ? std::string("''") : std::string(1, c);
      const std::string untried =
          "e.id NOT IN (SELECT error_id FROM errors._resolved WHERE run = '" + quoted + "')";
      filter.where = filter.where.empty() ? untried : "(" + filter.where + ") AND " + untried;
    }
    WEIR_ASSIGN(const auto reader, query_errors(*plan_, source_, filter, ErrorRead::everything));
    if (reader == nullptr) return counts_;
    const int64_t end_ns = clock_.monotonic_ns() + std::chrono::nanoseconds(wanted_.at_most).count();
    std::vector<StoredEventRow> pending;
    size_t bytes = 0;
    while (true) {
      std::shared_ptr<arrow::RecordBatch> batch;
      const arrow::Status read = reader->ReadNext(&batch);
      if (!read.ok()) return Status::invalid(read.message());
      if (batch == nullptr) break;
      for (int64_t row = 0; row < batch->num_rows(); ++row) {
        if (clock_.monotonic_ns() > end_ns) {
          counts_.more = true;
          return counts_;
        }
        pending.push_back(stored_event(*batch, row));
        bytes += pending.back().payload.size();
        if (pending.size() < kBatchErrors && bytes < kBatchBytes) continue;
        WEIR_TRY(replay_batch(pending));
        pending.clear();
        bytes = 0;
      }
    }
    if (!pending.empty()) WEIR_TRY(replay_batch(pending));
    return counts_;
  }

 private:
  StoredEventRow stored_event(const arrow::RecordBatch& batch, int64_t row) {
    StoredEventRow stored;
    stored.id = text_at(batch, "id", row).value_or("");
    stored.subject = text_at(batch, "subject", row).value_or("");
    stored.headers = text_at(batch, "headers", row).value_or("{}");
    stored.payload = text_at(batch, "payload", row).value_or("");
    stored.key = text_at(batch, "key", row);
    const auto& headers = headers_.parse(stored.headers);
    stored.stream = header_value(headers, "weir-stream");
    const auto time = batch.GetColumnByName("event_time");
    if (time != nullptr && !time->IsNull(row)) {
      stored.event_time_us = static_cast<const arrow::Int64Array&>(*time).Value(row);
    }
    return stored;
  }

  Status replay_batch(const std::vector<StoredEventRow>& events) {
    const std::vector<Outcome> outcomes = publish(events);
    crash_point("replay.after_lake");
    std::vector<Resolution> resolutions;
    Status failure;
    for (size_t i = 0; i < events.size(); ++i) {
      const Result<bool>& routed = outcomes[i].routed;
      if (!routed.ok()) {
        failure = routed.status();
        continue;  // it stays as it is: another replay tries it again
      }
      Resolution resolution;
      resolution.error_id = events[i].id;
      resolution.source = source_.table.name;
      resolution.run = wanted_.run;
      resolution.resolved = *routed;
      resolution.at_us = clock_.now_us();
      if (!*routed) {
        resolution.code = std::string(error_code_name(ErrorCode::unrouted));
        resolution.message = "still no [[route]] takes this event of the stream '" + events[i].stream + "'";
      }
      ++(*routed ? counts_.resolved : counts_.failed);
      ++counts_.replayed;
      resolutions.push_back(std::move(resolution));
    }
    crash_point("replay.before_note");
    WEIR_TRY(note(resolutions));
    crash_point("replay.after_resolved");
    return failure;
  }

  // All at once, and waits for all.
  std::vector<Outcome> publish(const std::vector<StoredEventRow>& events) {
    std::mutex mutex;
    std::condition_variable answered;
    size_t open = events.size();
    std::vector<Outcome> outcomes(events.size());
    for (size_t i = 0; i < events.size(); ++i) {
      const StoredEventRow& stored = events[i];
      EdgeEvent event;
      event.payload = stored.payload;
      if (stored.key) event.key = *stored.key;
      event.subject = stored.subject;
      event.headers = stored.headers;
      event.timestamp_us = stored.event_time_us;
      reroute_(stored.stream, event, {stored.id, stable_hash(stored.payload)}, [&, i](Result<bool> routed) {
        std::lock_guard lock(mutex);
        outcomes[i] = {true, std::move(routed)};
        if (--open == 0) answered.notify_all();
      });
    }
    std::unique_lock lock(mutex);
    answered.wait(lock, [&] { return open == 0; });
    return outcomes;
  }

  // Appends to `_resolved`, once. Nobody else writes there but another replay.
  Status note(const std::vector<Resolution>& resolutions) {
    if (resolutions.empty()) return {};
    for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
      if (resolved_ == nullptr) {
        WEIR_ASSIGN(resolved_, create_resolution_sink(*plan_, clock_));
        WEIR_ASSIGN(const auto stands, resolved_->open(kReplayApp));
        const auto stand = stands.find(kReplayApp);
        sequence_ = stand == stands.end() ? 0 : stand->second;
      }
      std::vector<Resolution> numbered = resolutions;
      for (Resolution& resolution : numbered) resolution.batch = sequence_ + 1;
      WEIR_ASSIGN(const auto rows, resolution_rows(numbered));
      WEIR_TRY(resolved_->append(rows));
      WEIR_ASSIGN(const auto sealed, resolved_->seal());
      WEIR_ASSIGN(const auto persisted, resolved_->transactional()->persist(*sealed));
      WEIR_ASSIGN(const bool ours,
                  resolved_->transactional()->commit_persisted(persisted, kReplayApp, sequence_ + 1, "{}"));
      ++sequence_;
      if (ours) return {};
      resolved_.reset();  // the number was taken by another replay
    }
    return {Code::conflict, "other replays of unrouted events are under way: try again"};
  }

  const UnroutedReplay& wanted_;
  const Reroute& reroute_;
  const Clock& clock_;
  std::unique_ptr<PipelinePlan> plan_;
  const SourcePlan& source_;
  std::unique_ptr<Sink> resolved_;
  int64_t sequence_ = 0;
  EventHeaders headers_;
  UnroutedCounts counts_;
};

std::string without_stream(const std::vector<std::pair<std::string, std::string>>& headers) {
  std::string text = "{";
  for (const auto& [name, value] : headers) {
    if (name == "weir-stream") continue;
    if (text.size() > 1) text += ',';
    append_json_quoted(name, text);
    text += ':';
    append_json_quoted(value, text);
  }
  return text + "}";
}

std::string text_of(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

Reroute reroute_by(const Router& router, TargetSet& targets) {
  return [&router, &targets](const std::string& stream, EdgeEvent event, RequestKey key,
                             std::function<void(Result<bool>)> done) {
    EventEnvelope envelope;
    envelope.attributes = EventHeaders().parse(event.headers);
    envelope.type = header_value(envelope.attributes, "ce-type");
    const auto name = router.route({stream, &envelope, event.subject, nullptr});
    if (!name) return done(false);
    auto target = targets.open_target(*name);
    if (!target.ok()) return done(target.status());
    // As the edge does it: in the log under its own name, the stream needs no header.
    auto headers = std::make_shared<std::string>(event.headers);
    if (*name == "log:" + stream) *headers = without_stream(envelope.attributes);
    event.headers = *headers;
    (*target)->publish({event}, std::move(key), [done, headers](const auto& stored) {
      done(stored.ok() ? Result<bool>(true) : stored.status());
    });
  };
}

Result<UnroutedCounts> replay_unrouted(const UnroutedSettings& settings, const UnroutedReplay& replay,
                                       const Reroute& reroute, const Clock& clock) {
  return Replay(settings, replay, reroute, clock).run();
}

HttpRoute unrouted_replay_route(const EdgeConfig& config, TargetSet& targets, const Clock& clock,
                                std::function<std::optional<HttpAnswer>(const HttpHead&)> admit) {
  struct Shared {
    UnroutedSettings settings;
    Router router;
    Reroute reroute;
  };
  auto shared = std::make_shared<Shared>(Shared{unrouted_settings(config), Router(config), {}});
  shared->reroute = reroute_by(shared->router, targets);
  HttpRoute route;
  route.prefix = kReplayPath;
  route.max_body_bytes = 64 << 10;
  route.admit = std::move(admit);
  // One thread: one replay at a time.
  route.handle = blocking(
      [shared, &clock](const HttpCall& call) {
        if (call.head.method != "POST") return method_not_allowed("POST");
        const auto body = nlohmann::json::parse(call.body, nullptr, false);
        if (!body.is_object()) return problem(400, "Malformed body", "expected a JSON object");
        UnroutedReplay replay;
        replay.run = text_of(body, "run");
        replay.filter.source = text_of(body, "source");
        replay.filter.code = text_of(body, "code");
        replay.filter.id = text_of(body, "id");
        replay.filter.where = text_of(body, "where");
        if (replay.run.empty()) return problem(400, "Malformed body", "'run' is missing");
        const Status moved = move_unrouted(shared->settings, clock);
        if (!moved.ok() && moved.code() != Code::lost_ownership) {  // else the mover is at it
          return problem(503, "Error lake unavailable", moved.message());
        }
        const auto counts = replay_unrouted(shared->settings, replay, shared->reroute, clock);
        if (!counts.ok()) {
          const bool wrong = counts.status().code() == Code::invalid;
          return problem(wrong ? 400 : 503, wrong ? "Cannot replay" : "Unavailable",
                         counts.status().message());
        }
        HttpAnswer answer;
        answer.body = nlohmann::json{{"replayed", counts->replayed},
                                     {"resolved", counts->resolved},
                                     {"failed", counts->failed},
                                     {"more", counts->more}}
                          .dump();
        return answer;
      },
      1, 16);
  return route;
}

}  // namespace weir
