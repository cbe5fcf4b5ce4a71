#include "operators/stream_join.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <array>

#include "operators/join_output.h"
#include "operators/window_assigner.h"
#include "state/row_store.h"

namespace weir {

namespace {

constexpr int64_t kLeastRoll_us = 1'000'000;

int64_t saturating_negate(int64_t value) { return value == kNoWatermark ? kFinalWatermark : -value; }

class JoinSnapshot final : public StateSnapshot {
 public:
  int64_t watermark_us = kNoWatermark;
  std::unique_ptr<StateSnapshot> left, right;

  Status write(StateWriter& writer) override {
    WEIR_TRY(writer.section("join", 1));
    WEIR_TRY(writer.i64(watermark_us));
    WEIR_TRY(left->write(writer));
    return right->write(writer);
  }
};

class StreamJoin final : public Operator {
 public:
  StreamJoin(const OperatorContext& context, RowStore left, RowStore right,
             std::unique_ptr<JoinOutput> output)
      : node_(*context.node),
        clock_(*context.clock),
        regular_(context.node->kind == NodeKind::join),
        ttl_us_(regular_ ? context.state_ttl_us : 0),
        sides_{std::move(left), std::move(right)},
        probes_{RowChunks(sides_[0].chunks().schema()), RowChunks(sides_[1].chunks().schema())},
        output_(std::move(output)),
        pairs_(std::min<size_t>(std::max<size_t>(context.batch_rows, 1), kChunkRows)) {
    pairs_.on_full([this] { return write_pairs(); });
  }

  Status process(size_t input, const std::shared_ptr<arrow::RecordBatch>& rows,
                 OperatorOutput& out) override {
    out_ = &out;
    if (ttl_us_ > 0) forget_by_ttl(clock_.now_us());
    for (int64_t from = 0; from < rows->num_rows(); from += kChunkRows) {
      bool whole = rows->num_rows() <= kChunkRows;
      WEIR_TRY(process_chunk(input, whole ? rows : rows->Slice(from, kChunkRows)));
    }
    return {};
  }

  Status advance(int64_t watermark_us, OperatorOutput&) override {
    watermark_us_ = std::max(watermark_us_, watermark_us);
    if (!timed()) return {};
    for (size_t side = 0; side < 2; ++side) WEIR_TRY(sides_[side].expire(useless_until(side)));
    return {};
  }

  int64_t output_watermark(int64_t watermark_us) const override {
    if (!timed() || watermark_us == kNoWatermark || watermark_us == kFinalWatermark) return watermark_us;
    int64_t lag_us = std::max({int64_t{0}, saturating_negate(node_.lower_us), node_.upper_us});
    return saturating_add(watermark_us, -lag_us);
  }

  std::optional<int64_t> next_timer() const override {
    int64_t oldest = std::min(sides_[0].oldest_arrival(), sides_[1].oldest_arrival());
    if (ttl_us_ <= 0 || oldest == kFinalWatermark) return std::nullopt;
    return saturating_add(oldest, ttl_us_);
  }

  Status on_time(int64_t now_us, OperatorOutput&) override {
    if (ttl_us_ > 0) forget_by_ttl(now_us);
    return {};
  }

  Result<std::unique_ptr<StateSnapshot>> snapshot() override {
    auto snapshot = std::make_unique<JoinSnapshot>();
    snapshot->watermark_us = watermark_us_;
    snapshot->left = sides_[0].snapshot("left");
    snapshot->right = sides_[1].snapshot("right");
    return std::unique_ptr<StateSnapshot>(std::move(snapshot));
  }

  Status restore(StateReader& reader) override {
    WEIR_ASSIGN(uint32_t version, reader.section("join", 1));
    static_cast<void>(version);
    WEIR_ASSIGN(watermark_us_, reader.i64());
    WEIR_TRY(sides_[0].restore(reader, "left"));
    return sides_[1].restore(reader, "right");
  }

  int64_t state_bytes() const override { return sides_[0].bytes() + sides_[1].bytes(); }
  int64_t state_keys() const override { return sides_[0].rows() + sides_[1].rows(); }

