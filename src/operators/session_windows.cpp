// Sessions: a few open windows for each key, which grow and merge.
//
// An entry's state holds its key's first session; more than one at a time, which disorder and lateness make,
// are chained in a second table under numbers of their own. One timer for each key waits for the first end
// among its sessions; a timer that the key's state does not name any more is stale.
#include <arrow/record_batch.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <unordered_map>
#include <utility>

#include "operators/window_aggregate.h"

namespace weir {

namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
constexpr size_t kFewEntries = 1024;  // not worth compacting

struct Session {
  int64_t start_us;
  int64_t end_us;
  int64_t timer_us;  // of the key, only in an entry's own session; valid with kTimed
  uint32_t next;     // number of the key's next session; 0: none
  uint32_t flags;
};
constexpr uint32_t kOpen = 1;
constexpr uint32_t kFired = 2;  // and kept for corrections
constexpr uint32_t kTimed = 4;

Session& session(uint8_t* state) { return *reinterpret_cast<Session*>(state); }
const Session& session(const uint8_t* state) { return *reinterpret_cast<const Session*>(state); }

struct Timer {
  int64_t due_us;
  uint32_t entry;
  bool operator<(const Timer& other) const { return due_us > other.due_us; }  // the heap's top is the lowest
};

class SessionsSnapshot final : public StateSnapshot {
 public:
  int64_t fired_us = 0;
  uint32_t last_number = 0;
  std::unique_ptr<StateSnapshot> keys, more, values;

  Status write(StateWriter& writer) override {
    WEIR_TRY(writer.section("sessions", 1));
    WEIR_TRY(writer.i64(fired_us));
    WEIR_TRY(writer.u32(last_number));
    WEIR_TRY(keys->write(writer));
    WEIR_TRY(more->write(writer));
    return values->write(writer);
  }
};

class SessionWindows final : public OpenWindows {
 public:
  SessionWindows(const WindowSpec& window, int64_t lateness_us, Grouping grouping)
      : window_(window),
        lateness_us_(lateness_us),
        grouping_(std::move(grouping)),
        groups_(grouping_.make()),
        more_(grouping_.make_table(8)) {}

  Status add(const WindowInput& rows, OperatorOutput& out) override;
  Status advance(int64_t time_us, OperatorOutput& out) override;
  int64_t next_due() override { return timers_.empty() ? kNever : timers_.front().due_us; }
  Result<std::unique_ptr<StateSnapshot>> snapshot() override;
  Status restore(StateReader& reader) override;
  int64_t bytes() const override {
    return groups_.bytes() + more_.bytes() + static_cast<int64_t>(timers_.capacity() * sizeof(Timer));
  }
  int64_t keys() const override { return static_cast<int64_t>(groups_.table.size() - dead_); }

 private:
  struct Due {
    TimeSpan window;
    uint32_t entry;
    uint32_t number;  // 0: the entry's own
  };

  int64_t due_of(const Session& of) const {
    return fires_at(window_, (of.flags & kFired) != 0 ? saturating_add(of.end_us, lateness_us_) : of.end_us);
  }
  uint32_t entry_of(uint32_t number);
  uint8_t* more_state(uint32_t number) { return more_.mutable_state(entry_of(number)); }
  void open(uint8_t* state, int64_t time_us);
  void set_timer(uint32_t entry, Session& own, int64_t due_us);
  // Finds or makes the session of a row that is not simply the entry's own one. Its number; 0: the own one.
  Result<uint32_t> place(uint32_t entry, uint8_t* own, int64_t time_us);
  Status absorb(uint8_t* into, uint32_t number, uint8_t* own, uint32_t target);
  Status take_back(uint32_t entry, uint8_t* state);
  Status fire_due(int64_t time_us, OperatorOutput& out);
  Status emit(const std::vector<Due>& fired, OperatorOutput& out);
  void close(uint8_t* state);
  void close_all(const std::vector<Due>& closed);
  void compact();
  void rebuild_timers();

  WindowSpec window_;
  int64_t lateness_us_;
  Grouping grouping_;
  int64_t fired_us_ = std::numeric_limits<int64_t>::min();
  Groups groups_;
  KeyTable more_;  // number -> session; their values are in groups_.values
  uint32_t last_number_ = 0;
  size_t dead_ = 0;            // entries without a session
  size_t dead_more_ = 0;       // of more_
  std::vector<Timer> timers_;  // a heap

