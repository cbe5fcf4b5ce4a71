#include "runtime/replay.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "base/crash_point.h"
#include "base/environment.h"
#include "runtime/event_processor.h"
#include "runtime/stored_rows.h"
#include "runtime/tables.h"
#include "sinks/error_lake/error_lake.h"

namespace weir {
namespace {

using Json = nlohmann::json;

constexpr int64_t kBatchErrors = 4096;
constexpr int64_t kBatchBytes = 32 << 20;

// One stored error, as read from the error table.
struct StoredError {
  std::string id, partition, sink, payload, payload_kind, subject, key, headers;
  bool has_key = false, has_headers = false, has_subject = false;
  int64_t offset = 0;
  int64_t event_time_us = -1;
};

std::string text_at(const arrow::RecordBatch& batch, const char* column, int64_t row,
                    bool* present = nullptr) {
  auto array = batch.GetColumnByName(column);
  bool there = array != nullptr && !array->IsNull(row);
  if (present != nullptr) *present = there;
  if (!there) return "";
  return static_cast<const arrow::BinaryArray&>(*array).GetString(row);  // utf8 has the same layout
}

int64_t integer_at(const arrow::RecordBatch& batch, const char* column, int64_t row, int64_t absent) {
  auto array = batch.GetColumnByName(column);
  if (array == nullptr || array->IsNull(row)) return absent;
  return static_cast<const arrow::Int64Array&>(*array).Value(row);  // timestamps have the same layout
}

StoredError stored_error(const arrow::RecordBatch& batch, int64_t row) {
  StoredError error;
  error.id = text_at(batch, "id", row);
  error.partition = text_at(batch, "partition", row);
  error.sink = text_at(batch, "sink", row);
  error.payload = text_at(batch, "payload", row);
  error.payload_kind = text_at(batch, "payload_kind", row);
  error.subject = text_at(batch, "subject", row, &error.has_subject);
  error.key = text_at(batch, "key", row, &error.has_key);
  error.headers = text_at(batch, "headers", row, &error.has_headers);
  error.offset = integer_at(batch, "offset", row, 0);
  error.event_time_us = integer_at(batch, "event_time", row, -1);
  return error;
}

// Stored errors [begin, end) of one partition as the batch that a source would have given.
EventBatch event_batch(const std::vector<StoredError>& errors, size_t begin, size_t end, int64_t now_us) {
  size_t size = EventBatch::kPadding;
  for (size_t i = begin; i < end; ++i) {
    size +=
        errors[i].payload.size() + errors[i].subject.size() + errors[i].key.size() + errors[i].headers.size();
  }
  auto bytes = std::shared_ptr<char[]>(new char[size]());
  size_t used = 0;
  auto store = [&](const std::string& text, bool present) {
    if (!present) return Slice{};
    std::memcpy(bytes.get() + used, text.data(), text.size());
    Slice slice{static_cast<uint32_t>(used), static_cast<int32_t>(text.size())};
    used += text.size();
    return slice;
  };
  EventBatch batch;
  for (size_t i = begin; i < end; ++i) {
    Event event;
    event.offset = errors[i].offset;
    event.timestamp_us = errors[i].event_time_us;
    event.subject = store(errors[i].subject, errors[i].has_subject);
    event.key = store(errors[i].key, errors[i].has_key);
    event.headers = store(errors[i].headers, errors[i].has_headers);
    event.payload = store(errors[i].payload, true);
    batch.events.push_back(event);
  }
  batch.bytes = bytes;
  batch.from = errors[begin].offset;
  batch.next = errors[end - 1].offset + 1;
  batch.received_us = now_us;
  return batch;
}

class SourceReplay {
 public:
  SourceReplay(const PipelinePlan& plan, const SourcePlan& source, const ErrorFilter& filter,
               const Clock& clock, const std::function<void(const std::string&)>& log)
      : plan_(plan),
        source_(source),
        filter_(filter),
        clock_(clock),
        log_(log),
        app_id_("weir/" + plan.spec.name + "/" + source.table.name + "/_replay"),
        folder_(replay_folder(plan.spec.name, source.table.name)),
        run_(random_hex_id()) {}

