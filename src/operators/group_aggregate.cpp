#include "operators/group_aggregate.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <utility>

#include "operators/grouping.h"

namespace weir {

namespace {

class GroupSnapshot final : public StateSnapshot {
 public:
  std::string layout;
  int64_t arrival = 0;
  std::unique_ptr<StateSnapshot> keys, values;

  Status write(StateWriter& writer) override {
    WEIR_TRY(writer.section("group_aggregate", 1));
    WEIR_TRY(writer.text(layout));
    WEIR_TRY(writer.i64(arrival));
    WEIR_TRY(keys->write(writer));
    return values->write(writer);
  }
};

std::string layout_of(const PlanNode& node) {
  std::string layout;
  for (const AggregateCall& call : node.aggregates) {
    layout += call.function + (call.distinct ? " distinct " : " ") + call.type->ToString() + ",";
  }
  return layout + node.schema->ToString();
}

class GroupAggregate final : public Operator {
 public:
  GroupAggregate(const OperatorContext& context, Grouping grouping)
      : layout_(layout_of(*context.node)),
        bucket_us_(context.state_ttl_us == 0 ? 0 : std::max<int64_t>(context.state_ttl_us / 8, 1)),
        ttl_us_(context.state_ttl_us),
        clock_(context.clock),
        grouping_(std::move(grouping)),
        groups_(grouping_.make()) {}

  Status process(size_t, const std::shared_ptr<arrow::RecordBatch>& rows, OperatorOutput& out) override;
  Status advance(int64_t, OperatorOutput&) override { return {}; }
  std::optional<int64_t> next_timer() const override {
    if (bucket_us_ == 0 || groups_.table.size() == 0) return std::nullopt;
    return oldest_us_ + ttl_us_ + bucket_us_;
  }
  Status on_time(int64_t now_us, OperatorOutput&) override;
  Result<std::unique_ptr<StateSnapshot>> snapshot() override;
  Status restore(StateReader& reader) override;
  int64_t state_bytes() const override { return groups_.bytes(); }
  int64_t state_keys() const override { return static_cast<int64_t>(groups_.table.size()); }

 private:
  // When the entry was touched, rounded down to a bucket. Kept without a TTL too: a later version of the file
  // may set one.
  static int64_t& touched(uint8_t* state) { return *reinterpret_cast<int64_t*>(state); }
  static int64_t touched(const uint8_t* state) { return *reinterpret_cast<const int64_t*>(state); }
  Result<std::shared_ptr<arrow::RecordBatch>> results() const;

  std::string layout_;
  int64_t bucket_us_;  // 0: no TTL
  int64_t ttl_us_;
  const Clock* clock_;
  Grouping grouping_;
  Groups groups_;
  uint64_t arrival_ = 1;
  int64_t oldest_us_ = 0;  // no entry was touched before this

  EncodedKeys keys_;
  std::vector<uint32_t> entries_;
  std::vector<uint8_t*> states_;
  std::vector<uint32_t> touched_;  // the batch's entries, each once
  std::vector<uint8_t> seen_;
};

Result<std::shared_ptr<arrow::RecordBatch>> GroupAggregate::results() const {
  ResultRows rows;
  rows.values = &groups_.values;
  for (uint32_t entry : touched_) {
    rows.keys.push_back(groups_.table.key(entry));
    rows.states.push_back(groups_.table.state(entry));
  }
  return grouping_.results(rows, 0);
}

Status GroupAggregate::process(size_t, const std::shared_ptr<arrow::RecordBatch>& rows, OperatorOutput& out) {
  auto count = static_cast<size_t>(rows->num_rows());
  if (count == 0) return {};
  if (bucket_us_ != 0) WEIR_TRY(on_time(clock_->now_us(), out));
  grouping_.encode(*rows, keys_);
  entries_.resize(count);
  states_.resize(count);
  size_t known = groups_.table.size();
  WEIR_TRY(groups_.table.find_or_insert(keys_, nullptr, count, entries_.data()));
  seen_.resize(groups_.table.size(), 0);
  touched_.clear();
  std::vector<uint8_t> had;
  for (uint32_t entry : entries_) {
    if (seen_[entry] != 0) continue;
    seen_[entry] = 1;
    touched_.push_back(entry);
    had.push_back(entry < known ? 1 : 0);
  }
  for (uint32_t entry : touched_) seen_[entry] = 0;
  WEIR_ASSIGN(auto before, results());
  groups_.table.mutable_states(entries_.data(), count, states_.data());
  int64_t now = clock_->now_us();
  if (bucket_us_ != 0) now -= now % bucket_us_;
  if (known == 0) oldest_us_ = now;
  for (size_t i = 0; i < count; ++i) touched(states_[i]) = now;
  WEIR_TRY(grouping_.update_states(states_.data(), groups_.values, *rows, nullptr, count, arrival_));
  arrival_ += count;
  WEIR_ASSIGN(auto after, results());
  return grouping_.emit_changes(before, had, after, out);
}

Status GroupAggregate::on_time(int64_t now_us, OperatorOutput&) {
  auto due = next_timer();
  if (!due.has_value() || now_us < *due) return {};
  std::vector<uint8_t> gone(groups_.table.size(), 0);
  oldest_us_ = now_us;
  bool any = false;
  for (uint32_t entry = 0; entry < gone.size(); ++entry) {
    int64_t at = touched(groups_.table.state(entry));
    if (at + ttl_us_ + bucket_us_ <= now_us) {
      gone[entry] = 1;
      any = true;
      grouping_.aggregates().release(groups_.table.mutable_state(entry), groups_.values);
    } else {
      oldest_us_ = std::min(oldest_us_, at);
    }
  }
  if (any) groups_.table.erase(gone);
  return {};
}

Result<std::unique_ptr<StateSnapshot>> GroupAggregate::snapshot() {
  auto frozen = std::make_unique<GroupSnapshot>();
  frozen->layout = layout_;
  frozen->arrival = static_cast<int64_t>(arrival_);
  frozen->keys = groups_.table.snapshot();
  frozen->values = groups_.values.snapshot();
  return std::unique_ptr<StateSnapshot>(std::move(frozen));
}

Status GroupAggregate::restore(StateReader& reader) {
  WEIR_ASSIGN(uint32_t version, reader.section("group_aggregate", 1));
  (void)version;
  WEIR_ASSIGN(std::string layout, reader.text());
  if (layout != layout_) return Status::invalid("the state is of other aggregates");
  WEIR_ASSIGN(int64_t arrival, reader.i64());
  arrival_ = static_cast<uint64_t>(arrival);
  WEIR_TRY(groups_.table.restore(reader));
  WEIR_TRY(groups_.values.restore(reader));
  oldest_us_ = clock_->now_us();
  for (uint32_t entry = 0; bucket_us_ != 0 && entry < groups_.table.size(); ++entry) {
    oldest_us_ = std::min(oldest_us_, touched(groups_.table.state(entry)));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Operator>> make_group_aggregate(const OperatorContext& context) {
  constexpr size_t kHead = sizeof(int64_t);  // when it was touched
  WEIR_ASSIGN(Grouping grouping, Grouping::create(context, kHead, false));
  return std::unique_ptr<Operator>(std::make_unique<GroupAggregate>(context, std::move(grouping)));
}

}  // namespace weir
