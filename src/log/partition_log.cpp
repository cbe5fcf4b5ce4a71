#include "log/partition_log.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/crash_point.h"
#include "base/objects.h"
#include "log/log_folder.h"

namespace weir {
namespace {

constexpr size_t kStagedKept = 16 << 20;  // a buffer that grew beyond is given back
constexpr int64_t kReserveSlack = 1024;   // headers of a frame and its records
constexpr int64_t kRewriteBytes = 1 << 20;

Status remove_file(const std::string& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  return errno_status(errno, "cannot delete " + path);
}

}  // namespace

PartitionLog::PartitionLog(PartitionSettings settings, KeyWindow& keys)
    : settings_(std::move(settings)),
      seed_(frame_seed(settings_.stream_id, settings_.partition)),
      keys_(keys) {}

std::string PartitionLog::path_of(int64_t base) const { return segment_path(settings_.folder, base); }

// ---- opening ----

Result<std::unique_ptr<PartitionLog>> PartitionLog::open(PartitionSettings settings, KeyWindow& keys,
                                                         int64_t now_us) {
  WEIR_TRY(make_folder(settings.folder));
  std::unique_ptr<PartitionLog> log(new PartitionLog(std::move(settings), keys));
  WEIR_TRY(log->recover(now_us));
  return log;
}

Status PartitionLog::recover(int64_t now_us) {
  WEIR_ASSIGN(const PartitionFiles files, list_partition(settings_.folder));
  for (const std::string& path : files.unfinished) WEIR_TRY(remove_file(path));
  WEIR_ASSIGN(durable_, DurableEnd::open_writable(settings_.folder + "/durable"));
  WEIR_TRY(load_orphans(files, now_us));
  if (files.segments.empty()) {
    if (durable_->load() > 0) {
      return Status::invalid(settings_.folder + ": all segments are gone, though records up to offset " +
                             std::to_string(durable_->load()) +
                             " were stored. Put them back, or delete the "
                             "stream's whole folder to begin anew");
    }
    return roll(settings_.segment_bytes);
  }
  WEIR_TRY(recover_closed(files.segments, now_us));
  return recover_newest(files.segments.back(), now_us);
}

Status PartitionLog::recover_closed(const std::vector<int64_t>& segments, int64_t now_us) {
  for (size_t i = 0; i + 1 < segments.size(); ++i) {
    const int64_t base = segments[i];
    Result<SegmentSummary> summary = read_summary(summary_path(settings_.folder, base));
    if (!summary.ok() || summary->base_offset != base) {
      WEIR_ASSIGN(summary, summarize(base));
      WEIR_TRY(write_summary(summary_path(settings_.folder, base), *summary));
    }
    std::error_code error;
    const auto size = std::filesystem::file_size(path_of(base), error);
    if (error || static_cast<int64_t>(size) < summary->bytes) {
      return Status::invalid(path_of(base) + " is damaged: it is " + std::to_string(size) +
                             " bytes long, it had " + std::to_string(summary->bytes));
    }
    if (summary->next_offset != segments[i + 1]) {
      return Status::invalid(path_of(base) + " ends before offset " + std::to_string(summary->next_offset) +
                             ", but the next segment is " + path_of(segments[i + 1]) +
                             ": a segment is missing or damaged");
    }
    if (keys_.remembers(summary->newest_us, now_us)) {
      for (const SummaryKey& key : summary->keys) remember(key);
    }
    closed_.push_back(
        {base, summary->next_offset, summary->bytes, summary->newest_us, !summary->keys.empty()});
  }
  return {};
}

// Keys are remembered longer than records that every reader has passed.
Status PartitionLog::load_orphans(const PartitionFiles& files, int64_t now_us) {
  for (const int64_t base : files.summaries) {
    if (std::binary_search(files.segments.begin(), files.segments.end(), base)) continue;
    const std::string path = summary_path(settings_.folder, base);
    Result<SegmentSummary> summary = read_summary(path);
    if (!summary.ok()) {
      if (summary.status().code() != Code::invalid) return summary.status();
      WEIR_TRY(remove_file(path));
      continue;
    }
    if (keys_.remembers(summary->newest_us, now_us)) {
      for (const SummaryKey& key : summary->keys) remember(key);
    }
    orphans_.push_back({base, summary->next_offset, 0, summary->newest_us, true});
  }
  return {};
}

void PartitionLog::remember(const SummaryKey& key) {
  keys_.add(key.key, key.fingerprint, key.timestamp_us, {settings_.partition, key.first, key.last});
}

namespace {

void note(SegmentSummary& summary, const FrameHeader& header, std::string_view key) {
  summary.next_offset = header.next_offset();
  summary.bytes += header.length;
  summary.newest_us = std::max(summary.newest_us, header.timestamp_us);
  if (key.empty()) return;
  summary.keys.push_back({std::string(key), header.fingerprint, header.timestamp_us, header.base_offset,
                          header.next_offset() - 1});
}

Status damaged(const SegmentFile& file, int64_t position, int64_t offset, const std::string& why) {
  return Status::invalid(file.path() + " is damaged at byte " + std::to_string(position) + ", offset " +
                         std::to_string(offset) + ": " + why);
}

Status check_header(const SegmentFile& file, const SegmentName& name) {
  std::string header(kSegmentHeaderBytes, '\0');
  WEIR_ASSIGN(const size_t got, file.read(0, header.data(), header.size()));
  header.resize(got);
  const Status sound = check_segment_header(header, name);
  return sound.ok() ? sound : damaged(file, 0, name.base_offset, sound.message());
}

}  // namespace

Result<SegmentSummary> PartitionLog::summarize(int64_t base) const {
  WEIR_ASSIGN(const auto file, SegmentFile::open(path_of(base), false));
  WEIR_TRY(check_header(*file, {settings_.stream_id, settings_.partition, base}));
  SegmentSummary summary{base, base, kSegmentHeaderBytes, INT64_MIN, {}};
  SegmentScanner scan(*file, kSegmentHeaderBytes, base, seed_);
  while (true) {
    WEIR_ASSIGN(const auto step, scan.next());
    if (step == SegmentScanner::Step::end) return summary;
    if (step == SegmentScanner::Step::broken) {
      return damaged(*file, scan.after(), scan.next_offset(), scan.why());
    }
    note(summary, scan.header(), frame_key(scan.frame()));
  }
}

// What follows the last sound frame may only be a write that was cut off before it was acknowledged.
Status PartitionLog::check_tail(const SegmentFile& file, const SegmentScanner& scan) const {
  const std::string why = scan.why().empty() ? "there is no frame" : scan.why();
  if (durable_->load() > scan.next_offset()) {
    return damaged(file, scan.after(), scan.next_offset(),
                   why + "; records up to offset " + std::to_string(durable_->load()) +
                       " had been acknowledged. Restore the file, or delete " + settings_.folder +
                       "/durable to go on without what follows");
  }
  WEIR_ASSIGN(const bool proved, proves_durable(file, scan.after(), scan.next_offset(), seed_));
  if (proved) {
    return damaged(file, scan.after(), scan.next_offset(),
                   why + "; sound records that were stored later follow it. Restore the file");
  }
  return {};
}

// A page that could not be written counts as clean to the kernel: what was not known to be durable is written
// again, so that the next fsync means it.
Status PartitionLog::rewrite(SegmentFile& file, int64_t from, int64_t to) const {
  std::string bytes;
  for (; from < to; from += static_cast<int64_t>(bytes.size())) {
    bytes.resize(static_cast<size_t>(std::min(to - from, kRewriteBytes)));
    WEIR_ASSIGN(const size_t got, file.read(from, bytes.data(), bytes.size()));
    if (got != bytes.size()) return Status::unavailable(file.path() + " became shorter while it was read");
    WEIR_TRY(file.write(from, bytes));
  }
  return {};
}

Status PartitionLog::recover_newest(int64_t base, int64_t now_us) {
  WEIR_ASSIGN(file_, SegmentFile::open(path_of(base), true));
  WEIR_TRY(check_header(*file_, {settings_.stream_id, settings_.partition, base}));
  newest_ = {base, base, kSegmentHeaderBytes, INT64_MIN, {}};
  SegmentScanner scan(*file_, kSegmentHeaderBytes, base, seed_);
  int64_t doubtful = -1;
  while (true) {
    WEIR_ASSIGN(const auto step, scan.next());
    if (step != SegmentScanner::Step::frame) break;
    if (doubtful < 0 && scan.next_offset() > durable_->load()) doubtful = scan.position();
    const std::string_view key = frame_key(scan.frame());
    note(newest_, scan.header(), key);
    if (!key.empty() && keys_.remembers(scan.header().timestamp_us, now_us)) remember(newest_.keys.back());
  }
  WEIR_TRY(check_tail(*file_, scan));
  if (doubtful >= 0) WEIR_TRY(rewrite(*file_, doubtful, newest_.bytes));
  const int64_t capacity = std::max(settings_.segment_bytes, newest_.bytes);
  WEIR_TRY(file_->cut(newest_.bytes, capacity));
  WEIR_ASSIGN(const int64_t size, file_->size());
  room_ = size - newest_.bytes;
  newest_base_ = base;
  newest_bytes_ = newest_.bytes;
  synced_ = newest_.next_offset;
  durable_->store(synced_);
  return {};
}

// ---- appending ----

Status PartitionLog::make_room(int64_t bytes) {
  if (bytes <= room_.load(std::memory_order_relaxed)) return {};
  return roll(kSegmentHeaderBytes + bytes);
}

Status PartitionLog::make_spare(int64_t bytes) {
  if (spare_ != nullptr && spare_bytes_ >= bytes) return {};
  spare_.reset();
  spare_bytes_ = std::max(settings_.segment_bytes, bytes);
  WEIR_ASSIGN(spare_, SegmentFile::make_spare(settings_.folder + "/spare.new", spare_bytes_));
  return {};
}

// Gives the spare its name as the segment that begins at `base`.
Result<std::unique_ptr<SegmentFile>> PartitionLog::begin_spare(int64_t base, int64_t bytes) {
  const std::lock_guard lock(spare_mutex_);  // until it has its name: reserve() would make another under it
  WEIR_TRY(make_spare(bytes));
  const Status begun = spare_->begin(path_of(base), {settings_.stream_id, settings_.partition, base});
  if (begun.ok()) {
    room_ = spare_bytes_ - static_cast<int64_t>(kSegmentHeaderBytes);
    return std::move(spare_);
  }
  // Under its name it may survive a crash or not: only opening the log anew can tell.
  broken_ = spare_->path() == path_of(base);
  return begun;
}

Status PartitionLog::roll(int64_t bytes) {
  // The next one's first offset must not be there before all that comes before it is.
  WEIR_TRY(flush());
  crash_point("log.roll");
  const int64_t base = newest_.next_offset;
  WEIR_ASSIGN(std::unique_ptr<SegmentFile> next, begin_spare(base, bytes));
  if (file_ != nullptr) close_newest();
  file_ = std::move(next);
  newest_ = {base, base, kSegmentHeaderBytes, INT64_MIN, {}};
  const std::lock_guard lock(mutex_);
  newest_base_ = base;
  newest_bytes_ = newest_.bytes;
  return {};
}

// Neither step has to succeed: zeros at the end do no harm, and a summary can be made again.
void PartitionLog::close_newest() {
  static_cast<void>(file_->close_at(newest_.bytes));
  static_cast<void>(write_summary(summary_path(settings_.folder, newest_.base_offset), newest_));
  const std::lock_guard lock(mutex_);
  closed_.push_back(
      {newest_.base_offset, newest_.next_offset, newest_.bytes, newest_.newest_us, !newest_.keys.empty()});
}

int64_t PartitionLog::stage(std::string_view key, uint64_t fingerprint, int64_t timestamp_us,
                            const std::vector<LogRecord>& records) {
  FrameHeader header;
  header.base_offset = newest_.next_offset;
  header.synced = synced_;
  header.timestamp_us = timestamp_us;
  header.fingerprint = fingerprint;
  header.records = static_cast<uint32_t>(records.size());
  const size_t before = staged_.size();
  append_frame(header, key, records, seed_, staged_);
  header.length = static_cast<uint32_t>(staged_.size() - before);
  note(newest_, header, key);
  room_ -= header.length;
  return header.base_offset;
}

Status PartitionLog::write() {
  if (staged_.empty() || written_) return {};
  Status status = file_->write(newest_.bytes - static_cast<int64_t>(staged_.size()), staged_);
  broken_ = !status.ok();
  written_ = status.ok();
  return status;
}

Status PartitionLog::begin_flush() {
  WEIR_TRY(write());
  if (written_) file_->start_sync(newest_.bytes - static_cast<int64_t>(staged_.size()), staged_.size());
  return {};
}

Status PartitionLog::flush() {
  if (staged_.empty()) return {};
  WEIR_TRY(write());
  crash_point("log.written");
  Status status = file_->sync();
  if (!status.ok()) {
    broken_ = true;
    return status;
  }
  written_ = false;
  staged_.clear();
  if (staged_.capacity() > kStagedKept) staged_.shrink_to_fit();
  synced_ = newest_.next_offset;
  return {};
}

void PartitionLog::publish() {
  {
    const std::lock_guard lock(mutex_);
    newest_bytes_ = newest_.bytes;
  }
  if (durable_->load() != synced_) durable_->store(synced_);
}

// ---- any thread ----

Status PartitionLog::reserve(int64_t bytes) {
  bytes += kReserveSlack;
  if (bytes <= room_.load(std::memory_order_relaxed)) return {};
  const std::lock_guard lock(spare_mutex_);
  return make_spare(bytes + static_cast<int64_t>(kSegmentHeaderBytes));
}

LogWriter::Extent PartitionLog::extent() const {
  const std::lock_guard lock(mutex_);
  LogWriter::Extent extent;
  extent.first = closed_.empty() ? newest_base_ : closed_.front().base;
  extent.next = durable_->load();
  extent.bytes = newest_bytes_;
  for (const Closed& segment : closed_) extent.bytes += segment.bytes;
  return extent;
}

Status PartitionLog::retain(const LogRetention& retention, int64_t consumed, std::chrono::seconds key_window,
                            int64_t now_us) {
  const std::lock_guard one(retain_mutex_);
  const int64_t age_us = std::chrono::microseconds(retention.max_age).count();
  const int64_t window_us = std::chrono::microseconds(key_window).count();
  std::vector<Closed> going;
  std::vector<Closed> forgotten;
  {
    const std::lock_guard lock(mutex_);
    int64_t bytes = newest_bytes_;
    for (const Closed& segment : closed_) bytes += segment.bytes;
    for (const Closed& segment : closed_) {
      const bool large = retention.max_bytes >= 0 && bytes > retention.max_bytes;
      const bool old = retention.max_age.count() >= 0 && segment.newest_us + age_us < now_us;
      if (!large && !old && segment.next > consumed) break;
      bytes -= segment.bytes;
      going.push_back(segment);
    }
    closed_.erase(closed_.begin(), closed_.begin() + static_cast<std::ptrdiff_t>(going.size()));
    orphans_.insert(orphans_.end(), going.begin(), going.end());
    const auto kept = std::stable_partition(orphans_.begin(), orphans_.end(), [&](const Closed& orphan) {
      return orphan.has_keys && orphan.newest_us + window_us >= now_us;
    });
    forgotten.assign(kept, orphans_.end());
    orphans_.erase(kept, orphans_.end());
  }
  if (going.empty() && forgotten.empty()) return {};
  // What stays of a segment must be there before it goes.
  for (const Closed& segment : going) {
    const std::string summary = summary_path(settings_.folder, segment.base);
    if (!std::filesystem::exists(summary)) {
      WEIR_ASSIGN(const SegmentSummary made, summarize(segment.base));
      WEIR_TRY(write_summary(summary, made));
    }
    WEIR_TRY(sync_path(summary));
  }
  WEIR_TRY(sync_path(settings_.folder));
  crash_point("log.retain");
  for (const Closed& segment : going) WEIR_TRY(remove_file(path_of(segment.base)));
  for (const Closed& orphan : forgotten) WEIR_TRY(remove_file(summary_path(settings_.folder, orphan.base)));
  return sync_path(settings_.folder);
}

}  // namespace weir