  Result<ReplayCounts> run() {
    // Nothing stored: no table is created.
    ErrorFilter everything;
    everything.include_resolved = true;
    WEIR_ASSIGN(auto present, query_errors(plan_, source_, everything, ErrorRead::listing));
    if (present == nullptr) return counts_;
    present.reset();
    WEIR_TRY(open());
    WEIR_TRY(recover());
    while (true) {
      WEIR_ASSIGN(bool lost_race, replay_unresolved());
      if (!lost_race) return counts_;
      WEIR_TRY(recover());
    }
  }

 private:
  struct Target {
    std::string name;
    std::unique_ptr<Sink> sink;  // transactional
    int64_t rows = 0;            // appended since the last seal
  };

  Status open() {
    WEIR_ASSIGN(objects_, open_error_objects(plan_));
    for (const auto& insert : plan_.inserts) {
      const auto& branches = insert->plan.branches;
      if (std::none_of(branches.begin(), branches.end(),
                       [&](const auto& branch) { return branch.source == source_.table.name; })) {
        continue;
      }
      inserts_.push_back(insert.get());
      const std::string& name = insert->sink->name;
      if (target(name) != nullptr || forgetful_.count(name) != 0) continue;
      WEIR_TRY(add_target(name, create_sink(plan_, *insert->sink, clock_, log_)));
    }
    WEIR_TRY(add_target("_errors", create_error_sink(plan_, source_, clock_)));
    WEIR_TRY(add_target("_resolved", create_resolution_sink(plan_, clock_)));
    WEIR_ASSIGN(processor_, EventProcessor::create(source_, inserts_, true));
    return {};
  }

  Status add_target(const std::string& name, Result<std::unique_ptr<Sink>> sink) {
    if (!sink.ok()) return sink.status();
    auto opened = (*sink)->open(app_id_);
    if (!opened.ok()) return opened.status().with_context(name);
    if ((*sink)->memory() == Memory::none) {
      forgetful_[name] = *std::move(sink);
      return {};
    }
    int64_t stand = opened->count(app_id_) == 0 ? 0 : opened->at(app_id_);
    highest_seq_ = std::max(highest_seq_, stand);
    targets_.push_back({name, *std::move(sink), 0});
    return {};
  }

  Target* target(const std::string& name) {
    for (Target& entry : targets_) {
      if (entry.name == name) return &entry;
    }
    return nullptr;
  }

  std::string manifest_path(int64_t seq) const {
    char number[24];
    std::snprintf(number, sizeof number, "%012lld", static_cast<long long>(seq));
    return folder_ + number + ".json";
  }

  // Finishes the newest manifest, whoever wrote it, and forgets older ones.
  Status recover() {
    WEIR_ASSIGN(auto paths, objects_->list(folder_));
    if (paths.empty()) return {};
    auto text = objects_->get(paths.back());
    if (text.status().code() == Code::not_found) return recover();  // another run has gone on meanwhile
    if (!text.ok()) return text.status();
    Json manifest = Json::parse(*text, nullptr, false);
    if (!manifest.is_object() || manifest.value("version", 0) != 1) {
      return Status::internal("the replay manifest " + paths.back() + " cannot be read");
    }
    highest_seq_ = std::max(highest_seq_, manifest.value("seq", int64_t{0}));
    WEIR_TRY(finish(manifest));
    for (size_t i = 0; i + 1 < paths.size(); ++i) WEIR_TRY(objects_->remove(paths[i]));
    return {};
  }

