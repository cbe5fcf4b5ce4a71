#include "runtime/task.h"

#include <arrow/record_batch.h>
#include <arrow/util/byte_size.h>

#include <algorithm>

#include "base/crash_point.h"
#include "runtime/guarded.h"

namespace weir {
namespace {

using std::chrono::microseconds;

constexpr microseconds kLongestWait{100'000};

}  // namespace

Task::Task(TaskContext context) : context_(std::move(context)) {}

Task::~Task() {
  context_.inbox->close();
  join();
}

void Task::join() {
  if (thread_.joinable()) thread_.join();
}

void Task::start() {
  outlet_ = std::make_unique<Outlet>(std::move(context_.routes), context_.errors, *context_.clock,
                                     &context_.stats->blocked_ns);
  open_ = context_.inbox->channels();
  watermarks_.assign(open_, kNoWatermark);
  context_.stats->state_bytes = context_.op->state_bytes();
  context_.stats->state_keys = context_.op->state_keys();
  thread_ = std::thread([this] { work(); });
}

void Task::work() {
  Status status = guarded([&] { return loop(); });
  if (!status.ok() && status.code() != Code::cancelled) {
    context_.failed(status.with_context(context_.stats->name));
  }
}

Status Task::loop() {
  OperatorStats& stats = *context_.stats;
  while (open_ > 0) {
    microseconds wait = kLongestWait;
    if (auto timer = context_.op->next_timer()) {
      wait = std::clamp(microseconds(*timer - context_.clock->now_us()), microseconds(0), kLongestWait);
    }
    auto message = context_.inbox->pop(wait);
    if (!message && context_.inbox->closed()) return {Code::cancelled, "the run has ended"};
    const int64_t started_ns = context_.clock->monotonic_ns();
    const int64_t blocked_before = stats.blocked_ns;
    if (message) WEIR_TRY(take(*message));
    WEIR_TRY(tell_time());
    const int64_t blocked_ns = stats.blocked_ns - blocked_before;
    stats.busy_ns += context_.clock->monotonic_ns() - started_ns - blocked_ns;
    stats.state_bytes = context_.op->state_bytes();
    stats.state_keys = context_.op->state_keys();
    stats.waiting = static_cast<int64_t>(context_.inbox->waiting());
  }
  return {};
}

Status Task::tell_time() {
  const auto timer = context_.op->next_timer();
  if (!timer) return {};
  const int64_t now_us = context_.clock->now_us();
  return *timer <= now_us ? context_.op->on_time(now_us, *this) : Status();
}

Status Task::take(Message& message) {
  switch (message.kind) {
    case Message::Kind::rows:
      context_.stats->rows_in += message.rows->num_rows();
      context_.stats->bytes_in += arrow::util::TotalBufferSize(*message.rows);
      return context_.op->process(message.input, message.rows, *this);
    case Message::Kind::watermark:
      watermarks_[message.channel] = std::max(watermarks_[message.channel], message.value);
      return advance();
    case Message::Kind::barrier:
      context_.inbox->hold(message.channel);
      return ++barriers_ == open_ ? barrier(message.value) : Status();
    case Message::Kind::end: return --open_ == 0 ? outlet_->control(message) : Status();
  }
  return {};
}

Status Task::advance() {
  const int64_t least = *std::min_element(watermarks_.begin(), watermarks_.end());
  if (least <= watermark_us_) return {};
  watermark_us_ = least;
  context_.stats->watermark_us = least;
  WEIR_TRY(context_.op->advance(least, *this));
  if (least == kFinalWatermark) WEIR_TRY(context_.op->finish(*this));
  const int64_t told = least == kFinalWatermark ? least : context_.op->output_watermark(least);
  if (told <= told_us_) return {};
  told_us_ = told;
  Message message;
  message.kind = Message::Kind::watermark;
  message.value = told;
  return outlet_->control(message);
}

Status Task::barrier(int64_t epoch) {
  WEIR_TRY(context_.op->flush(*this));
  const int64_t started_ns = context_.clock->monotonic_ns();
  WEIR_ASSIGN(auto snapshot, context_.op->snapshot());
  context_.stats->pause_ns = context_.clock->monotonic_ns() - started_ns;
  context_.snapshot(epoch, context_.name, std::move(snapshot));
  crash_point("epoch.snapshot");
  Message message;
  message.kind = Message::Kind::barrier;
  message.value = epoch;
  WEIR_TRY(outlet_->control(message));
  barriers_ = 0;
  context_.inbox->release_all();
  return {};
}

Status Task::emit(std::shared_ptr<arrow::RecordBatch> rows) {
  context_.stats->rows_out += rows->num_rows();
  return outlet_->rows(rows);
}

}  // namespace weir
