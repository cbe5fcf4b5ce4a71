// A partition of rows that are made on demand: where it stands, where it ends, and how fast it may go.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>

#include "base/clock.h"
#include "sources/source.h"

namespace weir {

// Rows are dealt in turn: offset i of a partition is row i * partitions + partition.
struct GeneratorSlot {
  int64_t partition = 0;
  int64_t partitions = 1;
  int64_t end = -1;       // rows of this partition; -1: no end
  double rows_per_s = 0;  // of this partition; 0: as fast as possible
};

class PacedReader : public PartitionReader {
 public:
  PacedReader(GeneratorSlot slot, int64_t position, size_t batch_rows, const Clock* clock)
      : slot_(slot),
        batch_rows_(batch_rows),
        clock_(clock),
        next_(position),
        begin_(position),
        begin_ns_(clock->monotonic_ns()) {}

  Result<EventBatch> poll(std::chrono::milliseconds timeout) final {
    EventBatch batch;
    batch.from = next_;
    const int64_t until = wait_for_rows(timeout);
    batch.events.reserve(static_cast<size_t>(until - next_));
    fill(until, batch);
    next_ = batch.next;
    batch.end = slot_.end >= 0 && next_ >= slot_.end;
    batch.received_us = clock_->now_us();
    if (slot_.end >= 0) lag_.store(slot_.end - next_, std::memory_order_relaxed);
    return batch;
  }

  Status acknowledge(int64_t) override { return {}; }
  int64_t lag() const override { return lag_.load(std::memory_order_relaxed); }

 protected:
  // Makes the events [batch.from, until), or fewer, and sets `next`.
  virtual void fill(int64_t until, EventBatch& batch) = 0;

  const GeneratorSlot& slot() const { return slot_; }
  int64_t row_of(int64_t offset) const { return offset * slot_.partitions + slot_.partition; }

 private:
  // The offset before which the next batch ends; waits for the rate.
  int64_t wait_for_rows(std::chrono::milliseconds timeout) {
    int64_t until = next_ + static_cast<int64_t>(batch_rows_);
    if (slot_.end >= 0) until = std::min(until, std::max(next_, slot_.end));
    if (slot_.rows_per_s <= 0) return until;
    int64_t due = due_rows();
    for (auto left = timeout; due <= next_ && until > next_ && left.count() > 0;) {
      const auto nap = std::min(left, std::chrono::milliseconds(10));
      clock_->sleep(nap);
      left -= nap;
      due = due_rows();
    }
    return std::clamp(due, next_, until);
  }

  int64_t due_rows() const {
    const double elapsed_s = static_cast<double>(clock_->monotonic_ns() - begin_ns_) / 1e9;
    return begin_ + static_cast<int64_t>(elapsed_s * slot_.rows_per_s);
  }

  const GeneratorSlot slot_;
  const size_t batch_rows_;
  const Clock* clock_;
  int64_t next_;
  const int64_t begin_;
  const int64_t begin_ns_;
  std::atomic<int64_t> lag_{-1};
};

}  // namespace weir