  // Commits what a manifest names; every step that was done already is skipped by its txn.
  Status finish(const Json& manifest) {
    int64_t seq = manifest.at("seq").get<int64_t>();
    std::string ledger = manifest.at("ledger").dump();
    for (const Json& entry : manifest.at("tables")) {
      std::string name = entry.at("name").get<std::string>();
      Target* into = target(name);
      if (into == nullptr) {
        return Status::invalid(
            "an interrupted replay has rows for '" + name +
            "', which this file no longer writes: run the replay once with the earlier file");
      }
      if (name == "_resolved") {
        crash_point("replay.after_lake");
        crash_point("replay.before_resolved");
      }
      auto committed =
          into->sink->transactional()->commit_persisted(entry.at("sealed").dump(), app_id_, seq, ledger);
      if (!committed.ok()) return committed.status();
      crash_point("replay.after_table");
    }
    crash_point("replay.after_resolved");
    return {};
  }

  // True: another process took the next sequence number; its manifest has to be finished first.
  Result<bool> replay_unresolved() {
    WEIR_ASSIGN(auto reader, query_errors(plan_, source_, filter_, ErrorRead::everything));
    if (reader == nullptr) return false;
    std::vector<StoredError> pending;
    int64_t bytes = 0;
    while (true) {
      std::shared_ptr<arrow::RecordBatch> batch;
      arrow::Status read = reader->ReadNext(&batch);
      if (!read.ok()) return Status::invalid(read.message());
      if (batch == nullptr) break;
      for (int64_t row = 0; row < batch->num_rows(); ++row) {
        std::string code = text_at(*batch, "code", row);
        if (filter_.into.empty() && (code == "late" || code == "future")) continue;
        StoredError error = stored_error(*batch, row);
        if (tried_.count(error.id) != 0) continue;
        bytes += static_cast<int64_t>(error.payload.size());
        pending.push_back(std::move(error));
        if (static_cast<int64_t>(pending.size()) < kBatchErrors && bytes < kBatchBytes) continue;
        WEIR_ASSIGN(bool lost_race, replay_batch(pending));
        if (lost_race) return true;
        pending.clear();
        bytes = 0;
      }
    }
    if (pending.empty()) return false;
    return replay_batch(pending);
  }

  Result<bool> replay_batch(std::vector<StoredError>& errors) {
    auto place = [](const StoredError& error) {
      return std::tie(error.partition, error.sink, error.payload_kind, error.offset);
    };
    std::sort(errors.begin(), errors.end(),
              [&](const auto& a, const auto& b) { return place(a) < place(b); });
    ReplayCounts counts;
    int64_t seq = highest_seq_ + 1;
    std::vector<Resolution> resolutions;
    for (size_t begin = 0; begin < errors.size();) {
      size_t end = begin + 1;
      while (end < errors.size() && errors[end].partition == errors[begin].partition &&
             errors[end].sink == errors[begin].sink &&
             errors[end].payload_kind == errors[begin].payload_kind) {
        ++end;
      }
      const std::string& kind = errors[begin].payload_kind;
      if (kind == "intermediate" || (kind == "row" && !filter_.into.empty())) {
        leave(errors, begin, end, resolutions);
      } else {
        WEIR_TRY(kind == "row" ? replay_rows(errors, begin, end, resolutions)
                               : replay_group(errors, begin, end, resolutions));
      }
      begin = end;
    }
    for (Resolution& resolution : resolutions) {
      resolution.source = source_.table.name;
      resolution.run = run_;
      resolution.batch = seq;
      resolution.at_us = clock_.now_us();
      ++(resolution.resolved ? counts.resolved : counts.failed);
    }
    counts.replayed = static_cast<int64_t>(errors.size());
    WEIR_ASSIGN(auto resolved_rows, resolution_rows(resolutions));
    WEIR_TRY(append("_resolved", resolved_rows));
    Json manifest = {{"version", 1}, {"seq", seq}, {"run", run_}, {"source", source_.table.name}};
    manifest["ledger"] = {
        {"replayed", counts.replayed}, {"resolved", counts.resolved}, {"failed", counts.failed}};
    manifest["tables"] = Json::array();
    for (Target& entry : targets_) {
      if (std::exchange(entry.rows, 0) == 0) continue;
      WEIR_ASSIGN(auto sealed, entry.sink->seal());
      WEIR_ASSIGN(auto persisted, entry.sink->transactional()->persist(*sealed));
      manifest["tables"].push_back({{"name", entry.name}, {"sealed", Json::parse(persisted)}});
    }
    for (auto& [name, sink] : forgetful_) {
      WEIR_ASSIGN(auto sealed, sink->seal());
      CommitRequest request;
      request.ranges = {{app_id_, seq - 1, seq}};
      WEIR_TRY(sink->commit(*sealed, request).with_context(name));
    }
    crash_point("replay.before_manifest");
    Status written = objects_->put_if_absent(manifest_path(seq), manifest.dump());
    if (written.code() == Code::already_exists) {
      // Somebody's manifest, perhaps our own after a lost answer: then it is ours to finish, and counts.
      auto text = objects_->get(manifest_path(seq));
      if (text.status().code() == Code::not_found) return true;  // it was finished and forgotten since
      if (!text.ok()) return text.status();
      if (Json::parse(*text, nullptr, false).value("run", "") != run_) return true;
    } else if (!written.ok()) {
      return written;
    }
    // Another run may have used this number, gone on to the next and removed it: then our rows are stale.
    WEIR_ASSIGN(auto paths, objects_->list(folder_));
    if (paths.empty() || paths.back() != manifest_path(seq)) return true;
    crash_point("replay.after_manifest");
    highest_seq_ = seq;
    WEIR_TRY(finish(manifest));
    WEIR_TRY(objects_->remove(manifest_path(seq - 1)));
    for (const StoredError& error : errors) tried_.insert(error.id);
    counts_.replayed += counts.replayed;
    counts_.resolved += counts.resolved;
    counts_.failed += counts.failed;
    if (log_) log_(source_.table.name + ": replayed " + std::to_string(counts_.replayed));
    return false;
  }

