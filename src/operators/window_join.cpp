#include "operators/window_join.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <array>
#include <map>

#include "operators/join_output.h"
#include "operators/window_assigner.h"
#include "operators/window_rows.h"
#include "state/row_store.h"

namespace weir {

namespace {

struct Bucket {
  std::array<RowStore, 2> sides;
  int64_t least_start_us = INT64_MAX, most_start_us = INT64_MIN;

  Bucket(RowStore left, RowStore right) : sides{std::move(left), std::move(right)} {}
};

class WindowJoinSnapshot final : public StateSnapshot {
 public:
  std::vector<std::pair<uint8_t, std::shared_ptr<arrow::RecordBatch>>> batches;  // side, rows

  Status write(StateWriter& writer) override {
    WEIR_TRY(writer.section("window_join", 1));
    WEIR_TRY(writer.u32(static_cast<uint32_t>(batches.size())));
    for (const auto& [side, rows] : batches) {
      WEIR_TRY(writer.u8(side));
      WEIR_TRY(writer.rows(*rows));
    }
    return {};
  }
};

class WindowJoin final : public Operator {
 public:
  WindowJoin(const OperatorContext& context, JoinInputs inputs)
      : node_(*context.node),
        context_(context),
        schemas_{inputs.left, inputs.right},
        splitters_{WindowSplitter(inputs.left, node_.window),
                   WindowSplitter(inputs.right, node_.right_window)} {}

  Status prepare() {
    WEIR_ASSIGN(RowStore store, RowStore::create(schemas_[0], node_.left_keys, -1, 0));
    WEIR_ASSIGN(output_,
                JoinOutput::create(context_, node_.left_keys, node_.right_keys, !store.keys().exact()));
    keys_and_start_ = {node_.left_keys, node_.right_keys};
    keys_and_start_[0].push_back(node_.window.start_column);
    keys_and_start_[1].push_back(node_.right_window.start_column);
    return {};
  }

  Status process(size_t input, const std::shared_ptr<arrow::RecordBatch>& rows, OperatorOutput&) override {
    for (int64_t from = 0; from < rows->num_rows(); from += kChunkRows) {
      bool whole = rows->num_rows() <= kChunkRows;
      WEIR_TRY(collect(input, whole ? rows : rows->Slice(from, kChunkRows)));
    }
    return {};
  }

  Status advance(int64_t watermark_us, OperatorOutput& out) override {
    if (node_.window.processing_time) return {};
    while (!buckets_.empty() && fires_at(node_.window, buckets_.begin()->first) <= watermark_us) {
      WEIR_TRY(fire_first(out));
    }
    return {};
  }

  std::optional<int64_t> next_timer() const override {
    if (!node_.window.processing_time || buckets_.empty()) return std::nullopt;
    return buckets_.begin()->first;
  }

  Status on_time(int64_t now_us, OperatorOutput& out) override {
    if (!node_.window.processing_time) return {};
    while (!buckets_.empty() && buckets_.begin()->first <= now_us) WEIR_TRY(fire_first(out));
    return {};
  }

  Status finish(OperatorOutput& out) override {
    if (!node_.window.processing_time) return {};
    while (!buckets_.empty()) WEIR_TRY(fire_first(out));
    return {};
  }

  Result<std::unique_ptr<StateSnapshot>> snapshot() override {
    auto snapshot = std::make_unique<WindowJoinSnapshot>();
    for (const auto& [end_us, bucket] : buckets_) {
      for (uint8_t side = 0; side < 2; ++side) {
        for (auto& rows : bucket.sides[side].batches()) snapshot->batches.emplace_back(side, std::move(rows));
      }
    }
    return std::unique_ptr<StateSnapshot>(std::move(snapshot));
  }

  Status restore(StateReader& reader) override {
    WEIR_ASSIGN(uint32_t version, reader.section("window_join", 1));
    static_cast<void>(version);
    WEIR_ASSIGN(uint32_t count, reader.u32());
    for (uint32_t i = 0; i < count; ++i) {
      WEIR_ASSIGN(uint8_t side, reader.u8());
      if (side > 1) return Status::invalid("the state of a window join names a third side");
      WEIR_ASSIGN(auto rows, reader.rows());
      WEIR_TRY(same_types(*rows->schema(), *schemas_[side]));
      WEIR_TRY(collect(side, std::move(rows)));
    }
    return {};
  }

  int64_t state_bytes() const override { return bytes_; }
  int64_t state_keys() const override { return rows_; }

