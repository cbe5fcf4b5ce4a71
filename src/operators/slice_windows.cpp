// Windows made of slices: tumble, hop, cumulate, and those that the rows name themselves.
#include <arrow/record_batch.h>

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <utility>

#include "operators/window_aggregate.h"

namespace weir {

namespace {

using Assigner = WindowSpec::Assigner;
constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
constexpr int64_t kNothing = std::numeric_limits<int64_t>::min();

struct ByEnd {
  bool operator()(const TimeSpan& a, const TimeSpan& b) const {
    return a.end_us != b.end_us ? a.end_us < b.end_us : a.start_us < b.start_us;
  }
};

using Slices = std::map<TimeSpan, Groups, ByEnd>;

class SlicesSnapshot final : public StateSnapshot {
 public:
  struct Part {
    TimeSpan span;
    bool cumulated;
    std::unique_ptr<StateSnapshot> keys;
    std::unique_ptr<StateSnapshot> values;
  };
  std::vector<Part> parts;
  int64_t fired_us = 0;

  Status write(StateWriter& writer) override {
    WEIR_TRY(writer.section("slices", 1));
    WEIR_TRY(writer.i64(fired_us));
    WEIR_TRY(writer.i64(static_cast<int64_t>(parts.size())));
    for (const Part& part : parts) {
      WEIR_TRY(writer.section("slice", 1));
      WEIR_TRY(writer.i64(part.span.start_us));
      WEIR_TRY(writer.i64(part.span.end_us));
      WEIR_TRY(writer.u8(part.cumulated ? 1 : 0));
      WEIR_TRY(part.keys->write(writer));
      WEIR_TRY(part.values->write(writer));
    }
    return {};
  }
};

class SliceWindows final : public OpenWindows {
 public:
  SliceWindows(const WindowSpec& window, int64_t lateness_us, Grouping grouping)
      : window_(window),
        lateness_us_(lateness_us),
        sliding_(window.assigner == Assigner::hop && slice_size(window) < window.size_us &&
                 lateness_us == 0 && grouping.aggregates().retractable()),
        grouping_(std::move(grouping)),
        running_(grouping_.make()) {}

  Status add(const WindowInput& rows, OperatorOutput& out) override;
  Status advance(int64_t time_us, OperatorOutput& out) override;
  int64_t next_due() override;
  Result<std::unique_ptr<StateSnapshot>> snapshot() override;
  Status restore(StateReader& reader) override;
  int64_t bytes() const override;
  int64_t keys() const override;

 private:
  struct Picked {
    TimeSpan slice;
    const uint32_t* rows;  // null: all
    size_t count;
  };

  void split(const WindowInput& rows);
  Status add_slice(const WindowInput& rows, const Picked& part);
  Status correct(const WindowInput& rows, OperatorOutput& out);
  std::vector<TimeSpan> windows_of(const TimeSpan& slice) const;
  Status merge_window(const TimeSpan& window, Groups& into, bool known_only);
  // The first window that has rows and fires above `fired_us_`; false: none.
  bool next_window(TimeSpan& window) const;
  Status fire(const TimeSpan& window, OperatorOutput& out);
  Status slide_to(const TimeSpan& window);
  void forget();
  bool cumulates() const { return window_.assigner == Assigner::cumulate && lateness_us_ == 0; }
  int64_t last_end(const TimeSpan& slice) const;

  WindowSpec window_;
  int64_t lateness_us_;
  // The last window's groups are kept, new slices go in and old ones out. Else each window merges its slices.
  bool sliding_;
  Grouping grouping_;
  int64_t fired_us_ = kNothing;  // windows that fire at or below this time have fired
  Slices slices_;
  Groups running_;  // sliding_: the slices that lie in running_span_
  TimeSpan running_span_;
  std::map<int64_t, std::pair<int64_t, Groups>> cumulated_;  // start -> end so far, groups; without lateness
  int64_t due_us_ = kNever;                                  // of the next window, when due_known_
  bool due_known_ = true;