  std::vector<std::shared_ptr<arrow::RecordBatch>> taken_back_;
  std::unordered_map<uint32_t, uint32_t> absorbed_;  // within a batch: number -> by which (0: the own one)
  std::vector<uint32_t> entries_;
  std::vector<uint8_t*> states_;
  std::vector<std::pair<size_t, uint32_t>> elsewhere_;  // rows whose session is not the entry's own
};

uint32_t SessionWindows::entry_of(uint32_t number) {
  uint64_t key = number;
  bool inserted = false;
  std::string_view bytes(reinterpret_cast<const char*>(&key), sizeof key);
  auto found = more_.find_or_insert(bytes, hash_key(bytes, 8), inserted);
  WEIR_CHECK(found.ok(), "more than 2^32 sessions");
  return *found;
}

void SessionWindows::open(uint8_t* state, int64_t time_us) {
  Session& made = session(state);
  made.start_us = time_us;
  made.end_us = saturating_add(time_us, window_.gap_us);
  made.flags |= kOpen;
}

void SessionWindows::set_timer(uint32_t entry, Session& own, int64_t due_us) {
  if ((own.flags & kTimed) != 0 && own.timer_us <= due_us) return;
  own.flags |= kTimed;
  own.timer_us = due_us;
  timers_.push_back({due_us, entry});
  std::push_heap(timers_.begin(), timers_.end());
}

Status SessionWindows::add(const WindowInput& rows, OperatorOutput& out) {
  auto count = static_cast<size_t>(rows.batch->num_rows());
  entries_.resize(count);
  states_.resize(count);
  size_t known = groups_.table.size();
  WEIR_TRY(groups_.table.find_or_insert(*rows.keys, nullptr, count, entries_.data()));
  groups_.table.mutable_states(entries_.data(), count, states_.data());
  dead_ += groups_.table.size() - known;
  absorbed_.clear();
  elsewhere_.clear();
  for (size_t i = 0; i < count; ++i) {
    Session& own = session(states_[i]);
    int64_t time = rows.times[i];
    int64_t end = saturating_add(time, window_.gap_us);
    if ((own.flags & (kOpen | kFired)) == kOpen && own.next == 0 && time <= own.end_us &&
        end >= own.start_us) {
      own.start_us = std::min(own.start_us, time);
      own.end_us = std::max(own.end_us, end);
    } else if ((own.flags & kOpen) == 0 && own.next == 0) {
      open(states_[i], time);
      --dead_;
      set_timer(entries_[i], own, due_of(own));
    } else {
      WEIR_ASSIGN(uint32_t number, place(entries_[i], states_[i], time));
      if (number != 0) elsewhere_.emplace_back(i, number);
    }
  }
  for (auto [row, number] : elsewhere_) {
    for (auto by = absorbed_.find(number); by != absorbed_.end(); by = absorbed_.find(number)) {
      number = by->second;
    }
    if (number != 0) states_[row] = more_state(number);
  }
  WEIR_TRY(
      grouping_.update_states(states_.data(), groups_.values, *rows.batch, nullptr, count, rows.arrival));
  if (lateness_us_ == 0) return {};
  for (auto& row : taken_back_) WEIR_TRY(out.emit(std::move(row)));
  taken_back_.clear();
  return fire_due(fired_us_, out);
}

Result<uint32_t> SessionWindows::place(uint32_t entry, uint8_t* own, int64_t time_us) {
  int64_t end = saturating_add(time_us, window_.gap_us);
  auto meets = [&](const Session& other) {
    return (other.flags & kOpen) != 0 && time_us <= other.end_us && end >= other.start_us;
  };
  std::vector<uint32_t> met;
  if (meets(session(own))) met.push_back(0);
  for (uint32_t number = session(own).next; number != 0;) {
    const Session& other = session(more_.state(entry_of(number)));
    if (meets(other)) met.push_back(number);
    number = other.next;
  }
  uint32_t target = 0;
  if (!met.empty()) {
    target = met[0];
  } else if ((session(own).flags & kOpen) != 0) {
    target = ++last_number_;
    uint8_t* made = more_state(target);
    session(made).next = session(own).next;
    session(own).next = target;
  }
  uint8_t* into = target == 0 ? own : more_state(target);
  if (met.empty()) open(into, time_us);
  for (uint32_t number : met) {
    uint8_t* state = number == 0 ? own : more_state(number);
    if ((session(state).flags & kFired) != 0) WEIR_TRY(take_back(entry, state));
  }
  session(into).start_us = std::min(session(into).start_us, time_us);
  session(into).end_us = std::max(session(into).end_us, end);
  for (size_t i = 1; i < met.size(); ++i) WEIR_TRY(absorb(into, met[i], own, target));
  set_timer(entry, session(own), due_of(session(into)));
  return target;
}

// Merges a chained session into `into` and takes it out of the chain.
Status SessionWindows::absorb(uint8_t* into, uint32_t number, uint8_t* own, uint32_t target) {
  uint8_t* gone = more_state(number);
  session(into).start_us = std::min(session(into).start_us, session(gone).start_us);
  session(into).end_us = std::max(session(into).end_us, session(gone).end_us);
  const uint8_t* from = gone;
  WEIR_TRY(grouping_.aggregates().merge(&from, groups_.values, &into, groups_.values, 1));
  uint32_t* link = &session(own).next;
  while (*link != number) link = &session(more_state(*link)).next;
  *link = session(gone).next;
  close(gone);
  ++dead_more_;
  absorbed_[number] = target;
  return {};
}

// A session that has fired changes: its former result goes.
Status SessionWindows::take_back(uint32_t entry, uint8_t* state) {
  ResultRows row;
  row.values = &groups_.values;
  row.keys.push_back(groups_.table.key(entry));
  row.states.push_back(state);
  row.windows.push_back({session(state).start_us, session(state).end_us});
  WEIR_ASSIGN(auto batch, grouping_.results(row, -1));
  taken_back_.push_back(std::move(batch));
  session(state).flags &= ~kFired;
  return {};
}

Status SessionWindows::advance(int64_t time_us, OperatorOutput& out) {
  fired_us_ = std::max(fired_us_, time_us);
  return fire_due(fired_us_, out);
}

Status SessionWindows::fire_due(int64_t time_us, OperatorOutput& out) {
  std::vector<Due> fired, closed;
  while (!timers_.empty() && timers_.front().due_us <= time_us) {
    Timer timer = timers_.front();
    std::pop_heap(timers_.begin(), timers_.end());
    timers_.pop_back();
    uint8_t* own = groups_.table.mutable_state(timer.entry);
    if ((session(own).flags & kTimed) == 0 || session(own).timer_us != timer.due_us) continue;
    session(own).flags &= ~kTimed;
    int64_t next_due = kNever;
    uint32_t number = 0;
    uint8_t* state = own;
    while (true) {
      Session& each = session(state);
      uint32_t next = each.next;
      if ((each.flags & kOpen) != 0) {
        if ((each.flags & kFired) == 0 && due_of(each) <= time_us) {
          fired.push_back({{each.start_us, each.end_us}, timer.entry, number});
          if (lateness_us_ > 0) each.flags |= kFired;
        }
        bool ended = fires_at(window_, saturating_add(each.end_us, lateness_us_)) <= time_us;
        if (ended) {
          closed.push_back({{each.start_us, each.end_us}, timer.entry, number});
        } else {
          next_due = std::min(next_due, due_of(each));
        }
      }
      if (next == 0) break;
      number = next;
      state = more_state(next);
    }
    if (next_due != kNever) set_timer(timer.entry, session(own), next_due);
  }
  WEIR_TRY(emit(fired, out));
  close_all(closed);
  return {};
}

Status SessionWindows::emit(const std::vector<Due>& fired, OperatorOutput& out) {
  std::vector<Due> sorted = fired;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Due& a, const Due& b) {
    return a.window.end_us != b.window.end_us ? a.window.end_us < b.window.end_us
                                              : a.window.start_us < b.window.start_us;
  });
  ResultRows rows;
  rows.values = &groups_.values;
  for (size_t i = 0; i < sorted.size(); ++i) {
    const Due& due = sorted[i];
    rows.windows.push_back(due.window);
    rows.keys.push_back(groups_.table.key(due.entry));
    rows.states.push_back(due.number == 0 ? groups_.table.state(due.entry)
                                          : more_.state(entry_of(due.number)));
    if (rows.size() == grouping_.batch_rows() || i + 1 == sorted.size()) {
      WEIR_ASSIGN(auto batch, grouping_.results(rows, lateness_us_ > 0 ? 1 : 0));
      WEIR_TRY(out.emit(std::move(batch)));
      rows.clear();
    }
  }
  return {};
}