 private:
  Status collect(size_t side, std::shared_ptr<arrow::RecordBatch> rows) {
    WEIR_ASSIGN(auto windows, splitters_[side].split(rows));
    for (WindowRows& window : windows) {
      WEIR_ASSIGN(Bucket * bucket, bucket_of(window.end_us));
      bucket->least_start_us = std::min(bucket->least_start_us, window.least_start_us);
      bucket->most_start_us = std::max(bucket->most_start_us, window.most_start_us);
      RowStore& store = bucket->sides[side];
      count(store, -1);
      WEIR_ASSIGN(KeyedRows keyed, store.keys().prepare(std::move(window.rows)));
      WEIR_TRY(store.add(std::move(keyed), 0));
      count(store, 1);
    }
    return {};
  }

  void count(const RowStore& store, int sign) {
    bytes_ += sign * store.bytes();
    rows_ += sign * store.rows();
  }

  Result<Bucket*> bucket_of(int64_t end_us) {
    auto found = buckets_.find(end_us);
    if (found != buckets_.end()) return &found->second;
    WEIR_ASSIGN(RowStore left, RowStore::create(schemas_[0], node_.left_keys, -1, 0));
    WEIR_ASSIGN(RowStore right, RowStore::create(schemas_[1], node_.right_keys, -1, 0));
    count(left, 1);
    count(right, 1);
    return &buckets_.emplace(end_us, Bucket(std::move(left), std::move(right))).first->second;
  }

  Status fire_first(OperatorOutput& out) {
    auto node = buckets_.extract(buckets_.begin());
    Bucket& bucket = node.mapped();
    for (const RowStore& side : bucket.sides) count(side, -1);
    if (bucket.sides[0].rows() == 0 || bucket.sides[1].rows() == 0) return {};
    if (bucket.least_start_us == bucket.most_start_us) return join(bucket.sides, *output_, out);
    // Sessions, for one, may end together and not have begun together: the start is a key then.
    WEIR_ASSIGN(RowStore left, by_start(bucket.sides[0], 0));
    WEIR_ASSIGN(RowStore right, by_start(bucket.sides[1], 1));
    std::array<RowStore, 2> sides{std::move(left), std::move(right)};
    if (!output_by_start_) {
      WEIR_ASSIGN(output_by_start_,
                  JoinOutput::create(context_, keys_and_start_[0], keys_and_start_[1], true));
    }
    return join(sides, *output_by_start_, out);
  }

  Result<RowStore> by_start(const RowStore& store, size_t side) {
    WEIR_ASSIGN(RowStore moved, RowStore::create(schemas_[side], keys_and_start_[side], -1, 0));
    for (auto& rows : store.batches()) {
      WEIR_ASSIGN(KeyedRows keyed, moved.keys().prepare(std::move(rows)));
      WEIR_TRY(moved.add(std::move(keyed), 0));
    }
    return moved;
  }

  Status join(std::array<RowStore, 2>& sides, JoinOutput& output, OperatorOutput& out) {
    size_t kept = sides[0].rows() <= sides[1].rows() ? 0 : 1;
    sides[kept].index_all();
    RowChunks probe(schemas_[1 - kept]);
    size_t capacity = std::min<size_t>(std::max<size_t>(context_.batch_rows, 1), kChunkRows);
    RowPairs pairs(capacity);
    pairs.on_full([&] {
      const RowChunks& stored = sides[kept].chunks();
      return kept == 1 ? output.write(probe, pairs.probe(), stored, pairs.stored(), pairs.size(), out)
                       : output.write(stored, pairs.stored(), probe, pairs.probe(), pairs.size(), out);
    });
    for (auto& rows : sides[1 - kept].batches()) {
      probe.assign(rows);
      WEIR_ASSIGN(KeyedRows keyed, sides[1 - kept].keys().prepare(std::move(rows)));
      WEIR_TRY(sides[kept].match(keyed, sides[1 - kept].keys(), nullptr, pairs));
      WEIR_TRY(pairs.flush());
    }
    return {};
  }

  const PlanNode& node_;
  OperatorContext context_;
  std::array<std::shared_ptr<arrow::Schema>, 2> schemas_;
  std::array<WindowSplitter, 2> splitters_;
  std::array<std::vector<int>, 2> keys_and_start_;
  std::unique_ptr<JoinOutput> output_, output_by_start_;
  std::map<int64_t, Bucket> buckets_;  // by window end
  int64_t bytes_ = 0, rows_ = 0;
};

}  // namespace

Result<std::unique_ptr<Operator>> create_window_join(const OperatorContext& context) {
  WEIR_ASSIGN(JoinInputs inputs, join_inputs(context));
  auto join = std::make_unique<WindowJoin>(context, std::move(inputs));
  WEIR_TRY(join->prepare());
  return std::unique_ptr<Operator>(std::move(join));
}

}  // namespace weir