  std::vector<Picked> parts_;
  std::map<TimeSpan, std::vector<uint32_t>, ByEnd> split_;
};

std::vector<TimeSpan> SliceWindows::windows_of(const TimeSpan& slice) const {
  if (window_.assigner == Assigner::attached || window_.assigner == Assigner::tumble) return {slice};
  return windows_of_slice(window_, slice.start_us);
}

int64_t SliceWindows::last_end(const TimeSpan& slice) const {
  if (window_.assigner == Assigner::attached || window_.assigner == Assigner::tumble) return slice.end_us;
  std::vector<TimeSpan> windows = windows_of_slice(window_, slice.start_us);
  return windows.empty() ? slice.end_us : windows.back().end_us;
}

// Fills parts_: which rows are in which slice.
void SliceWindows::split(const WindowInput& rows) {
  parts_.clear();
  auto count = static_cast<size_t>(rows.batch->num_rows());
  if (count == 0) return;
  TimeSpan current;
  bool one = true;
  if (rows.ends != nullptr) {
    auto window = [&](size_t i) {
      return TimeSpan{rows.starts == nullptr ? 0 : rows.starts[i], rows.ends[i]};
    };
    current = window(0);
    for (size_t i = 1; i < count && one; ++i) one = window(i) == current;
  } else {
    int64_t low = rows.times[0], high = rows.times[0];
    for (size_t i = 1; i < count; ++i) {
      low = std::min(low, rows.times[i]);
      high = std::max(high, rows.times[i]);
    }
    current = slice_of(window_, low);
    one = high < current.end_us;
  }
  if (one) {
    parts_.push_back({current, nullptr, count});
    return;
  }
  split_.clear();
  std::vector<uint32_t>* picked = nullptr;
  for (size_t i = 0; i < count; ++i) {
    TimeSpan slice = current;
    if (rows.ends != nullptr) {
      slice = {rows.starts == nullptr ? 0 : rows.starts[i], rows.ends[i]};
    } else if (rows.times[i] < current.start_us || rows.times[i] >= current.end_us) {
      slice = slice_of(window_, rows.times[i]);
    }
    if (picked == nullptr || !(slice == current)) {
      picked = &split_[slice];
      current = slice;
    }
    picked->push_back(static_cast<uint32_t>(i));
  }
  for (const auto& [slice, picks] : split_) parts_.push_back({slice, picks.data(), picks.size()});
}

Status SliceWindows::add(const WindowInput& rows, OperatorOutput& out) {
  split(rows);
  if (lateness_us_ > 0) return correct(rows, out);
  for (const Picked& part : parts_) WEIR_TRY(add_slice(rows, part));
  return {};
}

Status SliceWindows::add_slice(const WindowInput& rows, const Picked& part) {
  if (cumulates()) {
    // Of a slice that has gone into its windows' common groups already: those windows have fired, the longer
    // ones have not.
    for (auto& [start, cumulated] : cumulated_) {
      if (part.slice.start_us < start || part.slice.end_us > cumulated.first) continue;
      return grouping_.update(cumulated.second, *rows.keys, *rows.batch, part.rows, part.count, rows.arrival);
    }
  }
  auto found = slices_.find(part.slice);
  if (found == slices_.end()) {
    if (windows_of(part.slice).empty()) return {};  // between the windows of a hop
    found = slices_.emplace(part.slice, grouping_.make()).first;
    due_known_ = false;
  }
  WEIR_TRY(grouping_.update(found->second, *rows.keys, *rows.batch, part.rows, part.count, rows.arrival));
  if (sliding_ && part.slice.start_us >= running_span_.start_us &&
      part.slice.end_us <= running_span_.end_us) {
    WEIR_TRY(grouping_.update(running_, *rows.keys, *rows.batch, part.rows, part.count, rows.arrival));
  }
  return {};
}

// With lateness: some of the rows may belong to windows that have fired.
Status SliceWindows::correct(const WindowInput& rows, OperatorOutput& out) {
  struct Correction {
    std::vector<uint32_t> rows;
    Groups groups;
    std::shared_ptr<arrow::RecordBatch> before;
    std::vector<uint8_t> had;
  };
  std::map<TimeSpan, Correction, ByEnd> corrections;
  for (const Picked& part : parts_) {
    for (const TimeSpan& window : windows_of(part.slice)) {
      if (fires_at(window_, window.end_us) > fired_us_) break;
      if (fires_at(window_, saturating_add(window.end_us, lateness_us_)) <= fired_us_) continue;
      auto& picked =
          corrections.try_emplace(window, Correction{{}, grouping_.make(), nullptr, {}}).first->second.rows;
      for (size_t i = 0; i < part.count; ++i) {
        picked.push_back(part.rows == nullptr ? static_cast<uint32_t>(i) : part.rows[i]);
      }
    }
  }
  auto results = [&](const TimeSpan& window,
                     const Groups& groups) -> Result<std::shared_ptr<arrow::RecordBatch>> {
    ResultRows all;
    all.values = &groups.values;
    all.windows.push_back(window);
    for (uint32_t entry = 0; entry < groups.table.size(); ++entry) {
      all.states.push_back(groups.table.state(entry));
      all.keys.push_back(groups.table.key(entry));
    }
    return grouping_.results(all, 0);
  };
  std::vector<uint32_t> entries;
  auto touch = [&](const Correction& correction, Groups& groups) {
    entries.resize(correction.rows.size());
    return groups.table.find_or_insert(*rows.keys, correction.rows.data(), correction.rows.size(),
                                       entries.data());
  };
  for (auto& [window, correction] : corrections) {
    WEIR_TRY(touch(correction, correction.groups));
    WEIR_TRY(merge_window(window, correction.groups, true));
    for (uint32_t entry = 0; entry < correction.groups.table.size(); ++entry) {
      correction.had.push_back(grouping_.rows_in(correction.groups.table.state(entry)) > 0 ? 1 : 0);
    }
    WEIR_ASSIGN(correction.before, results(window, correction.groups));
  }
  for (const Picked& part : parts_) WEIR_TRY(add_slice(rows, part));
  for (auto& [window, correction] : corrections) {
    Groups after = grouping_.make();
    WEIR_TRY(touch(correction, after));
    WEIR_TRY(merge_window(window, after, true));
    WEIR_ASSIGN(auto now, results(window, after));
    WEIR_TRY(grouping_.emit_changes(correction.before, correction.had, now, out));
  }
  return {};
}

Status SliceWindows::merge_window(const TimeSpan& window, Groups& into, bool known_only) {
  if (window_.assigner == Assigner::attached) {
    auto found = slices_.find(window);
    if (found == slices_.end()) return {};
    return known_only ? grouping_.merge_known(found->second, into) : grouping_.merge(found->second, into);
  }
  for (auto slice = slices_.lower_bound(slice_of(window_, window.start_us));
       slice != slices_.end() && slice->first.end_us <= window.end_us; ++slice) {
    WEIR_TRY(known_only ? grouping_.merge_known(slice->second, into) : grouping_.merge(slice->second, into));
  }
  return {};
}

bool SliceWindows::next_window(TimeSpan& window) const {
  bool found = false;
  auto offer = [&](const TimeSpan& candidate) {
    if (!found || ByEnd()(candidate, window)) window = candidate;
    found = true;
  };
  // Slices are in order, and so are the first unfired windows of slices.
  for (auto slice = slices_.begin(); slice != slices_.end() && !found; ++slice) {
    for (const TimeSpan& candidate : windows_of(slice->first)) {
      if (fires_at(window_, candidate.end_us) <= fired_us_) continue;
      offer(candidate);
      break;
    }
  }
  for (const auto& [start, cumulated] : cumulated_) {
    int64_t end = cumulated.first;
    while (end < start + window_.size_us) {
      end += window_.slide_us;
      if (fires_at(window_, end) <= fired_us_) continue;
      offer({start, end});
      break;
    }
  }
  return found;
}

int64_t SliceWindows::next_due() {
  if (!due_known_) {
    TimeSpan window;
    due_us_ = next_window(window) ? fires_at(window_, window.end_us) : kNever;
    if (lateness_us_ > 0 && !slices_.empty()) {
      int64_t kept = saturating_add(last_end(slices_.begin()->first), lateness_us_);
      due_us_ = std::min(due_us_, fires_at(window_, kept));
    }
    due_known_ = true;
  }
  return due_us_;
}

Status SliceWindows::advance(int64_t time_us, OperatorOutput& out) {
  if (next_due() <= time_us) {
    TimeSpan window;
    while (next_window(window) && fires_at(window_, window.end_us) <= time_us) {
      WEIR_TRY(fire(window, out));
      fired_us_ = fires_at(window_, window.end_us);
      // Windows that end together (attached ones) fire together.
      while (window_.assigner == Assigner::attached) {
        auto next = slices_.upper_bound(window);
        if (next == slices_.end() || next->first.end_us != window.end_us) break;
        window = next->first;
        WEIR_TRY(fire(window, out));
      }
      if (lateness_us_ == 0) forget();
    }
    fired_us_ = std::max(fired_us_, time_us);
    forget();
    due_known_ = false;
  }
  fired_us_ = std::max(fired_us_, time_us);
  return {};
}

Status SliceWindows::fire(const TimeSpan& window, OperatorOutput& out) {
  int8_t weight = lateness_us_ > 0 ? 1 : 0;
  if (window_.assigner == Assigner::tumble || window_.assigner == Assigner::attached) {
    return grouping_.emit(slices_.find(window)->second, window, weight, out);
  }
  if (sliding_) {
    WEIR_TRY(slide_to(window));
    WEIR_TRY(grouping_.emit(running_, window, weight, out));
    // What the next window does not have goes out now, so that its slices can be forgotten.
    return slide_to({window.start_us + window_.slide_us, window.end_us});
  }
  if (cumulates()) {
    auto at = cumulated_.try_emplace(window.start_us, window.start_us, grouping_.make()).first;
    auto& [end, groups] = at->second;
    WEIR_TRY(merge_window({end, window.end_us}, groups, false));
    auto begin = slices_.lower_bound(slice_of(window_, window.start_us));
    auto behind = begin;
    while (behind != slices_.end() && behind->first.end_us <= window.end_us) ++behind;
    slices_.erase(begin, behind);
    end = window.end_us;
    WEIR_TRY(grouping_.emit(groups, window, weight, out));
    if (window.end_us == window.start_us + window_.size_us) cumulated_.erase(at);
    return {};
  }
  Groups merged = grouping_.make();
  WEIR_TRY(merge_window(window, merged, false));
  return grouping_.emit(merged, window, weight, out);
}

// Makes running_ the merger of the slices in `window`, which is not before the last one.
Status SliceWindows::slide_to(const TimeSpan& window) {
  if (window.start_us >= running_span_.end_us || running_.table.size() == 0) {
    running_ = grouping_.make();
    running_span_ = {window.start_us, window.start_us};
  }
  for (auto& [slice, groups] : slices_) {
    if (slice.end_us > window.end_us) break;
    if (slice.start_us >= running_span_.start_us && slice.end_us <= running_span_.end_us) {
      if (slice.start_us < window.start_us) WEIR_TRY(grouping_.retract(groups, running_));
    } else if (slice.start_us >= window.start_us) {
      WEIR_TRY(grouping_.merge(groups, running_));
    }
  }
  running_span_ = window;
  // Keys without rows go when they are the most.
  size_t size = running_.table.size();
  std::vector<uint8_t> empty(size);
  size_t gone = 0;
  for (uint32_t entry = 0; entry < size; ++entry) {
    empty[entry] = grouping_.rows_in(running_.table.state(entry)) == 0 ? 1 : 0;
    gone += empty[entry];
  }
  if (gone * 2 > size) running_.table.erase(empty);
  return {};
}

// Drops the slices whose last window has fired (and is not kept for corrections).
void SliceWindows::forget() {
  while (!slices_.empty()) {
    int64_t end = saturating_add(last_end(slices_.begin()->first), lateness_us_);
    if (fires_at(window_, end) > fired_us_) return;
    slices_.erase(slices_.begin());
  }
  if (sliding_) {
    running_ = grouping_.make();
    running_span_ = {};
  }
}

Result<std::unique_ptr<StateSnapshot>> SliceWindows::snapshot() {
  auto frozen = std::make_unique<SlicesSnapshot>();
  frozen->fired_us = fired_us_;
  for (auto& [span, groups] : slices_) {
    frozen->parts.push_back({span, false, groups.table.snapshot(), groups.values.snapshot()});
  }
  for (auto& [start, cumulated] : cumulated_) {
    Groups& groups = cumulated.second;
    frozen->parts.push_back(
        {{start, cumulated.first}, true, groups.table.snapshot(), groups.values.snapshot()});
  }
  return std::unique_ptr<StateSnapshot>(std::move(frozen));
}

Status SliceWindows::restore(StateReader& reader) {
  WEIR_ASSIGN(uint32_t version, reader.section("slices", 1));
  (void)version;
  WEIR_ASSIGN(fired_us_, reader.i64());
  WEIR_ASSIGN(int64_t parts, reader.i64());
  for (int64_t i = 0; i < parts; ++i) {
    WEIR_ASSIGN(version, reader.section("slice", 1));
    TimeSpan span;
    WEIR_ASSIGN(span.start_us, reader.i64());
    WEIR_ASSIGN(span.end_us, reader.i64());
    WEIR_ASSIGN(uint8_t cumulated, reader.u8());
    Groups groups = grouping_.make();
    WEIR_TRY(groups.table.restore(reader));
    WEIR_TRY(groups.values.restore(reader));
    if (cumulated != 0) {
      cumulated_.emplace(span.start_us, std::make_pair(span.end_us, std::move(groups)));
    } else {
      slices_.emplace(span, std::move(groups));
    }
  }
  due_known_ = false;  // running_ is made anew by the next window
  return {};
}

int64_t SliceWindows::bytes() const {
  int64_t bytes = running_.bytes();
  for (const auto& [span, groups] : slices_) bytes += groups.bytes() + int64_t{sizeof(Groups)} + 64;
  for (const auto& [start, cumulated] : cumulated_) bytes += cumulated.second.bytes();
  return bytes;
}

int64_t SliceWindows::keys() const {
  size_t keys = 0;
  for (const auto& [span, groups] : slices_) keys += groups.table.size();
  for (const auto& [start, cumulated] : cumulated_) keys += cumulated.second.table.size();
  return static_cast<int64_t>(keys);
}

}  // namespace

Result<std::unique_ptr<OpenWindows>> make_slice_windows(const OperatorContext& context) {
  const WindowSpec& window = context.node->window;
  bool hop = window.assigner == Assigner::hop;
  WEIR_ASSIGN(Grouping grouping, Grouping::create(context, 0, hop || context.allowed_lateness_us > 0));
  return std::unique_ptr<OpenWindows>(
      std::make_unique<SliceWindows>(window, context.allowed_lateness_us, std::move(grouping)));
}

}  // namespace weir
