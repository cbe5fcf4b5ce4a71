#include "sources/file/line_reader.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace weir {
namespace {

// Invariants: buffer_ holds the path, then file bytes; [scan_, filled_) are those not yet given out, and the
// byte at scan_ has the uncompressed offset scan_offset_. A buffer that a batch refers to is never written
// again.
class LineReader final : public PartitionReader {
 public:
  LineReader(LineReaderSettings settings, std::unique_ptr<ByteStream> stream, int64_t position,
             FileState state)
      : settings_(std::move(settings)),
        stream_(std::move(stream)),
        pool_(settings_.buffer_bytes + settings_.path.size()),
        state_(state),
        scan_offset_(position),
        next_(position) {
    update_lag();
  }

  Result<EventBatch> poll(std::chrono::milliseconds timeout) override {
    const Clock& clock = *settings_.clock;
    const int64_t deadline_ns = clock.monotonic_ns() + timeout.count() * 1'000'000;
    EventBatch batch;
    batch.from = next_;
    while (true) {
      if (!oversized_) scan_lines(batch);
      if (!batch.events.empty()) break;
      WEIR_ASSIGN(const bool more, oversized_ ? skip_oversized(batch) : refill());
      if (!batch.events.empty()) break;
      if (more) continue;
      if (!settings_.follow) {
        WEIR_TRY(stream_->at_whole_end());
        take_last_line(batch);
        batch.end = true;
        break;
      }
      WEIR_TRY(check_same_file());
      const int64_t left_ms = (deadline_ns - clock.monotonic_ns()) / 1'000'000;
      if (left_ms <= 0) break;
      clock.sleep(std::min(settings_.poll_interval, std::chrono::milliseconds(left_ms)));
    }
    batch.next = next_;
    batch.received_us = clock.now_us();
    if (!batch.events.empty()) batch.bytes = buffer_.bytes;
    update_lag();
    return batch;
  }

  // For a position that no newline precedes: the last line was an event without its newline. When the file
  // has grown since by more than that newline, the line was read in half, or the file is another one.
  Status check_last_line_unchanged() {
    WEIR_ASSIGN(const bool more, refill());
    if (!more || bytes()[scan_] == '\n' ||
        (bytes()[scan_] == '\r' && filled_ - scan_ > 1 && bytes()[scan_ + 1] == '\n')) {
      return {};
    }
    return Status::invalid(
        "file '" + settings_.path + "': the pipeline's position " + std::to_string(next_) +
        " is not the start of a line. The file was replaced, or its last line had no newline when " +
        "it was read and has grown since; read growing files with 'follow' = 'true'");
  }