// Leaves the key's chain and timer, and a state of no rows.
void SessionWindows::close(uint8_t* state) {
  grouping_.aggregates().release(state, groups_.values);
  std::memset(state + sizeof(Session), 0, grouping_.state_width() - sizeof(Session));
  session(state).flags &= kTimed;
}

void SessionWindows::close_all(const std::vector<Due>& closed) {
  for (const Due& due : closed) {
    uint8_t* own = groups_.table.mutable_state(due.entry);
    if (due.number == 0) {
      close(own);
    } else {
      uint8_t* gone = more_state(due.number);
      uint32_t* link = &session(own).next;
      while (*link != due.number) link = &session(more_state(*link)).next;
      *link = session(gone).next;
      close(gone);
      ++dead_more_;
    }
    if ((session(own).flags & kOpen) == 0 && session(own).next == 0) ++dead_;
  }
  if (!closed.empty()) compact();
}

void SessionWindows::compact() {
  if (dead_more_ * 2 > more_.size()) {
    std::vector<uint8_t> gone(more_.size());
    for (uint32_t entry = 0; entry < gone.size(); ++entry) {
      gone[entry] = (session(more_.state(entry)).flags & kOpen) == 0 ? 1 : 0;
    }
    more_.erase(gone);
    dead_more_ = 0;
  }
  if (dead_ * 2 <= groups_.table.size() || groups_.table.size() < kFewEntries) return;
  std::vector<uint8_t> gone(groups_.table.size());
  for (uint32_t entry = 0; entry < gone.size(); ++entry) {
    const Session& own = session(groups_.table.state(entry));
    gone[entry] = (own.flags & kOpen) == 0 && own.next == 0 ? 1 : 0;
  }
  groups_.table.erase(gone);
  dead_ = 0;
  rebuild_timers();
}

