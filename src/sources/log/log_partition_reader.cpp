#include "sources/log/log_partition_reader.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

namespace weir {
namespace {

constexpr size_t kBatchBytes = 4 << 20;
constexpr int64_t kNsPerMs = 1'000'000;
constexpr int64_t kMarkEveryNs = 1'000 * kNsPerMs;
constexpr std::chrono::milliseconds kGather(5);  // a reader that waited lets a few events come together

class LogPartitionReader final : public PartitionReader {
 public:
  explicit LogPartitionReader(LogPartitionSettings settings) : settings_(std::move(settings)) {}

  ~LogPartitionReader() override { mark(true); }

  Status start() {
    WEIR_ASSIGN(reader_, open_at(settings_.start));
    next_ = settings_.start;
    if (settings_.start > 0) first_from_ = settings_.stored.value_or(settings_.start - 1);
    if (first_from_ == settings_.start) first_from_ = -1;
    if (settings_.stored.value_or(settings_.start) < settings_.start)
      tell_of_gap(*settings_.stored, settings_.start);
    if (settings_.once) {
      stop_ = reader_->end();
      return {};
    }
    // From now on retention leaves it what it has not read.
    marked_ = settings_.start;
    unmarked_ = true;
    mark(true);
    return {};
  }

  Result<EventBatch> poll(std::chrono::milliseconds timeout) override {
    mark(false);
    if (first_from_ >= 0) {
      EventBatch start;
      start.from = std::exchange(first_from_, -1);
      start.next = next_;
      start.received_us = settings_.clock->now_us();
      return start;
    }
    WEIR_ASSIGN(EventBatch batch, read());
    if (batch.next == batch.from && !settings_.once && timeout.count() > 0) {
      reader_->wait(timeout);
      if (reader_->end() > next_) settings_.clock->sleep(std::min(kGather, timeout));
      WEIR_ASSIGN(batch, read());
    }
    next_ = batch.next;
    batch.received_us = settings_.clock->now_us();
    batch.end = settings_.once && next_ >= stop_;
    return batch;
  }

  Status acknowledge(int64_t next) override {
    {
      const std::lock_guard lock(mark_mutex_);
      unmarked_ = unmarked_ || next != marked_;
      marked_ = next;
    }
    mark(false);
    return {};
  }

  int64_t lag() const override {
    const int64_t end = settings_.once ? stop_ : reader_end();
    return std::max<int64_t>(0, end - next_);
  }

 private:
  int64_t reader_end() const {
    const std::lock_guard lock(reader_mutex_);
    return reader_->end();
  }

  Result<std::unique_ptr<LogReader>> open_at(int64_t offset) const {
    return LogReader::open(settings_.folder, settings_.stream, settings_.partition, offset);
  }

  Result<EventBatch> read() {
    size_t most = settings_.batch_rows;
    if (settings_.once)
      most = std::min<size_t>(most, static_cast<size_t>(std::max<int64_t>(0, stop_ - next_)));
    auto batch = reader_->read(most, kBatchBytes);
    if (batch.ok() || batch.status().code() != Code::not_found) return batch;
    if (!settings_.continue_on_gap) {
      return Status::invalid(batch.status().message() +
                             ": retention has deleted events before they were read. Set 'scan.on-gap' = "
                             "'continue' to go on without them");
    }
    const int64_t first = reader_->first();
    WEIR_ASSIGN(auto reader, open_at(first));
    {
      const std::lock_guard lock(reader_mutex_);
      reader_ = std::move(reader);
    }
    tell_of_gap(next_, first);
    EventBatch gap;
    gap.from = next_;
    gap.next = settings_.once ? std::min(first, std::max<int64_t>(stop_, next_)) : first;
    return gap;
  }

  void tell(const std::string& words) const {
    if (!settings_.log) return;
    settings_.log("stream '" + settings_.stream + "', partition " + std::to_string(settings_.partition) +
                  ": " + words);
  }

  void tell_of_gap(int64_t from, int64_t to) const {
    tell("retention has deleted offsets " + std::to_string(from) + " to " + std::to_string(to - 1) +
         " before they were read; going on without them, as 'scan.on-gap' says");
  }

  // Never in the way of reading: a folder that may only be read keeps no marks, and is told of once.
  void mark(bool now) {
    const std::lock_guard lock(mark_mutex_);
    if (!unmarked_) return;
    const int64_t now_ns = settings_.clock->monotonic_ns();
    if (!now && now_ns - marked_ns_ < kMarkEveryNs) return;
    marked_ns_ = now_ns;
    Status status = mark_log_reader(settings_.folder, settings_.stream, settings_.reader_name,
                                    settings_.partition, marked_);
    unmarked_ = !status.ok();
    if (unmarked_ && !told_) {
      tell("what was read cannot be marked for retention, which may keep too much: " + status.message());
    }
    told_ = unmarked_;
  }

  const LogPartitionSettings settings_;
  mutable std::mutex reader_mutex_;  // lag() may be called while a gap is stepped over
  std::unique_ptr<LogReader> reader_;
  std::atomic<int64_t> next_{0};
  int64_t first_from_ = -1;
  int64_t stop_ = 0;  // with `once`: the end at the start

  std::mutex mark_mutex_;  // guards what follows
  int64_t marked_ = 0;
  bool unmarked_ = false;  // marked_ is not written yet
  int64_t marked_ns_ = 0;
  bool told_ = false;  // that marked_ cannot be written
};

}  // namespace

Result<std::unique_ptr<PartitionReader>> open_log_partition(LogPartitionSettings settings) {
  auto reader = std::make_unique<LogPartitionReader>(std::move(settings));
  WEIR_TRY(reader->start());
  return std::unique_ptr<PartitionReader>(std::move(reader));
}

}  // namespace weir
