#include "log/log_writer.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <limits>
#include <mutex>
#include <thread>
#include <utility>

#include "base/crash_point.h"
#include "base/environment.h"
#include "base/file_lock.h"
#include "base/objects.h"
#include "log/key_window.h"
#include "log/log_folder.h"
#include "log/partition_log.h"
#include "log/reader_marks.h"

namespace weir {
namespace {

constexpr int64_t kRoundBytes = 16 << 20;  // of appends that share an fsync

struct Append {
  std::vector<LogPart> parts;
  LogKey key;
  std::function<void(Result<std::vector<LogAppended>>)> done;
  int64_t bytes = 0;  // of its frames
  Result<std::vector<LogAppended>> answer = Status::internal("not answered");
};

Status check_settings(const LogWriterSettings& settings) {
  WEIR_TRY(check_log_stream_name(settings.stream));
  if (settings.partitions < 1 || settings.partitions > kMostLogPartitions) {
    return Status::invalid("a stream has 1 to " + std::to_string(kMostLogPartitions) + " partitions, not " +
                           std::to_string(settings.partitions));
  }
  if (settings.segment_bytes < 4096 || settings.segment_bytes > (int64_t{1} << 40)) {
    return Status::invalid("a segment has at least 4 kb, at most 1 tb");
  }
  return {};
}

// The stream's identity, made when there is none; partitions are only ever added.
Result<LogStreamInfo> open_stream(const LogWriterSettings& settings, const Clock& clock) {
  Result<LogStreamInfo> found = log_stream_info(settings.folder, settings.stream);
  if (!found.ok() && found.status().code() != Code::not_found) return found.status();
  if (found.ok() && found->partitions >= settings.partitions) return found;
  LogStreamInfo info;
  if (found.ok()) {
    info = *found;
  } else {
    WEIR_ASSIGN(const PartitionFiles files, [&]() -> Result<PartitionFiles> {
      auto listed = list_partition(partition_folder(settings.folder, settings.stream, 0));
      if (!listed.ok() && listed.status().code() == Code::not_found) return PartitionFiles();
      return listed;
    }());
    if (!files.segments.empty()) {
      return Status::invalid(settings.folder + "/" + settings.stream +
                             "/stream.json is gone, though the stream has segments. Put it back, or delete "
                             "the stream's whole folder to begin anew");
    }
    info.stream = settings.stream;
    info.id = std::to_string(clock.now_us()) + "-" + random_hex_id().substr(0, 8);
  }
  info.partitions = settings.partitions;
  WEIR_ASSIGN(const auto objects, open_local_objects(settings.folder + "/" + settings.stream));
  WEIR_TRY(objects->put("stream.json", encode_stream_info(info)));
  return info;
}

class LogWriterImpl final : public LogWriter {
 public:
  LogWriterImpl(LogWriterSettings settings, const Clock& clock, std::unique_ptr<FileLock> lock)
      : settings_(std::move(settings)),
        clock_(clock),
        lock_(std::move(lock)),
        keys_(settings_.key_window, settings_.most_keys, settings_.most_key_bytes) {}

  ~LogWriterImpl() override {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    wake_.notify_all();
    if (committer_.joinable()) committer_.join();
  }

  Status start() {
    WEIR_ASSIGN(info_, open_stream(settings_, clock_));
    const int64_t now_us = clock_.now_us();
    for (int number = 0; number < info_.partitions; ++number) {
      PartitionSettings partition{partition_folder(settings_.folder, settings_.stream, number), info_.id,
                                  number, settings_.segment_bytes};
      WEIR_ASSIGN(auto opened, PartitionLog::open(std::move(partition), keys_, now_us));
      partitions_.push_back(std::move(opened));
    }
    keys_.sort();
    committer_ = std::thread([this] { run(); });
    return {};
  }

  const LogStreamInfo& info() const override { return info_; }

  void append(std::vector<LogPart> parts, LogKey key,
              std::function<void(Result<std::vector<LogAppended>>)> done) override;

  Status reserve(int64_t bytes) override {
    {
      const std::lock_guard lock(mutex_);
      if (!refusal_.ok()) return refusal_;
      if (waiting_bytes_ + bytes > settings_.max_waiting_bytes && waiting_bytes_ > 0) return too_much_waits();
    }
    for (const auto& partition : partitions_) WEIR_TRY(partition->reserve(bytes));
    return {};
  }

  Status retain() override;

  std::vector<Extent> extents() const override {
    std::vector<Extent> extents;
    for (const auto& partition : partitions_) extents.push_back(partition->extent());
    return extents;
  }

 private:
  void run();
  void commit(std::vector<Append>& round);
  Result<std::vector<LogAppended>> stage(const Append& append, int64_t now_us);
  Result<bool> is_whole(const KeyEntry& known, const Append& append) const;
  static std::vector<LogAppended> repeated(const KeyEntry& known);
  Status check(const Append& append) const;
  Status too_much_waits() const {
    return {Code::exhausted, "stream '" + settings_.stream + "': more than " +
                                 std::to_string(settings_.max_waiting_bytes) + " bytes wait for the disk"};
  }

