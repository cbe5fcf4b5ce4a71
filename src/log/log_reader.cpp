#include "log/log_reader.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <vector>

#include "base/objects.h"
#include "log/durable_end.h"
#include "log/log_folder.h"
#include "log/segment_file.h"

namespace weir {
namespace {

constexpr size_t kLeastRead = 64 << 10;
constexpr size_t kMostRead = 16 << 20;
constexpr size_t kKeptBuffers = 8;

// Fresh pages cost more than reading into warm ones.
class ReadBuffers {
 public:
  std::shared_ptr<char[]> take(size_t size) {
    for (Kept& kept : kept_) {
      if (kept.bytes.use_count() != 1 || kept.size < size) continue;
      std::atomic_thread_fence(std::memory_order_acquire);  // pairs with the release of the last batch
      return kept.bytes;
    }
    Kept fresh{std::shared_ptr<char[]>(new char[size + EventBatch::kPadding]), size};
    std::memset(fresh.bytes.get() + size, 0, EventBatch::kPadding);
    if (size > kMostRead) return fresh.bytes;
    if (kept_.size() < kKeptBuffers) {
      kept_.push_back(fresh);
    } else {
      // A smaller one that is in nobody's hands would not fit next time either.
      for (Kept& kept : kept_) {
        if (kept.bytes.use_count() == 1) {
          kept = fresh;
          break;
        }
      }
    }
    return fresh.bytes;
  }

 private:
  struct Kept {
    std::shared_ptr<char[]> bytes;
    size_t size;
  };
  std::vector<Kept> kept_;
};

class LogReaderImpl final : public LogReader {
 public:
  LogReaderImpl(LogStreamInfo info, std::string folder, int partition)
      : info_(std::move(info)),
        folder_(std::move(folder)),
        partition_(partition),
        seed_(frame_seed(info_.id, partition)) {}

  Status start(int64_t offset) {
    WEIR_ASSIGN(durable_, DurableEnd::open_readable(folder_ + "/durable"));
    next_ = offset;
    WEIR_TRY(check_bounds());
    WEIR_ASSIGN(const PartitionFiles files, list_partition(folder_));
    const auto after = std::upper_bound(files.segments.begin(), files.segments.end(), offset);
    if (after == files.segments.begin()) return gone();
    WEIR_TRY(enter(*std::prev(after)));
    return skip_to(offset);
  }

  Result<EventBatch> read(size_t max_events, size_t max_bytes) override;
  int64_t first() const override {
    const auto files = list_partition(folder_);
    return files.ok() && !files->segments.empty() ? files->segments.front() : durable_->load();
  }
  int64_t end() const override { return durable_->load(); }
  void wait(std::chrono::milliseconds timeout) const override {
    if (durable_->load() == next_) durable_->wait(next_, timeout);
  }

 private:
  Status check_bounds() const;
  Result<bool> holds_unconfirmed() const;
  Status gone() const;
  Status damaged(const std::string& why) const;
  Status enter(int64_t base);
  Status skip_to(int64_t offset);
  Status fill(size_t max_bytes);
  Result<bool> next_segment();
  bool open_frame();
  Status take(EventBatch& batch, size_t max_events, size_t max_bytes);

  const LogStreamInfo info_;
  const std::string folder_;
  const int partition_;
  const uint32_t seed_;  // of its frames' checksums
  std::unique_ptr<DurableEnd> durable_;
  std::unique_ptr<SegmentFile> file_;
  int64_t base_ = 0;  // of file_
  ReadBuffers buffers_;
  int64_t next_ = 0;      // of the first event that was not given out
  int64_t skip_ = 0;      // events below come before the position that was asked for
  int64_t position_ = 0;  // in the file: of the frame at `at_`