  // Rows of one partition that one sink refused: they have passed the SQL and go into that sink only.
  Status replay_rows(const std::vector<StoredError>& errors, size_t begin, size_t end,
                     std::vector<Resolution>& resolutions) {
    const std::string& name = errors[begin].sink;
    auto insert = std::find_if(inserts_.begin(), inserts_.end(),
                               [&](const InsertPlan* each) { return each->sink->name == name; });
    std::vector<ErrorRecord> failures;
    if (insert != inserts_.end()) {
      EventBatch batch = event_batch(errors, begin, end, clock_.now_us());
      WEIR_ASSIGN(auto decoder, StoredRows::create(*(*insert)->sink));
      WEIR_ASSIGN(auto rows, decoder->decode(batch, errors[begin].partition, failures));
      if (rows != nullptr) WEIR_TRY(append(name, rows));
    }
    for (size_t i = begin; i < end; ++i) {
      Resolution resolution;
      resolution.error_id = errors[i].id;
      resolution.resolved = insert != inserts_.end();
      if (!resolution.resolved) {
        resolution.code = "sink_refused";
        resolution.message = "this file has no INSERT into '" + name + "' any more";
      }
      for (const ErrorRecord& failure : failures) {
        if (failure.event != i - begin) continue;
        resolution.resolved = false;
        resolution.code = std::string(error_code_name(failure.code));
        resolution.message = failure.message;
      }
      resolutions.push_back(std::move(resolution));
    }
    return {};
  }

  // Rows that are no events and no rows of a sink either: there is nothing to run them through.
  static void leave(const std::vector<StoredError>& errors, size_t begin, size_t end,
                    std::vector<Resolution>& resolutions) {
    for (size_t i = begin; i < end; ++i) {
      Resolution resolution;
      resolution.error_id = errors[i].id;
      resolution.resolved = false;
      resolution.code = "sql_eval";
      resolution.message = "a row from within a query, not an event: it cannot be replayed";
      resolutions.push_back(std::move(resolution));
    }
  }