  const LogWriterSettings settings_;
  const Clock& clock_;
  const std::unique_ptr<FileLock> lock_;
  LogStreamInfo info_;
  std::vector<std::unique_ptr<PartitionLog>> partitions_;
  KeyWindow keys_;  // of the committer, once that runs

  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::deque<Append> waiting_;  // bounded by max_waiting_bytes
  std::deque<Append> refused_;  // to be answered from the committer's thread
  int64_t waiting_bytes_ = 0;   // also of the round that is under way
  bool ending_ = false;
  Status refusal_;  // not ok: a write failed, and nothing is taken any more

  std::thread committer_;
};

Status LogWriterImpl::check(const Append& append) const {
  if (append.key.key.size() > kMostKeyBytes) {
    return Status::invalid("an idempotency key has at most 255 bytes, this one " +
                           std::to_string(append.key.key.size()));
  }
  if (append.parts.empty()) return Status::invalid("an append without records");
  std::vector<bool> seen(partitions_.size());
  for (const LogPart& part : append.parts) {
    if (part.partition < 0 || part.partition >= info_.partitions) {
      return Status::invalid("stream '" + info_.stream + "' has no partition " +
                             std::to_string(part.partition));
    }
    if (seen[static_cast<size_t>(part.partition)]) {
      return Status::invalid("an append names partition " + std::to_string(part.partition) + " twice");
    }
    seen[static_cast<size_t>(part.partition)] = true;
    if (part.records.empty()) return Status::invalid("an append without records");
    if (frame_bytes(part.records, append.key.key.size()) > kMostFrameBytes) {
      return Status::invalid("an append of more than " + std::to_string(kMostFrameBytes >> 20) +
                             " mb to one partition");
    }
  }
  return {};
}

void LogWriterImpl::append(std::vector<LogPart> parts, LogKey key,
                           std::function<void(Result<std::vector<LogAppended>>)> done) {
  Append append;
  append.parts = std::move(parts);
  append.key = std::move(key);
  append.done = std::move(done);
  Status status = check(append);
  if (status.ok()) {
    for (const LogPart& part : append.parts) append.bytes += frame_bytes(part.records, append.key.key.size());
  }
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    // One append that is larger than the bound still goes when nothing else waits.
    if (status.ok() && waiting_bytes_ > 0 && waiting_bytes_ + append.bytes > settings_.max_waiting_bytes) {
      status = too_much_waits();
    }
    wake = waiting_.empty() && refused_.empty();
    if (!status.ok()) {
      append.answer = std::move(status);
      append.parts.clear();
      refused_.push_back(std::move(append));
    } else {
      waiting_bytes_ += append.bytes;
      waiting_.push_back(std::move(append));
    }
  }
  if (wake) wake_.notify_one();
}

void LogWriterImpl::run() {
  std::vector<Append> round;
  std::vector<Append> refused;
  while (true) {
    int64_t bytes = 0;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return ending_ || !waiting_.empty() || !refused_.empty(); });
      if (ending_ && waiting_.empty() && refused_.empty()) return;
      while (!waiting_.empty() && (round.empty() || bytes + waiting_.front().bytes <= kRoundBytes)) {
        bytes += waiting_.front().bytes;
        round.push_back(std::move(waiting_.front()));
        waiting_.pop_front();
      }
      std::move(refused_.begin(), refused_.end(), std::back_inserter(refused));
      refused_.clear();
    }
    for (Append& append : refused) append.done(std::move(append.answer));
    refused.clear();
    if (!round.empty()) commit(round);
    {
      const std::lock_guard lock(mutex_);
      waiting_bytes_ -= bytes;
    }
    for (Append& append : round) append.done(std::move(append.answer));
    round.clear();
  }
}

int64_t records_of(const KeyPart& part) { return part.last - part.first + 1; }

// Whether all of a repeated request is stored, wherever: the stream may have more partitions now, over which
// it would be spread in another way. What a crash left half can only be completed as it was begun.
Result<bool> LogWriterImpl::is_whole(const KeyEntry& known, const Append& append) const {
  int64_t stored = 0;
  int64_t wanted = 0;
  size_t same = 0;
  for (const KeyPart& part : known.parts) stored += records_of(part);
  for (const LogPart& part : append.parts) {
    const auto count = static_cast<int64_t>(part.records.size());
    wanted += count;
    const KeyPart* there = known.part(part.partition);
    if (there != nullptr && records_of(*there) == count) ++same;
  }
  if (stored == wanted) return true;
  if (same == known.parts.size()) return false;
  return Status(Code::conflict, "a part of the request under the idempotency key '" + append.key.key +
                                    "' was stored before stream '" + info_.stream +
                                    "' got more partitions: it cannot be completed. Send it under a new key");
}

std::vector<LogAppended> LogWriterImpl::repeated(const KeyEntry& known) {
  std::vector<LogAppended> appended;
  for (const KeyPart& part : known.parts) appended.push_back({part.partition, part.first, part.last, true});
  return appended;
}