// Entries have new numbers.
void SessionWindows::rebuild_timers() {
  timers_.clear();
  for (uint32_t entry = 0; entry < groups_.table.size(); ++entry) {
    const Session& own = session(groups_.table.state(entry));
    if ((own.flags & kTimed) != 0) timers_.push_back({own.timer_us, entry});
  }
  std::make_heap(timers_.begin(), timers_.end());
}

Result<std::unique_ptr<StateSnapshot>> SessionWindows::snapshot() {
  auto frozen = std::make_unique<SessionsSnapshot>();
  frozen->fired_us = fired_us_;
  frozen->last_number = last_number_;
  frozen->keys = groups_.table.snapshot();
  frozen->more = more_.snapshot();
  frozen->values = groups_.values.snapshot();
  return std::unique_ptr<StateSnapshot>(std::move(frozen));
}

Status SessionWindows::restore(StateReader& reader) {
  WEIR_ASSIGN(uint32_t version, reader.section("sessions", 1));
  (void)version;
  WEIR_ASSIGN(fired_us_, reader.i64());
  WEIR_ASSIGN(last_number_, reader.u32());
  WEIR_TRY(groups_.table.restore(reader));
  WEIR_TRY(more_.restore(reader));
  WEIR_TRY(groups_.values.restore(reader));
  for (uint32_t entry = 0; entry < groups_.table.size(); ++entry) {
    const Session& own = session(groups_.table.state(entry));
    if ((own.flags & kOpen) == 0 && own.next == 0) ++dead_;
  }
  for (uint32_t entry = 0; entry < more_.size(); ++entry) {
    if ((session(more_.state(entry)).flags & kOpen) == 0) ++dead_more_;
  }
  rebuild_timers();
  return {};
}

}  // namespace

Result<std::unique_ptr<OpenWindows>> make_session_windows(const OperatorContext& context) {
  WEIR_ASSIGN(Grouping grouping, Grouping::create(context, sizeof(Session), false));
  return std::unique_ptr<OpenWindows>(std::make_unique<SessionWindows>(
      context.node->window, context.allowed_lateness_us, std::move(grouping)));
}

}  // namespace weir
