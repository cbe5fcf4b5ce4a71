#include "operators/window_aggregate.h"

#include <arrow/array/array_base.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

namespace weir {

namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
// Rows are taken in pieces whose keys and states' addresses stay in the cache.
constexpr int64_t kPieceRows = 16'384;

class WindowSnapshot final : public StateSnapshot {
 public:
  std::string layout;
  int64_t arrival = 0;
  std::unique_ptr<StateSnapshot> windows;

  Status write(StateWriter& writer) override {
    WEIR_TRY(writer.section("window_aggregate", 1));
    WEIR_TRY(writer.text(layout));
    WEIR_TRY(writer.i64(arrival));
    return windows->write(writer);
  }
};

// What a snapshot must have been taken with.
std::string layout_of(const PlanNode& node, int64_t lateness_us) {
  const WindowSpec& window = node.window;
  std::string layout;
  for (int64_t number :
       {static_cast<int64_t>(window.assigner), window.size_us, window.slide_us, window.gap_us,
        window.offset_us, int64_t{window.processing_time}, int64_t{lateness_us > 0}}) {
    layout += std::to_string(number) + ",";
  }
  for (const AggregateCall& call : node.aggregates) {
    layout += call.function + (call.distinct ? " distinct " : " ") + call.type->ToString() + ",";
  }
  return layout + node.schema->ToString();
}

class WindowAggregate final : public Operator {
 public:
  WindowAggregate(const OperatorContext& context, Grouping grouping, std::unique_ptr<OpenWindows> windows)
      : window_(context.node->window),
        layout_(layout_of(*context.node, context.allowed_lateness_us)),
        whole_batches_(context.allowed_lateness_us > 0),
        clock_(context.clock),
        grouping_(std::move(grouping)),
        windows_(std::move(windows)) {}

  Status process(size_t, const std::shared_ptr<arrow::RecordBatch>& rows, OperatorOutput& out) override {
    if (rows->num_rows() <= kPieceRows || whole_batches_) return add(*rows, out);
    for (int64_t at = 0; at < rows->num_rows(); at += kPieceRows) {
      WEIR_TRY(add(*rows->Slice(at, kPieceRows), out));
    }
    return {};
  }

  Status advance(int64_t watermark_us, OperatorOutput& out) override {
    if (window_.processing_time) return {};
    return windows_->advance(watermark_us, out);
  }

  // Results have the time end - 1 ms, and a window is open until end - tick.
  int64_t output_watermark(int64_t watermark_us) const override {
    if (watermark_us == kFinalWatermark || window_.processing_time || window_.tick_us >= 1000) {
      return watermark_us;
    }
    return saturating_add(watermark_us, window_.tick_us - 1000);
  }

  std::optional<int64_t> next_timer() const override {
    if (!window_.processing_time) return std::nullopt;
    int64_t due = windows_->next_due();
    if (due == kNever) return std::nullopt;
    return due;
  }
  Status on_time(int64_t now_us, OperatorOutput& out) override {
    if (!window_.processing_time) return {};
    latest_us_ = std::max(latest_us_, now_us);
    return windows_->advance(latest_us_, out);
  }
  Status finish(OperatorOutput& out) override { return windows_->advance(kFinalWatermark, out); }

  Result<std::unique_ptr<StateSnapshot>> snapshot() override {
    auto frozen = std::make_unique<WindowSnapshot>();
    frozen->layout = layout_;
    frozen->arrival = static_cast<int64_t>(arrival_);
    WEIR_ASSIGN(frozen->windows, windows_->snapshot());
    return std::unique_ptr<StateSnapshot>(std::move(frozen));
  }
  Status restore(StateReader& reader) override {
    WEIR_ASSIGN(uint32_t version, reader.section("window_aggregate", 1));
    (void)version;
    WEIR_ASSIGN(std::string layout, reader.text());
    if (layout != layout_) return Status::invalid("the state is of another window or other aggregates");
    WEIR_ASSIGN(int64_t arrival, reader.i64());
    arrival_ = static_cast<uint64_t>(arrival);
    return windows_->restore(reader);
  }
  int64_t state_bytes() const override { return windows_->bytes(); }
  int64_t state_keys() const override { return windows_->keys(); }

 private:
  Status add(const arrow::RecordBatch& rows, OperatorOutput& out) {
    if (rows.num_rows() == 0) return {};
    WindowInput input;
    input.batch = &rows;
    input.keys = &keys_;
    input.arrival = arrival_;
    if (window_.processing_time) {
      // Never before a window that has fired, whatever the clock does.
      latest_us_ = std::max(latest_us_, clock_->now_us());
      WEIR_TRY(windows_->advance(latest_us_, out));
      times_.assign(static_cast<size_t>(rows.num_rows()), latest_us_);
      input.times = times_.data();
    } else if (window_.assigner == WindowSpec::Assigner::attached) {
      WEIR_ASSIGN(input.ends, times_in(rows, window_.end_column, ends_));
      if (window_.start_column >= 0) {
        WEIR_ASSIGN(input.starts, times_in(rows, window_.start_column, starts_));
      }
    } else {
      WEIR_ASSIGN(input.times, times_in(rows, window_.time_column, times_));
    }
    grouping_.encode(rows, keys_);
    arrival_ += static_cast<uint64_t>(rows.num_rows());
    return windows_->add(input, out);
  }

  static Result<const int64_t*> times_in(const arrow::RecordBatch& rows, int column,
                                         std::vector<int64_t>& scratch) {
    const arrow::Array& times = *rows.column(column);
    if (times.null_count() != 0) return Status::internal("a row without an event time came to its window");
    return column_us(times, scratch);
  }

  WindowSpec window_;
  std::string layout_;
  bool whole_batches_;  // corrections come once for each batch
  const Clock* clock_;
  Grouping grouping_;
  std::unique_ptr<OpenWindows> windows_;
  uint64_t arrival_ = 1;
  int64_t latest_us_ = std::numeric_limits<int64_t>::min();

  EncodedKeys keys_;
  std::vector<int64_t> times_, starts_, ends_;
};

}  // namespace

Result<std::unique_ptr<Operator>> make_window_aggregate(const OperatorContext& context) {
  const WindowSpec& window = context.node->window;
  WEIR_TRY(check_window(window));
  if (window.processing_time && window.assigner == WindowSpec::Assigner::attached) {
    return Status::internal("windows of earlier rows have no processing time");
  }
  WEIR_ASSIGN(Grouping grouping, Grouping::create(context, 0, false));
  std::unique_ptr<OpenWindows> windows;
  if (window.assigner == WindowSpec::Assigner::session) {
    WEIR_ASSIGN(windows, make_session_windows(context));
  } else {
    WEIR_ASSIGN(windows, make_slice_windows(context));
  }
  return std::unique_ptr<Operator>(
      std::make_unique<WindowAggregate>(context, std::move(grouping), std::move(windows)));
}

}  // namespace weir