 private:
  bool timed() const { return node_.kind == NodeKind::interval_join; }

  // No row of this side with a time at or before it can find a partner any more.
  int64_t useless_until(size_t side) const {
    if (watermark_us_ == kNoWatermark || watermark_us_ == kFinalWatermark) return watermark_us_;
    return saturating_add(watermark_us_, side == 0 ? node_.lower_us : saturating_negate(node_.upper_us));
  }

  void forget_by_ttl(int64_t now_us) {
    for (RowStore& side : sides_) side.expire_arrivals(now_us - ttl_us_);
  }

  Status process_chunk(size_t input, std::shared_ptr<arrow::RecordBatch> rows) {
    if (timed() && node_.lower_us > node_.upper_us) return {};
    RowStore& own = sides_[input];
    WEIR_ASSIGN(KeyedRows keyed, own.keys().prepare(std::move(rows)));
    if (keyed.size() == 0) return {};
    probe_side_ = input;
    probes_[input].assign(keyed.rows);
    // Bounds of the kept row's time less the new one's.
    MatchTimes times{node_.lower_us, node_.upper_us};
    if (input == 0) times = {saturating_negate(node_.upper_us), saturating_negate(node_.lower_us)};
    WEIR_TRY(sides_[1 - input].match(keyed, own.keys(), timed() ? &times : nullptr, pairs_));
    WEIR_TRY(pairs_.flush());
    if (timed()) {
      if (keyed.max_time_us <= useless_until(input)) return {};
      return own.add(std::move(keyed), watermark_us_);
    }
    // Also without a TTL: one that is set later forgets what is that old.
    now_us_ = regular_ ? std::max(now_us_, clock_.now_us()) : 0;
    return own.add(std::move(keyed), now_us_);
  }

  Status write_pairs() {
    const RowChunks& kept = sides_[1 - probe_side_].chunks();
    const RowChunks& probe = probes_[probe_side_];
    return probe_side_ == 0
               ? output_->write(probe, pairs_.probe(), kept, pairs_.stored(), pairs_.size(), *out_)
               : output_->write(kept, pairs_.stored(), probe, pairs_.probe(), pairs_.size(), *out_);
  }

  const PlanNode& node_;
  const Clock& clock_;
  bool regular_;  // no bounds of time between the sides
  int64_t ttl_us_;
  std::array<RowStore, 2> sides_;
  std::array<RowChunks, 2> probes_;  // the batch that is asking
  std::unique_ptr<JoinOutput> output_;
  RowPairs pairs_;
  size_t probe_side_ = 0;
  OperatorOutput* out_ = nullptr;  // while processing
  int64_t watermark_us_ = kNoWatermark;
  int64_t now_us_ = 0;
};

}  // namespace

Result<std::unique_ptr<Operator>> create_stream_join(const OperatorContext& context) {
  const PlanNode& node = *context.node;
  WEIR_ASSIGN(JoinInputs inputs, join_inputs(context));
  bool timed = node.kind == NodeKind::interval_join;
  int64_t roll_us = 0;
  if (timed) {
    roll_us = std::max(saturating_add(node.upper_us, saturating_negate(node.lower_us)) / 4, kLeastRoll_us);
  } else if (context.state_ttl_us > 0) {
    roll_us = std::max<int64_t>(context.state_ttl_us / 8, 1);
  }
  WEIR_ASSIGN(RowStore left,
              RowStore::create(inputs.left, node.left_keys, timed ? node.left_time : -1, roll_us));
  WEIR_ASSIGN(RowStore right,
              RowStore::create(inputs.right, node.right_keys, timed ? node.right_time : -1, roll_us));
  bool compare = !left.keys().exact();
  WEIR_ASSIGN(auto output, JoinOutput::create(context, node.left_keys, node.right_keys, compare));
  return std::unique_ptr<Operator>(
      std::make_unique<StreamJoin>(context, std::move(left), std::move(right), std::move(output)));
}

}  // namespace weir
