#include "server/unrouted.h"

#include <arrow/record_batch.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "edge/edge_targets.h"
#include "edge/event_text.h"
#include "log/log_reader.h"
#include "runtime/tables.h"
#include "sinks/error_lake/error_lake.h"

namespace weir {
namespace {

using std::chrono::milliseconds;

constexpr const char* kEdge = "_edge";
constexpr const char* kSource = "unrouted";
constexpr const char* kReader = "error-lake";
constexpr size_t kBatchEvents = 4096;
constexpr size_t kBatchBytes = 16 << 20;
constexpr milliseconds kInterval{1'000};
constexpr milliseconds kLongestPause{30'000};

// The log's stream into the error table. One thread.
class Move {
 public:
  // `stop` outlives it.
  Move(const UnroutedSettings& settings, const Clock& clock, const std::atomic<bool>& stop)
      : settings_(settings), clock_(clock), stop_(stop), plan_(edge_error_plan(settings)) {}

  // Everything that is durable in the log. After a failure, a new Move begins from the table.
  Status run() {
    const auto info = log_stream_info(settings_.log_folder, kUnroutedStream);
    if (info.status().code() == Code::not_found) return {};
    if (!info.ok()) return info.status();
    for (int partition = 0; partition < info->partitions; ++partition) {
      WEIR_TRY(move(info->id + "/" + std::to_string(partition), partition));
    }
    return {};
  }

 private:
  Status open_tables() {
    if (errors_ != nullptr) return {};
    WEIR_ASSIGN(auto resolved, create_resolution_sink(*plan_, clock_));
    WEIR_TRY(resolved->open("weir/_edge/").status());  // queries want both tables
    WEIR_ASSIGN(auto errors, create_error_sink(*plan_, *plan_->sources.front(), clock_));
    WEIR_ASSIGN(stands_, errors->open("weir/_edge/"));
    errors_ = std::move(errors);
    return {};
  }

  Status open_reader(const std::string& app_id, int partition) {
    if (readers_.count(partition) != 0) return {};
    const auto stand = stands_.find(app_id);
    int64_t from = 0;
    if (stand != stands_.end()) {
      from = stand->second;
    } else {
      WEIR_ASSIGN(from, log_offset_at(settings_.log_folder, kUnroutedStream, partition, 0));
    }
    WEIR_ASSIGN(readers_[partition], LogReader::open(settings_.log_folder, kUnroutedStream, partition, from));
    return {};
  }

  Status move(const std::string& place, int partition) {
    const std::string app_id = std::string("weir/_edge/") + kSource + "/" + place;
    if (errors_ == nullptr) {
      // No table is made before there is something for it.
      const auto first = log_offset_at(settings_.log_folder, kUnroutedStream, partition, 0);
      if (first.status().code() == Code::unavailable) return {};  // its writer is just making it
      if (!first.ok()) return first.status();
      auto reader = LogReader::open(settings_.log_folder, kUnroutedStream, partition, *first);
      if (reader.status().code() == Code::unavailable) return {};
      if (!reader.ok()) return reader.status();
      if ((*reader)->end() <= *first) return {};
    }
    WEIR_TRY(open_tables());
    WEIR_TRY(open_reader(app_id, partition));
    while (!stop_) {
      WEIR_ASSIGN(EventBatch batch, readers_[partition]->read(kBatchEvents, kBatchBytes));
      if (batch.next <= batch.from) return {};
      if (!batch.events.empty()) WEIR_TRY(commit(place, app_id, batch));
      WEIR_TRY(mark_log_reader(settings_.log_folder, kUnroutedStream, kReader, partition, batch.next));
    }
    return {};
  }

  Status commit(const std::string& place, const std::string& app_id, EventBatch& batch) {
    batch.received_us = clock_.now_us();
    std::vector<ErrorRecord> records;
    for (size_t i = 0; i < batch.events.size(); ++i) {
      const auto& headers = headers_.parse(batch.view(batch.events[i].headers));
      ErrorRecord record;
      record.event = static_cast<uint32_t>(i);
      record.code = ErrorCode::unrouted;
      record.message = "no [[route]] takes this event of the stream '" +
                       std::string(header_value(headers, "weir-stream")) + "'";
      records.push_back(std::move(record));
    }
    ErrorOrigin origin;
    origin.pipeline = kEdge;
    origin.source = kSource;
    origin.partition = place;
    WEIR_ASSIGN(auto rows, error_rows(origin, batch, records));
    WEIR_TRY(errors_->append(rows));
    WEIR_ASSIGN(auto sealed, errors_->seal());
    CommitRequest request;
    request.ranges = {{app_id, batch.from, batch.next}};
    request.authority = true;  // a replay may move at the same time: then one of both starts again
    return errors_->commit(*sealed, request);
  }

  const UnroutedSettings& settings_;
  const Clock& clock_;
  const std::atomic<bool>& stop_;
  std::unique_ptr<PipelinePlan> plan_;
  std::unique_ptr<Sink> errors_;
  std::map<std::string, int64_t> stands_;
  std::map<int, std::unique_ptr<LogReader>> readers_;
  EventHeaders headers_;
};

class MoverThread final : public UnroutedMover {
 public:
  MoverThread(UnroutedSettings settings, const Clock& clock) : settings_(std::move(settings)), clock_(clock) {
    thread_ = std::thread([this] { work(); });
  }
  ~MoverThread() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

 private:
  void work() {
    std::unique_ptr<Move> move;
    milliseconds pause = kInterval;
    std::string said;
    while (wait(pause)) {
      if (move == nullptr) move = std::make_unique<Move>(settings_, clock_, stopping_);
      const Status status = move->run();
      if (status.ok()) {
        pause = kInterval;
        said.clear();
        continue;
      }
      move.reset();
      if (status.code() == Code::lost_ownership) continue;  // a replay moved them
      pause = std::min(pause * 2, kLongestPause);
      const std::string words = "unrouted events wait for the error lake: " + status.message();
      if (settings_.log && words != said) settings_.log(words);
      said = words;
    }
  }

  bool wait(milliseconds pause) {
    std::unique_lock lock(mutex_);
    return !changed_.wait_for(lock, pause, [this] { return stopping_.load(); });
  }

  const UnroutedSettings settings_;
  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace

UnroutedSettings unrouted_settings(const EdgeConfig& config) {
  UnroutedSettings settings;
  settings.log_folder = edge_log_folder(config);
  settings.error_lake = config.server.string("error-lake.path");
  settings.storage = config.server.with_prefix("s3.");
  return settings;
}

std::unique_ptr<UnroutedMover> UnroutedMover::start(UnroutedSettings settings, const Clock& clock) {
  return std::make_unique<MoverThread>(std::move(settings), clock);
}

Status move_unrouted(const UnroutedSettings& settings, const Clock& clock) {
  const std::atomic<bool> stop{false};
  return Move(settings, clock, stop).run();
}

std::unique_ptr<PipelinePlan> edge_error_plan(const UnroutedSettings& settings) {
  auto plan = std::make_unique<PipelinePlan>();
  plan->spec.name = kEdge;
  std::map<std::string, OptionValue> values;
  values["error-lake.path"].text = settings.error_lake;
  plan->spec.settings = Options(setting_specs(), std::move(values));
  plan->storage = settings.storage;
  auto source = std::make_unique<SourcePlan>();
  source->table.name = kSource;
  plan->sources.push_back(std::move(source));
  return plan;
}

}  // namespace weir