  // Errors of one partition that are meant for the same INSERT, or for all.
  Status replay_group(const std::vector<StoredError>& errors, size_t begin, size_t end,
                      std::vector<Resolution>& resolutions) {
    const std::string& sink = filter_.into.empty() ? errors[begin].sink : filter_.into;
    std::vector<bool> active(inserts_.size(), sink.empty());
    bool known = sink.empty();
    for (size_t i = 0; i < inserts_.size(); ++i) {
      if (inserts_[i]->label != sink) continue;
      active[i] = known = true;
    }
    std::vector<const ErrorRecord*> failures(end - begin, nullptr);
    EventBatch batch = event_batch(errors, begin, end, clock_.now_us());
    ProcessedEvents processed;
    if (known) {
      WEIR_ASSIGN(processed, processor_->process(batch, 0, batch.events.size(), errors[begin].partition,
                                                 active, clock_.now_us()));
    }
    std::vector<ErrorRecord> fresh;
    for (const ErrorRecord& record : processed.errors) {
      if (sink.empty() && !record.sink.empty()) {
        fresh.push_back(
            record);  // the event is applied elsewhere; this INSERT's part becomes an error of its own
      } else {
        failures[record.event] = &record;
      }
    }
    for (size_t i = 0; i < inserts_.size(); ++i) {
      if (known && processed.rows[i] != nullptr) WEIR_TRY(append(inserts_[i]->sink->name, processed.rows[i]));
    }
    if (!fresh.empty()) {
      ErrorOrigin origin;
      origin.pipeline = plan_.spec.name;
      origin.source = source_.table.name;
      origin.partition = errors[begin].partition;
      WEIR_ASSIGN(auto rows, error_rows(origin, batch, fresh));
      WEIR_TRY(append("_errors", rows));
    }
    for (size_t i = begin; i < end; ++i) {
      Resolution resolution;
      resolution.error_id = errors[i].id;
      resolution.resolved = true;
      if (!known) {
        resolution.resolved = false;
        resolution.code = "sink_refused";
        resolution.message = "this file has no INSERT '" + sink + "' any more";
      } else if (const ErrorRecord* failure = failures[i - begin]) {
        resolution.resolved = false;
        resolution.code = std::string(error_code_name(failure->code));
        resolution.message = failure->message;
      }
      resolutions.push_back(std::move(resolution));
    }
    return {};
  }

  Status append(const std::string& name, const std::shared_ptr<arrow::RecordBatch>& rows) {
    auto forgetful = forgetful_.find(name);
    if (forgetful != forgetful_.end()) return forgetful->second->append(rows);
    Target* into = target(name);
    WEIR_CHECK(into != nullptr, name);
    into->rows += rows->num_rows();
    return into->sink->append(rows);
  }

  const PipelinePlan& plan_;
  const SourcePlan& source_;
  const ErrorFilter& filter_;
  const Clock& clock_;
  const std::function<void(const std::string&)>& log_;
  const std::string app_id_;
  const std::string folder_;
  const std::string run_;
  std::unique_ptr<ObjectStore> objects_;
  std::vector<InsertPlan*> inserts_;
  std::vector<Target> targets_;  // lake tables, then _errors, then _resolved: the order of commits
  std::map<std::string, std::unique_ptr<Sink>> forgetful_;  // print, blackhole: at least once, as always
  std::unique_ptr<EventProcessor> processor_;
  int64_t highest_seq_ = 0;
  std::set<std::string> tried_;  // ids that this run has dealt with
  ReplayCounts counts_;
};

}  // namespace

Result<ReplayCounts> replay_errors(const PipelinePlan& plan, const ErrorFilter& filter, const Clock& clock,
                                   const std::function<void(const std::string&)>& log) {
  WEIR_ASSIGN(auto sources, sources_of(plan, filter));
  ReplayCounts total;
  for (const SourcePlan* source : sources) {
    WEIR_ASSIGN(auto counts, SourceReplay(plan, *source, filter, clock, log).run());
    total.replayed += counts.replayed;
    total.resolved += counts.resolved;
    total.failed += counts.failed;
  }
  return total;
}

}  // namespace weir