  std::shared_ptr<char[]> buffer_;
  size_t filled_ = 0;
  size_t at_ = 0;  // of the next frame in the buffer
  size_t wanted_ = kLeastRead;
  std::optional<FrameRecords> records_;  // of the frame before `at_`, not all given out
};

Status LogReaderImpl::check_bounds() const {
  const int64_t end = durable_->load();
  if (next_ >= 0 && next_ <= end) return {};
  WEIR_ASSIGN(const bool unconfirmed, holds_unconfirmed());
  if (unconfirmed) {
    return Status::unavailable("offset " + std::to_string(next_) + " of partition " +
                               std::to_string(partition_) + " of stream '" + info_.stream +
                               "' is in the log, which its writer has to recover first: start weir serve");
  }
  return {Code::not_found, "partition " + std::to_string(partition_) + " of stream '" + info_.stream +
                               "' holds offsets " + std::to_string(first()) + " to " + std::to_string(end) +
                               " (not included), not " + std::to_string(next_)};
}

// Whether sound frames lie between the durable end and next_: after a crash of the machine that end is stale.
Result<bool> LogReaderImpl::holds_unconfirmed() const {
  if (next_ < 0) return false;
  WEIR_ASSIGN(const PartitionFiles files, list_partition(folder_));
  const auto after = std::upper_bound(files.segments.begin(), files.segments.end(), next_);
  if (after == files.segments.begin()) return false;
  const int64_t base = *std::prev(after);
  WEIR_ASSIGN(const auto file, SegmentFile::open(segment_path(folder_, base), false));
  SegmentScanner scan(*file, kSegmentHeaderBytes, base, seed_);
  while (scan.next_offset() < next_) {
    WEIR_ASSIGN(const auto step, scan.next());
    if (step != SegmentScanner::Step::frame) return false;
  }
  return true;
}

Status LogReaderImpl::gone() const {
  return {Code::not_found, "offset " + std::to_string(next_) + " of partition " + std::to_string(partition_) +
                               " of stream '" + info_.stream + "' is no longer in the log, which begins at " +
                               std::to_string(first())};
}

Status LogReaderImpl::damaged(const std::string& why) const {
  return Status::invalid(file_->path() + " is damaged at byte " + std::to_string(position_) + ", offset " +
                         std::to_string(next_) + ": " + why);
}

Status LogReaderImpl::enter(int64_t base) {
  auto file = SegmentFile::open(segment_path(folder_, base), false);
  if (!file.ok()) return file.status().code() == Code::not_found ? gone() : file.status();
  file_ = *std::move(file);
  position_ = 0;
  char header[kSegmentHeaderBytes];
  WEIR_ASSIGN(const size_t got, file_->read(0, header, sizeof header));
  const Status sound = check_segment_header({header, got}, {info_.id, partition_, base});
  if (!sound.ok()) return damaged(sound.message());
  position_ = kSegmentHeaderBytes;
  base_ = base;
  buffer_.reset();
  filled_ = at_ = 0;
  records_.reset();
  return {};
}

// To the frame that holds `offset`, by headers alone: what is given out is checked when it is read.
Status LogReaderImpl::skip_to(int64_t offset) {
  SegmentScanner scan(*file_, position_, base_, seed_);
  next_ = base_;
  skip_ = offset;
  const int64_t end = durable_->load();
  while (scan.next_offset() < offset && scan.next_offset() < end) {
    WEIR_ASSIGN(const auto step, scan.next_unchecked());
    position_ = step == SegmentScanner::Step::frame ? scan.position() : scan.after();
    if (step == SegmentScanner::Step::broken) return damaged(scan.why());
    if (step == SegmentScanner::Step::end) return damaged("there is no frame");
    next_ = scan.header().base_offset;
    if (scan.next_offset() > offset) return {};
  }
  position_ = scan.after();
  next_ = scan.next_offset();
  return {};
}

// Reads whole frames into a fresh buffer, as many as are durable.
Status LogReaderImpl::fill(size_t max_bytes) {
  const size_t most = std::clamp(max_bytes, kLeastRead, kMostRead);
  size_t size = std::min(wanted_, most);
  at_ = filled_ = 0;
  while (true) {
    buffer_ = buffers_.take(size);
    WEIR_ASSIGN(const size_t got, file_->read(position_, buffer_.get(), size));
    filled_ = got;
    if (got < kFrameHeaderBytes) return {};
    const FrameHeader header = load_frame_header(buffer_.get());
    if (!is_frame_header(header) || header.length <= got || got < size) break;
    size = header.length;
  }
  // Little was there last time: reading far ahead of a writer copies zeros.
  wanted_ = std::min(wanted_ * 2, kMostRead);
  return {};
}

// The frame at `at_`, when it is whole, durable and sound.
bool LogReaderImpl::open_frame() {
  if (filled_ - at_ < kFrameHeaderBytes) return false;
  const FrameHeader header = load_frame_header(buffer_.get() + at_);
  if (!is_frame_header(header) || header.length > filled_ - at_ || header.base_offset != next_) return false;
  const std::string_view frame(buffer_.get() + at_, header.length);
  if (!frame_checksum_holds(frame, seed_)) return false;
  records_.emplace(frame, static_cast<uint32_t>(at_));
  at_ += header.length;
  return true;
}

Result<bool> LogReaderImpl::next_segment() {
  if (next_ == base_) return false;
  WEIR_ASSIGN(const PartitionFiles files, list_partition(folder_));
  if (std::binary_search(files.segments.begin(), files.segments.end(), next_)) {
    WEIR_TRY(enter(next_));
    return true;
  }
  if (files.segments.empty() || files.segments.front() > next_) return gone();
  return false;
}

Status LogReaderImpl::take(EventBatch& batch, size_t max_events, size_t max_bytes) {
  Event event;
  int64_t bytes = 0;
  const int64_t end = durable_->load();
  while (batch.events.size() < max_events && bytes < static_cast<int64_t>(max_bytes)) {
    if (!records_) {
      if (next_ >= end || !open_frame()) break;
    }
    const size_t before = batch.events.size();
    while (batch.events.size() < max_events && records_->next(event)) {
      next_ = event.offset + 1;
      if (event.offset >= skip_) batch.events.push_back(event);
    }
    for (size_t i = before; i < batch.events.size(); ++i) bytes += batch.events[i].payload.size;
    if (records_->broken()) return damaged("a frame's checksum holds, but its records do not fit into it");
    if (batch.events.size() < max_events) {
      position_ += static_cast<int64_t>(records_->size());
      records_.reset();
    }
  }
  return {};
}

Result<EventBatch> LogReaderImpl::read(size_t max_events, size_t max_bytes) {
  EventBatch batch;
  batch.from = std::max(next_, skip_);
  batch.events.reserve(std::min<size_t>(max_events, 1024));
  bool filled = false;
  while (max_events > 0) {
    if (buffer_ != nullptr) WEIR_TRY(take(batch, max_events, max_bytes));
    if (!batch.events.empty()) break;
    const int64_t end = durable_->load();
    if (next_ >= end) {
      // What was read behind the end may be half written.
      buffer_.reset();
      filled_ = at_ = 0;
      wanted_ = kLeastRead;
      break;
    }
    if (!filled || at_ > 0) {
      filled = true;
      WEIR_TRY(fill(max_bytes));
      continue;
    }
    // A fresh read of what is durable gave no frame: the segment is at its end, or damaged.
    WEIR_ASSIGN(const bool entered, next_segment());
    if (!entered) {
      if (end != durable_->load()) continue;
      return damaged(filled_ < kFrameHeaderBytes ? "it ends" : "the checksum of a frame does not hold");
    }
    filled = false;
  }
  batch.bytes = buffer_;
  batch.next = std::max(next_, skip_);
  return batch;
}

}  // namespace

Result<std::unique_ptr<LogReader>> LogReader::open(const std::string& folder, const std::string& stream,
                                                   int partition, int64_t offset) {
  WEIR_ASSIGN(LogStreamInfo info, log_stream_info(folder, stream));
  if (partition < 0 || partition >= info.partitions) {
    return Status(Code::not_found, "stream '" + stream + "' has no partition " + std::to_string(partition));
  }
  auto reader = std::make_unique<LogReaderImpl>(std::move(info), partition_folder(folder, stream, partition),
                                                partition);
  WEIR_TRY(reader->start(offset));
  return std::unique_ptr<LogReader>(std::move(reader));
}

namespace {

struct PartitionLook {
  std::string path;
  int64_t end = 0;
  PartitionFiles files;
};

Result<PartitionLook> look_at(const std::string& folder, const std::string& stream, int partition) {
  WEIR_ASSIGN(const LogStreamInfo info, log_stream_info(folder, stream));
  if (partition < 0 || partition >= info.partitions) {
    return Status(Code::not_found, "stream '" + stream + "' has no partition " + std::to_string(partition));
  }
  PartitionLook look;
  look.path = partition_folder(folder, stream, partition);
  WEIR_ASSIGN(const auto durable, DurableEnd::open_readable(look.path + "/durable"));
  look.end = durable->load();
  WEIR_ASSIGN(look.files, list_partition(look.path));
  return look;
}

}  // namespace

Result<int64_t> log_first_offset(const std::string& folder, const std::string& stream, int partition) {
  WEIR_ASSIGN(const PartitionLook look, look_at(folder, stream, partition));
  return look.files.segments.empty() ? look.end : look.files.segments.front();
}

Result<int64_t> log_offset_at(const std::string& folder, const std::string& stream, int partition,
                              int64_t timestamp_us) {
  WEIR_ASSIGN(const PartitionLook look, look_at(folder, stream, partition));
  const int64_t end = look.end;
  int64_t found = end;
  if (timestamp_us == INT64_MAX) return end;
  // From the newest segment back to the first that begins earlier: only that one is walked.
  for (auto base = look.files.segments.rbegin(); base != look.files.segments.rend(); ++base) {
    auto file = SegmentFile::open(segment_path(look.path, *base), false);
    if (!file.ok() && file.status().code() == Code::not_found) break;
    if (!file.ok()) return file.status();
    SegmentScanner scan(**file, kSegmentHeaderBytes, *base, 0);  // checks none
    bool earlier = false;
    while (scan.next_offset() < end) {
      WEIR_ASSIGN(const auto step, scan.next_unchecked());
      if (step != SegmentScanner::Step::frame) break;
      if (scan.header().timestamp_us >= timestamp_us) {
        found = std::min(found, scan.header().base_offset);
        break;
      }
      earlier = true;
    }
    if (earlier) break;
  }
  return found;
}

}  // namespace weir