  Status acknowledge(int64_t) override { return {}; }
  int64_t lag() const override { return lag_.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t kFirstReserve = 1024;

  static constexpr size_t kRestBytes = 1 << 20;

  size_t line_bound() const { return settings_.max_line_bytes + 1; }
  char* bytes() { return buffer_.bytes.get(); }

  void add_event(EventBatch& batch, size_t begin, size_t end, int64_t offset) {
    Event event;
    event.payload = {static_cast<uint32_t>(begin), static_cast<int32_t>(end - begin)};
    event.offset = offset;
    event.timestamp_us = state_.modified_us;
    event.subject = {0, static_cast<int32_t>(settings_.path.size())};
    batch.events.push_back(event);
    given_out_ = true;
  }

  // One line without its newline: a carriage return and a byte order mark are not payload, a blank line is no
  // event.
  void add_line(EventBatch& batch, size_t begin, size_t end, int64_t offset) {
    if (end > begin && bytes()[end - 1] == '\r') --end;
    if (offset == 0 && end - begin >= 3 && std::memcmp(bytes() + begin, "\xEF\xBB\xBF", 3) == 0) begin += 3;
    if (end == begin) return;
    add_event(batch, begin, std::min(end, begin + line_bound()), offset);
  }

  void scan_lines(EventBatch& batch) {
    if (batch.events.capacity() == 0) batch.events.reserve(std::min(settings_.batch_rows, kFirstReserve));
    while (searched_ < filled_ && batch.events.size() < settings_.batch_rows) {
      const char* newline =
          static_cast<const char*>(std::memchr(bytes() + searched_, '\n', filled_ - searched_));
      if (newline == nullptr) {
        searched_ = filled_;
        return;
      }
      const size_t end = static_cast<size_t>(newline - bytes());
      add_line(batch, scan_, end, scan_offset_);
      move_past(end + 1, 0);
    }
  }

  // The line that ended at `end` of the buffer, and `beyond` bytes that are not in the buffer, are done.
  void move_past(size_t end, int64_t beyond) {
    scan_offset_ += static_cast<int64_t>(end - scan_) + beyond;
    next_ = scan_offset_;
    scan_ = searched_ = end;
  }

  // What the file ends with when no newline does.
  void take_last_line(EventBatch& batch) {
    if (scan_ == filled_) return;
    add_line(batch, scan_, filled_, scan_offset_);
    move_past(filled_, oversized_ ? skipped_bytes_ : 0);
    oversized_ = false;
  }

  // Gets more bytes behind the unfinished line; false: the file holds no more now. Only called while the
  // batch is empty, so that a failure loses nothing.
  Result<bool> refill() {
    const size_t tail = filled_ - scan_;
    if (tail > line_bound()) {
      oversized_ = true;
      skipped_bytes_ = static_cast<int64_t>(tail - line_bound());
      filled_ = searched_ = scan_ + line_bound();
      return true;
    }
    if (given_out_ || filled_ == buffer_.capacity) {
      const size_t head = settings_.path.size();
      BatchBuffer fresh = pool_.take(head + std::max(2 * tail, settings_.buffer_bytes));
      std::memcpy(fresh.bytes.get(), settings_.path.data(), head);
      if (tail > 0) std::memcpy(fresh.bytes.get() + head, bytes() + scan_, tail);
      searched_ = head + (searched_ - scan_);
      buffer_ = std::move(fresh);
      scan_ = head;
      filled_ = head + tail;
      given_out_ = false;
    }
    return fill();
  }

  // Reads until the buffer is full or the file holds no more now.
  Result<bool> fill() {
    bool any = false;
    while (filled_ < buffer_.capacity) {
      Result<size_t> got = read(bytes() + filled_, buffer_.capacity - filled_);
      if (!got.ok() && any) break;  // what came before is sound; the failure comes again with the next read
      if (!got.ok()) return got.status();
      if (*got == 0) break;
      filled_ += *got;
      any = true;
    }
    if (any) {
      WEIR_ASSIGN(state_, stream_->state());
    }
    return any;
  }

  Result<size_t> read(char* into, size_t size) {
    if (rest_begin_ == rest_end_) return stream_->read(into, size);
    const size_t taken = std::min(size, rest_end_ - rest_begin_);
    std::memcpy(into, rest_.data() + rest_begin_, taken);
    rest_begin_ += taken;
    return taken;
  }

  // Looks for the end of a line that is longer than the bound; its beginning stays in the buffer and becomes
  // the event.
  Result<bool> skip_oversized(EventBatch& batch) {
    if (rest_begin_ == rest_end_) {
      rest_.resize(kRestBytes);
      WEIR_ASSIGN(const size_t got, stream_->read(rest_.data(), rest_.size()));
      rest_begin_ = 0;
      rest_end_ = got;
      if (got == 0) return false;
    }
    const char* begin = rest_.data() + rest_begin_;
    const size_t size = rest_end_ - rest_begin_;
    const char* newline = static_cast<const char*>(std::memchr(begin, '\n', size));
    const size_t skipped = newline == nullptr ? size : static_cast<size_t>(newline - begin);
    skipped_bytes_ += static_cast<int64_t>(skipped);
    rest_begin_ += skipped;
    if (newline == nullptr) return true;
    rest_begin_ += 1;
    add_event(batch, scan_, filled_, scan_offset_);
    move_past(filled_, skipped_bytes_ + 1);
    oversized_ = false;
    return true;
  }

  // In follow mode, with all bytes read: a file that was cut, replaced or removed must stop the pipeline.
  Status check_same_file() {
    WEIR_ASSIGN(const FileState open_file, stream_->state());
    if (open_file.size < state_.size) {
      return Status::invalid("file '" + settings_.path + "' was cut while it was followed: it now has " +
                             std::to_string(open_file.size) + " bytes and had " +
                             std::to_string(state_.size) + "; the pipeline's position is " +
                             std::to_string(next_));
    }
    Result<FileState> named = file_state(settings_.path);
    if (!named.ok()) return named.status().with_context("the followed file is gone");
    if (named->inode != open_file.inode || named->device != open_file.device) {
      return Status::invalid("file '" + settings_.path +
                             "' was replaced by another while it was followed; the " +
                             "pipeline's position is " + std::to_string(next_) + " in the old one");
    }
    return {};
  }

  void update_lag() {
    if (settings_.compression != Compression::none) return;
    lag_.store(std::max<int64_t>(0, state_.size - next_), std::memory_order_relaxed);
  }

  LineReaderSettings settings_;
  std::unique_ptr<ByteStream> stream_;
  BatchBuffers pool_;
  FileState state_;

  BatchBuffer buffer_;
  size_t scan_ = 0;
  size_t searched_ = 0;  // [scan_, searched_) holds no newline
  size_t filled_ = 0;
  bool given_out_ = false;
  int64_t scan_offset_ = 0;
  int64_t next_ = 0;

  bool oversized_ =
      false;  // the line at scan_ is longer than the bound; [scan_, filled_) is what is kept of it
  int64_t skipped_bytes_ = 0;  // of that line, behind what is kept
  std::vector<char> rest_;     // bytes read while looking for its end; [rest_begin_, rest_end_) come next
  size_t rest_begin_ = 0;
  size_t rest_end_ = 0;
  std::atomic<int64_t> lag_{-1};
};

}  // namespace

Result<std::unique_ptr<PartitionReader>> open_line_reader(LineReaderSettings settings,
                                                          std::optional<int64_t> stored) {
  WEIR_ASSIGN(std::unique_ptr<ByteStream> stream, open_byte_stream(settings.path, settings.compression));
  WEIR_ASSIGN(const FileState state, stream->state());
  const int64_t wanted = stored.value_or(0);
  int64_t position = wanted;
  char previous = 0;
  WEIR_ASSIGN(const bool found, stream->seek(position, previous));
  if (!found) {
    return Status::invalid(
        "file '" + settings.path + "' now has " + std::to_string(position) + " bytes" +
        (settings.compression == Compression::none ? "" : " (uncompressed)") +
        ", the pipeline's position is " + std::to_string(wanted) +
        ": it was cut or replaced. Give the new file another name, or a new pipeline name to " +
        "read it from its beginning");
  }
  auto reader = std::make_unique<LineReader>(std::move(settings), std::move(stream), position, state);
  if (position > 0 && previous != '\n') WEIR_TRY(reader->check_last_line_unchanged());
  return std::unique_ptr<PartitionReader>(std::move(reader));
}

}  // namespace weir