// Nothing is staged unless all of it has room.
Result<std::vector<LogAppended>> LogWriterImpl::stage(const Append& append, int64_t now_us) {
  const KeyEntry* known = append.key.key.empty() ? nullptr : keys_.find(append.key.key, now_us);
  if (known != nullptr && known->fingerprint != append.key.fingerprint) {
    return Status(Code::already_exists,
                  "the idempotency key '" + append.key.key + "' was used for another request");
  }
  const auto stored = [&](const LogPart& part) {
    return known == nullptr ? nullptr : known->part(part.partition);
  };
  if (known != nullptr) {
    WEIR_ASSIGN(const bool whole, is_whole(*known, append));
    if (whole) return repeated(*known);
  } else if (!append.key.key.empty() && !keys_.has_room(append.key.key)) {
    return Status(Code::exhausted, "stream '" + info_.stream + "' remembers no more than " +
                                       std::to_string(settings_.most_keys) + " Idempotency-Keys or " +
                                       std::to_string(settings_.most_key_bytes >> 20) +
                                       " mb of them; send without one, or later");
  }
  for (const LogPart& part : append.parts) {
    if (stored(part) != nullptr) continue;
    PartitionLog& partition = *partitions_[static_cast<size_t>(part.partition)];
    WEIR_TRY(partition.make_room(frame_bytes(part.records, append.key.key.size())));
  }
  std::vector<LogAppended> appended;
  for (const LogPart& part : append.parts) {
    if (const KeyPart* there = stored(part); there != nullptr) {
      appended.push_back({part.partition, there->first, there->last, true});
      continue;
    }
    PartitionLog& partition = *partitions_[static_cast<size_t>(part.partition)];
    const int64_t first = partition.stage(append.key.key, append.key.fingerprint, now_us, part.records);
    appended.push_back({part.partition, first, first + static_cast<int64_t>(part.records.size()) - 1, false});
  }
  if (append.key.key.empty()) return appended;
  for (const LogAppended& part : appended) {
    // Before it is durable: what comes later in this round is answered together with it.
    if (!part.repeated) {
      keys_.add(append.key.key, append.key.fingerprint, now_us, {part.partition, part.first, part.last});
    }
  }
  return appended;
}

void LogWriterImpl::commit(std::vector<Append>& round) {
  Status failed;
  {
    const std::lock_guard lock(mutex_);
    failed = refusal_;
  }
  const bool refused_before = !failed.ok();
  if (!refused_before) {
    const int64_t now_us = clock_.now_us();
    keys_.expire(now_us);
    for (Append& append : round) append.answer = stage(append, now_us);
    const auto staged = std::count_if(partitions_.begin(), partitions_.end(),
                                      [](const auto& partition) { return partition->staged(); });
    for (const auto& partition : partitions_) {
      if (failed.ok() && !partition->broken() && staged > 1) failed = partition->begin_flush();
    }
    for (const auto& partition : partitions_) {
      if (failed.ok() && !partition->broken()) failed = partition->flush();
      if (partition->broken() && failed.ok()) failed = Status::unavailable("a write failed");
    }
    crash_point("log.synced");
  }
  if (failed.ok()) {
    for (const auto& partition : partitions_) partition->publish();
    crash_point("log.published");
    return;
  }
  if (!refused_before) {
    // What a failed fsync has left on the disk is known to nobody: only opening the log anew can tell.
    failed = Status::unavailable("stream '" + settings_.stream +
                                 "' takes nothing more, since writing its log failed: " + failed.message() +
                                 ". Mend the disk and start anew");
    const std::lock_guard lock(mutex_);
    refusal_ = failed;
  }
  for (Append& append : round) append.answer = failed;
}

Status LogWriterImpl::retain() {
  ConsumedMarks consumed;
  if (settings_.retention.consumed) {
    WEIR_ASSIGN(consumed, consumed_marks(settings_.folder, settings_.stream));
  }
  const int64_t now_us = clock_.now_us();
  for (size_t i = 0; i < partitions_.size(); ++i) {
    const auto lowest = consumed.lowest.find(static_cast<int>(i));
    const int64_t passed = consumed.any && lowest != consumed.lowest.end() ? lowest->second : -1;
    WEIR_TRY(partitions_[i]->retain(settings_.retention, passed, settings_.key_window, now_us));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<LogWriter>> LogWriter::open(LogWriterSettings settings, const Clock& clock) {
  WEIR_TRY(check_settings(settings));
  WEIR_TRY(make_folder(settings.folder + "/" + settings.stream));
  auto lock = FileLock::acquire(settings.folder + "/" + settings.stream + "/lock");
  if (!lock.ok()) return lock.status().with_context("stream '" + settings.stream + "'");
  auto writer = std::make_unique<LogWriterImpl>(std::move(settings), clock, *std::move(lock));
  WEIR_TRY(writer->start());
  return std::unique_ptr<LogWriter>(std::move(writer));
}

}  // namespace weir
